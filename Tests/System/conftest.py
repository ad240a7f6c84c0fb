"""Fixtures of the system tests: a real daemon on a temporary state directory."""

import os
import shutil
import signal
import subprocess
import tempfile

import pytest
from support import ROOT, Daemon, eventually, memory_cgroup


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "alone: measures times, or fills the machine: nothing else runs beside it")


def pytest_sessionstart():
    """A shell that runs the tests in the background ignores some signals; what they start must not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def folder():
    """A short private folder: socket paths end at 107 bytes."""
    path = tempfile.mkdtemp(prefix="lnj-")
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def daemon(folder):
    """A daemon that must survive the test unless the test kills it, and stop when told."""
    daemon = Daemon(folder).start()
    yield daemon
    daemon.finish()


@pytest.fixture(scope="session")
def stage():
    """A staging root with everything that scripts/install puts under /usr."""
    path = tempfile.mkdtemp(prefix="lnj-")
    done = subprocess.run(
        [ROOT / "scripts/install", "--configuration",
         os.environ.get("LINAJE_INSTALL_CONFIGURATION", "debug"), "--no-build", "--prefix", "/usr",
         "--destdir", path], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
def shared_daemon():
    """The same for all tests of a file."""
    path = tempfile.mkdtemp(prefix="lnj-")
    daemon = Daemon(path).start()
    yield daemon
    try:
        daemon.finish()
    finally:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def small_cgroup():
    """A memory cgroup with 64 MiB; its folder."""
    point, version = memory_cgroup()
    if point is None:
        pytest.skip("there is no memory controller whose cgroups could be made")
    path = os.path.join(point, f"linaje-test-{os.getpid()}")
    try:
        os.mkdir(path)
        limits = {1: [("memory.limit_in_bytes", 64 << 20)],
                  2: [("memory.max", 64 << 20), ("memory.swap.max", 0)]}[version]
        for name, value in limits:
            if os.path.exists(os.path.join(path, name)):
                with open(os.path.join(path, name), "w", encoding="ascii") as file:
                    file.write(str(value))
    except OSError as error:
        pytest.skip(f"memory cgroups cannot be made here: {error}")
    yield path

    def removed():
        try:
            os.rmdir(path)
        except OSError:
            return False
        return True
    eventually(removed, why="the cgroup is still in use")


def pytest_sessionfinish():
    """A test that failed half-way may have left its daemon: nothing stays behind."""
    for process in Daemon.processes:
        if process.poll() is None:
            process.kill()
            process.wait()
