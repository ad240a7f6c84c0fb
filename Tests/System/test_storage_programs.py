"""Backups, restores and recoveries of which each system call is the last."""

import glob
import os
import random
import shutil
import subprocess

import pytest
from recovery import assert_quiet, recover, rows
from storage_faults import (Report, armed, content, faulty, linaje, look, may_be_told_to_fail, sample,
                            started)
from support import LINAJE, LINAJED, SECONDS, SEED, Daemon, new_run, put_tree

pytestmark = may_be_told_to_fail


def died(done, what):
    """Whether a command was killed; what it says otherwise is no part of this."""
    assert done.returncode in (-9, 0), f"{what}: {done.returncode} {done.stdout}{done.stderr}"
    return done.returncode == -9


def files_below(folder):
    """{path: bytes} of all files."""
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            if name == ".linaje-restore":
                # Goes last, when the directory has its name.
                continue
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = file.read()
    return found


def filled(folder):
    """A daemon with something in it, and what that is."""
    daemon, dice, kept = Daemon(folder).start(), random.Random(SEED), {}
    with daemon.client() as client:
        for _ in range(3):
            run, files = new_run(client), content(dice)
            kept[run] = (put_tree(client, files, run=run, path="m").digest, files)
    return daemon, kept


def test_a_restore_killed_at_any_call_leaves_nothing_or_goes_on(folder):
    daemon, kept = filled(folder)
    place, state = f"{folder}/backup", f"{folder}/restored"
    assert linaje(daemon, "backup", place).returncode == 0
    daemon.kill()
    restore = [LINAJE, "restore", place, "--state-directory", state]
    assert faulty(folder, restore, "count", below=folder).returncode == 0
    total, wanted = Report(f"{folder}/command").total, files_below(state)
    assert total > 50 and {"format", "catalog.db", "metrics.db"} < set(wanted)
    deaths = 0
    for at in sample(total, 12):
        what = f"restore killed at call {at} of {total}"
        shutil.rmtree(state)
        deaths += died(faulty(folder, restore, "tear" if at % 4 == 3 else "kill", at, below=folder),
                       what)
        if not os.path.exists(state):
            done = subprocess.run(restore, capture_output=True, text=True, timeout=SECONDS,
                                  check=False)
            assert done.returncode == 0, f"{what}: {done.stderr}"
        assert files_below(state) == wanted, what
        assert not os.path.exists(f"{state}.restoring"), what
    print(f"restore: {deaths} deaths of {total} calls")
    assert deaths > 6
    daemon.killed = True
    shutil.rmtree(daemon.state)
    os.rename(state, daemon.state)
    daemon = Daemon(folder).start()
    look(daemon, kept, "restored")
    daemon.finish()


@pytest.mark.parametrize("side", ["command", "daemon"])
def test_a_backup_killed_at_any_call_leaves_the_earlier_ones_whole(folder, side):
    """The command that writes it dies, or the daemon that reads for it."""
    daemon, kept = filled(folder)
    place = f"{folder}/backup"
    assert linaje(daemon, "backup", place).returncode == 0
    with daemon.client() as client:
        client.call("LogRun", id=next(iter(kept)), params=[{"key": "p", "string_value": "v"}])
        put_tree(client, content(random.Random(SEED + 1)), run=next(iter(kept)), path="n")
    assert daemon.stop() == 0
    os.rename(place, f"{folder}/before")
    command = [LINAJE, "backup", place, "--keep", "1", "--json", "--socket", daemon.socket]

    def attempt(action, at=0):
        """One backup beside the first; how it ended, and the calls that were counted."""
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(f"{folder}/before", place)
        if side == "command":
            done = faulty(folder, command, action, at, below=place)
            return died(done, f"backup with {action} at call {at}"), Report(f"{folder}/command")
        armed_daemon = armed(folder, action, opened + at if at else 0)
        if started(armed_daemon):
            subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
        report = armed_daemon.report()
        is_dead = armed_daemon.process.poll() is not None
        armed_daemon.kill()
        return is_dead, report

    opened = 0
    if side == "daemon":
        counting = armed(folder, "count").start()
        opened = counting.report().total
        counting.kill()
    else:
        daemon = Daemon(folder).start()
    total = attempt("count")[1].total - opened
    assert total > 30
    deaths = 0
    for at in sample(total, 8):
        what = f"{side} killed at call {at} of {total} of a backup"
        deaths += attempt("kill", at)[0]
        done = subprocess.run([LINAJE, "backup", place, "--verify", "--json"], capture_output=True,
                              text=True, timeout=SECONDS, check=False)
        assert done.returncode == 0, f"{what}: {done.stdout}{done.stderr}"
    print(f"backup, {side}: {deaths} deaths of {total} calls")
    assert deaths > 4
    if side == "daemon":
        daemon = Daemon(folder).start()
    done = linaje(daemon, "backup", place, "--keep", "1")
    assert done.returncode == 0, done.stderr
    look(daemon, kept, "at the end")
    assert glob.glob(f"{daemon.state}/tmp/.backup-*") == []
    daemon.finish()


def test_a_recovery_killed_at_any_call_is_finished_by_the_next(folder):
    daemon, kept = filled(folder)
    assert daemon.stop() == 0
    catalog = f"{daemon.state}/catalog.db"
    with open(catalog, "r+b") as file:
        root, = rows(daemon, "catalog.db",
                     "SELECT rootpage FROM sqlite_schema WHERE name = 'run_tags'")[0]
        file.seek((root - 1) * 4_096)
        file.write(random.Random(SEED).randbytes(64))
    pristine = f"{folder}/pristine"
    shutil.copytree(daemon.state, pristine)
    command = [LINAJED, "--recover", "--json", "--state-directory", daemon.state, "--socket",
               daemon.socket]

    def attempt(action, at=0):
        shutil.rmtree(daemon.state)
        shutil.copytree(pristine, daemon.state)
        return faulty(folder, command, action, at, below=daemon.state)

    assert "copied into a new database" in attempt("count").stdout
    total = Report(f"{folder}/command").total
    wanted = rows(daemon, "catalog.db", "SELECT id FROM runs ORDER BY id")
    assert len(wanted) == len(kept) and total > 200
    deaths = 0
    for at in sample(total, 8):
        what = f"recovery killed at call {at} of {total}"
        deaths += attempt("tear" if at % 4 == 3 else "kill", at).returncode == -9
        recover(daemon)
        assert rows(daemon, "catalog.db", "PRAGMA integrity_check") == [("ok",)], what
        assert rows(daemon, "catalog.db", "SELECT id FROM runs ORDER BY id") == wanted, what
    assert_quiet(daemon)
    print(f"recovery: {deaths} deaths of {total} calls")
    assert deaths > 5
    daemon.start()
    look(daemon, kept, "recovered")
    daemon.finish()
