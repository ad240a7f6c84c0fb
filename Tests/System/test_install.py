"""What scripts/install and scripts/package-deb put on a machine, and that it works from there.

The programs are those of the debug build; LINAJE_INSTALL_CONFIGURATION=release installs what users
get, after scripts/install has built it once, and proves that it runs without Swift.
"""

import glob
import gzip
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile

import pytest
from support import ROOT, SECONDS, LinajeError, eventually, history, may_unshare
from linaje._client import Client

CONFIGURATION = os.environ.get("LINAJE_INSTALL_CONFIGURATION", "debug")
BUILT = ROOT / (".build/debug" if CONFIGURATION == "debug" else ".build-install/release")
pytestmark = pytest.mark.skipif(
    not all((BUILT / name).exists() for name in ("linaje", "linajed", "linaje-flavor-host")),
    reason=f"the programs are not built in {BUILT}")
in_scratch_root = pytest.mark.skipif(
    os.getuid() != 0 or not may_unshare() or "overlay" not in open("/proc/filesystems").read()
    or not all(map(shutil.which, ("dpkg-deb", "dpkg-shlibdeps"))),
    reason="needs root, mount namespaces, overlayfs and dpkg-dev")
LIBRARIES = {"linux-vdso", "ld-linux-x86-64", "ld-linux-aarch64", "libc", "libm", "libdl",
             "libpthread", "librt", "libgcc_s", "libstdc++", "libsqlite3", "libz", "libzstd"}


def run(*command, check=True, timeout=300, **options):
    """A finished command; its output is text."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          timeout=timeout, **options)
    assert not check or done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done


def install(*options, **environment):
    return run(ROOT / "scripts/install", "--configuration", CONFIGURATION, "--no-build", *options,
               env={**os.environ, **environment})


@pytest.fixture(scope="module")
def place():
    path = tempfile.mkdtemp(prefix="lnj-")
    yield path
    shutil.rmtree(path, ignore_errors=True)


def subcommands(command, names=()):
    """The names of a command and of all below it, as `--experimental-dump-help` tells."""
    names = (*names, command["commandName"])
    yield names
    for sub in command.get("subcommands", ()):
        if sub["shouldDisplay"] and sub["commandName"] != "help":
            yield from subcommands(sub, names)


# --- What is there ---

def test_everything_an_operator_needs_is_there(stage):
    modes = {
        "usr/bin/linaje": 0o755, "usr/bin/linajed": 0o755,
        "usr/libexec/linaje/linaje-flavor-host": 0o755,
        "usr/lib/systemd/system/linajed.service": 0o644,
        "usr/lib/systemd/system/linajed.socket": 0o644,
        "usr/lib/systemd/system/linaje-agent.service": 0o644,
        "usr/lib/systemd/user/linaje-agent.service": 0o644,
        "usr/lib/systemd/user/linajed.service": 0o644,
        "usr/lib/systemd/user/linajed.socket": 0o644,
        "usr/lib/sysusers.d/linaje.conf": 0o644, "usr/lib/tmpfiles.d/linaje.conf": 0o644,
        "usr/share/man/man1/linaje.1.gz": 0o644, "usr/share/man/man8/linajed.8.gz": 0o644,
        "usr/share/bash-completion/completions/linaje": 0o644,
        "usr/share/zsh/site-functions/_linaje": 0o644,
        "usr/share/fish/vendor_completions.d/linaje.fish": 0o644,
        "usr/share/doc/linaje/LICENSE": 0o644, "etc/linaje/linaje.toml": 0o644,
    }
    found = {path: stat.S_IMODE(os.stat(f"{stage}/{path}").st_mode) for path in modes}
    assert found == modes
    assert glob.glob(f"{stage}/usr/share/linaje/python/linaje-*.whl")


def test_all_parts_have_one_version(stage):
    versions = {run(f"{stage}/usr/bin/{name}", "--version").stdout.split()[-1]
                for name in ("linaje", "linajed")}
    (wheel,) = glob.glob(f"{stage}/usr/share/linaje/python/*.whl")
    versions.add(os.path.basename(wheel).split("-")[1])
    assert len(versions) == 1, versions


def test_users_and_folders_are_declared_for_systemd(stage):
    if not shutil.which("systemd-sysusers"):
        pytest.skip("systemd-sysusers is not installed")
    said = run("systemd-sysusers", "--dry-run", f"{stage}/usr/lib/sysusers.d/linaje.conf")
    assert "Creating user 'linaje'" in said.stderr, said.stderr
    assert "Creating user 'linaje-agent'" in said.stderr, said.stderr
    with open(f"{stage}/usr/lib/tmpfiles.d/linaje.conf", encoding="ascii") as file:
        folders = {line.split()[1]: line.split()[2] for line in file if line.startswith("d ")}
    assert folders == {"/run/linaje": "0750", "/var/lib/linaje": "0700"}


def test_every_command_has_a_manual_page(stage):
    dump = json.loads(run(f"{stage}/usr/bin/linaje", "--experimental-dump-help").stdout)
    wanted = {"-".join(names) + ".1.gz" for names in subcommands(dump["command"])}
    assert set(os.listdir(f"{stage}/usr/share/man/man1")) == wanted
    with gzip.open(f"{stage}/usr/share/man/man1/linaje-metric-stream.1.gz", "rt") as page:
        text = page.read()
    for part in (".SH NAME", "python train.py | linaje metric stream RUN", "linaje\\-metric"):
        assert part in text, f"the page lacks {part}"


def test_the_manual_pages_are_without_faults(stage):
    if not shutil.which("groff"):
        pytest.skip("groff is not installed")
    pages = sorted(glob.glob(f"{stage}/usr/share/man/man*/*.gz"))
    for page in pages:
        with gzip.open(page, "rb") as file:
            done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z"], input=file.read(),
                                  capture_output=True, timeout=SECONDS)
        assert done.returncode == 0 and not done.stderr, (page, done.stderr.decode())


def test_the_completions_are_programs_of_their_shells(stage):
    for shell, path in (("bash", "bash-completion/completions/linaje"),
                        ("zsh", "zsh/site-functions/_linaje"),
                        ("fish", "fish/vendor_completions.d/linaje.fish")):
        if shutil.which(shell):
            run(shell, "-n", f"{stage}/usr/share/{path}")
    done = run("bash", "-c", f"source {stage}/usr/share/bash-completion/completions/linaje; "
               "COMP_WORDS=(linaje st) COMP_CWORD=1 COMP_LINE='linaje st' COMP_POINT=9; "
               "$(complete -p linaje | sed -n 's/.*-F \\([^ ]*\\).*/\\1/p') linaje st linaje; "
               "echo ${COMPREPLY[@]}")
    assert done.stdout.split() == ["status"], done.stderr


# --- The example configuration ---

def declared_keys():
    """section.key of every setting of DaemonConfiguration.swift."""
    text = (ROOT / "Sources/linajed/DaemonConfiguration.swift").read_text(encoding="utf-8")
    sections = {kind: name for name, kind in re.findall(r"^    var (\w+) = (\w+)\(\)$", text,
                                                        re.MULTILINE)}
    keys = set()
    for kind, body in re.findall(r"    struct (\w+): Codable.*?\{\n(.*?)\n    \}", text, re.DOTALL):
        keys |= {f"{sections[kind]}.{key}"
                 for key in re.findall(r"^        var (\w+): .+\?$", body, re.MULTILINE)}
    return keys


def example_keys():
    keys, section = set(), ""
    for line in (ROOT / "docs/linaje.toml").read_text(encoding="utf-8").splitlines():
        if match := re.fullmatch(r"\[([\w.]+)\]", line):
            section = match[1]
            # A table of names that are the administrator's is one setting.
            keys |= {section} if "." in section else set()
        elif (match := re.match(r"#(\w+) = ", line)) and "." not in section:
            keys.add(f"{section}.{match[1]}")
    return keys


def test_the_example_configuration_has_every_key_and_no_other():
    assert example_keys() == declared_keys()


def test_the_example_configuration_is_good_as_it_is_and_with_everything_set(stage, folder):
    text = pathlib.Path(f"{stage}/etc/linaje/linaje.toml").read_text(encoding="utf-8")
    everything = re.sub(r"^#(?=\S+ = )", "", text, flags=re.MULTILINE)
    assert everything != text
    # Names that every machine knows.
    everything = re.sub(r"^(alice|ml-team) = ", "root = ", everything, flags=re.MULTILINE)
    for name, content in (("as-it-is", text), ("everything", everything)):
        path = f"{folder}/{name}.toml"
        pathlib.Path(path).write_text(content, encoding="utf-8")
        run(f"{stage}/usr/bin/linajed", "--check-config", "--config", path)


# --- It runs from where it was put ---

def linked(program):
    """The libraries that a program is linked with, without folder and version."""
    return re.findall(r"^\s*(?:/\S*/)?([\w+-]+)\.so", run("ldd", program).stdout, re.MULTILINE)


@pytest.mark.skipif(CONFIGURATION == "debug", reason="a debug build needs Swift to run")
def test_the_programs_need_no_swift(stage):
    for program in ("bin/linaje", "bin/linajed", "libexec/linaje/linaje-flavor-host"):
        assert set(linked(f"{stage}/usr/{program}")) <= LIBRARIES, program


def test_a_user_installs_it_alone_and_takes_it_away_again(folder):
    home = {"HOME": folder, "XDG_CONFIG_HOME": f"{folder}/.config"}
    prefix = f"{folder}/.local"
    said = install("--prefix", prefix, **home).stdout
    assert "systemctl --user enable --now linajed.socket" in said
    before = files(prefix)
    unit = pathlib.Path(f"{prefix}/share/systemd/user/linajed.service").read_text(encoding="utf-8")
    (start,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    assert start == f"{prefix}/bin/linajed"
    assert not [path for path in before if "/system/" in path or "sysusers" in path]

    environment = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": folder, **home}
    daemon = subprocess.Popen(start.split(), env=environment, stderr=subprocess.DEVNULL)
    try:
        status = eventually(lambda: ask(f"{prefix}/bin/linaje", environment))
        assert status["state_directory"] == f"{folder}/.local/state/linaje"
        kinds = {plugin["kind"] for plugin in status["plugins"]}
        assert "model flavor" in kinds, "the flavor host of the installation was not found"
    finally:
        daemon.terminate()
        assert daemon.wait(SECONDS) == 0

    # Once more: the administrator's configuration stays, and so does what was stored.
    configuration = pathlib.Path(f"{folder}/.config/linaje/linaje.toml")
    configuration.write_text("# mine\n", encoding="utf-8")
    stray = pathlib.Path(f"{prefix}/share/linaje/old-file")
    stray.write_text("", encoding="utf-8")
    listed = pathlib.Path(f"{prefix}/share/linaje/installed-files")
    listed.write_text(listed.read_text(encoding="utf-8") + f"{stray}\n", encoding="utf-8")
    install("--prefix", prefix, **home)
    state = {path for path in files(prefix) if path.startswith(f"{prefix}/state/")}
    assert files(prefix) - state == before, "a second installation is another one"
    assert configuration.read_text(encoding="utf-8") == "# mine\n"

    run(ROOT / "scripts/install", "--uninstall", "--prefix", prefix, env={**os.environ, **home})
    assert files(prefix) == state, "programs were left, or state was taken"
    assert f"{prefix}/state/linaje/catalog.db" in state
    assert configuration.exists()


def files(folder):
    return {os.path.join(top, name) for top, _, names in os.walk(folder) for name in names}


def ask(linaje, environment):
    """`linaje status --json`; None while no daemon answers."""
    done = run(linaje, "status", "--json", check=False, env=environment)
    return json.loads(done.stdout) if done.returncode == 0 else None


def test_a_prefix_that_a_unit_cannot_name_is_refused(folder):
    done = run(ROOT / "scripts/install", "--no-build", "--prefix", f"{folder}/with space",
               check=False)
    assert done.returncode == 1 and "with space" in done.stderr


def test_the_wheel_is_the_client(stage, folder):
    (wheel,) = glob.glob(f"{stage}/usr/share/linaje/python/*.whl")
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()
        content.extractall(folder)
    assert "linaje/__init__.py" in names and "linaje/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "build/"))]
    said = run(sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {folder!r}); "
               "import linaje; print(linaje.__file__)")
    assert said.stdout.startswith(folder)


# --- The Debian package ---

class ScratchRoot:
    """The machine's own root under an overlay, in a mount namespace: what is installed there is
    nowhere else. systemd's place is taken by stand_in_manager.py."""

    def __init__(self, folder):
        self.root = f"{folder}/root"
        script = f"""
            mount -t tmpfs -o size=2g tmpfs {folder}
            mkdir {folder}/upper {folder}/work {self.root}
            mount -t overlay -o lowerdir=/,upperdir={folder}/upper,workdir={folder}/work \
                overlay {self.root}
            cd {self.root}
            mount -t proc proc proc && mount --rbind /dev dev && mount --rbind /sys sys
            mount -t tmpfs tmpfs tmp && mount -t tmpfs tmpfs run
            {"mount -t tmpfs tmpfs opt/swift" if CONFIGURATION == "release" else ""}
            mkdir -p run/systemd/system
            rm -f usr/sbin/policy-rc.d var/lib/man-db/auto-update
            cp {ROOT}/Tests/System/stand_in_manager.py usr/local/bin/systemctl
            sed -i '1i #!{os.path.realpath(sys.executable)}' usr/local/bin/systemctl
            chmod 755 usr/local/bin/systemctl
            echo ready
            exec sleep 3600
        """
        self.holder = subprocess.Popen(["unshare", "-m", "sh", "-ec", script], text=True,
                                       stdout=subprocess.PIPE)
        assert self.holder.stdout.readline() == "ready\n", "the scratch root cannot be made"
        self.manager = subprocess.Popen(self.inside("systemctl", "serve"))

    def inside(self, *command):
        """A command line that runs in the scratch root."""
        return ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", "chroot", self.root, "env",
                "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", *map(str, command)]

    def run(self, *command, check=True):
        return run(*self.inside(*command), check=check)

    def path(self, path):
        """A path of the scratch root as seen from outside."""
        return f"/proc/{self.holder.pid}/root{self.root}{path}"

    def bring(self, file):
        """Copies a file into /tmp of the scratch root."""
        target = f"/tmp/{os.path.basename(file)}"
        with open(file, "rb") as source, open(self.path(target), "wb") as copy:
            shutil.copyfileobj(source, copy)
        return target

    def close(self):
        subprocess.run(self.inside("systemctl", "stop", "linajed.service"), timeout=60)
        self.manager.kill()
        self.manager.wait()
        self.holder.kill()
        self.holder.wait()


@pytest.fixture
def scratch(folder):
    scratch = ScratchRoot(folder)
    yield scratch
    scratch.close()


@pytest.fixture(scope="module")
def packages(place):
    """The package, and the same with a higher version."""
    built = run(ROOT / "scripts/package-deb", "--configuration", CONFIGURATION, "--no-build",
                "--compression", "none", "--output", place)
    first = built.stdout.split()[-1]
    # Hard to tell from the next release: what dpkg does depends on the version alone.
    run("dpkg-deb", "-R", first, f"{place}/next")
    control = pathlib.Path(f"{place}/next/DEBIAN/control")
    control.write_text(re.sub(r"^Version: .*", "Version: 99.0", control.read_text(encoding="utf-8"),
                              flags=re.MULTILINE), encoding="utf-8")
    second = f"{place}/linaje_99.0.deb"
    run("dpkg-deb", "--root-owner-group", "-Znone", "-b", f"{place}/next", second)
    shutil.rmtree(f"{place}/next")
    return first, second


TRAINER = """
import select, sys, time, linaje
with linaje.start_run(name="through the upgrade") as run:
    print(run.run_id, flush=True)
    step = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        linaje.log_metric("step", float(step), step)
        step += 1
        time.sleep(0.002)
print(step, flush=True)
"""


def is_known(socket, identity):
    """Whether the daemon has the run: the trainer's client creates it when it comes to it."""
    with Client(socket, SECONDS) as client:
        try:
            return client.call("GetRun", id=identity)
        except LinajeError as error:
            assert error.code == 104, error
            return None


@in_scratch_root
def test_the_package_is_installed_used_upgraded_removed_and_purged(packages, scratch, folder):
    first, second = map(scratch.bring, packages)
    scratch.run("dpkg", "-i", first)
    assert run("dpkg-query", "-W", "linaje", check=False).returncode != 0, "the machine is touched"

    # Installed: the daemon runs as its own user, its socket for its group.
    status = json.loads(scratch.run("linaje", "status", "--json").stdout)
    assert status["socket"] == "/run/linaje/linaje.sock"
    assert status["state_directory"] == "/var/lib/linaje"
    uid = int(scratch.run("id", "-u", "linaje").stdout)
    for path, mode in (("/run/linaje", 0o750), ("/run/linaje/linaje.sock", 0o660),
                       ("/var/lib/linaje", 0o700)):
        found = os.stat(scratch.path(path))
        assert (stat.S_IMODE(found.st_mode), found.st_uid) == (mode, uid), path
    assert os.stat(f"/proc/{status['pid']}").st_uid == uid

    # Used: a model, and a training that goes on through the upgrade.
    scratch.run("sh", "-ec", """
        mkdir /tmp/model && echo hello > /tmp/model/weights.txt
        run=$(linaje run create --experiment e --create-experiment --json |
            sed 's/.*"run_id":"\\([0-9a-f]*\\)".*/\\1/; s/.*"id":"\\([0-9a-f]\\{32\\}\\)".*/\\1/')
        linaje artifact put /tmp/model --run $run --path model
        linaje model register runs:/$run/model kept""")
    socket = scratch.path("/run/linaje/linaje.sock")
    trainer = subprocess.Popen(
        [sys.executable, "-c", TRAINER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "LINAJE_SOCKET": socket, "HOME": folder, "XDG_STATE_HOME": folder,
             "PYTHONPATH": str(ROOT / "Clients/python/src")})
    identity = bytes.fromhex(trainer.stdout.readline().strip())

    def points():
        with Client(socket, SECONDS) as client:
            return history(client, identity)

    eventually(lambda: is_known(socket, identity) and points(), why="no point has come")
    scratch.run("dpkg", "-i", second)
    after = json.loads(scratch.run("linaje", "status", "--json").stdout)
    assert after["pid"] != status["pid"], "the upgrade did not restart the daemon"
    reached = len(points())
    eventually(lambda: len(points()) > reached, why="the training did not go on")
    said, _ = trainer.communicate("\n", timeout=60)
    assert trainer.returncode == 0
    assert [(key, step) for key, step, _, _ in points()] == \
        [("step", number) for number in range(int(said))], "a point was lost or doubled"
    assert "kept" in scratch.run("linaje", "model", "show", "kept").stdout

    # Removed: nobody listens, configuration and state are there.
    scratch.run("dpkg", "-r", "linaje")
    assert not os.path.exists(f"/proc/{after['pid']}")
    assert not os.path.exists(scratch.path("/usr/bin/linaje"))
    assert os.path.exists(scratch.path("/etc/linaje/linaje.toml"))
    assert os.path.exists(scratch.path("/var/lib/linaje/catalog.db"))

    # Installed again: all is as it was.
    scratch.run("dpkg", "-i", second)
    assert "kept" in scratch.run("linaje", "model", "show", "kept").stdout
    assert json.loads(scratch.run("linaje", "ledger", "verify", "--json").stdout)["ok"]

    # Purged: the configuration goes, the models never.
    said = scratch.run("dpkg", "-P", "linaje")
    assert "/var/lib/linaje" in said.stderr + said.stdout
    assert not os.path.exists(scratch.path("/etc/linaje"))
    assert not os.path.exists(scratch.path("/run/linaje"))
    assert os.path.exists(scratch.path("/var/lib/linaje/catalog.db"))


@in_scratch_root
def test_purging_a_package_that_was_never_used_leaves_nothing(packages, scratch):
    first = scratch.bring(packages[0])
    scratch.run("rm", "-rf", "/run/systemd/system")
    scratch.run("dpkg", "-i", first)
    assert "linajed.socket" in scratch.run("ls", "/etc/systemd/system/sockets.target.wants").stdout
    scratch.run("dpkg", "-P", "linaje")
    for path in ("/etc/linaje", "/var/lib/linaje", "/run/linaje", "/usr/share/doc/linaje",
                 "/etc/systemd/system/sockets.target.wants/linajed.socket"):
        assert not os.path.lexists(scratch.path(path)), path
    assert scratch.run("id", "linaje", check=False).returncode != 0


@in_scratch_root
def test_a_unit_that_was_disabled_stays_disabled_in_an_upgrade(packages, scratch):
    first, second = map(scratch.bring, packages)
    scratch.run("rm", "-rf", "/run/systemd/system")
    wants = scratch.path("/etc/systemd/system/sockets.target.wants/linajed.socket")
    scratch.run("dpkg", "-i", first)
    os.unlink(wants)
    scratch.run("dpkg", "-i", second)
    assert not os.path.lexists(wants)
