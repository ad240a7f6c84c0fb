"""Who may do what: the kernel says who it is, the configuration says what that one may."""

import json
import os

import pytest
from support import METHODS, NOBODY, Client, Daemon, LinajeError, as_nobody

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs to be root to become another user")


def answers(daemon, methods):
    """What the daemon says to this process: the role and for each method the error, 0 for none."""
    said = {}
    for method in methods:
        try:
            with Client(daemon.socket, 10) as client:
                said["role"] = client.connection.hello.role
                client.call(method, {"name": "e"} if method.startswith("Create") else {})
            said[method] = 0
        except LinajeError as error:
            said[method] = error.code
    return said


def ask(folder, role, *methods):
    """What user 65534 is told by a daemon that gives it a role (None: none)."""
    path = os.path.join(folder, "linaje.toml")
    with open(path, "w", encoding="ascii") as file:
        file.write('[daemon]\nsocket_mode = "0666"\n')
        if role:
            file.write(f'[access.users]\n"{NOBODY}" = "{role}"\n')
    os.chmod(folder, 0o755)
    daemon = Daemon(folder, arguments=["--config", path]).start()
    said = as_nobody(lambda: json.dumps(answers(daemon, methods)).encode())
    daemon.finish()
    return json.loads(said)


def test_who_has_no_role_is_refused_at_hello(folder):
    assert ask(folder, None, "GetStatus") == {"GetStatus": 108}


def test_a_reader_may_change_nothing(folder):
    mutations = [name for name, (opcode, kind, mutation, _, _) in METHODS.items()
                 if mutation and kind == "U"]
    said = ask(folder, "reader", "GetStatus", *mutations)
    assert said.pop("role") == "reader"
    assert said.pop("GetStatus") == 0
    assert set(said.values()) == {108}, said


def test_a_writer_may_create_and_not_delete(folder):
    said = ask(folder, "writer", "CreateExperiment", "DeleteRegisteredModel",
               "DeleteModelVersion", "DeleteLoggedModel", "SetScanPolicy", "AcceptRisk")
    assert said == {"role": "writer", "CreateExperiment": 0, "DeleteRegisteredModel": 108,
                    "DeleteModelVersion": 108, "DeleteLoggedModel": 108, "SetScanPolicy": 108,
                    "AcceptRisk": 108}
