"""What every peer's child process shares: the work, the stop-watch, the answer.

A child is `python PEER_peer.py '{"job": "log", …}'`. It does one job in a folder of its own and
prints one JSON object as the last line of its output. Standard library only: it runs inside the
peer's own environment.
"""

import json
import os
import random
import struct
import sys
import time

clock = time.perf_counter_ns
START = clock()
TOP = 100


class Work:
    """A training's points: `metrics` series, `steps` long, values born as float32."""

    def __init__(self, metrics, steps):
        source = random.Random(20260101)
        self.keys = [f"train/metric_{n}" for n in range(metrics)]
        self.rows = [{key: as_float32(1 / (1 + step * 0.01) + source.gauss(0, 0.02))
                      for key in self.keys} for step in range(steps)]

    @property
    def points(self):
        return len(self.keys) * len(self.rows)


def as_float32(value):
    """The nearest float32, as losses come out of a model."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


class Loop:
    """Times each call of a training's loop, and stops at the cap."""

    def __init__(self, cap):
        self.cap, self.took, self.points = cap, [], 0
        self.capped = False

    def each(self, work, call):
        """call(key, value, step) for each point."""
        def row(step, values):
            took = self.took
            for key, value in values.items():
                begin = clock()
                call(key, value, step)
                took.append(clock() - begin)
        self._run(work, row)

    def row(self, work, call):
        """call(values by key, step) for each step."""
        def row(step, values):
            begin = clock()
            call(values, step)
            self.took.append(clock() - begin)
        self._run(work, row)

    def batch(self, work, steps, call):
        """call([(key, value, step), …]) for so many steps at once."""
        waiting = []

        def row(step, values):
            waiting.extend((key, value, step) for key, value in values.items())
            if (step + 1) % steps == 0 or step + 1 == len(work.rows):
                begin = clock()
                call(list(waiting))
                self.took.append(clock() - begin)
                waiting.clear()
        self._run(work, row)
        self.points -= len(waiting)

    def _run(self, work, row):
        begin = clock()
        end = begin + int(self.cap * 1e9)
        for step, values in enumerate(work.rows):
            row(step, values)
            self.points += len(values)
            if clock() > end:
                self.capped = self.points < work.points
                break
        self.begin = begin
        self.loop_seconds = (clock() - begin) / 1e9

    def found(self, **more):
        """The answer; called when all is on its way to the disk as far as the peer promises."""
        seconds = (clock() - self.begin) / 1e9
        took = sorted(self.took)

        def at(share):
            return took[min(len(took) - 1, int(len(took) * share))] / 1e3
        return {"points": self.points, "calls": len(took), "seconds": seconds,
                "loop_seconds": self.loop_seconds, "points_per_second": self.points / seconds,
                "p50_us": at(0.5), "p99_us": at(0.99), "max_us": took[-1] / 1e3,
                "capped": self.capped, **more}


class Fill:
    """Runs with a loss of their own each, so that the best hundred are known beforehand."""

    def __init__(self, runs, cap):
        self.runs, self.cap, self.made = runs, cap, 0
        self.losses = [as_float32((number + 0.5) / runs) for number in range(runs)]
        random.Random(7).shuffle(self.losses)
        self.begin, self.seconds = clock(), 0.0

    def numbers(self, most=None):
        """The runs to make, until the cap or `most` of them; counted when the next is asked for."""
        end = clock() + int(self.cap * 1e9)
        stop = self.runs if most is None else min(self.runs, self.made + most)
        while self.made < stop and clock() < end:
            yield self.made
            self.made += 1

    def end(self):
        """Everything is stored."""
        self.seconds = (clock() - self.begin) / 1e9

    def metrics(self, number):
        return {"loss": self.losses[number], "acc": as_float32(1 - self.losses[number])}

    def params(self, number):
        return {"lr": 0.001 * (1 + number % 9), "batch_size": 16 << number % 5, "depth": number % 7,
                "optimizer": ("adam", "sgd", "lion")[number % 3], "seed": number}

    @property
    def best(self):
        return sorted(self.losses[:self.made])[:TOP]

    def query(self, ask, cap, times=5):
        """Asks for the best hundred, first cold and then warm; what `ask` returns are losses."""
        took, wrong = [], None
        begin = clock()
        for _ in range(times):
            start = clock()
            found = ask()
            took.append((clock() - start) / 1e6)
            if [as_float32(loss) for loss in found] != self.best:
                wrong = f"answered {len(found)} losses that are not the {len(self.best)} lowest"
                break
            if clock() - begin > cap * 1e9:
                break
        warm = sorted(took[1:])
        return {"runs": self.made, "wanted_runs": self.runs, "fill_seconds": self.seconds,
                "first_ms": took[0], "warm_ms": warm[len(warm) // 2] if warm else None,
                "wrong": wrong}


def disk_bytes(folder):
    """Bytes of all files below a folder; not their blocks, which RocksDB takes before it needs them."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(root, name)).st_size
            except FileNotFoundError:
                pass
    return total


def main(jobs, clean=lambda: None):
    """Does the job that the command line names; jobs are functions of the order."""
    order = json.loads(sys.argv[1])
    os.makedirs(order["folder"], exist_ok=True)
    os.chdir(order["folder"])
    try:
        found = jobs[order["job"]](order)
    finally:
        clean()
    sys.stdout.flush()
    print(json.dumps(found), flush=True)
    # Some libraries keep threads that outlive what they have written.
    os._exit(0)
