"""What the daemon refuses to start on, and a disk that is full."""

import os
import sqlite3
import stat
import subprocess

import pytest
from support import (LINAJED, Daemon, LinajeError, Writer, history, linaje_plain, may_unshare,
                     new_run, put_tree, read)

NOBODY = 65534
as_root = pytest.mark.skipif(os.getuid() != 0, reason="needs to be root to become another user")
with_mounts = pytest.mark.skipif(not may_unshare(), reason="may not make a mount namespace")


def test_a_database_from_a_newer_version_is_refused(daemon):
    assert daemon.stop() == 0
    for name in ("catalog.db", "metrics.db"):
        path = f"{daemon.state}/{name}"
        with open(path, "rb") as file:
            kept = file.read()
        database = sqlite3.connect(path)
        namespace, last = database.execute(
            "SELECT namespace, MAX(position) FROM linaje_migrations GROUP BY namespace").fetchone()
        database.execute("INSERT INTO linaje_migrations (namespace, name, position) "
                         "VALUES (?, 'from-the-future', ?)", (namespace, last + 1))
        database.commit()
        database.close()
        status, said = daemon.refuses_to_start()
        assert status == 1
        assert "store_too_new" in said and name in said, said
        assert not os.path.exists(daemon.socket), "a refused start leaves a socket behind"
        with open(path, "wb") as file:
            file.write(kept)
    daemon.start()
    daemon.finish()
    daemon.killed = True


@as_root
def test_a_state_directory_of_somebody_else_is_refused(daemon):
    assert daemon.stop() == 0
    os.chmod(daemon.folder, 0o777)
    daemon.preexec = lambda: (os.setgroups([]), os.setgid(NOBODY), os.setuid(NOBODY))
    status, said = daemon.refuses_to_start()
    assert status == 1
    assert "permission_denied" in said and daemon.state in said, said


@as_root
def test_a_state_directory_that_cannot_be_written_is_refused(folder):
    daemon = Daemon(folder, preexec=lambda: (os.setgroups([]), os.setgid(NOBODY),
                                             os.setuid(NOBODY)))
    os.chmod(folder, 0o777)
    os.mkdir(daemon.state, 0o500)
    os.chown(daemon.state, NOBODY, NOBODY)
    open(daemon.log_path, "w", encoding="ascii").close()
    status, said = daemon.refuses_to_start()
    assert status == 1
    assert "read_only" in said and daemon.state in said, said


@with_mounts
def test_a_state_directory_on_a_read_only_mount_is_refused(daemon):
    assert daemon.stop() == 0
    daemon.wrapper = ["unshare", "-m", "sh", "-c",
                      f"mount --bind {daemon.state} {daemon.state} && "
                      f"mount -o remount,ro,bind {daemon.state} && exec \"$@\"", "-"]
    status, said = daemon.refuses_to_start()
    assert status == 1
    assert "read_only" in said and daemon.state in said, said


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_state_directory_that_others_can_write_is_refused(daemon, mode):
    assert daemon.stop() == 0
    os.chmod(daemon.state, mode)
    status, said = daemon.refuses_to_start()
    assert status == 1
    assert "permission_denied" in said and daemon.state in said, said


def test_the_state_is_private(daemon):
    for folder, folders, files in os.walk(daemon.state):
        for name in folders + files:
            mode = os.lstat(os.path.join(folder, name)).st_mode
            assert not stat.S_IMODE(mode) & 0o077, f"{name} has mode {mode:o}"
    assert stat.S_IMODE(os.stat(daemon.socket).st_mode) == 0o660


def test_a_second_daemon_on_the_state_directory_is_refused(daemon):
    other = Daemon(daemon.folder)
    other.socket += "2"
    status, said = other.refuses_to_start()
    assert status == 1
    assert "already_running" in said and daemon.state in said, said
    assert not os.path.exists(other.socket)
    with daemon.client() as client:
        assert client.status().pid == daemon.pid


def test_a_second_daemon_on_the_socket_is_refused(daemon):
    other = Daemon(daemon.folder)
    other.state += "2"
    status, said = other.refuses_to_start()
    assert status == 1
    assert "already_running" in said and daemon.socket in said, said
    with daemon.client() as client:
        assert client.status().pid == daemon.pid


def test_a_stale_socket_is_replaced(daemon):
    daemon.kill()
    assert stat.S_ISSOCK(os.stat(daemon.socket).st_mode)
    daemon.start()


def test_a_file_in_the_place_of_the_socket_is_left_alone(folder):
    daemon = Daemon(folder)
    with open(daemon.socket, "w", encoding="ascii") as file:
        file.write("mine")
    status, said = daemon.refuses_to_start()
    assert status != 0 and daemon.socket in said, said
    with open(daemon.socket, encoding="ascii") as file:
        assert file.read() == "mine"


def test_a_socket_path_that_is_too_long_is_refused(folder):
    daemon = Daemon(folder)
    daemon.socket = os.path.join(folder, "s" * 108)
    status, said = daemon.refuses_to_start()
    assert status == 78 and "107" in said, said


def check_config(folder, text):
    """`linajed --check-config` on a configuration: (exit status, what it said)."""
    path = os.path.join(folder, "linaje.toml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    done = subprocess.run([LINAJED, "--config", path, "--check-config"], text=True, timeout=20,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={"HOME": folder, "TMPDIR": folder}, check=False)
    return done.returncode, done.stdout


def test_a_good_configuration_is_checked_and_not_run(folder):
    status, said = check_config(folder, f'[daemon]\nstate_directory = "{folder}/elsewhere"\n')
    assert status == 0 and f"{folder}/elsewhere" in said, said
    assert not os.path.exists(f"{folder}/elsewhere")


@pytest.mark.parametrize("text, named", [
    ('[daemon]\nsokcet = "x"\n', "sokcet"), ("[demon]\n", "demon"), ("colour = 1\n", "colour"),
    ('[access.users]\nann = "boss"\n', "boss"), ('[daemon]\nsocket_mode = "rw"\n', "rw"),
    ('[daemon]\nlog_level = "loud"\n', "loud"), ("[daemon\n", "line"),
    ("[metrics]\nqueue_bytes = 1\n", "queue_bytes"),
    ('[metrics]\nqueue_bytes = "many"\n', "queue_bytes"),
    ("[flavors]\ntimeout_seconds = -1\n", "timeout_seconds"),
    ("[limits]\nslow_client_seconds = 0\n", "slow_client_seconds")])
def test_a_bad_configuration_is_refused_and_the_key_named(folder, text, named):
    status, said = check_config(folder, text)
    assert status == 78, said
    assert named in said, said


@pytest.mark.parametrize("text, said", [
    ("[artifacts]\ngc_grace = 7\n",
     '[artifacts] gc_grace must be a text such as "7d"; it is a whole number'),
    ("[daemon]\nsocket_mode = 660\n", '[daemon] socket_mode must be a text such as "0660"'),
    ("[daemon]\nlog_level = 3\n", '[daemon] log_level must be a text such as "info"'),
    ('[runs]\nlog_bytes = "1GiB"\n',
     "[runs] log_bytes must be a whole number such as 1073741824; it is a text"),
    ("[flavors]\ntimeout_seconds = 1.5\n", "it is a number with a fraction"),
    ("[s3]\nchecksums = 1\n", "[s3] checksums must be true or false; it is a whole number"),
    ('[registry.scan_policy]\ndangerous = "promotion"\n',
     "[registry.scan_policy] dangerous must be a list of texts"),
    ("[registry.scan_policy]\ndangerous = [1]\n", "it has a whole number"),
    ('[plugins]\ndirectories = "/usr/lib"\n', "[plugins] directories must be a list of texts"),
    ("[access.users]\nann = 1\n", "[access.users] ann must be a text in quotes"),
    ('[access]\nusers = "ann"\n', "write [access.users] and its keys below it"),
    ("daemon = 1\n", "write [daemon] and its keys below it"),
    ('[artifacts]\ngc_grce = "7d"\n', "[artifacts] has no key gc_grce; did you mean gc_grace?"),
    ('[daemon]\ngc_grace = "7d"\n', "[daemon] has no key gc_grace; it belongs below [artifacts]"),
    ('gc_grace = "7d"\n', "gc_grace belongs below [artifacts]"),
    ("[metric]\n", "there is no section [metric]; did you mean [metrics]?"),
    ("[quite]\n[daemon]\nother = 1\n", "[daemon] has no key other; remove it")])
def test_what_is_wrong_with_a_configuration_is_said_in_its_words(folder, text, said):
    status, output = check_config(folder, text)
    assert status == 78 and said in output, output


def test_relative_paths_are_below_the_folder_of_the_start(folder):
    done = subprocess.run(
        [LINAJED, "--state-directory", "./state", "--socket", "s", "--check-config"], text=True,
        timeout=20, capture_output=True, cwd=folder, env={"HOME": folder, "TMPDIR": folder},
        check=False)
    assert done.returncode == 0, done.stderr
    here = os.path.realpath(folder)
    assert f"state directory: {here}/state\n" in done.stdout, done.stdout
    assert f"socket: {here}/s\n" in done.stdout, done.stdout


def test_a_configuration_that_is_missing_is_refused(folder):
    done = subprocess.run([LINAJED, "--config", f"{folder}/none.toml", "--check-config"],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode != 0 and "none.toml" in done.stderr


@pytest.fixture
def small_disk(folder):
    """A daemon whose state directory is a file system of 8 MiB, seen through its own root."""
    daemon = Daemon(folder)
    os.mkdir(daemon.state, 0o700)
    daemon.wrapper = ["unshare", "-m", "sh", "-c",
                      f"mount -t tmpfs -o size=8m,mode=0700 tmpfs {daemon.state} && "
                      f"head -c 1000000 /dev/zero > {daemon.state}/ballast && exec \"$@\"", "-"]
    daemon.start()
    yield daemon
    daemon.finish()


def inside(daemon, name):
    """A file of the daemon's state as the daemon sees it."""
    return f"/proc/{daemon.pid}/root{daemon.state}/{name}"


@with_mounts
def test_a_full_disk_refuses_metrics_and_loses_nothing(small_disk):
    client = small_disk.client()
    run, writer_id = new_run(client), os.urandom(16)
    writer = Writer(small_disk.connection(), run, writer_id, points=1_000)
    with pytest.raises(LinajeError) as caught:
        for _ in range(5_000):
            writer.send()
            writer.wait()
    assert caught.value.code == 202 and caught.value.retryable, str(caught.value)
    kept = history(client, run)
    assert len(kept) == writer.acked * 1_000, "what was acknowledged is not what is there"
    os.unlink(inside(small_disk, "ballast"))
    again = Writer(small_disk.connection(), run, writer_id, points=1_000)
    assert again.acked == writer.acked
    for _ in range(3):
        again.send()
    again.end()
    wanted = [linaje_plain.expected(again.seed, 0, i) for i in range(again.acked * 1_000)]
    assert history(client, run) == wanted
    assert not client.status().failure
    client.close()


@with_mounts
def test_a_full_disk_refuses_artifacts_and_loses_nothing(small_disk):
    client, kept = small_disk.client(), []
    with pytest.raises(LinajeError) as caught:
        for _ in range(200):
            files = {"f": os.urandom(100_000)}
            kept.append((put_tree(client, files).digest, files))
    assert caught.value.code == 202 and caught.value.retryable, str(caught.value)
    for digest, files in kept:
        assert read(client, digest, "f") == files["f"]
    os.unlink(inside(small_disk, "ballast"))
    files = {"f": os.urandom(100_000)}
    assert read(client, put_tree(client, files).digest, "f") == files["f"]
    assert not client.status().failure
    client.close()


@with_mounts
def test_a_full_disk_refuses_changes_and_goes_on_later(small_disk):
    client = small_disk.client()
    made = []
    with pytest.raises(LinajeError) as caught:
        for number in range(5_000):
            made.append(client.call(
                "CreateExperiment", name=f"e{number}",
                tags=[{"key": "t", "value": os.urandom(40_000).hex()}]).id)
    assert caught.value.code == 202 and caught.value.retryable, str(caught.value)
    assert client.call("GetExperiment", id=made[-1]).name == f"e{len(made) - 1}"
    os.unlink(inside(small_disk, "ballast"))
    assert client.call("CreateExperiment", name="after").id
    client.close()
