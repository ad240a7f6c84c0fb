#!/usr/bin/env python3
"""Everything at once against one daemon, with faults, for some minutes; then everything is checked.

    soak.py --minutes 10 [--seed 7] [--report docs/soak.md]

For the first part of the time the daemon is killed, restarted, paused and its disk filled, at
moments that follow from the seed; then only its clients misbehave, so that one process of it lives
long enough to see whether its memory stays flat. Trainings, metric streams, benches, artifacts,
the registry, readers, tails and abusive clients work all the time (`soak_agents`). At the end
nothing that was acknowledged may be missing, there twice, or changed.
"""

import argparse
import contextlib
import datetime
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time

from soak_agents import (Abusers, Artifacts, Bench, Readers, Registry, Streams, Tails, Trainers)
from soak_house import House, bytes_below
from support import LINAJED, ROOT, SEED, Daemon, may_unshare
from zero_harm import DISK_BYTES, DISK_FAULTS, FAULTS, HEAD, isolated, may_fill, row

SLOPE_LIMIT = 4 << 20
RSS_LIMIT = 512 << 20


class Soak:
    """One run of the mix."""

    def __init__(self, folder, seconds, seed, chaos_share):
        self.folder, self.seconds, self.seed = folder, seconds, seed
        self.chaos_seconds = seconds * chaos_share
        self.dice = random.Random(f"{seed} faults")
        self.house = House(folder)
        self.home = tempfile.mkdtemp(prefix="lnj-")
        self.failures, self.state_bytes = [], 0
        self.took = 0.0

    def run(self):
        """Works, checks, and says what was found."""
        begin = time.monotonic()
        self.house.open()
        # A training is long enough for faults to meet it, and short enough that several end.
        lengths = max(4.0, min(40.0, self.seconds / 5))
        self.agents = [
            Trainers(self.house, self.seed, os.path.join(self.home, "1"), lengths),
            Trainers(self.house, self.seed, os.path.join(self.home, "2"), lengths),
            *(kind(self.house, self.seed) for kind in
              (Streams, Bench, Artifacts, Registry, Readers, Tails, Abusers))]
        for agent in self.agents:
            agent.thread.start()
        try:
            self._disturb(begin)
            self._stop_agents()
            self._check()
            self.state_bytes = bytes_below(self.house.daemon.state)
            self.house.close()
        except Exception as error:  # noqa: BLE001 - told like every other failure
            self.failures.append(f"{type(error).__name__}: {error}")
        finally:
            for process in Daemon.processes:
                if process.poll() is None:
                    process.kill()
            shutil.rmtree(self.home, ignore_errors=True)
        self.took = time.monotonic() - begin

    def _disturb(self, begin):
        faults = [self.house.killed, self.house.restarted, self.house.paused]
        if may_fill(self.folder):
            faults.append(self.house.full)
        order = []
        while (elapsed := time.monotonic() - begin) < self.seconds:
            if any(agent.failure for agent in self.agents):
                return
            if elapsed > self.chaos_seconds:
                time.sleep(min(1.0, self.seconds - elapsed))
                continue
            time.sleep(self.dice.uniform(1.0, min(8.0, 1.0 + self.chaos_seconds / 12)))
            if not order:
                # Each fault once before one comes again: a short run sees all of them too.
                order = self.dice.sample(faults, len(faults))
            order.pop()(self.dice)

    def _stop_agents(self):
        for agent in self.agents:
            agent.over.set()
        for agent in self.agents:
            agent.thread.join(180)
            name = type(agent).__name__
            if agent.thread.is_alive():
                self.failures.append(f"{name} does not end")
            elif agent.failure is not None:
                self.failures.append(f"{name}: {type(agent.failure).__name__}: {agent.failure}")

    def _check(self):
        for agent in self.agents:
            if isinstance(agent, Trainers) and agent.trainer is not None:
                agent.trainer.sync()
        with self.house.client(60) as client:
            if client.status().failure:
                self.failures.append(f"the storage has failed: {client.status().failure}")
            for agent in self.agents:
                if agent.failure is None:
                    try:
                        agent.verify(client)
                    except Exception as error:  # noqa: BLE001 - all are looked at
                        self.failures.append(f"{type(agent).__name__}: {error}")
        for number, life in enumerate(self.house.lives):
            if life.slope is not None and life.slope > SLOPE_LIMIT:
                self.failures.append(f"memory of process {number + 1} grew by "
                                     f"{life.slope / 2**20:.1f} MiB a minute")
            if max((rss for _, rss in life.samples), default=0) > RSS_LIMIT:
                self.failures.append(f"process {number + 1} had more than 512 MiB in memory")

    # --- What was found ---

    def text(self):
        """The report, in Markdown."""
        counts, latencies = {}, {}
        for agent in self.agents:
            for what, number in agent.counts.items():
                counts[what] = counts.get(what, 0) + number
            for what, values in agent.latencies.items():
                latencies.setdefault(what, []).extend(values)
        lines = ["| what | count |", "|---|---|"]
        lines += [f"| {what} | {number:,} |" for what, number in sorted(counts.items())]
        lines += [f"| fault: {what} | {number} |" for what, number in
                  sorted(self.house.faults.items())]
        lines += ["", *self._memory(), ""]
        if latencies:
            lines += ["| calls that no fault disturbed | count | p50 ms | p99 ms | longest ms |",
                      "|---|---|---|---|---|"]
        for what, values in sorted(latencies.items()):
            values.sort()
            p99 = values[min(len(values) - 1, len(values) * 99 // 100)]
            lines.append(f"| {what} | {len(values):,} | {values[len(values) // 2] * 1e3:.1f} | "
                         f"{p99 * 1e3:.1f} | {values[-1] * 1e3:.1f} |")
        lines += ["", *self._trainings(), "",
                  "Failures: none." if not self.failures else "Failures:"]
        lines += [f"- {failure}" for failure in self.failures]
        return "\n".join(lines)

    def _memory(self):
        lives = [life for life in self.house.lives if life.samples]
        if not lives:
            return ["Nothing was measured."]
        longest = max(lives, key=lambda life: life.samples[-1][0])
        mib = 2**20
        rows = ["| memory of the daemon | |", "|---|---|",
                f"| processes | {len(self.house.lives)} |",
                f"| first sample of the first, MiB | {lives[0].samples[0][1] / mib:.0f} |",
                f"| last sample of the last, MiB | {lives[-1].samples[-1][1] / mib:.0f} |",
                f"| most of any, MiB | "
                f"{max(rss for life in lives for _, rss in life.samples) / mib:.0f} |",
                f"| longest life, s | {longest.samples[-1][0]:.0f} |"]
        if longest.slope is not None:
            warm = longest.warm
            rows += [f"| its memory after 30 s and at its end, MiB | {warm[0][1] / mib:.0f}, "
                     f"{warm[-1][1] / mib:.0f} |",
                     f"| its slope after 30 s, MiB a minute | {longest.slope / mib:.2f} |"]
        return rows + [
            f"| most descriptors, threads | {max(life.descriptors for life in lives)}, "
            f"{max(life.threads for life in lives)} |",
            f"| state at the end, MiB | {self.state_bytes / mib:.0f} |"]

    def _trainings(self):
        results = [result for agent in self.agents if isinstance(agent, Trainers)
                   for result in agent.results]
        if not results:
            return []
        calls = [(kind, each) for result in results for kind, each in result["calls"].items()
                 if each["count"]]
        ours = [(kind, each) for kind, each in calls if kind != "control"]
        control = max(each["max_us"] for kind, each in calls if kind == "control")
        metric = [each for kind, each in ours if kind == "log_metric"]
        return ["| calls of trainings | |", "|---|---|",
                f"| calls | {sum(each['count'] for _, each in ours):,} |",
                f"| log_metric, worst p99.9 of a training, ms | "
                f"{max(each['p999_us'] for each in metric) / 1e3:.2f} |",
                f"| longest call, ms | {max(each['max_us'] for _, each in ours) / 1e3:.1f} |",
                f"| of that the client's own, at most, ms | "
                f"{max(each['ours_max_us'] for _, each in ours) / 1e3:.1f} |",
                f"| calls with more than 5 ms of their own | "
                f"{sum(each['over'] for _, each in ours)} |",
                f"| longest empty call beside them, ms | {control / 1e3:.1f} |"]


def present_commit():
    """The commit that is checked out, and whether something differs from it."""
    return subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"],
                          capture_output=True, text=True, check=False).stdout.strip()


def heading(arguments, commit, took):
    """What was run, where and when."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    kind = "release" if "/release/" in LINAJED else "debug"
    disk = "a disk in memory" if arguments.tmpfs else "the machine's disk"
    now = datetime.datetime.now(datetime.timezone.utc)
    return (f"# The last soak\n\n`scripts/soak mix --minutes {arguments.minutes:g} --seed "
            f"{arguments.seed}` on {now:%Y-%m-%d %H:%M} UTC, commit {commit}, {kind} build, state on "
            f"{disk}; {os.cpu_count()} shared cores, {memory:.0f} GiB, Linux "
            f"{platform.release().split('-')[0]}. It took {took / 60:.1f} minutes with the final "
            f"checks.\n\nEach point, file, version and status that the daemon had acknowledged was "
            f"looked for afterwards; what is counted below was there, exactly once and byte for "
            f"byte, unless it is a failure.\n\n")


def harm(failures):
    """What each fault costs a training, one after the other."""
    rows = [f"\n## What a training felt of each fault\n\nA training of 10 s for each fault "
            f"(`Tests/System/zero_harm.py`), every call timed beside an empty one; \"ours\" is what "
            f"is left of a call without the time for which the machine ran somebody else.\n\n{HEAD}"]
    for fault in FAULTS:
        if fault in DISK_FAULTS and not may_unshare():
            continue
        try:
            rows.append(row(fault, isolated(fault, 10)))
        except AssertionError as error:
            failures.append(f"{fault}: {error}")
            rows.append(f"| {fault} | failed: {str(error).splitlines()[-1][:200]} |")
    return "\n".join(rows) + "\n"


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--chaos", type=float, default=0.6, help="share of the time with faults")
    parser.add_argument("--report", help="a file for the report")
    parser.add_argument("--tmpfs", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.tmpfs and may_unshare():
        # On a small disk of its own, which can be filled.
        os.execvp("unshare", ["unshare", "-m", sys.executable, __file__, *sys.argv[1:], "--tmpfs"])
    folder = tempfile.mkdtemp(prefix="lnj-")
    try:
        if arguments.tmpfs:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder],
                           check=True)
        commit = present_commit()
        soak = Soak(folder, arguments.minutes * 60, arguments.seed, arguments.chaos)
        soak.run()
        text = heading(arguments, commit, soak.took) + soak.text() + "\n"
        if arguments.report and not soak.failures:
            text += harm(soak.failures)
        print(text)
        if arguments.report:
            with open(arguments.report, "w", encoding="utf-8") as file:
                file.write(text)
        if soak.failures:
            print(soak.house.daemon.log[-4000:], file=sys.stderr)
        return 1 if soak.failures else 0
    finally:
        with contextlib.suppress(OSError):
            if arguments.tmpfs:
                subprocess.run(["umount", "-l", folder], check=False)
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
