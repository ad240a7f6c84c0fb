"""Fixtures: a private home, the fake daemon, the real one."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "Clients" / "python" / "src"


def pytest_sessionstart():
    """A shell that runs the tests in the background ignores some signals; what they start must not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Private folders for state, cache and the socket."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LINAJE_SOCKET", str(tmp_path / "linaje.sock"))
    monkeypatch.delenv("LINAJE_EXPERIMENT", raising=False)
    monkeypatch.delenv("LINAJE_SPOOL_BYTES", raising=False)
    return tmp_path


@pytest.fixture
def fake(home):
    """The fake daemon, running."""
    from fake_daemon import FakeDaemon

    daemon = FakeDaemon(str(home / "linaje.sock")).start()
    yield daemon
    daemon.stop()


@pytest.fixture
def fresh_sender(home, monkeypatch):
    """The package with a sender of its own, as a new process has it."""
    from linaje import _run, _sender

    sender = _sender.Sender()
    monkeypatch.setattr(_sender, "sender", sender)
    import linaje
    from linaje import _log, _models

    for module in (_run, _models, linaje):
        monkeypatch.setattr(module, "sender", sender)
    monkeypatch.setattr(_run, "_started", [])
    monkeypatch.setattr(_run, "_exit_hooked", True)
    monkeypatch.setattr(_run._local, "stack", [], raising=False)
    monkeypatch.setattr(_models, "_client", None)
    monkeypatch.setattr(_log, "_last", {})
    yield sender
    for run in list(_run._started):
        _run.end_run("FINISHED", run)
    sender.close(0.0)
    if _models._client is not None:
        _models._client.close()


def run_python(code, *arguments, check=True, timeout=60, **environment):
    """Runs a script in a process of its own; its output."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(SOURCE), **environment}, text=True,
        capture_output=True, timeout=timeout, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done


class Daemon:
    """A real linajed on a state directory of its own."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        self.socket = str(folder / "linaje.sock")
        self.process = None

    def start(self):
        self.log = open(self.folder / "linajed.log", "ab")
        self.process = subprocess.Popen(
            [self.binary, "--state-directory", str(self.folder / "daemon-state"), "--socket",
             self.socket], stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)
        from linaje import Client, LinajeError

        deadline = time.monotonic() + 30
        while True:
            try:
                with Client(self.socket, timeout=5) as client:
                    client.status()
                return self
            except LinajeError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"linajed does not answer: {error}\n"
                                         + self.output()) from None
                time.sleep(0.02)

    def output(self):
        return (self.folder / "linajed.log").read_text(errors="replace")[-4000:]

    def stop(self, how=signal.SIGTERM):
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None
            self.log.close()


@pytest.fixture
def daemon(home):
    """The real daemon, running; skips where it is not built, unless LINAJED_REQUIRED is set."""
    binary = os.environ.get("LINAJED") or str(ROOT / ".build" / "debug" / "linajed")
    if not os.access(binary, os.X_OK):
        if os.environ.get("LINAJED_REQUIRED"):
            pytest.fail(f"{binary} is not there")
        pytest.skip(f"{binary} is not there")
    running = Daemon(binary, home).start()
    yield running
    running.stop(signal.SIGKILL)
