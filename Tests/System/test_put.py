"""Putting folders: what has not changed is not read again, and never believed without reason."""

import hashlib
import json
import os
import random
import shutil
import subprocess
import time

import pytest
from support import ROOT, SECONDS, LinajeError, new_run, put_tree, read

LINAJE = os.environ.get("LINAJE", str(ROOT / ".build/debug/linaje"))
pytestmark = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")
# A file that was written less than 2 s before it was read is read again each time.
LONG_AGO = time.time() - 3_600


@pytest.fixture
def linaje(daemon, tmp_path):
    """Runs the program as one user; gives its standard output."""
    def run(*arguments, code=0):
        done = subprocess.run(
            [LINAJE, *arguments, "--socket", daemon.socket], capture_output=True, text=True,
            timeout=SECONDS, check=False,
            env={"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(tmp_path / "cache")})
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr if code else done.stdout
    return run


@pytest.fixture
def data(tmp_path):
    """A folder with small files, a long one and a link."""
    dice = random.Random(7)
    root = tmp_path / "files"
    for number in range(120):
        path = root / f"part-{number % 3}" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dice.randbytes(dice.randrange(6_000)))
    (root / "long.bin").write_bytes(dice.randbytes(700_000))
    (root / "middle.bin").write_bytes(dice.randbytes(120_000))
    (root / "link").symlink_to("part-0/0.txt")
    # Their times of change are theirs; only waiting makes those old.
    time.sleep(2.1)
    return root


def put(linaje, folder, *arguments):
    return json.loads(linaje("artifact", "put", str(folder), "--json", *arguments))


def same(linaje, folder, uri, tmp_path):
    """Whether what is stored is what stands in the folder."""
    got = tmp_path / "got"
    shutil.rmtree(got, ignore_errors=True)
    linaje("artifact", "get", uri, str(got))
    return subprocess.run(["diff", "-r", "--no-dereference", str(folder), str(got)],
                          check=False).returncode == 0


def opened(linaje_arguments, tmp_path):
    """The files that a command opens, by strace."""
    log = tmp_path / "opened"
    subprocess.run(["strace", "-f", "-qq", "-e", "trace=openat,open", "-o", str(log),
                    *linaje_arguments], check=True, capture_output=True, timeout=SECONDS,
                   env={"PATH": os.environ["PATH"], "XDG_CACHE_HOME": str(tmp_path / "cache")})
    return log.read_text()


def test_only_what_changed_is_read_again(daemon, linaje, data, tmp_path):
    from support import may_trace
    first = put(linaje, data)
    assert same(linaje, data, first["uri"], tmp_path)
    (data / "part-1" / "1.txt").write_text("changed")
    (data / "part-2" / "2.txt").unlink()
    (data / "new.txt").write_text("new")
    status = json.loads(linaje("artifact", "status", str(data), "--json"))
    assert status["modified"] == ["part-1/1.txt"] and status["deleted"] == ["part-2/2.txt"]
    assert status["added"] == ["new.txt"] and status["unchanged"] == 121 and status["stored"]
    if may_trace():
        names = opened([LINAJE, "artifact", "put", str(data), "--socket", daemon.socket],
                       tmp_path)
        assert "part-1/1.txt" in names and "new.txt" in names
        assert "long.bin" not in names and "part-0/0.txt" not in names
    second = put(linaje, data)
    assert second["new_bytes"] == 0 and second["files"] == 123
    assert same(linaje, data, second["uri"], tmp_path)
    assert put(linaje, data, "--read-all")["tree"] == second["tree"]


def test_a_file_whose_times_were_set_back_is_read_again(linaje, data, tmp_path):
    first = put(linaje, data)
    victim = data / "part-0" / "0.txt"
    before = victim.stat()
    victim.write_bytes(bytes(before.st_size))
    os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
    second = put(linaje, data)
    assert second["tree"] != first["tree"]
    assert same(linaje, data, second["uri"], tmp_path)


def test_a_file_written_twice_within_a_tick_of_the_clock_is_read_again(linaje, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    for round in range(20):
        (folder / "f").write_text(f"{round:04}")
        uri = put(linaje, folder)["uri"]
        (folder / "f").write_text(f"{round:03}x")
        assert put(linaje, folder)["uri"] != uri


def test_a_change_of_the_mode_is_a_change(linaje, data, tmp_path):
    put(linaje, data)
    (data / "part-0" / "0.txt").chmod(0o755)
    uri = put(linaje, data)["uri"]
    entries = json.loads(linaje("artifact", "list", uri, "--recursive", "--json"))
    assert [each["kind"] for each in entries if each["path"] == "part-0/0.txt"] == ["executable"]


def test_what_an_earlier_upload_put_is_only_taken_over_while_it_is_kept(
        daemon, linaje, data, tmp_path):
    with daemon.client() as client:
        run = new_run(client)
        first = put(linaje, data, "--run", run.hex())
        linaje("run", "delete", run.hex())
        linaje("run", "delete", "--permanent", run.hex())
        for _ in range(2):
            linaje("gc", "--grace", "0s")
        with pytest.raises(LinajeError):
            read(client, f"tree:sha256:{first['tree']}", "link")
        again = put(linaje, data)
        assert again["tree"] == first["tree"] and again["new_bytes"] > 700_000
    assert same(linaje, data, again["uri"], tmp_path)


def test_an_error_that_is_not_about_what_was_put_before_comes_at_once(linaje, data):
    put(linaje, data)
    said = linaje("artifact", "put", str(data), "--run", "0" * 32, code=1)
    assert "run 00000000000000000000000000000000 does not exist" in said


def test_a_daemon_that_knows_nothing_gets_everything(daemon, linaje, data, tmp_path):
    first = put(linaje, data)
    daemon.stop()
    shutil.rmtree(daemon.state)
    daemon.start()
    status = json.loads(linaje("artifact", "status", str(data), "--json"))
    assert not status["stored"] and status["unchanged"] == 123
    assert put(linaje, data)["tree"] == first["tree"]
    assert same(linaje, data, first["uri"], tmp_path)


def test_a_damaged_memory_costs_one_reading(linaje, data, tmp_path):
    first = put(linaje, data)
    memory, = (tmp_path / "cache" / "linaje" / "uploads").iterdir()
    content = bytearray(memory.read_bytes())
    assert memory.stat().st_mode & 0o777 == 0o600
    for place in (0, 40, len(content) // 2, len(content) - 1):
        damaged = bytearray(content)
        damaged[place] ^= 1
        memory.write_bytes(damaged)
        assert put(linaje, data)["tree"] == first["tree"]
    for length in (0, 10, 70, len(content) - 1):
        memory.write_bytes(content[:length])
        assert put(linaje, data)["tree"] == first["tree"]


def test_memories_do_not_grow_for_ever(linaje, tmp_path):
    cache = tmp_path / "cache" / "linaje" / "uploads"
    cache.mkdir(parents=True)
    for number in range(80):
        (cache / f"{number:032x}").write_bytes(b"old")
        os.utime(cache / f"{number:032x}", (LONG_AGO - number, LONG_AGO - number))
    (tmp_path / "f").write_text("content")
    put(linaje, tmp_path / "f")
    names = sorted(each.name for each in cache.iterdir())
    assert len(names) == 64 and f"{0:032x}" in names and f"{79:032x}" not in names


def small(path, content, **fields):
    return {"path": path, "mode": 0o100644, "content": content,
            "sha256": hashlib.sha256(content).digest(), **fields}


def send_small(client, ingest, *frames, **request):
    """Puts frames of small files as a client would; gives the answer."""
    from support import METHODS, _wire

    def on(connection):
        stream = connection.open("PutFiles", {"ingest_id": ingest, **request})
        for frame in frames:
            stream.send(_wire.encode("PutFilesFrame", {"files": frame})
                        if isinstance(frame, list) else frame, client._deadline())
        stream.end()
        return stream.wait_answer(client._deadline())
    assert "PutFiles" in METHODS
    return client._retried(on)


def test_small_files_are_one_tree(daemon):
    with daemon.client() as client:
        ingest = client.call("BeginIngest").ingest_id
        dice = random.Random(3)
        files = {f"d{n % 5}/{n}": dice.randbytes(dice.randrange(131_073)) for n in range(40)}
        files["empty"] = b""
        frames = [[small(name, content)] for name, content in files.items()]
        answer = send_small(client, ingest, *frames)
        assert answer.files == 41 and answer.new_bytes == sum(map(len, files.values()))
        tree = client.call("CommitIngest", ingest_id=ingest)
        root = f"tree:sha256:{tree.digest.hex()}"
        assert all(read(client, root, name) == content for name, content in files.items())
        # The same by the other way is the same tree, and nothing of it is new.
        assert put_tree(client, files).digest == tree.digest


@pytest.mark.parametrize("file, code", [
    (small("f", b"x", sha256=bytes(32)), 204),
    (small("f", bytes(131_073)), 103),
    (small("../f", b"x"), 117),
    (small("f", b"x", mode=0o010644), 102),
    (small("f", b"", mode=0o120000), 102),
    (small("f", b"a\0b", mode=0o120000), 102),
    (small("f", b"x", sha256=b"short"), 102),
    (b"\xff\xff\xff", 101),
])
def test_small_files_that_cannot_be_are_refused(daemon, file, code):
    with daemon.client() as client:
        ingest = client.call("BeginIngest").ingest_id
        with pytest.raises(LinajeError) as error:
            send_small(client, ingest, [small("good", b"good")],
                       file if isinstance(file, bytes) else [file])
        assert error.value.code == code
        # Nothing of the batch is there, and the session goes on.
        assert send_small(client, ingest, [small("other", b"other")]).files == 1
        assert client.call("CommitIngest", ingest_id=ingest).files == 1


def test_files_are_taken_over_from_a_whole_tree_only(daemon):
    with daemon.client() as client:
        base = put_tree(client, {"a": b"1", "b": b"2", "c": b"3"})
        ingest = client.call("BeginIngest").ingest_id
        # Bits beyond the tree mean nothing.
        answer = send_small(client, ingest, [small("b", b"new")], base_tree=base.digest,
                            kept=bytes([0b11111_101, 0xff]))
        assert answer.files == 3
        tree = client.call("CommitIngest", ingest_id=ingest)
        assert tree.digest == put_tree(client, {"a": b"1", "b": b"new", "c": b"3"}).digest
        ingest = client.call("BeginIngest").ingest_id
        with pytest.raises(LinajeError) as error:
            send_small(client, ingest, base_tree=bytes(32), kept=b"\xff")
        assert error.value.code == 104 and "base_tree" in error.value.details
