"""The units: right, tight, and with room for what the daemon does."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest
from support import (ROOT, SECONDS, Daemon, Writer, history, may_trace, new_run, put_tree, read)

NOBODY = 65534
tools = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
traced = pytest.mark.skipif(not may_trace(), reason="needs strace and the right to trace")


@pytest.fixture
def root(stage):
    """The root with the units as scripts/install puts them there."""
    return pathlib.Path(stage)


def analyze(*arguments, **environment):
    done = subprocess.run(["systemd-analyze", *map(str, arguments)], text=True, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                          env={**os.environ, "SYSTEMD_PAGER": "cat", "NO_COLOR": "1",
                               **environment})
    return done.returncode, done.stdout


@tools
@pytest.mark.parametrize("name", ["linajed.service", "linajed.socket", "linaje-agent.service"])
def test_the_system_units_are_right(root, name):
    status, said = verify(root / "usr/lib/systemd/system" / name, root)
    assert status == 0 and said == "", said


@tools
@pytest.mark.parametrize("name", ["linajed.service", "linajed.socket", "linaje-agent.service"])
def test_the_user_units_are_right(root, name):
    status, said = verify(root / "usr/lib/systemd/user" / name, root, "--user")
    assert status == 0 and said == "", said


def verify(unit, root, *options):
    """What systemd-analyze has to say about a unit. It looks for programs in this machine's root,
    so a copy of the unit names them in the staging root."""
    folder = root / "tmp" / unit.parent.name
    folder.mkdir(parents=True, exist_ok=True)
    for each in unit.parent.iterdir():
        (folder / each.name).write_text(each.read_text().replace("ExecStart=/",
                                                                 f"ExecStart={root}/"))
    status, said = analyze("verify", "--man=no", *options, folder / unit.name,
                           XDG_RUNTIME_DIR="/tmp")
    return status, "\n".join(line for line in said.splitlines() if "linaje" in line)


@tools
def test_the_service_is_locked_up(root):
    unit = root / "usr/lib/systemd/system/linajed.service"
    status, said = analyze("security", "--offline=true", "--threshold=6", unit)
    assert status == 0, said


@tools
def test_with_the_network_it_is_still_tight(root, tmp_path):
    folder = tmp_path / "network"
    (folder / "linajed.service.d").mkdir(parents=True)
    shutil.copy(root / "usr/lib/systemd/system/linajed.service", folder)
    shutil.copy(root / "usr/share/doc/linaje/examples/linajed.service.d/network.conf",
                folder / "linajed.service.d")
    status, said = analyze("security", "--offline=true", "--threshold=15",
                           folder / "linajed.service")
    assert status == 0, said
    assert re.search(r"✗ RestrictAddressFamilies=~AF_\(INET\|INET6\)", said), \
        "the drop-in does not open the network"


@tools
@pytest.mark.parametrize("with_counters", [False, True])
def test_the_agent_is_locked_up_too(root, tmp_path, with_counters):
    shutil.copy(root / "usr/lib/systemd/system/linaje-agent.service", tmp_path)
    if with_counters:
        (tmp_path / "linaje-agent.service.d").mkdir()
        shutil.copy(root / "usr/share/doc/linaje/examples/linaje-agent.service.d/counters.conf",
                    tmp_path / "linaje-agent.service.d")
    status, said = analyze("security", "--offline=true",
                           f"--threshold={18 if with_counters else 13}",
                           tmp_path / "linaje-agent.service")
    assert status == 0, said


def test_the_agent_sees_the_machine_and_is_not_the_daemon(root):
    service = settings(root / "usr/lib/systemd/system/linaje-agent.service")
    assert service["ExecStart"] == ["/usr/bin/linaje agent"]
    # Each would hide what it is there to see.
    for hiding in ("PrivateUsers", "ProtectProc", "PrivatePIDs", "ProcSubset", "PrivateNetwork",
                   "PrivateDevices"):
        assert hiding not in service
    assert service["User"] == ["linaje-agent"], "the daemon's user is an admin"
    assert service["SupplementaryGroups"] == ["linaje"]
    assert service["InaccessiblePaths"] == ["-/var/lib/linaje"]


def settings(path):
    """The assignments of a unit: {name: [values]}."""
    out = {}
    for line in path.read_text().splitlines():
        if "=" in line and not line.startswith("#"):
            name, value = line.split("=", 1)
            out.setdefault(name, []).append(value)
    return out


def test_the_service_sees_its_clients_and_its_socket_outlives_it(root):
    units = root / "usr/lib/systemd/system"
    service = settings(units / "linajed.service")
    assert service["ExecStart"] == ["/usr/bin/linajed"]
    assert not (units / "linajed.service.d").exists(), "the network is open by default"
    # Each would make every peer somebody else, or hide the processes that own runs.
    for hiding in ("PrivateUsers", "ProtectProc", "PrivatePIDs", "ProcSubset", "DynamicUser"):
        assert hiding not in service
    assert service["RuntimeDirectoryPreserve"] == ["yes"]
    assert service["OOMPolicy"] == ["continue"]
    assert service["Type"] == ["notify"], "252 does not know notify-reload"
    assert service["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    listening = settings(units / "linajed.socket")
    assert listening["SocketMode"] == ["0660"] and listening["DirectoryMode"] == ["0750"]
    assert listening["ListenStream"] == ["/run/linaje/linaje.sock"]


# --- What the filter lets through ---

def allowed(values):
    """The system calls that SystemCallFilter= lines let through."""
    calls = set()
    for value in values:
        remove, names = value.startswith("~"), value.lstrip("~").split()
        for name in names:
            calls = calls - group(name) if remove else calls | group(name)
    return calls


def group(name):
    if not name.startswith("@"):
        return {name}
    status, said = analyze("syscall-filter", "--no-pager", name)
    assert status == 0, said
    found = set()
    for line in said.splitlines()[1:]:
        for word in line.split("#")[0].split():
            found |= group(word)
    return found


def as_service_user():
    """The service is not root, and SQLite does as root what it does not otherwise."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


@tools
@traced
def test_every_system_call_of_a_session_is_allowed(root, folder):
    service = settings(root / "usr/lib/systemd/system/linajed.service")
    may = allowed(service["SystemCallFilter"])
    assert {"read", "fdatasync", "seccomp", "landlock_restrict_self"} <= may
    assert not {"mount", "setpriority", "reboot", "ptrace"} & may
    trace = os.path.join(folder, "calls")
    # Refused as the filter refuses it, and the daemon does without: libdispatch's way of giving its
    # threads the priority they have already.
    refused = {"setpriority"}
    daemon = Daemon(folder, wrapper=[
        "strace", "-f", "-qq", "-D", "-o", trace, "-e", "signal=none",
        *(f"--inject={name}:error=EPERM" for name in sorted(refused))], preexec=as_service_user)
    os.chmod(folder, 0o777)
    open(daemon.log_path, "w", encoding="ascii").close()
    daemon.start()
    with daemon.client() as client:
        run = new_run(client, lease={"kind": 2})
        writer = Writer(daemon.connection(), run, os.urandom(16), points=100)
        writer.send()
        writer.end()
        assert len(history(client, run)) == 100
        files = {"MLmodel": b"flavors: {}\n", "model.safetensors":
                 b"\x3c\0\0\0\0\0\0\0" + b'{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
                 .ljust(60) + b"\0\0\0\0"}
        tree = put_tree(client, files, run, "model")
        assert read(client, tree.digest, "MLmodel") == files["MLmodel"]
        # The flavor host looks at it: its calls are in the same trace.
        client.create_model_version("m", f"runs:/{run.hex()}/model")
        client.call("TransitionStage", name="m", version=1, stage="Production")
        client.status()
    assert daemon.stop(SECONDS) == 0
    with open(trace, encoding="utf-8", errors="replace") as file:
        made = {match.group(1) for line in file
                if (match := re.match(r"\d+ +(\w+)\(", line))}
    assert {"accept4", "fdatasync"} <= made and "execve" in made, made
    forbidden = made - may - refused
    assert not forbidden, f"the unit's filter forbids {sorted(forbidden)}"
