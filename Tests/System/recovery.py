"""Running linajed --recover, and looking into the databases of a daemon that is stopped."""

import json
import os
import sqlite3
import subprocess

from support import LINAJED


def recover(daemon, *arguments, wrapper=(), status=None):
    """Runs --recover --json; (exit status, the object it printed)."""
    done = subprocess.run(
        [*wrapper, LINAJED, "--recover", "--json", "--state-directory", daemon.state, "--socket",
         daemon.socket, *arguments], capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": os.environ["PATH"], "HOME": daemon.folder, "TMPDIR": daemon.folder})
    assert done.stdout, done.stderr
    said = json.loads(done.stdout)
    if status is not None:
        assert done.returncode == status, (said, done.stderr)
    return done.returncode, said


def findings(said, state, *words):
    """The findings of a state that hold all the words."""
    return [each for each in said["findings"] if each["state"] == state and
            all(word in json.dumps(each) for word in words)]


def assert_quiet(daemon):
    """A further recovery has nothing to repair and finds nothing lost."""
    _, said = recover(daemon, status=0)
    assert not findings(said, "repaired") and not findings(said, "lost"), said


def rows(daemon, name, statement):
    database = sqlite3.connect(os.path.join(daemon.state, name))
    try:
        return database.execute(statement).fetchall()
    finally:
        database.close()
