"""`linaje doctor` before real faults: no daemon, a stopped one, wrong modes, a full disk."""

import json
import os
import signal
import subprocess

import pytest
from support import LINAJED, ROOT, SECONDS, Daemon, eventually, may_unshare

LINAJE = os.environ.get("LINAJE", str(ROOT / ".build/debug/linaje"))
NOBODY = 65534
pytestmark = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")
as_root = pytest.mark.skipif(os.getuid() != 0, reason="needs to be root to become another user")


def doctor(folder, *arguments, environment=None, preexec=None, wrapper=()):
    """(exit status, {check: finding}) of `linaje doctor` for a user whose home is `folder`."""
    done = subprocess.run(
        [*wrapper, LINAJE, "doctor", "--json", *arguments], capture_output=True, text=True,
        timeout=60, preexec_fn=preexec,
        env={"PATH": os.environ["PATH"], "HOME": folder, "TMPDIR": folder, **(environment or {})})
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    assert report["ok"] == (done.returncode == 0)
    assert set(report) == {"ok", "version", "socket", "socket_rule", "findings",
                           "kernel_features"}
    assert all(finding["hint"] for finding in report["findings"] if finding["verdict"] != "ok")
    return done.returncode, {finding["check"]: finding for finding in report["findings"]}


def test_a_daemon_that_is_well_is_found_well(daemon):
    status, found = doctor(daemon.folder, "--socket", daemon.socket)
    assert status == 0, found
    assert {check: found[check]["verdict"] for check in
            ("socket", "socket_file", "daemon", "version", "changes", "plugins", "state_directory",
             "disk", "write_ahead_logs", "open_files", "clock", "kernel")} == \
        dict.fromkeys(("socket", "socket_file", "daemon", "version", "changes", "plugins",
                       "state_directory", "disk", "write_ahead_logs", "open_files", "clock",
                       "kernel"), "ok")
    assert str(daemon.pid) in found["daemon"]["text"]
    assert daemon.state in found["state_directory"]["text"]


def test_the_text_for_people_says_the_same(daemon):
    done = subprocess.run([LINAJE, "doctor", "--socket", daemon.socket], capture_output=True,
                          text=True, timeout=60, env={"PATH": os.environ["PATH"],
                                                      "HOME": daemon.folder})
    assert done.returncode == 0, done.stderr
    assert "state directory" in done.stdout and "\x1b" not in done.stdout


def test_each_way_in_which_no_daemon_answers_is_told_apart(daemon):
    status, found = doctor(daemon.folder, environment={"LINAJE_SOCKET": f"{daemon.folder}/no"})
    assert status == 1
    assert "LINAJE_SOCKET" in found["socket"]["text"]
    assert "does not exist" in found["daemon"]["text"]

    daemon.kill()
    status, found = doctor(daemon.folder, "--socket", daemon.socket)
    assert status == 1
    assert "left behind" in found["daemon"]["text"]

    os.unlink(daemon.socket)
    with open(daemon.socket, "w", encoding="ascii"):
        pass
    status, found = doctor(daemon.folder, "--socket", daemon.socket)
    assert status == 1
    assert "is no socket" in found["socket_file"]["text"]
    os.unlink(daemon.socket)


def test_a_stopped_daemon_is_named_with_the_remedy(daemon):
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        status, found = doctor(daemon.folder, "--socket", daemon.socket)
    finally:
        os.kill(daemon.pid, signal.SIGCONT)
    assert status == 1
    assert found["daemon"]["hint"] == f"let it go on: kill -CONT {daemon.pid}"


def test_a_daemon_of_the_user_that_listens_elsewhere_is_found_by_its_lock(folder):
    daemon = Daemon(folder)
    daemon.state = f"{folder}/.local/state/linaje"
    daemon.start()
    status, found = doctor(folder, "--socket", f"{folder}/other")
    assert status == 1
    assert "not on this socket" in found["state_lock"]["text"]
    daemon.finish()
    status, found = doctor(folder, "--socket", f"{folder}/other")
    assert "state_lock" not in found, "a lock that nobody holds is taken for one that is held"


def test_a_state_directory_with_a_wrong_mode_is_found(daemon):
    os.chmod(daemon.state, 0o775)
    status, found = doctor(daemon.folder, "--socket", daemon.socket)
    os.chmod(daemon.state, 0o700)
    assert status == 1
    assert found["state_directory"]["hint"] == f"chmod 0700 {daemon.state}"


@as_root
def test_somebody_without_access_is_told_how_to_get_it(daemon):
    os.chmod(daemon.folder, 0o755)

    def become():
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)

    status, found = doctor(daemon.folder, "--socket", daemon.socket, preexec=become)
    assert status == 1
    assert found["socket_file"]["verdict"] == "failure"
    assert "you may not open" in found["daemon"]["text"]
    assert "usermod -aG" in found["daemon"]["hint"]
    os.chmod(daemon.socket, 0o666)
    status, found = doctor(daemon.folder, "--socket", daemon.socket, preexec=become)
    assert status == 1
    assert "refuses you" in found["daemon"]["text"]


@pytest.mark.skipif(not may_unshare(), reason="may not make a mount namespace")
def test_a_full_disk_and_a_disk_in_memory_are_found(folder):
    script = (f"mkdir {folder}/disk && mount -t tmpfs -o size=8m tmpfs {folder}/disk && "
              f"mkdir -m 0700 -p {folder}/disk/linaje && "
              f"head -c 8100000 /dev/zero > {folder}/disk/filler; exec \"$@\"")
    status, found = doctor(folder, "--socket", f"{folder}/s",
                           environment={"XDG_STATE_HOME": f"{folder}/disk"},
                           wrapper=["unshare", "-m", "sh", "-c", script, "-"])
    assert status == 1
    assert found["disk"]["verdict"] == "failure"
    assert found["file_system"]["verdict"] == "warning" and "tmpfs" in found["file_system"]["text"]


def test_a_bad_configuration_is_told_in_the_daemons_words(folder):
    os.makedirs(f"{folder}/.config/linaje")
    with open(f"{folder}/.config/linaje/linaje.toml", "w", encoding="ascii") as file:
        file.write("[daemon]\nsokcet = 1\n")
    status, found = doctor(folder, "--socket", f"{folder}/s", environment={
        "PATH": f"{os.path.dirname(LINAJED)}:{os.environ['PATH']}"})
    assert status == 1
    assert found["configuration"]["verdict"] == "failure"
    assert "sokcet" in found["configuration"]["text"]


TRAINING = """
import os, sys
sys.path.insert(0, sys.argv[1])
import linaje
run = linaje.start_run(name="left behind")
for step in range(10):
    linaje.log_metric("loss", 1.0, step)
linaje.flush(5)
print("logged", flush=True)
os.kill(os.getpid(), 9)
"""


def test_what_an_ended_training_could_not_send_is_counted_and_sent(daemon):
    """Points of a training that was killed while no daemon was there."""
    environment = {"PATH": os.environ["PATH"], "HOME": daemon.folder,
                   "LINAJE_SOCKET": f"{daemon.folder}/away",
                   "PYTHONPATH": str(ROOT / "Clients/python/src")}
    python = os.environ.get("LINAJE_TEST_PYTHON", "python3")
    subprocess.run([python, "-c", TRAINING, str(ROOT / "Clients/python/src")], env=environment,
                   timeout=60, check=False, capture_output=True)
    spool = f"{daemon.folder}/.local/state/linaje/spool"
    assert eventually(lambda: os.path.isdir(spool) and os.listdir(spool))
    _, found = doctor(daemon.folder, "--socket", daemon.socket)
    assert found["spool"]["verdict"] == "warning"
    assert "1 run" in found["spool"]["text"] and "python -m linaje sync" in found["spool"]["hint"]
    environment["LINAJE_SOCKET"] = daemon.socket
    done = subprocess.run([python, "-m", "linaje", "sync"], env=environment, timeout=SECONDS,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    _, found = doctor(daemon.folder, "--socket", daemon.socket)
    assert found["spool"]["verdict"] == "ok"
