#!/usr/bin/env python3
"""A training beside a daemon that fails in one way: no call fails or waits, nothing is lost.

    zero_harm.py                       all faults, 5 s each: the table of what the calls cost
    zero_harm.py --fault paused --seconds 20 --json

The training is Clients/python/tools/zero_harm.py. Faults of the disk need a mount namespace and
run in one of their own (unshare).
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from support import ROOT, SECONDS, SEED, Daemon, LinajeError, eventually, history, may_unshare, read

TOOL = ROOT / "Clients/python/tools/zero_harm.py"
KEYS = {"loss": lambda i: float(i), "accuracy": lambda i: i / 2, "rate": lambda i: 1.0 / (i + 1),
        "norm": lambda i: -float(i), "epoch": lambda i: float(i // 100)}
FINISHED = 3
DISK_BYTES = 1 << 30
SMALL_DISK_BYTES = 64 << 20


class Trainer:
    """The training as a process, under way; ends when it is told to."""

    def __init__(self, daemon, state, *options, **environment):
        """`state`: the folder for the spool."""
        self.state = state
        self.environment = {**os.environ, "LINAJE_SOCKET": daemon.socket, "HOME": state,
                            "XDG_STATE_HOME": state, **environment}
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [sys.executable, str(TOOL), "--until-eof", "--json", "--announce", "--pause", "0.0005",
             *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            text=True, env=self.environment)
        Daemon.processes.append(self.process)
        self.run = self.process.stdout.readline().strip()
        assert len(self.run) == 32, f"the training said {self.run!r}"

    def said(self):
        """What it has been told so far."""
        size = os.fstat(self.errors.fileno()).st_size
        return os.pread(self.errors.fileno(), size, 0).decode("utf-8", "replace")

    def end(self, seconds=60.0):
        """Ends the training; what it found out, with the time that the end of the process took."""
        begin = time.monotonic()
        out, _ = self.process.communicate("", timeout=seconds)
        took = time.monotonic() - begin
        said = self.said()
        self.errors.close()
        assert self.process.returncode == 0, f"the training failed:\n{said}"
        return {**json.loads(out), "end_s": round(took, 2), "said": said}

    def sync(self):
        """`python -m linaje sync` until no spool waits."""
        said = []

        def done():
            tried = subprocess.run(
                [sys.executable, "-m", "linaje", "sync"], capture_output=True, timeout=60,
                env={**self.environment, "PYTHONPATH": str(ROOT / "Clients/python/src")},
                check=False, text=True)
            said.append(tried.stdout + tried.stderr)
            return tried.returncode == 0

        try:
            eventually(done, 60)
        except AssertionError:
            raise AssertionError(f"the spool was not replayed: {said[-1]}") from None
        root = os.path.join(self.state, "linaje", "spool")
        assert not os.path.isdir(root) or os.listdir(root) == [], "something is left in the spool"


# --- Faults: each gets the daemon, running, the trainer and the seconds it may take ---

def nothing(daemon, _, seconds):
    """No fault: what logging costs on a good day."""
    time.sleep(seconds)


def stopped(daemon, _, seconds):
    """SIGTERM, away for half of the time, started again."""
    time.sleep(seconds / 4)
    assert daemon.stop() == 0
    time.sleep(seconds / 2)
    daemon.start()
    time.sleep(seconds / 4)


def killed(daemon, _, seconds):
    """kill -9, away for half of the time, started again."""
    time.sleep(seconds / 4)
    daemon.kill()
    time.sleep(seconds / 2)
    daemon.start()
    time.sleep(seconds / 4)


def paused(daemon, _, seconds):
    """SIGSTOP for most of the time: its socket is open and takes bytes until it is full."""
    time.sleep(seconds / 8)
    daemon.process.send_signal(signal.SIGSTOP)
    time.sleep(seconds * 3 / 4)
    daemon.process.send_signal(signal.SIGCONT)
    time.sleep(seconds / 8)


def restarted(daemon, _, seconds):
    """20 restarts, by SIGTERM and kill -9 in turn."""
    for number in range(20):
        time.sleep(seconds / 40)
        if number % 2:
            daemon.kill()
        else:
            assert daemon.stop() == 0
        time.sleep(seconds / 40)
        daemon.start()


def disk_full(daemon, _, seconds):
    """The daemon's disk is full for half of the time."""
    time.sleep(seconds / 4)
    with full(daemon.state):
        time.sleep(seconds / 2)
    _recover(daemon)
    time.sleep(seconds / 4)


def all_full(daemon, trainer, seconds):
    """The daemon is away and the disk of the spool is full, for half of the time, and longer if
    what is logged still fits into the last page of a file."""
    time.sleep(seconds / 4)
    daemon.kill()
    with full(daemon.state):
        time.sleep(seconds / 2)
        eventually(lambda: "cannot be spooled" in trainer.said(), 30)
    daemon.start()
    time.sleep(seconds / 4)


def may_fill(folder):
    """Whether a folder is on a disk so small that it must be there to be filled."""
    disk = os.statvfs(folder)
    return disk.f_blocks * disk.f_frsize <= DISK_BYTES


@contextlib.contextmanager
def full(folder):
    """Leaves not a byte of the small disk of a folder free."""
    assert may_fill(folder), f"{folder} is not on a small disk of its own"
    path = os.path.join(folder, "filler")
    with open(path, "wb", buffering=0) as file:
        for size in (16 << 20, 1 << 20, 4096):
            with contextlib.suppress(OSError):
                while True:
                    os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), size)
        with contextlib.suppress(OSError):
            while file.write(b"\xff"):
                pass
    try:
        yield
    finally:
        os.unlink(path)


def _recover(daemon):
    """What an operator does: a daemon whose storage has failed says so and is started anew."""
    with daemon.client() as client:
        if not client.status().failure:
            return
    daemon.restart()


def absent(daemon, _, seconds):
    """There is no daemon at all until the training has ended."""
    time.sleep(seconds)


FAULTS = {"nothing": nothing, "stopped": stopped, "killed": killed, "paused": paused,
          "restarted 20 times": restarted, "disk full": disk_full,
          "away, disk full": all_full, "absent": absent}
DISK_FAULTS = {"disk full", "away, disk full"}


# --- One training ---

def measure(fault, folder, seconds, *options):
    """Trains through a fault and checks what is there afterwards; the training's result."""
    daemon = Daemon(folder)
    if fault != "absent":
        daemon.start()
    # Only one fault leaves no room for the spool either.
    state = folder if fault == "away, disk full" else tempfile.mkdtemp(prefix="lnj-")
    trainer = Trainer(daemon, state, *options)
    FAULTS[fault](daemon, trainer, seconds)
    result = trainer.end()
    if fault == "absent":
        daemon.start()
    trainer.sync()
    with daemon.client() as client:
        result["points"] = check(client, result)
    daemon.finish()
    if state != folder:
        shutil.rmtree(state)
    return result


def check(client, result):
    """Everything that was logged is there, exactly once; the number of points."""
    assert result["errors"] == [], result["errors"][:3]
    run, steps = result["run"], result["steps"]
    found = {}
    for key, step, _, value in history(client, run):
        found.setdefault(key, []).append((step, value))
    assert set(found) == set(KEYS), f"metrics {sorted(found)}"
    for key, points in found.items():
        wanted = [(i, KEYS[key](i)) for i in range(steps)]
        assert points == wanted, f"{key}: {difference(points, wanted)}"
    stored = client.get_run(run)
    assert stored.status == FINISHED, f"status {stored.status}: {stored.ended_cause}"
    params = {each.key: each.int_value for each in stored.params}
    assert params == {f"p{i}": i for i in range(0, steps, 50)}
    tags = {each.key: each.value for each in stored.tags}
    last = {f"t{i // 50 % 20}": str(i) for i in range(0, steps, 50)}
    assert last.items() <= tags.items()
    for path, number, size in result["artifacts"]:
        wanted = hashlib.sha256(number.to_bytes(4, "little") * (size // 4)).digest()
        got = hashlib.sha256(read(client, run, path)).digest()
        assert got == wanted, f"artifact {path}"
    for number in range(result["texts"]):
        assert read(client, run, f"notes/{number}.txt") == f"text {number}".encode()
    for part in result["parts"]:
        assert [point[1] for point in history(client, part)] == list(range(5))
        assert client.get_run(part).status == FINISHED
    return len(KEYS) * steps + 5 * len(result["parts"])


def difference(points, wanted):
    """In what two lists of points differ, in words."""
    have, want = sorted(point[0] for point in points), {point[0] for point in wanted}
    twice = len(have) - len(set(have))
    return (f"{len(want - set(have))} of {len(want)} points lost, {twice} twice, "
            f"{len(set(have) - want)} never logged")


def isolated(fault, seconds, *options):
    """`measure` in a process of its own, on a small disk of its own where the fault needs one."""
    command = [sys.executable, __file__, "--fault", fault, "--seconds", str(seconds), "--json",
               *options]
    if fault in DISK_FAULTS:
        command = ["unshare", "-m", *command, "--tmpfs"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 180,
                          check=False)
    assert done.returncode == 0, f"{fault}: {done.stdout}{done.stderr}"
    return json.loads(done.stdout)


def row(fault, result):
    """A line of the table."""
    calls = result["calls"]
    worst = max((each["max_us"] for kind, each in calls.items() if kind != "control"), default=0)
    ours = max((each["ours_max_us"] for kind, each in calls.items() if kind != "control"),
               default=0)
    metric = calls["log_metric"]
    over = sum(each["over"] for kind, each in calls.items() if kind != "control")
    return (f"| {fault} | {result['points']:,} | {metric['p50_us']} | {metric['p99_us']} "
            f"| {metric['p999_us']} | {worst / 1000:.1f} | {ours / 1000:.1f} | {over} "
            f"| {calls['control']['max_us'] / 1000:.1f} | {result['end_s']} |")


HEAD = ("| fault | points | p50 µs | p99 µs | p99.9 µs | longest call ms | ours of it ms "
        "| over 5 ms | longest empty call ms | end s |\n|---|---|---|---|---|---|---|---|---|---|")


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fault", choices=sorted(FAULTS))
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--numpy", action="store_true")
    parser.add_argument("--tmpfs", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    options = ["--numpy"] if arguments.numpy else []
    if not arguments.json:
        print(HEAD, flush=True)
        for fault in [arguments.fault] if arguments.fault else FAULTS:
            if fault in DISK_FAULTS and not may_unshare():
                continue
            print(row(fault, isolated(fault, arguments.seconds, *options)), flush=True)
        return
    folder = tempfile.mkdtemp(prefix="lnj-")
    try:
        if arguments.fault in DISK_FAULTS and not arguments.tmpfs:
            parser.error("faults of the disk need a small one of their own: leave --json away")
        if arguments.tmpfs:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_BYTES}", "tmpfs", folder],
                           check=True)
        print(json.dumps(measure(arguments.fault, folder, arguments.seconds, *options)))
    finally:
        for process in Daemon.processes:
            if process.poll() is None:
                process.kill()
        if arguments.fault in DISK_FAULTS and not arguments.tmpfs:
            parser.error("faults of the disk need a small one of their own: leave --json away")
        if arguments.tmpfs:
            subprocess.run(["umount", "-l", folder], check=False)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
