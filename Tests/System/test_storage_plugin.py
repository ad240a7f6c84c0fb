"""Storage plugins: a remote on a real SFTP server, kept by a plugin in Python."""

import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
from support import LINAJE, ROOT, Daemon, eventually, may_unshare

EXAMPLE = ROOT / "Plugins/Examples/sftp-python"
PYTHON = os.path.realpath(sys.executable)
SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


class Server:
    """An OpenSSH server for this user and one key."""

    def __init__(self, folder):
        self.folder = folder
        self.files = os.path.join(folder, "served")
        os.makedirs(self.files)
        for name in ("host_key", "key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                            os.path.join(folder, name)], check=True)
        shutil.copy(os.path.join(folder, "key.pub"), os.path.join(folder, "authorized_keys"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        with open(os.path.join(folder, "host_key.pub"), encoding="utf-8") as file:
            key = " ".join(file.read().split()[:2])
        self.write("known_hosts", f"[127.0.0.1]:{self.port} {key}\n")
        self.write("sshd_config", f"""
ListenAddress 127.0.0.1
Port {self.port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
Subsystem sftp internal-sftp
""")
        self.process = None

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def start(self, disk=None):
        """`disk`: what is served is a disk of that size, which nothing but the server sees."""
        os.makedirs("/run/sshd", exist_ok=True)
        first = ["unshare", "-m", "sh", "-c",
                 f"mount -t tmpfs -o size={disk} tmpfs {self.files} && exec \"$@\"", "sh"]
        self.process = subprocess.Popen(
            [*(first if disk else []),
             SSHD, "-D", "-e", "-f", os.path.join(self.folder, "sshd_config")],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)

        def answers():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0
        eventually(answers, 30, "sshd does not answer")

    def grow(self, disk):
        subprocess.run(["nsenter", "-t", str(self.process.pid), "-m", "mount", "-o",
                        f"remount,size={disk}", self.files], check=True)

    def stop(self):
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def place(self, folder="packs"):
        user = pwd.getpwuid(os.getuid()).pw_name
        return (f"{user}@127.0.0.1{self.files}/{folder}?port={self.port}"
                f"&identity={self.folder}/key&known_hosts={self.folder}/known_hosts")


@pytest.fixture
def server(tmp_path):
    assert SSHD and os.getuid() == 0, "these tests need openssh-server, and are root's"
    server = Server(str(tmp_path))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def daemon(folder):
    daemon = Daemon(folder)
    yield daemon
    if daemon.process:
        daemon.finish()


@pytest.fixture
def plugin(tmp_path):
    """The example with the Python of the tests, and what that and the server's keys need to be read."""
    folder = tmp_path / "sftp"
    shutil.copytree(EXAMPLE, folder)
    program = folder / "sftp.py"
    text = program.read_text(encoding="utf-8").split("\n", 1)[1]
    # A shebang finds no packages of a virtual environment by the resolved interpreter.
    packages = [each for each in sys.path if each.endswith("site-packages")]
    program.write_text(
        f"#!{PYTHON}\nimport sys\nsys.path[:0] = {packages!r}\n{text}", encoding="utf-8")
    manifest = json.loads((folder / "plugin.json").read_text(encoding="utf-8"))
    prefix = os.path.dirname(os.path.dirname(PYTHON))
    manifest["read"] = [str(tmp_path), *packages, *([] if prefix == "/usr" else [prefix])]
    (folder / "plugin.json").write_text(json.dumps(manifest), encoding="utf-8")
    return str(folder)


def linaje(daemon, *words, code=0):
    done = subprocess.run(
        [LINAJE, *words], capture_output=True, text=True, timeout=300, check=False,
        env={"PATH": os.environ["PATH"], "HOME": daemon.folder, "LINAJE_SOCKET": daemon.socket})
    assert done.returncode == code, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def install(daemon, folder):
    linaje(daemon, "plugin", "install", folder, "--directory",
           os.path.join(daemon.folder, ".local/share/linaje/plugins"))


def fill(folder, count, seed):
    os.makedirs(folder)
    for number in range(count):
        with open(os.path.join(folder, f"file-{number}"), "wb") as file:
            file.write(bytes((seed * 7 + number * 13 + index * index) % 251
                             for index in range(3_000 + 500 * number)))


def test_the_sftp_example_passes_the_conformance_suite(daemon, server, plugin):
    said = linaje(daemon, "plugin", "check", plugin, "--place", server.place())
    assert "cases pass" in said
    left = [name for _, _, names in os.walk(server.files) for name in names]
    assert left == []


def test_the_sftp_example_waits_for_no_answer_that_never_comes(server, monkeypatch):
    """paramiko reads ahead in a thread. Where that is slow, answers are left over, and once were taken
    for the whole of the next: it waited for a rest that nobody had asked for."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    import paramiko
    import sftp
    ahead = paramiko.SFTPFile._prefetch_thread

    def slowly(file, chunks, most):
        for chunk in chunks:
            ahead(file, [chunk], most)
            time.sleep(0.02)
    monkeypatch.setattr(paramiko.SFTPFile, "_prefetch_thread", slowly)
    monkeypatch.setattr(sftp, "TIMEOUT", 5)
    place, _, options = server.place().partition("?")
    store = sftp.Store(place, dict(each.split("=") for each in options.split("&")))
    data = random.Random(6).randbytes(200_000)
    store.put(1, "packs/ab")
    store.append(1, data)
    store.commit(1)
    for offset, length in [(0, 100_000), (0, 10), (150_000, 10), (32_768, 100_000), (0, 1 << 20),
                           (199_999, 2), (200_000, 1)]:
        assert store.get("packs/ab", offset, length) == data[offset:offset + length]
        time.sleep(0.2)  # The thread sends what is left, and nobody reads the answers.


def test_what_was_pushed_to_a_plugin_comes_back_after_the_loss_of_the_store(
        daemon, server, plugin, tmp_path):
    daemon.start()
    install(daemon, plugin)
    fill(tmp_path / "data", 20, 1)
    tree = linaje(daemon, "artifact", "put", str(tmp_path / "data")).split()[0]
    linaje(daemon, "artifact", "hold", "add", tree, "--reason", "test")
    linaje(daemon, "remote", "add", "nas", f"plugin:sftp/{server.place()}")
    linaje(daemon, "push", "--remote", "nas")
    linaje(daemon, "status", "--remote", "nas", "--read-data")

    shutil.rmtree(os.path.join(daemon.state, "packs"))
    daemon.restart()
    linaje(daemon, "fsck", "--read-data", "--repair", code=1)
    linaje(daemon, "pull", "--remote", "nas")
    linaje(daemon, "artifact", "get", tree, str(tmp_path / "back"))
    assert subprocess.run(["diff", "-r", tmp_path / "data", tmp_path / "back"], check=False
                          ).returncode == 0


def test_a_server_that_is_away_or_another_loses_nothing_and_is_named(
        daemon, server, plugin, tmp_path):
    daemon.start()
    install(daemon, plugin)
    fill(tmp_path / "data", 3, 2)
    linaje(daemon, "artifact", "put", str(tmp_path / "data"))
    linaje(daemon, "remote", "add", "nas", f"plugin:sftp/{server.place()}")
    server.stop()
    # 75: EX_TEMPFAIL.
    said = linaje(daemon, "push", "--remote", "nas", code=75)
    assert "sftp" in said
    # Somebody else listens there now.
    os.unlink(os.path.join(server.folder, "host_key"))
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                    os.path.join(server.folder, "host_key")], check=True)
    server.start()
    said = linaje(daemon, "push", "--remote", "nas", code=1)
    assert "another key" in said
    assert not os.path.exists(os.path.join(server.files, "packs"))


@pytest.mark.skipif(not may_unshare(), reason="may not make a mount namespace")
def test_a_full_server_acknowledges_nothing_and_the_push_goes_on_once_it_has_room(
        daemon, server, plugin, tmp_path):
    server.stop()
    server.start(disk="1m")
    daemon.start()
    install(daemon, plugin)
    os.makedirs(tmp_path / "data")
    (tmp_path / "data/noise").write_bytes(random.Random(3).randbytes(3 << 20))
    linaje(daemon, "artifact", "put", str(tmp_path / "data"))
    linaje(daemon, "remote", "add", "nas", f"plugin:sftp/{server.place()}")
    # 75: EX_TEMPFAIL.
    said = linaje(daemon, "push", "--remote", "nas", code=75)
    assert 'storage plugin "sftp"' in said and "its disk may be full" in said
    linaje(daemon, "status", "--remote", "nas", "--read-data", code=1)
    server.grow("32m")
    linaje(daemon, "push", "--remote", "nas")
    linaje(daemon, "status", "--remote", "nas", "--read-data")


def test_storage_plugins_are_named_in_errors_and_reach_no_service_of_the_machine(
        daemon, server, plugin):
    daemon.start()
    said = linaje(daemon, "remote", "add", "nas", f"plugin:sftp/{server.place()}", code=1)
    assert 'no storage plugin is called "sftp"' in said
    install(daemon, plugin)
    linaje(daemon, "plugin", "disable", "sftp")
    said = linaje(daemon, "remote", "add", "nas", f"plugin:sftp/{server.place()}", code=1)
    assert "linaje plugin enable sftp" in said
    linaje(daemon, "plugin", "enable", "sftp")
    said = linaje(daemon, "remote", "add", "nas", "plugin:sftp/me:secret@nas/folder", code=1)
    assert "credentials" in said and "secret" not in said
    linaje(daemon, "remote", "add", "nas", "plugin:sftp/me@nas/folder")
    said = linaje(daemon, "push", "--remote", "nas", code=1)
    assert "names no identity" in said

    # Its sockets are those of the internet.
    spy = os.path.join(os.path.dirname(plugin), "spy")
    shutil.copytree(plugin, spy)
    with open(os.path.join(spy, "plugin.json"), encoding="utf-8") as file:
        manifest = {**json.load(file), "name": "spy"}
    with open(os.path.join(spy, "plugin.json"), "w", encoding="utf-8") as file:
        json.dump(manifest, file)
    with open(os.path.join(spy, "sftp.py"), encoding="utf-8") as file:
        text = file.read()
    tries = f"""
import socket
TRIED = []
for name, attempt in {{
    "daemon": lambda: socket.socket(socket.AF_UNIX).connect({daemon.socket!r}),
    "listen": lambda: socket.create_server(("127.0.0.1", 0)),
    "file": lambda: open("/etc/passwd").close(),
    "write": lambda: open({os.path.join(spy, "written")!r}, "w").close(),
    "program": lambda: os.spawnv(os.P_NOWAIT, "/bin/true", ["true"]),
}}.items():
    try:
        attempt()
        TRIED.append(name)
    except OSError:
        pass
"""
    text = text.replace("\nclass Failed(Exception):", tries + "\nclass Failed(Exception):", 1)
    text = text.replace("STORE = Store(text(1)", 'raise Failed(102, f"got out: {TRIED}")'
                        "\n        STORE = Store(text(1)", 1)
    with open(os.path.join(spy, "sftp.py"), "w", encoding="utf-8") as file:
        file.write(text)
    install(daemon, spy)
    linaje(daemon, "remote", "add", "spied", f"plugin:spy/{server.place()}")
    said = linaje(daemon, "push", "--remote", "spied", code=1)
    assert "got out: []" in said
