"""A real daemon that dies, or whose system calls fail, at a call that its fault layer counts."""

import glob
import random
import re
import time

import pytest
from storage_faults import (
    CALLS, Refused, armed, content, gone, look, may_be_told_to_fail, started, work)
from support import SECONDS, SEED, SOAK, Daemon, LinajeError, eventually, may_trace, new_run, put_tree

pytestmark = may_be_told_to_fail
KILLS = 40


def test_a_daemon_killed_at_any_call_loses_nothing(folder):
    dice = random.Random(SEED)
    kept = {}
    daemon = armed(folder, "count").start()
    opened = daemon.report().total
    work(daemon, dice, kept)
    total = daemon.report().total
    assert daemon.stop() == 0
    assert opened > 50 and total > opened + 200, (opened, total)
    points = range(1, total + 1) if SOAK else \
        [1 + (index * total // KILLS + SEED) % total for index in range(KILLS)]
    deaths, starts = 0, 0
    for number, at in enumerate(points):
        what = f"seed {SEED}, {dice.random():.3f}, killed at call {at} of about {total}"
        daemon = armed(folder, "tear" if number % 4 == 3 else "kill", at)
        try:
            if started(daemon):
                starts += 1
                if number % 2:
                    work(daemon, dice, kept)
                else:
                    look(daemon, kept, f"before {what}")
                    work(daemon, dice, kept)
        except (LinajeError, OSError, Refused) as error:
            assert getattr(error, "code", 200) == 200, f"{what}: {error}\n{daemon.log}"
            assert gone(daemon), f"{what}: {error}\n{daemon.log}"
        deaths += daemon.process.poll() is not None
        if daemon.process.poll() is None:
            daemon.kill()
        daemon.killed = True
        if number % 2 or SOAK:
            daemon = Daemon(folder).start()
            look(daemon, kept, what)
            assert daemon.stop() == 0
    daemon = Daemon(folder).start()
    look(daemon, kept, "at the end")
    daemon.finish()
    print(f"{deaths} deaths at {len(points)} of {total} calls, {starts} after the start")
    assert deaths > len(points) * 3 // 4 and starts > len(points) // 3


@pytest.mark.parametrize("number", range(60 if SOAK else 8))
def test_a_disk_that_was_full_once_is_written_again(folder, number):
    """ENOSPC is said, and what comes then is taken; a failed fsync is final until the next start."""
    dice = random.Random(SEED * 17 + number)
    daemon = armed(folder, "count").start()
    opened = daemon.report().total
    kept = {}
    work(daemon, dice, kept)
    total = daemon.report().total
    assert daemon.stop() == 0
    at = opened + dice.randrange(total - opened)
    error = [28, 5][number % 2]
    daemon = armed(folder, "once", at, error).start()
    what = f"seed {SEED}, {number}: errno {error} at call {at}"
    try:
        work(daemon, dice, kept)
    except LinajeError as caught:
        assert caught.code in (202, 203), f"{what}: {caught}"
    except Refused as caught:
        assert "storage_f" in str(caught) or "202" in str(caught) or "203" in str(caught), \
            f"{what}: {caught}"
    report = daemon.report()
    assert daemon.process.poll() is None, f"{what}: it died\n{daemon.log}"
    with daemon.client() as client:
        try:
            run, files = new_run(client), content(dice)
            kept[run] = (put_tree(client, files, run=run).digest, files)
            assert report.fired_call != "sync", f"{what}: taken after a failed fsync"
        except LinajeError as caught:
            assert caught.code == 203, f"{what}: {caught}"
            assert report.fired_call == "sync" or error == 5, f"{what}, {report.fired_call}"
    daemon.process.terminate()
    daemon.process.wait(SECONDS)
    daemon.killed = True
    daemon = Daemon(folder).start()
    look(daemon, kept, f"{what}, {report.fired_call}")
    daemon.finish()


# strace shows each call on a file of the state directory; what the layer calls it.
KINDS = {"open": "open", "openat": "open", "creat": "open", "read": "read", "pread64": "read",
         "write": "write", "pwrite64": "write", "fsync": "sync", "fdatasync": "sync",
         "ftruncate": "resize", "fallocate": "resize", "rename": "rename", "renameat": "rename",
         "renameat2": "rename", "link": "rename", "linkat": "rename", "unlink": "unlink",
         "unlinkat": "unlink", "mkdir": "make folder", "mkdirat": "make folder"}
# What nothing of the storage may call, as the layer does not know it.
UNKNOWN = ["readv", "preadv", "preadv2", "writev", "pwritev", "pwritev2", "sync_file_range", "syncfs",
           "truncate", "copy_file_range", "sendfile", "symlink", "symlinkat", "rmdir", "sync"]
LINE = re.compile(r"^\d+ +(\w+)\((.*)$")


@pytest.mark.skipif(not may_trace(), reason="strace is not here or may not trace")
def test_every_system_call_of_a_put_and_a_collection_goes_through_the_layer(folder):
    log = f"{folder}/trace"
    daemon = armed(folder, "count", wrapper=[
        "strace", "-D", "-f", "-qq", "-y", "-s", "300", "-o", log, "-e",
        "trace=" + ",".join([*KINDS, *UNKNOWN])]).start()
    kept, dice = {}, random.Random(SEED)
    work(daemon, dice, kept)
    before, start = settled(daemon, log)
    work(daemon, dice, kept)
    look(daemon, kept, "under strace")
    after, end = settled(daemon, log)
    with open(log, encoding="utf-8", errors="replace") as file:
        lines = file.read()[start:end].splitlines()
    seen = dict.fromkeys(CALLS, 0)
    for line in lines:
        found = LINE.match(line)
        if found is None or f"{folder}/state" not in found[2]:
            continue
        name, text = found.groups()
        assert name in KINDS, f"the layer does not know {line}"
        # opendir, which the layer counts as a listing.
        if "O_NONBLOCK" in text and "O_DIRECTORY" in text:
            continue
        seen[KINDS[name]] += 1
    counted = {kind: after.calls[kind] - before.calls[kind] for kind in set(KINDS.values())}
    wanted = {kind: seen[kind] for kind in counted}
    assert counted == wanted, f"strace saw {wanted}, the layer {counted}"
    assert counted["write"] > 20 and counted["sync"] > 5 and counted["rename"] >= 2
    print(f"seen by both: {counted}")
    assert daemon.stop(20) == 0
    assert not glob.glob(f"{folder}/state/tmp/.tmp-*")


def settled(daemon, log):
    """The counts, and how long the trace is, at a moment at which nothing happens."""
    def calm():
        first = daemon.report()
        time.sleep(0.3)
        with open(log, encoding="utf-8", errors="replace") as file:
            length = len(file.read())
        return (first, length) if daemon.report().total == first.total else None
    return eventually(calm, why="the daemon does not come to rest")


def test_what_is_not_understood_is_refused(folder):
    status, said = armed(folder, "explode").refuses_to_start()
    assert status == 64 and "LINAJE_STORAGE_FAULTS" in said
