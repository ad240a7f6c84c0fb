"""Fixtures of the system tests: a real daemon on a temporary state directory."""

import os
import shutil
import subprocess
import tempfile

import pytest
from support import ROOT, Daemon


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


def pytest_sessionfinish():
    """A test that failed half-way may have left its daemon: nothing stays behind."""
    for process in Daemon.processes:
        if process.poll() is None:
            process.kill()
            process.wait()
