"""Restarts under load with the listening socket held: no client sees an error, nothing is lost or
doubled."""

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time

import pytest
from support import ROOT, SECONDS, SEED, SOAK, held_socket, history, inheriting

LINAJE = os.environ.get("LINAJE", str(ROOT / ".build/debug/linaje"))
KINDS = ["logger", "changes", "registry", "artifacts", "commands", "stream"]


class Held:
    """A listening socket that outlives the daemons on it, as linajed.socket does."""

    def __init__(self, folder):
        self.folder = folder
        self.listening = held_socket(folder)
        self.daemon = None

    def start(self):
        """Starts the next daemon and returns once it has answered."""
        self.daemon = inheriting(self.folder, self.listening).start()

    def close(self):
        if self.daemon.process.poll() is None:
            assert self.daemon.stop(SECONDS) == 0, self.daemon.log
        self.listening.close()


@pytest.fixture
def held(folder):
    held = Held(folder)
    held.start()
    yield held
    held.close()


class Clients:
    """One process of each kind, and what they say at their end."""

    def __init__(self, held, kinds):
        self.processes = {}
        for kind in kinds:
            folder = os.path.join(held.folder, kind)
            os.mkdir(folder)
            # A file, not a pipe: nobody reads it before the end.
            errors = open(os.path.join(folder, "errors"), "w+", encoding="utf-8")
            self.processes[kind] = (errors, subprocess.Popen(
                [sys.executable, str(ROOT / "Tests/System/restart_client.py"), kind,
                 held.daemon.socket, folder],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
                env={**os.environ, "LINAJE": LINAJE, "HOME": folder,
                     "LINAJE_PYTHON_SOURCE": str(ROOT / "Clients/python/src")}))

    def check(self):
        """All are alive: one that saw an error has ended."""
        for kind, (errors, process) in self.processes.items():
            if process.poll() is not None:
                errors.seek(0)
                raise AssertionError(f"client {kind} failed:\n{errors.read()}")

    def finish(self, quiet):
        """Lets them end; {kind: summary}."""
        summaries = {}
        for kind, (errors, process) in self.processes.items():
            said, _ = process.communicate("end\n", timeout=90)
            errors.seek(0)
            heard = errors.read()
            errors.close()
            assert process.returncode == 0, f"client {kind} failed:\n{heard}"
            assert not quiet or heard == "", f"client {kind} was disturbed:\n{heard}"
            summaries[kind] = json.loads(said)
        return summaries

    def kill(self):
        for errors, process in self.processes.values():
            process.kill()
            process.communicate()
            errors.close()


def restart_often(held, times, number, seed):
    """Restarts under load; the gaps in seconds, and what the clients say."""
    dice = random.Random(seed)
    clients = Clients(held, KINDS)
    gaps = []
    try:
        for _ in range(times):
            time.sleep(dice.uniform(0.1, 0.5))
            clients.check()
            begin = time.monotonic()
            held.daemon.process.send_signal(number)
            status = held.daemon.process.wait(30)
            assert status == (0 if number == signal.SIGTERM else -number), held.daemon.log
            held.start()
            gaps.append(time.monotonic() - begin)
        clients.check()
        return gaps, clients.finish(quiet=number == signal.SIGTERM)
    except BaseException:
        clients.kill()
        raise


def check_points(held, summaries):
    with held.daemon.client() as client:
        for kind in ("logger", "stream"):
            summary = summaries[kind]
            found = [(step, value) for _, step, _, value
                     in history(client, bytes.fromhex(summary["run"]), ["loss"])]
            wanted = [(step, float(step)) for step in range(summary["points"])]
            assert found == wanted, f"{kind}: {len(found)} of {len(wanted)} points, or not in order"
            assert wanted, f"{kind} did nothing"


def report(name, gaps, summaries, capsys):
    with capsys.disabled():
        longest = {kind: round(each["longest"], 3) for kind, each in summaries.items()}
        print(f"\n{name}: {len(gaps)} restarts, gap median {statistics.median(gaps):.3f} s, max "
              f"{max(gaps):.3f} s; longest call of each client {longest}; {summaries}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_restarts_under_load_harm_no_client(held, number, capsys):
    times = (100 if SOAK else 12) if number == signal.SIGTERM else (30 if SOAK else 4)
    gaps, summaries = restart_often(held, times, number, SEED)
    check_points(held, summaries)
    if SOAK:
        report(number.name, gaps, summaries, capsys)
    for kind, key in (("changes", "changes"), ("registry", "versions"), ("artifacts", "artifacts"),
                      ("commands", "commands")):
        assert summaries[kind][key] > 0, f"{kind} did nothing"


def test_a_swift_writer_leaves_when_it_is_asked_to(held):
    """`bench metrics` checks itself that every point is there once."""
    process = subprocess.Popen(
        [LINAJE, "bench", "metrics", "--socket", held.daemon.socket, "--agents", "4", "--batch",
         "100", "--points", "400000", "--verify", "--reconnect", "--seed", str(SEED), "--json"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    stops = []
    try:
        while process.poll() is None and len(stops) < 5:
            time.sleep(0.2)
            begin = time.monotonic()
            assert held.daemon.stop(SECONDS) == 0, held.daemon.log
            stops.append(time.monotonic() - begin)
            held.start()
        _, said = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert stops, "it was over before the daemon was stopped"
