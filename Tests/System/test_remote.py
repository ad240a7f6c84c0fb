"""Artifacts in buckets and on remotes: a real daemon, a real S3 server that checks signatures."""

import hashlib
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys

import pytest
from support import LINAJE, ROOT, SECONDS, SEED, Daemon, eventually, new_run, put_tree

SERVER = ROOT / "Tests/LinajePluginTests/Fixtures/s3_server.py"
with_command = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")
pytestmark = with_command


class Bucket:
    """The server of the plugin's tests, which also knows how to do harm."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.hello = json.loads(self.process.stdout.readline())
        self.endpoint = f"http://127.0.0.1:{self.hello['proxy']}"
        self.environment = {"AWS_ACCESS_KEY_ID": self.hello["access"],
                            "AWS_SECRET_ACCESS_KEY": self.hello["secret"],
                            "AWS_EC2_METADATA_DISABLED": "true"}

    def ask(self, **order):
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer
        return answer

    def new(self):
        return self.ask(do="bucket")["bucket"]


@pytest.fixture(scope="module")
def server():
    try:
        import flask_cors  # noqa: F401
        import moto.server  # noqa: F401
    except ImportError:
        if os.environ.get("LINAJED_REQUIRED") == "1":
            raise
        pytest.skip("moto is not installed")
    bucket = Bucket()
    yield bucket
    bucket.process.stdin.close()
    bucket.process.wait(SECONDS)


@pytest.fixture
def start(folder):
    """Starts daemons: a name, lines of configuration and an environment for each."""
    daemons = []

    def started(name, configuration="", environment=None):
        home = os.path.join(folder, name)
        os.makedirs(home, exist_ok=True)
        path = pathlib.Path(home, "linaje.toml")
        path.write_text(configuration, encoding="utf-8")
        daemon = Daemon(home, arguments=["--config", str(path)], environment=environment).start()
        daemons.append(daemon)
        return daemon

    yield started
    for daemon in daemons:
        if daemon.process.poll() is None:
            daemon.finish()


def linaje(daemon, *arguments, status=0):
    done = subprocess.run([LINAJE, *arguments, "--socket", daemon.socket], capture_output=True,
                          text=True, timeout=SECONDS * 3, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done


def make_model(folder):
    """A folder of files: {path: SHA-256}."""
    generator = random.Random(SEED)
    root = pathlib.Path(folder, "model")
    found = {}
    for path, size in (("weights/a.bin", 3 << 20), ("weights/b.bin", 1), ("config.json", 700)):
        content = generator.randbytes(size)
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
        found[path] = hashlib.sha256(content).hexdigest()
    return root, found


def fetched(daemon, uri, folder):
    root = pathlib.Path(folder, "fetched")
    shutil.rmtree(root, ignore_errors=True)
    linaje(daemon, "artifact", "get", uri, str(root))
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in root.rglob("*") if path.is_file()}


def put(daemon, root):
    return linaje(daemon, "artifact", "put", str(root)).stdout.strip()


def test_what_was_pushed_to_a_bucket_outlives_the_store(folder, server, start):
    root, files = make_model(folder)
    address = f"s3://{server.new()}/team/?endpoint={server.endpoint}"
    first = start("first", environment=server.environment)
    uri = put(first, root)
    linaje(first, "remote", "add", "backup", address)
    assert "lacks" in linaje(first, "status", "--remote", "backup", status=1).stderr
    linaje(first, "push", "--remote", "backup")
    last = json.loads(linaje(first, "status", "--remote", "backup", "--read-data", "--json")
                      .stdout.splitlines()[-1])
    assert last["finished"] and last["missing_there"]["packs"] == 0
    assert last["common"]["packs"] > 0
    assert first.stop() == 0
    shutil.rmtree(first.state)

    second = start("second", environment=server.environment)
    linaje(second, "remote", "add", "backup", address)
    linaje(second, "artifact", "get", uri, os.path.join(folder, "nothing"), status=1)
    linaje(second, "pull", "--remote", "backup")
    assert fetched(second, uri, folder) == files
    for daemon in (first, second):
        assert server.hello["secret"] not in daemon.log


def test_status_never_trusts_what_was_pushed_once(folder, start):
    root, _ = make_model(folder)
    copy = pathlib.Path(folder, "copy")
    daemon = start("one", f'[artifacts.remotes]\ncopy = "file://{copy}"\n')
    put(daemon, root)
    linaje(daemon, "push", "--remote", "copy")
    linaje(daemon, "status", "--remote", "copy")
    for pack in copy.rglob("*.pack"):
        pack.unlink()
    said = linaje(daemon, "status", "--remote", "copy", status=1)
    assert "lacks" in said.stderr
    linaje(daemon, "push", "--remote", "copy")
    linaje(daemon, "status", "--remote", "copy", "--read-data")
    pack = next(copy.rglob("*.pack"))
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 1
    os.chmod(pack, 0o600)
    pack.write_bytes(content)
    assert pack.name in linaje(daemon, "status", "--remote", "copy", "--read-data",
                               status=1).stderr


def test_remotes_are_added_listed_and_removed(folder, start):
    daemon = start("one", f'[artifacts.remotes]\nnas = "file://{folder}/nas"\n')
    linaje(daemon, "remote", "add", "backup", "s3://models/x/?region=eu-west-1&profile=robot")
    linaje(daemon, "remote", "add", "backup", "s3://models/x/?region=eu-west-1&profile=robot")
    listed = json.loads(linaje(daemon, "remote", "list", "--json").stdout)
    assert [(r["name"], r["configured"]) for r in listed] == [("backup", False), ("nas", True)]
    refused = {
        ("add", "backup", "s3://other/"): "already",
        ("add", "nas", "s3://other/"): "configuration",
        ("add", "new", "file:///etc"): "linaje.toml",
        ("add", "new", "https://models/"): "s3://",
        ("add", "new", "s3://AB/"): "bucket",
        ("add", "new", "s3://key:secret@models/"): "credentials",
        ("add", "new", "s3://models/?secret=x"): "none of",
        ("add", "new", "s3://models/../x"): "prefix",
        ("add", ".new", "s3://models/"): "no name",
        ("remove", "nas"): "configuration",
    }
    for arguments, what in refused.items():
        said = linaje(daemon, "remote", *arguments, status=1).stderr
        assert what in said, arguments
        assert "key:secret" not in said
    assert "not known" in linaje(daemon, "push", "--remote", "nobody", status=1).stderr
    daemon.restart()
    linaje(daemon, "remote", "remove", "backup")
    linaje(daemon, "remote", "remove", "backup")
    assert "backup" not in linaje(daemon, "remote", "list").stdout


def test_a_bucket_may_be_where_packs_are_kept(folder, server, start):
    root, files = make_model(folder)
    bucket = server.new()
    configuration = (f'[artifacts]\nbackend = "s3"\ncache_bytes = {64 << 20}\n'
                     f'[s3]\nbucket = "{bucket}"\nendpoint = "{server.endpoint}"\n')
    daemon = start("one", configuration, server.environment)
    uri = put(daemon, root)
    assert not os.path.exists(os.path.join(daemon.state, "packs"))
    before = len(server.ask(do="requests", bucket=bucket)["requests"])
    assert fetched(daemon, uri, folder) == files
    gets = [r for r in server.ask(do="requests", bucket=bucket)["requests"][before:]
            if r["method"] == "GET"]
    assert not gets, "what was just written is near by"
    # A cache that is gone costs requests, nothing else.
    assert daemon.stop() == 0
    shutil.rmtree(os.path.join(daemon.state, "cache"))
    daemon.start()
    assert fetched(daemon, uri, folder) == files
    assert os.path.isdir(os.path.join(daemon.state, "cache"))


def test_a_bucket_that_fails_for_a_while_stops_nothing_for_good(folder, server, start):
    root, files = make_model(folder)
    bucket = server.new()
    configuration = (f'[artifacts]\nbackend = "s3"\ncache_bytes = 0\n'
                     f'[s3]\nbucket = "{bucket}"\nendpoint = "{server.endpoint}"\n')
    daemon = start("one", configuration, server.environment)
    server.ask(do="fault", bucket=bucket, method="PUT", contains="packs/", fault="status",
               status=403, code="AccessDenied", times=1)
    said = linaje(daemon, "artifact", "put", str(root), status=1).stderr
    assert bucket in said and "s3:PutObject" in said
    uri = put(daemon, root)
    server.ask(do="fault", bucket=bucket, method="GET", contains="packs/", fault="truncate",
               times=2)
    assert fetched(daemon, uri, folder) == files


# What a server does to every request of that method, and what is said of it. What may pass is
# "unavailable", exit code 75.
LASTING = {
    "500": ("PUT", {"fault": "status", "status": 500, "code": "InternalError"}, "InternalError"),
    "503": ("PUT", {"fault": "status", "status": 503, "code": "SlowDown",
                    "headers": {"Retry-After": "0"}}, "SlowDown"),
    "409": ("PUT", {"fault": "status", "status": 409, "code": "ConditionalRequestConflict"},
            "ConditionalRequestConflict"),
    "412": ("PUT", {"fault": "status", "status": 412, "code": "PreconditionFailed"},
            "PreconditionFailed"),
    "an expired token": ("PUT", {"fault": "status", "status": 400, "code": "ExpiredToken"},
                         "credentials of the environment"),
    "a clock": ("PUT", {"fault": "status", "status": 403, "code": "RequestTimeTooSkewed",
                        "headers": {"Date": "Mon, 01 Jan 2035 00:00:00 GMT"}}, "clock"),
    "no right to write": ("PUT", {"fault": "status", "status": 403, "code": "AccessDenied"},
                          "s3:PutObject"),
    "a full bucket": ("PUT", {"fault": "status", "status": 507, "code": "QuotaExceeded"}, "quota"),
    "answers that are cut": ("GET", {"fault": "truncate"}, "answer was cut"),
    "connections that end": ("GET", {"fault": "drop"}, "tried 5 times"),
}
PASSING = {"500", "503", "409", "answers that are cut", "connections that end"}


def test_what_a_remote_does_wrong_is_said_of_its_object_and_loses_nothing(folder, server, start):
    root, files = make_model(folder)
    daemon = start("one", environment=server.environment)
    uri = put(daemon, root)
    for number, (name, (method, fault, what)) in enumerate(LASTING.items()):
        bucket = server.new()
        address = f"s3://{bucket}/?endpoint={server.endpoint}"
        linaje(daemon, "remote", "add", f"r{number}", address)
        if method == "GET":
            linaje(daemon, "push", "--remote", f"r{number}")
        server.ask(do="fault", bucket=bucket, method=method, contains="packs/", times=1000, **fault)
        if method == "GET":
            other = start(f"other-{number}", environment=server.environment)
            linaje(other, "remote", "add", "r", address)
            said = linaje(other, "pull", "--remote", "r", status=75).stderr
        else:
            status = 75 if name in PASSING or name == "a full bucket" else 1
            said = linaje(daemon, "push", "--remote", f"r{number}", status=status).stderr
        assert "object packs/" in said and bucket in said and what in said, (name, said)
        server.ask(do="mend", bucket=bucket)
        if method == "GET":
            linaje(other, "pull", "--remote", "r")
            assert fetched(other, uri, folder) == files
        else:
            linaje(daemon, "push", "--remote", f"r{number}")
        linaje(daemon, "status", "--remote", f"r{number}", "--read-data")
    assert fetched(daemon, uri, folder) == files


def test_wrong_bytes_of_a_remote_are_never_taken_over(folder, server, start):
    root, files = make_model(folder)
    bucket = server.new()
    first = start("first", environment=server.environment)
    uri = put(first, root)
    address = f"s3://{bucket}/?endpoint={server.endpoint}"
    linaje(first, "remote", "add", "r", address)
    linaje(first, "push", "--remote", "r")
    server.ask(do="fault", bucket=bucket, method="GET", contains="packs/", fault="flip", times=1000)
    second = start("second", environment=server.environment)
    linaje(second, "remote", "add", "r", address)
    said = linaje(second, "pull", "--remote", "r", status=1).stderr
    assert "packs/" in said and "damaged" in said
    assert not list(pathlib.Path(second.state).rglob("*.pack"))
    server.ask(do="mend", bucket=bucket)
    linaje(second, "pull", "--remote", "r")
    assert fetched(second, uri, folder) == files


def test_a_bucket_that_is_missing_or_only_read_is_said_in_words(folder, server, start):
    root, _ = make_model(folder)
    bucket = server.new()
    reader = dict(server.environment, AWS_ACCESS_KEY_ID=server.hello["reader"],
                  AWS_SECRET_ACCESS_KEY=server.hello["reader_secret"])
    daemon = start("one", environment=reader)
    put(daemon, root)
    linaje(daemon, "remote", "add", "missing", f"s3://no-such/?endpoint={server.endpoint}")
    linaje(daemon, "remote", "add", "r", f"s3://{bucket}/?endpoint={server.endpoint}")
    for action in ("push", "pull", "status"):
        said = linaje(daemon, action, "--remote", "missing", status=1).stderr
        assert "create bucket no-such" in said, said
    said = linaje(daemon, "push", "--remote", "r", status=1).stderr
    assert f"of bucket {bucket}" in said and "s3:PutObject" in said and "object packs/" in said
    assert "lacks" in linaje(daemon, "status", "--remote", "r", status=1).stderr
    for secret in (server.hello["secret"], server.hello["reader_secret"]):
        assert secret not in daemon.log


def test_what_was_acknowledged_outlives_a_bucket_that_fails(folder, server, start):
    root, files = make_model(folder)
    bucket = server.new()
    configuration = (f'[artifacts]\nbackend = "s3"\ncache_bytes = 0\n'
                     f'[s3]\nbucket = "{bucket}"\nendpoint = "{server.endpoint}"\n')
    daemon = start("one", configuration, server.environment)
    uri = put(daemon, root)
    new = pathlib.Path(folder, "new")
    stored = {uri: files}
    for name, (method, fault, what) in LASTING.items():
        new.write_bytes(random.Random(name).randbytes(100_000))
        server.ask(do="fault", bucket=bucket, method=method, contains="packs/", times=1000, **fault)
        if name not in PASSING:
            status = 75 if name == "a full bucket" else 1
            said = linaje(daemon, "artifact", "put", str(new), status=status).stderr
            assert "object packs/" in said and bucket in said and what in said, (name, said)
            server.ask(do="mend", bucket=bucket)
            again = put(daemon, new)
        elif method == "PUT":
            # A client goes on for a minute while the daemon cannot do it.
            waiting = subprocess.Popen([LINAJE, "artifact", "put", str(new), "--socket",
                                        daemon.socket], stdout=subprocess.PIPE, text=True)
            asked = len(server.ask(do="requests", bucket=bucket)["requests"])
            eventually(lambda: len(server.ask(do="requests", bucket=bucket)["requests"])
                       > asked + 5)
            assert waiting.poll() is None
            server.ask(do="mend", bucket=bucket)
            again = waiting.communicate(timeout=SECONDS)[0].strip()
        else:
            again = put(daemon, new)
            waiting = subprocess.Popen([LINAJE, "artifact", "get", uri, os.path.join(folder, name),
                                        "--socket", daemon.socket])
            asked = len(server.ask(do="requests", bucket=bucket)["requests"])
            eventually(lambda: len(server.ask(do="requests", bucket=bucket)["requests"])
                       > asked + 5)
            server.ask(do="mend", bucket=bucket)
            assert waiting.wait(SECONDS) == 0
        stored[again] = {"new": hashlib.sha256(new.read_bytes()).hexdigest()}
    daemon.kill()
    daemon.start()
    for tree, expected in stored.items():
        assert fetched(daemon, tree, folder) == expected
    assert server.hello["secret"] not in daemon.log


def test_a_damaged_store_is_repaired_from_its_remote(folder, start):
    root, files = make_model(folder)
    daemon = start("one", f'[artifacts.remotes]\ncopy = "file://{folder}/copy"\n')
    uri = put(daemon, root)
    linaje(daemon, "push", "--remote", "copy")
    for pack in pathlib.Path(daemon.state, "packs").rglob("*.pack"):
        content = bytearray(pack.read_bytes())
        content[len(content) // 2] ^= 1
        os.chmod(pack, 0o600)
        pack.write_bytes(content)
    # Packs of equal name and size are not compared byte by byte: that is what fsck is for.
    linaje(daemon, "fsck", "--read-data", "--repair", status=1)
    linaje(daemon, "pull", "--remote", "copy")
    linaje(daemon, "fsck", "--read-data")
    assert fetched(daemon, uri, folder) == files


def hostile_remote(folder, path, size):
    """A remote in a folder whose pack is in order, but for the chunks that it lists for a file.

    Returns its address, the content that the file should have, and the tree with the file.
    """
    generator = random.Random(SEED)
    content = generator.randbytes(size)
    chunks = [generator.randbytes(size // 2), generator.randbytes(size - size // 2)]
    file = hashlib.sha256(content)
    recipe = b"LNJR" + struct.pack("<IQI", 1, size, len(chunks))
    for chunk in chunks:
        recipe += hashlib.sha256(chunk).digest() + struct.pack("<I", len(chunk))
    recipe += hashlib.sha256(recipe).digest()
    tree = f"linaje tree 1\n100644 {file.hexdigest()} {size} {path}\0".encode()
    body, header = b"LNJPACK1", b""
    blobs = [(1, hashlib.sha256(chunk).digest(), chunk) for chunk in chunks]
    blobs += [(2, file.digest(), recipe), (3, hashlib.sha256(tree).digest(), tree)]
    for kind, key, blob in blobs:
        header += struct.pack("<BBHIIQ", kind, 0, 0, len(blob), len(blob), len(body))
        header += hashlib.sha256(blob).digest()[:8] + key
        body += blob
    name = hashlib.sha256(header)
    place = pathlib.Path(folder, "hostile", "packs", name.hexdigest()[:2])
    place.mkdir(parents=True)
    trailer = struct.pack("<II", len(blobs), len(header)) + name.digest() + b"LNJPEND1"
    (place / f"{name.hexdigest()}.pack").write_bytes(body + header + trailer)
    return f"file://{folder}/hostile", content, hashlib.sha256(tree).hexdigest()


def test_a_remote_that_lists_other_chunks_for_a_file_costs_nobody_the_file(folder, start):
    hostile, content, tree = hostile_remote(folder, "weights.bin", 300_000)
    model = pathlib.Path(folder, "model")
    model.mkdir()
    (model / "weights.bin").write_bytes(content)
    honest = start("honest", f'[artifacts.remotes]\nteam = "file://{folder}/team"\n')
    put(honest, model)
    linaje(honest, "push", "--remote", "team")
    daemon = start("one", "[artifacts.remotes]\n"
                   f'team = "file://{folder}/team"\nhostile = "{hostile}"\n')
    linaje(daemon, "pull", "--remote", "hostile")
    # What is wrong is never given, and the reason is said.
    said = linaje(daemon, "artifact", "get", f"tree:sha256:{tree}", f"{folder}/got", status=1).stderr
    assert "are not that file" in said and "pull it from another remote" in said
    assert not pathlib.Path(folder, "got", "weights.bin").exists()
    linaje(daemon, "pull", "--remote", "team")
    expected = {"weights.bin": hashlib.sha256(content).hexdigest()}
    assert fetched(daemon, f"tree:sha256:{tree}", folder) == expected
    # Whoever has the file himself needs no other remote.
    other = start("two", f'[artifacts.remotes]\nhostile = "{hostile}"\n')
    linaje(other, "pull", "--remote", "hostile")
    uri = put(other, model)
    assert fetched(other, uri, folder) == expected
    linaje(other, "fsck", "--read-data")


def test_a_bucket_is_checked_repaired_and_collected_itself_not_its_cache(folder, server, start):
    root, files = make_model(folder)
    bucket = server.new()
    configuration = (f'[artifacts]\nbackend = "s3"\ncache_bytes = {64 << 20}\n'
                     f'[s3]\nbucket = "{bucket}"\nendpoint = "{server.endpoint}"\n')
    daemon = start("one", configuration, server.environment)
    uri = put(daemon, root)
    linaje(daemon, "fsck", "--read-data")
    server.ask(do="damage", bucket=bucket)
    assert fetched(daemon, uri, folder) == files, "what was just written is near by"
    linaje(daemon, "fsck", "--read-data", status=1)
    # The cache is a second copy, whose blocks are checked.
    linaje(daemon, "fsck", "--read-data", "--repair")
    linaje(daemon, "fsck", "--read-data")
    assert daemon.stop() == 0
    shutil.rmtree(os.path.join(daemon.state, "cache"))
    daemon.start()
    assert fetched(daemon, uri, folder) == files
    with daemon.client() as client:
        run = new_run(client)
        put_tree(client, {"doomed.bin": random.Random(1).randbytes(100_000)}, run=run)
        before = server.ask(do="keys", bucket=bucket)["keys"]
        linaje(daemon, "run", "delete", "--permanent", run.hex())
    for _ in range(2):
        linaje(daemon, "gc", "--grace", "0s")
    gone = set(before) - set(server.ask(do="keys", bucket=bucket)["keys"])
    assert len(gone) == 1 and gone.pop().startswith("packs/")
    assert fetched(daemon, uri, folder) == files
    linaje(daemon, "fsck", "--read-data")


@pytest.mark.parametrize("lines, what", [
    ('[artifacts]\nbackend = "ftp"\n', "artifacts.backend"),
    ('[artifacts]\nbackend = "s3"\n', "s3.bucket"),
    ('[artifacts]\nbackend = "s3"\ncache_bytes = 1\n[s3]\nbucket = "models"\n', "cache_bytes"),
    ('[artifacts]\nbackend = "s3"\n[s3]\nbucket = "models"\naddressing = "x"\n', "addressing"),
    ('[artifacts]\nbackend = "s3"\n[s3]\nbucket = "models"\nendpoint = "x"\n', "endpoint"),
    ('[artifacts.remotes]\nx = "nowhere"\n', "nowhere"),
    ('[s3]\nsecret_access_key = "x"\n', "secret_access_key"),
])
def test_a_configuration_that_cannot_work_is_refused_by_name(folder, lines, what):
    path = os.path.join(folder, "linaje.toml")
    pathlib.Path(path).write_text(lines, encoding="utf-8")
    daemon = Daemon(folder, arguments=["--config", path])
    status, said = daemon.refuses_to_start()
    assert status == 78 and what in said, said
