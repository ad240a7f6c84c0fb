"""Plugins: found, asked, switched off, replaced; and locked up, whatever they try."""

import ctypes
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import time

import pytest
from support import LINAJE, ROOT, Daemon, eventually, may_trace

EXAMPLES = ROOT / "Plugins/Examples"
PYTHON = os.path.realpath(sys.executable)


@pytest.fixture
def daemon(folder):
    """A daemon with a plugin directory of its own, not started."""
    daemon = Daemon(folder)
    os.makedirs(plugins(daemon))
    yield daemon
    if daemon.process:
        daemon.finish()


def plugins(daemon):
    """The plugin directory of the daemon's user."""
    return os.path.join(daemon.folder, ".local/share/linaje/plugins")


def linaje(daemon, *words, code=0):
    """What `linaje plugin …` says; JSON where it is asked for."""
    done = subprocess.run(
        [LINAJE, *words], capture_output=True, text=True, timeout=300, check=False,
        env={"PATH": os.environ["PATH"], "HOME": daemon.folder, "LINAJE_SOCKET": daemon.socket})
    assert done.returncode == code, f"{words}: {done.stdout}{done.stderr}"
    if "--json" not in words:
        return done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def listed(daemon):
    return {each["name"]: each for each in linaje(daemon, "plugin", "list", "--json")[0]}


def place(daemon, name, program, /, *, reads=(), files=(), **manifest):
    """Puts a plugin into the daemon's directory by hand."""
    folder = os.path.join(plugins(daemon), name)
    os.makedirs(folder)
    for path in [program, *files]:
        shutil.copy(path, folder)
    path = os.path.join(folder, os.path.basename(program))
    with open(path, "rb") as file:
        content = file.read()
    if content.startswith(b"#!"):  # The Python of the tests, wherever it is.
        with open(path, "wb") as file:
            file.write(f"#!{PYTHON}\n".encode() + content.split(b"\n", 1)[1])
    os.chmod(path, 0o755)
    prefix = os.path.dirname(os.path.dirname(PYTHON))
    described = {
        "name": name, "kind": "model flavor", "version": "1.0.0", "protocol": 1,
        "executable": os.path.basename(program),
        "read": [*reads, *([] if prefix == "/usr" else [prefix])], **manifest}
    with open(os.path.join(folder, "plugin.json"), "w", encoding="utf-8") as file:
        json.dump(described, file)
    return folder


def register(daemon, name, files):
    """Registers a model of these files; what is said of it."""
    folder = os.path.join(daemon.folder, f"model-{time.monotonic_ns()}")
    os.makedirs(folder)
    for path, content in files.items():
        with open(os.path.join(folder, path), "wb") as file:
            file.write(content)
    uri = linaje(daemon, "model", "register", folder, name).split()[0]
    return linaje(daemon, "model", "show", uri, "--json")[0]


def facts(shown, flavor):
    found = [each for each in shown["model"]["flavors"] if each["name"] == flavor]
    assert found, shown["model"]
    return found[0]


VECTORS = {"words.vec": b"2 3\nthe 0.5 1 2\nof 1 2 3\n"}


def test_a_plugin_in_plain_python_is_found_asked_disabled_and_enabled(daemon):
    daemon.start()
    shown = register(daemon, "words", VECTORS)
    assert shown["model"]["flavors"] == []
    place(daemon, "wordvectors", EXAMPLES / "wordvectors-python/wordvectors.py")
    assert listed(daemon)["wordvectors"]["problem"] == ""
    shown = register(daemon, "words", VECTORS)
    assert facts(shown, "wordvectors") and shown["model"]["parameters"] == 6
    info = linaje(daemon, "plugin", "info", "wordvectors", "--json")[0][0]
    assert info["flavors"] == ["wordvectors"] and info["calls"] == 1 and info["failures"] == 0

    assert "disabled" in linaje(daemon, "plugin", "disable", "wordvectors")
    assert register(daemon, "words", VECTORS)["model"]["flavors"] == []
    daemon.restart()
    assert listed(daemon)["wordvectors"]["state"] == "disabled"
    assert listed(daemon)["wordvectors"]["disabled_by"] == f"uid:{os.getuid()}"
    linaje(daemon, "plugin", "enable", "wordvectors")
    assert facts(register(daemon, "words", VECTORS), "wordvectors")
    events = linaje(daemon, "ledger", "list")
    assert "plugin.disable" in events and "plugin.enable" in events


def test_a_malformed_model_is_a_finding_that_names_plugin_and_file(daemon):
    place(daemon, "wordvectors", EXAMPLES / "wordvectors-python/wordvectors.py")
    daemon.start()
    shown = register(daemon, "words", {"words.vec": b"no numbers\n"})
    [finding] = shown["model"]["findings"]
    assert finding["severity"] == "warning"
    assert "wordvectors" in finding["message"] and "words.vec" in finding["message"]


def test_what_cannot_be_used_says_why_and_is_not_run(daemon):
    program = EXAMPLES / "wordvectors-python/wordvectors.py"
    place(daemon, "newer", program, protocol=2)
    place(daemon, "pinned", program, sha256=hashlib.sha256(b"another").hexdigest())
    place(daemon, "store", program, kind="sql backend")
    place(daemon, "strange", program, kind="toaster")
    place(daemon, "outside", program, executable="../wordvectors.py")
    os.chmod(place(daemon, "open", program), 0o777)
    place(daemon, "first", program)
    place(daemon, "second", program, name="first")
    gone = place(daemon, "gone", program)
    os.unlink(os.path.join(gone, "wordvectors.py"))
    with open(os.path.join(place(daemon, "noise", program), "plugin.json"), "wb") as file:
        file.write(b"\xff" * 100)
    daemon.start()
    found = {os.path.basename(each["folder"]): each
             for each in linaje(daemon, "plugin", "list", "--json")[0] if each["folder"]}
    assert found["first"]["state"] == "enabled"
    wanted = {"newer": "protocol 2", "pinned": "SHA-256", "store": "only model flavors",
              "strange": "toaster", "outside": "beside the manifest", "open": "by others",
              "second": "is there already", "gone": "has no wordvectors.py", "noise": "plugin.json"}
    for name, words in wanted.items():
        assert found[name]["state"] == "unusable", found[name]
        assert words in found[name]["problem"], found[name]
    assert linaje(daemon, "plugin", "info", "nobody", code=1).count("linaje plugin list") == 1
    refused = linaje(daemon, "plugin", "disable", "linaje-flavor-host", code=1)
    assert "in the box" in refused


def test_a_program_that_changes_under_its_pin_is_not_run_any_more(daemon):
    done = linaje(daemon, "plugin", "install", str(EXAMPLES / "wordvectors-python"), "--directory",
                  plugins(daemon), "--json")[0]
    folder = done["folder"]
    with open(os.path.join(folder, "plugin.json"), encoding="utf-8") as file:
        assert json.load(file)["sha256"] == done["sha256"]
    daemon.start()
    assert listed(daemon)["wordvectors"]["state"] == "enabled"
    with open(os.path.join(folder, "wordvectors.py"), "ab") as file:
        file.write(b"# changed\n")
    assert listed(daemon)["wordvectors"]["state"] == "unusable"
    assert register(daemon, "words", VECTORS)["model"]["flavors"] == []


@pytest.mark.parametrize("landlock", [True, False])
def test_nothing_gets_out_of_a_plugin(daemon, landlock):
    """Without Landlock files can be read, and programs executed in its place; nothing else."""
    if landlock and not has_landlock():
        pytest.skip("this kernel has no Landlock")
    if not landlock:
        if not may_trace():
            pytest.skip("needs strace and the right to trace")
        daemon.wrapper = ["strace", "-f", "-qq", "-D", "-o", "/dev/null", "-e", "signal=none", "-e",
                          "trace=landlock_create_ruleset",
                          "--inject=landlock_create_ruleset:error=EOPNOTSUPP"]
    daemon.start()
    secret = os.path.join(daemon.folder, "secret")
    with open(secret, "w", encoding="utf-8") as file:
        file.write("token")
    folder = place(daemon, "hostile", ROOT / "Tests/System/hostile_plugin.py",
                   files=[EXAMPLES / "wordvectors-python/wordvectors.py"])
    os.symlink(secret, os.path.join(folder, "link"))
    with open(os.path.join(folder, "settings.json"), "w", encoding="utf-8") as file:
        json.dump({"catalog": os.path.join(daemon.state, "catalog.db"), "secret": secret,
                   "socket": daemon.socket, "executes": landlock}, file)
    before = sorted(os.listdir(folder))
    assert listed(daemon)["hostile"]["state"] == "enabled"
    told = facts(register(daemon, "trap", {"x.hostile": b"x"}), "hostile")["facts"]
    escaped = {name for name, outcome in told.items() if not outcome.startswith("denied")}
    assert len(told) >= 60, sorted(told)
    if not landlock:
        assert {"read /etc/passwd", "list the root"} <= escaped, "Landlock was there"
        escaped = {name for name in escaped if not name.startswith(("read ", "list "))}
    assert escaped == set()
    assert sorted(os.listdir(folder)) == before
    assert stat.S_IMODE(os.stat(os.path.join(folder, "hostile_plugin.py")).st_mode) == 0o755
    assert not os.path.exists("/tmp/linaje-hostile") and not os.path.exists("/dev/shm/linaje-hostile")
    # All of it was tried, and by the process that the daemon runs.
    assert listed(daemon)["hostile"]["failures"] == 0


def has_landlock():
    """Asks for its version (LANDLOCK_CREATE_RULESET_VERSION)."""
    return ctypes.CDLL(None).syscall(ctypes.c_long(444), None, ctypes.c_size_t(0), 1) > 0


def test_a_plugin_that_spins_costs_its_own_part_only(folder):
    configuration = os.path.join(folder, "linaje.toml")
    with open(configuration, "w", encoding="utf-8") as file:
        file.write("[flavors]\ntimeout_seconds = 2\n")
    daemon = Daemon(folder, arguments=["--config", configuration])
    os.makedirs(plugins(daemon))
    spinning = place(daemon, "hostile", ROOT / "Tests/System/hostile_plugin.py",
                     files=[EXAMPLES / "wordvectors-python/wordvectors.py"])
    with open(os.path.join(spinning, "on.spin"), "wb"):
        pass
    place(daemon, "wordvectors", EXAMPLES / "wordvectors-python/wordvectors.py")
    daemon.start()
    shown = register(daemon, "words", VECTORS)
    assert shown["model"]["parameters"] == 6
    assert any("hostile" in each["message"] and "in time" in each["message"]
               for each in shown["model"]["findings"]), shown["model"]["findings"]
    assert listed(daemon)["hostile"]["failures"] == 1

    def ended():
        return not [pid for pid in os.listdir("/proc") if pid.isdigit()
                    and spinning in command(pid)]
    eventually(ended, 10, "the spinning process was not ended")


def command(pid):
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def test_the_examples_pass_the_conformance_suite(daemon, tmp_path):
    said = linaje(daemon, "plugin", "check", str(EXAMPLES / "wordvectors-python"))
    assert "plugin wordvectors: all" in said
    broken = tmp_path / "broken"
    shutil.copytree(EXAMPLES / "wordvectors-python", broken)
    program = broken / "wordvectors.py"
    program.write_text(program.read_text().replace("parameters = 0", "parameters = id(parts)"))
    said = linaje(daemon, "plugin", "check", str(broken), code=1)
    assert "FAILED  small is described the same each time" in said
    said = linaje(daemon, "plugin", "check", str(tmp_path), code=1)
    assert "plugin.json" in said
    # A program without a manifest.
    program = broken / "wordvectors.py"
    good = str(broken / "conformance/good/small")
    shutil.copy(EXAMPLES / "wordvectors-python/wordvectors.py", program)
    (broken / "plugin.json").unlink()
    assert "all" in linaje(daemon, "plugin", "check", str(program), "--good", good)
    program.chmod(0o644)
    assert "chmod" in linaje(daemon, "plugin", "check", str(program), "--good", good, code=1)


@pytest.mark.parametrize("right, wrong, case", [
    ("if kind == PING:", "if kind == PONG:", "it answers a ping"),
    ("PREFACE = b\"LNJE", "PREFACE = b\"GET ", "it says of itself"),
    ("sys.exit(0)", "__import__('time').sleep(1000)", "it ends when its input ends"),
    ("field(1, \"wordvectors\") + field(2", "field(1, \"other\") + field(2", "it says of itself"),
    ("UNKNOWN_METHOD, BAD_MESSAGE, INVALID_ARGUMENT = 100,",
     "UNKNOWN_METHOD, BAD_MESSAGE, INVALID_ARGUMENT = 200,", "it answers a method"),
])
def test_a_plugin_that_does_not_keep_to_the_protocol_is_told_what(
        daemon, tmp_path, right, wrong, case):
    folder = tmp_path / "broken"
    shutil.copytree(EXAMPLES / "wordvectors-python", folder)
    program = folder / "wordvectors.py"
    text = program.read_text()
    assert right in text
    program.write_text(text.replace(right, wrong))
    said = linaje(daemon, "plugin", "check", str(folder), code=1)
    assert f"FAILED  {case}" in said, said


def test_the_swift_example_is_built_by_the_package_and_serves(daemon):
    program = os.path.join(os.path.dirname(LINAJE), "linaje-flavor-libsvm")
    listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    libraries = {os.path.dirname(line.split()[2]) for line in listing.splitlines()
                 if "=> /" in line}
    reads = [each for each in sorted(libraries) if not each.startswith(("/lib", "/usr/lib"))]
    place(daemon, "libsvm", program, reads=reads)
    daemon.start()
    good = EXAMPLES / "libsvm-swift/conformance/good/rbf/iris.model"
    shown = register(daemon, "svm", {"iris.model": good.read_bytes()})
    assert facts(shown, "libsvm")["facts"]["kernel_type"] == "rbf"


def build(package, manifest):
    """What `swift build` makes of the package, with the modules of this tree, which stand already."""
    [target] = manifest["targets"]
    built = os.path.dirname(os.path.realpath(LINAJE))
    flags = [flag for each in target["settings"] for flag in each["kind"]["unsafeFlags"]["_0"]]
    ours = {path.name for path in (ROOT / "Sources").glob("*/**/*") if path.is_file()}
    objects = [
        os.path.join(folder, name)
        for module in ("CLinux", "LinajeDomain", "LinajeHost", "LinajePluginKit", "LinajeWire",
                       "SwiftProtobuf")
        for folder, _, names in os.walk(os.path.join(built, f"{module}.build"))
        # Objects of sources that are gone stay in a build folder.
        for name in names
        if name.endswith(".o") and (module == "SwiftProtobuf" or name[:-2] in ours)]
    program = package / ".build/debug" / target["name"]
    program.parent.mkdir(parents=True)
    done = subprocess.run(
        ["swiftc", "-parse-as-library", "-swift-version", "6", "-warnings-as-errors",
         "-I", os.path.join(built, "Modules"),
         "-Xcc", f"-fmodule-map-file={built}/CLinux.build/module.modulemap",
         *(str(each) for each in (package / target["path"]).glob("*.swift")), *objects, *flags,
         "-o", str(program)],
        capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr


def test_a_new_flavor_is_a_package_with_models_to_try_it_on(daemon, tmp_path):
    target = tmp_path / "demo"
    linaje(daemon, "plugin", "new", "flavor", "demo", "--directory", str(target), "--package",
           str(ROOT))
    manifest = json.loads((target / "plugin.json").read_text())
    assert manifest["executable"] == "linaje-flavor-demo"
    assert (target / "conformance/good/small/model.demo.json").is_file()
    dumped = subprocess.run(
        ["swift", "package", "--package-path", str(target), "dump-package"], capture_output=True,
        text=True, check=False, timeout=300, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert dumped.returncode == 0, dumped.stderr
    build(target, json.loads(dumped.stdout))
    assert "cases pass" in linaje(daemon, "plugin", "check", str(target))
    daemon.start()
    linaje(daemon, "plugin", "install", str(target), "--directory", plugins(daemon))
    assert listed(daemon)["demo"]["state"] == "enabled"
    model = (target / "conformance/good/small/model.demo.json").read_bytes()
    assert facts(register(daemon, "toy", {"model.demo.json": model}), "demo")
    for refused in ["Demo", "9lives", "a/b", "../x", "a.b"]:
        assert "no name" in linaje(daemon, "plugin", "new", "flavor", refused, code=1)
    said = linaje(daemon, "plugin", "new", "flavor", "demo", "--directory", str(target), code=1)
    assert "is there already" in said


def test_a_new_flavor_has_no_name_of_one_in_the_box(daemon, tmp_path):
    sources = (ROOT / "Plugins").glob("*Flavor/*.swift")
    names = {name for source in sources for name in re.findall(
        r'PluginDescriptor\(\s*name: "([^"]+)",\s*kind: \.modelFlavor', source.read_text())}
    assert "onnx" in names and len(names) == 13
    for name in names:
        said = linaje(daemon, "plugin", "new", "flavor", name, "--directory",
                      str(tmp_path / name), code=1)
        assert f"take another name, as my-{name}" in said
        assert not (tmp_path / name).exists()

