"""A daemon, or a command, whose storage's system calls are counted and may be the last or fail."""

import os
import random
import struct
import subprocess
import time

import pytest
from support import (LINAJE, SECONDS, SEED, SOAK, Daemon, LinajeError, new_run, put_tree, read)

may_be_told_to_fail = [
    pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built"),
    pytest.mark.skipif("/release/" in os.environ.get("LINAJED", ""),
                       reason="only a debug build can be told to fail"),
]

# enum storage_call in CStorageCalls.h.
CALLS = ["open", "close", "read", "write", "sync", "resize", "rename", "unlink", "make folder",
         "list", "status", "mode", "map"]


class Report:
    """The counts of a daemon (struct storage_counts), which outlive it."""

    def __init__(self, path):
        with open(path, "rb") as file:
            numbers = struct.unpack(f"<{len(CALLS) + 3}Q", file.read())
        self.total = numbers[0]
        self.calls = dict(zip(CALLS, numbers[1:]))
        self.fired = numbers[-2]
        self.fired_call = CALLS[numbers[-1]] if self.fired else None


def armed(folder, action, at=0, error=0, **options):
    """A daemon whose calls on its state directory are counted, and may fail."""
    daemon = Daemon(folder, environment={
        "LINAJE_STORAGE_FAULTS": f"{action} {at} {error} {folder}/state",
        "LINAJE_STORAGE_REPORT": f"{folder}/report"}, **options)
    daemon.report = lambda: Report(f"{folder}/report")
    return daemon


def started(daemon):
    """Whether it answers; it may die before."""
    daemon.spawn()
    deadline = time.monotonic() + SECONDS
    while daemon.process.poll() is None:
        assert time.monotonic() < deadline, f"linajed did not answer:\n{daemon.log}"
        try:
            daemon.connection().close()
            return True
        except (LinajeError, OSError):
            time.sleep(0.005)
    return False


def gone(daemon):
    """Whether the daemon died; its connections close a moment before it has ended."""
    try:
        daemon.process.wait(timeout=10)
        return True
    except subprocess.TimeoutExpired:
        return False


class Refused(Exception):
    """What the command line says of a call that failed."""


def linaje(daemon, *arguments):
    return subprocess.run([LINAJE, *arguments, "--json", "--socket", daemon.socket],
                          capture_output=True, text=True, timeout=SECONDS, check=False)


def content(dice):
    """Few contents, so that they are put again while they are collected."""
    return {f"f{dice.randrange(6)}": random.Random(dice.randrange(6)).randbytes(30_000),
            "own": dice.randbytes(5_000), "text": b"a line of text\n" * dice.randrange(1, 900)}


def work(daemon, dice, kept):
    """Puts, deletes and collects; notes in `kept` what is acknowledged."""
    with daemon.client() as client:
        for _ in range(2):
            run, files = new_run(client), content(dice)
            kept[run] = (put_tree(client, files, run=run, path="m").digest, files)
        doomed = dice.choice(list(kept))
        # Whether it is gone or not is open from here on.
        kept.pop(doomed)
        list(client.stream("PurgeRuns", {"run_ids": [doomed], "also_active": True}))
        for _ in range(2):
            done = linaje(daemon, "gc", "--grace", "0s")
            if done.returncode != 0:
                raise Refused(done.stderr)


def look(daemon, kept, what):
    """Everything that was acknowledged is there, and nothing is wrong."""
    with daemon.client() as client:
        for tree, files in kept.values():
            for path, wanted in files.items():
                assert read(client, tree, path) == wanted, f"{what}: {path} is wrong"
    done = linaje(daemon, "fsck", "--read-data")
    if done.returncode != 0:
        assert gone(daemon), f"{what}: {done.stdout}{done.stderr}"
        raise Refused(done.stderr)


def faulty(folder, command, action, at=0, *, below, error=0):
    """Runs a command whose calls below a folder are counted, and may be the last."""
    environment = {**os.environ, "LINAJE_STORAGE_FAULTS": f"{action} {at} {error} {below}",
                   "LINAJE_STORAGE_REPORT": f"{folder}/command"}
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False,
                          env=environment)


def sample(total, count):
    """Calls that are tried: all of them in the soak."""
    return range(1, total + 1) if SOAK else \
        sorted({1 + (index * total // count + SEED) % total for index in range(count)})
