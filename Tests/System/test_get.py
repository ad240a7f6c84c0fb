"""Fetching folders: what is there is not fetched again, and nothing is written outside."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time

import pytest
from support import ROOT, SECONDS, LinajeError, eventually, new_run, put_tree

LINAJE = os.environ.get("LINAJE", str(ROOT / ".build/debug/linaje"))
pytestmark = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")


@pytest.fixture
def environment(tmp_path):
    return {"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(tmp_path / "cache")}


@pytest.fixture
def linaje(daemon, environment):
    """Runs the program as one user; gives its standard output, or what it said of its failure."""
    def run(*arguments, code=0):
        done = subprocess.run(
            [LINAJE, *arguments, "--socket", daemon.socket], capture_output=True, text=True,
            timeout=60, check=False, env=environment)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr if code else done.stdout
    return run


@pytest.fixture
def data(tmp_path):
    """A folder with small files, empty ones, long ones, programs and links."""
    dice = random.Random(11)
    root = tmp_path / "files"
    for number in range(300):
        path = root / f"part-{number % 7}" / "deep" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dice.randbytes(dice.randrange(3_000) if number % 9 else 100_000))
    (root / "empty").write_bytes(b"")
    (root / "twin").write_bytes((root / "part-1/deep/1.txt").read_bytes())
    (root / "long.bin").write_bytes(dice.randbytes(2_500_000))
    (root / "zeros.bin").write_bytes(bytes(2_000_000))
    (root / "program").write_text("#!/bin/sh\n")
    (root / "program").chmod(0o755)
    (root / "link").symlink_to("part-0/deep/0.txt")
    (root / "dangling").symlink_to("../../nowhere")
    return root


def put(linaje, folder):
    return json.loads(linaje("artifact", "put", str(folder), "--json"))


def get(linaje, uri, folder, *arguments):
    return json.loads(linaje("artifact", "get", uri, str(folder), "--json", *arguments))


def look(folder):
    """Everything that stands in a folder: kind, permission, content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file():
            found[name] = (path.stat().st_mode & 0o100, hashlib.sha256(path.read_bytes()).digest())
    return found


def inodes(folder):
    return {str(path.relative_to(folder)): path.lstat().st_ino
            for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()}


def received(daemon):
    """Bytes of content that the daemon has read for somebody."""
    with daemon.client() as client:
        text = client.call("GetDaemonMetrics").text
    return sum(int(float(line.split()[-1])) for line in text.splitlines()
               if line.startswith("linaje_artifact_read_bytes_total"))


def arrived(folder, pattern="*"):
    """Bytes of the files that stand in a folder, while others write there."""
    total = 0
    for path in folder.glob(pattern):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            pass
    return total


def test_a_folder_comes_back_as_it_was(linaje, data, tmp_path):
    uri = put(linaje, data)["uri"]
    said = get(linaje, uri, tmp_path / "got")
    assert said["files"] == 307 and said["unchanged"] == 0 and said["removed"] == 0
    assert look(tmp_path / "got") == look(data)
    # Nothing is left beside what was fetched.
    assert not list((tmp_path / "got").rglob(".linaje-*"))


def test_only_what_differs_is_fetched(daemon, linaje, data, tmp_path):
    got = tmp_path / "got"
    uri = put(linaje, data)["uri"]
    get(linaje, uri, got)
    (data / "part-3/deep/3.txt").write_text("another version")
    (data / "new.txt").write_text("new")
    (data / "program").chmod(0o644)
    (data / "link").unlink()
    (data / "link").symlink_to("empty")
    second = put(linaje, data)["uri"]
    (got / "mine.txt").write_text("mine")
    before, counted = inodes(got), received(daemon)
    said = get(linaje, second, got)
    assert said["unchanged"] == 305 and said["removed"] == 0
    assert received(daemon) - counted < 100
    after = inodes(got)
    changed = {name for name in after if before.get(name) != after[name]}
    assert changed == {"part-3/deep/3.txt", "new.txt", "link"}
    assert (got / "mine.txt").read_text() == "mine"
    (got / "mine.txt").unlink()
    assert look(got) == look(data)


def test_files_are_only_read_when_they_may_have_changed(daemon, linaje, data, tmp_path,
                                                        environment):
    from support import may_trace
    if not may_trace():
        pytest.skip("strace may not trace here")
    got, log = tmp_path / "got", tmp_path / "opened"
    uri = put(linaje, data)["uri"]
    get(linaje, uri, got)

    def opened(*arguments):
        subprocess.run(
            ["strace", "-f", "-qq", "-e", "trace=openat,open", "-o", str(log), LINAJE, "artifact",
             "get", uri, str(got), "--socket", daemon.socket, *arguments], check=True,
            capture_output=True, timeout=60, env=environment)
        return log.read_text()
    assert "long.bin" not in opened()
    assert "long.bin" in opened("--verify")
    # Another content of the same size, and the time of the old one.
    victim = got / "part-0/deep/7.txt"
    before = victim.stat()
    victim.write_bytes(bytes(before.st_size))
    os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
    names = opened()
    assert "7.txt" in names and "long.bin" not in names
    assert look(got) == look(data)


def test_without_a_memory_the_content_decides(daemon, linaje, data, tmp_path):
    got = tmp_path / "got"
    uri = put(linaje, data)["uri"]
    shutil.copytree(data, got, symlinks=True)
    (got / "program").chmod(0o644)
    (got / "empty").chmod(0o755)
    (got / "twin").write_bytes(bytes((got / "twin").stat().st_size))
    counted = received(daemon)
    said = get(linaje, uri, got)
    assert said["unchanged"] == 306
    assert received(daemon) - counted == (data / "twin").stat().st_size
    assert look(got) == look(data)
    shutil.rmtree(tmp_path / "cache" / "linaje" / "downloads")
    assert get(linaje, uri, got)["unchanged"] == 307


def test_exact_removes_what_is_not_in_the_tree_and_nothing_outside(linaje, data, tmp_path):
    got, outside = tmp_path / "got", tmp_path / "outside"
    uri = put(linaje, data)["uri"]
    outside.mkdir()
    (outside / "precious").write_text("precious")
    for folder in (got / "old" / "older", got / "long.bin" / "x", got / "part-2"):
        folder.mkdir(parents=True)
    (got / "old" / "older" / "file").write_text("old")
    (got / "long.bin" / "x" / "y").write_text("a folder where the tree has a file")
    (got / "part-1").write_text("a file where the tree has a folder")
    (got / "part-2" / "deep").symlink_to(outside)
    (got / "leads-out").symlink_to(outside)
    (got / "old" / "out").symlink_to(outside)
    os.mkfifo(got / "fifo")
    os.close(os.open(os.fsencode(got) + b"/bad\xff", os.O_CREAT | os.O_WRONLY))
    said = linaje("artifact", "get", uri, str(got), code=1)
    assert "move it away" in said
    assert not (outside / "16.txt").exists()
    said = get(linaje, uri, got, "--exact")
    assert said["removed"] == 8
    assert look(got) == look(data)
    assert not (got / "old").exists() and os.listdir(outside) == ["precious"]
    assert get(linaje, uri, got, "--exact")["unchanged"] == 307


def test_links_in_the_destination_never_lead_outside(linaje, data, tmp_path):
    got, outside = tmp_path / "got", tmp_path / "outside"
    uri = put(linaje, data)["uri"]
    outside.mkdir()
    (outside / "precious").write_text("precious")
    got.mkdir()
    (got / "long.bin").symlink_to(outside / "precious")
    (got / "empty").symlink_to(outside / "created")
    (got / "part-4").symlink_to("../outside")
    said = linaje("artifact", "get", uri, str(got), code=1)
    assert '"part-4" on the way is no folder' in said
    (got / "part-4").unlink()
    (got / "part-4").mkdir()
    (got / "part-4" / "deep").symlink_to(outside, target_is_directory=True)
    linaje("artifact", "get", uri, str(got), code=1)
    assert os.listdir(outside) == ["precious"]
    (got / "part-4" / "deep").unlink()
    get(linaje, uri, got)
    assert look(got) == look(data)
    assert os.listdir(outside) == ["precious"]
    assert (outside / "precious").read_text() == "precious"


def test_a_killed_get_goes_on_where_it_was(daemon, linaje, tmp_path, environment):
    folder, got = tmp_path / "files", tmp_path / "got"
    folder.mkdir()
    dice = random.Random(5)
    total = 0
    for number in range(6):
        (folder / f"{number}.bin").write_bytes(dice.randbytes(9 << 20))
        total += 9 << 20
    uri = put(linaje, folder)["uri"]
    counted = received(daemon)
    for share in (0.3, 0.6):
        process = subprocess.Popen(
            [LINAJE, "artifact", "get", uri, str(got), "--socket", daemon.socket],
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        eventually(lambda limit=share * total: arrived(got) > limit)
        process.send_signal(signal.SIGKILL)
        process.wait(SECONDS)
    assert list(got.glob(".linaje-*.part"))
    get(linaje, uri, got)
    assert look(got) == look(folder)
    assert not list(got.glob(".linaje-*"))
    # What was on its way when it was killed came twice, and no more than that.
    assert received(daemon) - counted < total * 1.25


def test_what_an_interrupted_get_has_left_is_not_believed(linaje, data, tmp_path):
    got, outside = tmp_path / "got", tmp_path / "outside"
    uri = put(linaje, data)["uri"]
    got.mkdir()
    outside.mkdir()
    digest = hashlib.sha256((data / "long.bin").read_bytes()).hexdigest()
    (got / f".linaje-{digest[:32]}.part").write_bytes(bytes(1_500_000))
    digest = hashlib.sha256((data / "zeros.bin").read_bytes()).hexdigest()
    (outside / "precious").write_text("precious")
    os.link(outside / "precious", got / f".linaje-{digest[:32]}.part")
    get(linaje, uri, got)
    assert look(data).items() <= look(got).items()
    assert (outside / "precious").read_text() == "precious"


def test_a_get_goes_on_when_the_daemon_is_killed(daemon, linaje, tmp_path, environment):
    folder, got = tmp_path / "files", tmp_path / "got"
    folder.mkdir()
    dice = random.Random(6)
    for number in range(500):
        (folder / f"{number}.txt").write_bytes(dice.randbytes(2_000))
    (folder / "long.bin").write_bytes(dice.randbytes(40 << 20))
    uri = put(linaje, folder)["uri"]
    process = subprocess.Popen(
        [LINAJE, "artifact", "get", uri, str(got), "--socket", daemon.socket, "--json"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    eventually(lambda: arrived(got, ".linaje-*") > 8 << 20)
    daemon.kill()
    daemon.start()
    said = process.communicate(timeout=60)[0]
    assert process.returncode == 0, said
    assert look(got) == look(folder)


def test_two_gets_into_one_folder_do_not_disturb_each_other(daemon, linaje, data, tmp_path):
    uri = put(linaje, data)["uri"]
    failures = []

    def fetch():
        try:
            get(linaje, uri, tmp_path / "got")
        except AssertionError as error:
            failures.append(error)
    threads = [threading.Thread(target=fetch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert look(tmp_path / "got") == look(data)


def test_one_file_and_a_part_of_a_run_are_fetched_by_name(daemon, linaje, data, tmp_path):
    with daemon.client() as client:
        run = new_run(client).hex()
    linaje("artifact", "put", str(data), "--run", run)
    got = get(linaje, f"runs:/{run}/part-3/deep", tmp_path / "part")
    assert look(tmp_path / "part") == look(data / "part-3/deep") and got["files"] > 40
    assert get(linaje, f"runs:/{run}/long.bin", tmp_path / "one.bin")["unchanged"] == 0
    assert (tmp_path / "one.bin").read_bytes() == (data / "long.bin").read_bytes()
    assert get(linaje, f"runs:/{run}/long.bin", tmp_path / "one.bin")["unchanged"] == 1
    get(linaje, f"runs:/{run}/link", f"{tmp_path}/part/")
    assert os.readlink(tmp_path / "part/link") == "part-0/deep/0.txt"
    assert "no file or folder" in linaje("artifact", "get", f"runs:/{run}/none", code=1)


def test_without_a_destination_nothing_of_the_user_is_replaced(daemon, linaje, tmp_path,
                                                               environment):
    first, here = tmp_path / "first", tmp_path / "here"
    first.mkdir()
    here.mkdir()
    (first / "requirements.txt").write_text("of the model")
    (first / "metrics.csv").write_text("step,loss")
    with daemon.client() as client:
        run = new_run(client).hex()
    linaje("artifact", "put", str(first), "--run", run, "--path", "out/model")
    (first / "requirements.txt").write_text("of the next model")
    tree = put(linaje, first)["uri"]
    (here / "requirements.txt").write_text("mine")

    def get_here(uri, *arguments, code=0):
        done = subprocess.run(
            [LINAJE, "artifact", "get", uri, *arguments, "--socket", daemon.socket],
            capture_output=True, text=True, timeout=60, check=False, env=environment, cwd=here)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr
    assert get_here(f"runs:/{run}/out/model").startswith("./model\n")
    assert sorted(os.listdir(here)) == ["model", "requirements.txt"]
    assert (here / "model/requirements.txt").read_text() == "of the model"
    digits = tree.removeprefix("tree:sha256:")[:12]
    assert get_here(tree).startswith(f"./{digits}\n")
    # What a get has written is fetched anew; what somebody has changed since is not.
    shutil.move(here / digits, here / "elsewhere")
    linaje("artifact", "get", f"runs:/{run}/out/model", str(here / digits))
    assert "already there" not in get_here(tree)
    assert (here / digits / "requirements.txt").read_text() == "of the next model"
    (here / "model/requirements.txt").write_text("mine")
    said = get_here(f"runs:/{run}/out/model", code=1)
    assert "./model/requirements.txt is there already" in said and "--force" in said
    assert (here / "model/requirements.txt").read_text() == "mine"
    get_here(f"runs:/{run}/out/model", "--force")
    assert (here / "model/requirements.txt").read_text() == "of the model"
    # One file, by the same rule.
    get_here(f"runs:/{run}/out/model/metrics.csv")
    assert "were there already" in get_here(f"runs:/{run}/out/model/metrics.csv")
    said = get_here(f"runs:/{run}/out/model/requirements.txt", code=1)
    assert "./requirements.txt is there already" in said
    assert (here / "requirements.txt").read_text() == "mine"
    # The current folder itself, for who says so.
    get_here(f"runs:/{run}/out/model", ".")
    assert (here / "requirements.txt").read_text() == "of the model"
    assert "name it" in get_here(tree, "--exact", code=2)


def test_hard_links_are_made_between_read_only_checkouts_only(linaje, data, tmp_path):
    uri = put(linaje, data)["uri"]
    plain, first, second = tmp_path / "plain", tmp_path / "first", tmp_path / "second"
    get(linaje, uri, plain)
    said = get(linaje, uri, first, "--link", "hard")
    # What can be written to is never another name of something.
    assert said["linked"] == 0
    assert all(path.lstat().st_nlink == 1 for path in plain.rglob("*") if path.is_file())
    said = get(linaje, uri, second, "--link", "hard")
    assert said["linked"] == 305 and said["unchanged"] == 0
    assert look(second) == look(first) == look(data)
    for name, inode in inodes(first).items():
        path = second / name
        if not path.is_symlink() and name != "twin":
            assert path.stat().st_ino == inode and path.stat().st_mode & 0o222 == 0
            assert (plain / name).stat().st_ino != inode
    assert not list(second.rglob(".linaje-*"))
    # A new version does not change the old one, and the one below a link is let go, not written to.
    (data / "long.bin").write_bytes(b"another")
    newer = put(linaje, data)["uri"]
    assert get(linaje, newer, second, "--link", "hard")["unchanged"] == 306
    assert look(second) == look(data)
    assert (first / "long.bin").stat().st_size == 2_500_000
    assert get(linaje, uri, first)["unchanged"] == 307


def test_a_checkout_that_was_changed_is_no_source_of_links(linaje, data, tmp_path):
    uri = put(linaje, data)["uri"]
    first, second = tmp_path / "first", tmp_path / "second"
    get(linaje, uri, first, "--link", "hard")
    victim = first / "long.bin"
    before = victim.stat()
    victim.chmod(0o644)
    victim.write_bytes(bytes(before.st_size))
    victim.chmod(0o444)
    os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
    (first / "zeros.bin").unlink()
    (first / "zeros.bin").symlink_to("/etc/passwd")
    (first / "empty").unlink()
    assert get(linaje, uri, second, "--link", "hard")["linked"] == 302
    assert look(second) == look(data)


def test_blocks_are_shared_where_the_file_system_can(linaje, data, tmp_path):
    uri = put(linaje, data)["uri"]
    get(linaje, uri, tmp_path / "first")
    linked = get(linaje, uri, tmp_path / "second")["linked"]
    assert look(tmp_path / "second") == look(data)
    probe = subprocess.run(["cp", "--reflink=always", data / "long.bin", tmp_path / "probe"],
                           check=False, capture_output=True)
    large = sum(path.stat().st_size >= 65_536 for path in data.rglob("*")
                if path.is_file() and not path.is_symlink())
    assert linked == (large if probe.returncode == 0 else 0)
    (tmp_path / "second" / "long.bin").write_bytes(b"changed")
    assert (tmp_path / "first" / "long.bin").read_bytes() == (data / "long.bin").read_bytes()


def stream(client, method, **fields):
    """The answer and all data frames of a server-streaming call."""
    def on(connection):
        stream = connection.open(method, fields)
        answer, parts = stream.wait_answer(client._deadline()), []
        while (payload := stream.receive(client._deadline())) is not None:
            parts.append(payload)
        return answer, parts
    return client._retried(on)


def test_a_tree_and_its_small_files_come_in_one_stream_each(daemon):
    from support import _wire
    dice = random.Random(8)
    files = {f"d{number % 30}/{number:05}": dice.randbytes(number % 700)
             for number in range(3_000)}
    files["middle"] = dice.randbytes(131_072)
    with daemon.client() as client:
        tree = put_tree(client, files)
        opened, text = stream(client, "ReadTree", root={"tree": tree.digest})
        assert hashlib.sha256(b"".join(text)).digest() == tree.digest == opened.tree.digest
        assert opened.tree.files == 3_001
        names = sorted(files)
        for first, wanted in ((0, set(range(3_001))), (1_000, {1_000, 1_001, 2_999}), (7, set())):
            bits = bytearray(400)
            for number in wanted:
                bits[(number - first) >> 3] |= 1 << ((number - first) & 7)
            opened, frames = stream(client, "ReadFiles", root={"tree": tree.digest},
                                    tree=tree.digest, wanted=bytes(bits), first=first)
            assert opened.files == len(wanted)
            got = [file for frame in frames for file in _wire.decode("ReadFilesFrame", frame).files]
            assert {file.entry for file in got} == wanted and len(got) == len(wanted)
            assert all(file.content == files[names[file.entry]] for file in got)
        one, nothing = stream(client, "ReadTree", root={"tree": tree.digest}, path="d0/00000")
        assert one.file.path == "d0/00000" and not nothing


def test_small_files_are_refused_for_what_is_wrong_with_the_request(daemon):
    with daemon.client() as client:
        tree = put_tree(client, {"small": b"x", "big": bytes(131_073)})
        for fields, code in [
                ({"root": {"tree": tree.digest}, "tree": bytes(32), "wanted": b"\1"}, 113),
                ({"root": {"tree": tree.digest}, "tree": b"short", "wanted": b"\1"}, 102),
                ({"root": {"tree": tree.digest}, "tree": tree.digest, "wanted": b"\1"}, 103),
                ({"root": {"tree": bytes(32)}, "tree": tree.digest, "wanted": b"\1"}, 104),
                ({"tree": tree.digest, "wanted": b"\1"}, 102)]:
            with pytest.raises(LinajeError) as error:
                stream(client, "ReadFiles", **fields)
            assert error.value.code == code, fields
        # Bits beyond the tree, and a place beyond them all, mean nothing.
        for first in (2, 2**63, 2**64 - 1):
            opened, frames = stream(client, "ReadFiles", root={"tree": tree.digest},
                                    tree=tree.digest, wanted=b"\xff", first=first)
            assert opened.files == 0 and not frames


def test_damage_of_a_small_file_is_named_and_never_written(daemon, linaje, data, tmp_path):
    uri = put(linaje, data)["uri"]
    daemon.stop()
    for pack in (pack for pack in os.scandir(f"{daemon.state}/packs")
                 if pack.is_dir()):
        for file in os.scandir(pack.path):
            content = bytearray(open(file.path, "rb").read())
            for place in range(100, len(content) - 200_000, 50_000):
                content[place] ^= 0x10
            os.chmod(file.path, 0o600)
            with open(file.path, "wb") as out:
                out.write(content)
    daemon.start()
    said = linaje("artifact", "get", uri, str(tmp_path / "got"), code=1)
    assert "corrupt" in said
    whole = look(data)
    assert all(whole.get(name) == what for name, what in look(tmp_path / "got").items()
               if not os.path.basename(name).startswith(".linaje-"))


@pytest.mark.alone
def test_many_small_files_are_one_operation(daemon, linaje, tmp_path):
    folder = tmp_path / "files"
    dice = random.Random(9)
    for number in range(6_000):
        path = folder / f"{number % 100}" / f"{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dice.randbytes(200))
    uri = put(linaje, folder)["uri"]
    with daemon.client() as client:
        def calls():
            text = client.call("GetDaemonMetrics").text
            return sum(float(line.split()[-1]) for line in text.splitlines()
                       if line.startswith("linaje_calls_total"))
        before = calls()
        get(linaje, uri, tmp_path / "got")
        assert calls() - before < 10
    assert daemon.rss() < 256 << 20
    assert look(tmp_path / "got") == look(folder)
    began = time.monotonic()
    assert get(linaje, uri, tmp_path / "got")["unchanged"] == 6_000
    assert time.monotonic() - began < 15
