#!/usr/bin/env python3
"""What logging costs a training loop: every call timed, beside an empty one as a control.

    zero_harm.py --seconds 5            against the daemon that LINAJE_SOCKET names, or none
    zero_harm.py --until-eof --json     until standard input ends; for programs

A step computes a little, then logs as a training does: metrics at each step, tags, params, files
and parts of the run now and then. A machine that others use too takes the processor away from any
process at any moment. So a call that took long is looked at again. "Ours" is the time for which the
call computed, and that for which it waited for a lock, a disk or the interpreter; not ours is the
time for which this thread, or the one of the client that it waited for, was ready to run and did
not get a processor (/proc/self/task/*/schedstat). "slow" counts calls that took more than 5 ms,
"over" those of which more than 5 ms are ours.
"""

import argparse
import json
import logging
import os
import select
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "src"))

import linaje  # noqa: E402

LIMIT_NS = 5_000_000
SUSPICIOUS_NS = 1_000_000
SMALL, LARGE = 100_000, 8 << 20


class Calls:
    """The durations of one kind of call."""

    def __init__(self):
        self.walls, self.ours, self.over, self.slow = [], 0, 0, 0

    def summary(self):
        """Percentiles and the longest, in microseconds."""
        walls = sorted(self.walls)

        def at(share):
            return round(walls[min(len(walls) - 1, int(len(walls) * share))] / 1e3, 1)

        return {"count": len(walls), "p50_us": at(0.5), "p99_us": at(0.99), "p999_us": at(0.999),
                "max_us": round(walls[-1] / 1e3, 1), "ours_max_us": round(self.ours / 1e3, 1),
                "slow": self.slow, "over": self.over} if walls else {"count": 0}


def waited():
    """{thread: ns it was ready to run and did not} since it began."""
    found = {}
    for thread in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{thread}/schedstat", "rb") as file:
                found[thread] = int(file.read().split()[1])
        except (OSError, IndexError):
            continue
    return found


class Meter:
    """Times calls and tells what was ours of those that took long."""

    def __init__(self):
        self.calls = {}
        self.errors = []
        self.main = str(threading.get_native_id())
        self.mark()

    def mark(self):
        """From here on time without a processor counts for the next calls."""
        self.before = waited()

    def time(self, kind, function, *arguments, **options):
        """Calls a function; an exception is noted, as is each long duration."""
        clock = time.perf_counter_ns
        computed = time.thread_time_ns()
        begin = clock()
        try:
            result = function(*arguments, **options)
        except Exception as error:  # noqa: BLE001 - exactly this must not happen
            result = None
            self.errors.append(f"{kind}: {error!r}")
        wall = clock() - begin
        calls = self.calls.get(kind)
        if calls is None:
            calls = self.calls[kind] = Calls()
        calls.walls.append(wall)
        if wall > SUSPICIOUS_NS:
            self._judge(calls, wall, time.thread_time_ns() - computed)
        return result

    def _judge(self, calls, wall, computed):
        before, after = self.before, waited()
        delays = {each: value - before.get(each, 0) for each, value in after.items()}
        main = delays.pop(self.main, 0)
        waited_for = max(0, wall - computed - main - max(delays.values(), default=0))
        ours = min(wall, computed + waited_for)
        calls.ours = max(calls.ours, ours)
        calls.slow += wall > LIMIT_NS
        calls.over += ours > LIMIT_NS
        self.before = after


def nothing():
    """The control: what a call costs that does nothing."""


def compute(matrix):
    """Some work that lets go of the interpreter, as a training's does, and some that does not."""
    if matrix is not None:
        matrix @ matrix
    return sum(range(200))


class Training:
    """The loop. Step i logs loss = i and four more metrics with values that follow from i."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.meter = Meter()
        self.artifacts, self.parts, self.steps, self.texts = [], [], 0, 0
        self.folder = tempfile.TemporaryDirectory(prefix="linaje-harm-")
        self.matrix = None
        if arguments.numpy:
            import numpy

            self.matrix = numpy.ones((192, 192), dtype=numpy.float32)

    def run(self):
        """Trains; the result as a dictionary."""
        meter = self.meter
        run = meter.time("start_run", linaje.start_run, name="zero harm", experiment="harm")
        if self.arguments.announce:
            print(run.run_id, flush=True)
        begin, end = time.monotonic(), self.arguments.seconds
        while not self._told_to_stop(begin, end):
            self._step(run)
        ending = time.monotonic()
        meter.time("end_run", linaje.end_run)
        result = {"run": run.run_id, "steps": self.steps, "texts": self.texts,
                  "seconds": round(ending - begin, 3), "errors": meter.errors,
                  "artifacts": self.artifacts, "parts": self.parts,
                  "calls": {kind: calls.summary() for kind, calls in meter.calls.items()}}
        self.folder.cleanup()
        return result

    def _told_to_stop(self, begin, end):
        if self.arguments.until_eof and self.steps % 16 == 0:
            return bool(select.select([sys.stdin], [], [], 0)[0]) and not sys.stdin.read(1)
        return not self.arguments.until_eof and time.monotonic() - begin > end

    def _step(self, run):
        i, meter = self.steps, self.meter
        compute(self.matrix)
        if self.arguments.pause:
            time.sleep(self.arguments.pause)
        if i % 2 == 0:
            meter.mark()
        meter.time("control", nothing)
        meter.time("log_metric", linaje.log_metric, "loss", float(i), i)
        meter.time("log_metrics", linaje.log_metrics, {
            "accuracy": i / 2, "rate": 1.0 / (i + 1), "norm": -float(i), "epoch": i // 100}, i)
        if i % 50 == 0:
            meter.time("set_tag", linaje.set_tag, f"t{i // 50 % 20}", i)
            meter.time("log_param", linaje.log_param, f"p{i}", i)
        if i % 1000 == 500:
            self._files(i)
        if i % 1000 == 900:
            self._part(run)
        self.steps += 1

    def _files(self, i):
        """A small file, a checkpoint that is written anew under its name, and a text."""
        number = i // 1000
        small = os.path.join(self.folder.name, f"small-{number}.bin")
        large = os.path.join(self.folder.name, "checkpoint.bin")
        for path, size in ((small, SMALL), (large, LARGE)):
            if size == LARGE and number % 4:
                continue
            with open(path + ".new", "wb") as file:
                file.write(number.to_bytes(4, "little") * (size // 4))
            os.replace(path + ".new", path)
            kind = "log_artifact" if size == SMALL else "log_artifact 8 MiB"
            self.meter.time(kind, linaje.log_artifact, path, f"step-{i}")
            self.artifacts.append([f"step-{i}/{os.path.basename(path)}", number, size])
        self.meter.time("log_text", linaje.log_text, f"text {number}", f"notes/{number}.txt")
        self.texts += 1

    def _part(self, run):
        part = self.meter.time("start_run (part)", linaje.start_run, nested=True)
        for step in range(5):
            self.meter.time("log_metric", part.log_metric, "part", float(step), step)
        self.meter.time("end_run (part)", linaje.end_run)
        self.parts.append(part.run_id)


def table(result):
    """The result as text for people."""
    rows = [f"{'call':20} {'count':>8} {'p50 us':>8} {'p99':>8} {'p99.9':>8} {'max':>9} "
            f"{'ours max':>9} {'slow':>5} {'over':>5}"]
    for kind, calls in result["calls"].items():
        if calls["count"]:
            rows.append(f"{kind:20} {calls['count']:8} {calls['p50_us']:8} {calls['p99_us']:8} "
                        f"{calls['p999_us']:8} {calls['max_us']:9} {calls['ours_max_us']:9} "
                        f"{calls['slow']:5} {calls['over']:5}")
    return "\n".join(rows)


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--until-eof", action="store_true")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds to sleep in a step")
    parser.add_argument("--numpy", action="store_true", help="multiply matrices in each step")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--announce", action="store_true", help="print the run's id first")
    arguments = parser.parse_args()
    logging.basicConfig()
    result = Training(arguments).run()
    print(json.dumps(result) if arguments.json else table(result), flush=True)
    return 1 if result["errors"] else 0


if __name__ == "__main__":
    sys.exit(main())
