"""The synchronous client: discovery, errors, deadlines, retries."""

import os
import pickle
import socket
import threading
import time
import uuid

import pytest

import linaje
from linaje import _frames, _wire
from linaje._client import new_timed_id
from linaje._connection import Connection, find_socket


def test_the_socket_is_found_by_the_table(tmp_path, monkeypatch):
    for name in ("LINAJE_SOCKET", "XDG_RUNTIME_DIR", "TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert find_socket() == "/run/linaje/linaje.sock"
    folder = tmp_path / f"linaje-{os.getuid()}"
    folder.mkdir(mode=0o700)
    (folder / "linaje.sock").touch()
    assert find_socket() == str(folder / "linaje.sock")
    folder.chmod(0o755)
    assert find_socket() == "/run/linaje/linaje.sock", "others can write there"
    folder.chmod(0o700)
    folder.rename(tmp_path / "moved")
    os.symlink(tmp_path / "moved", folder)
    assert find_socket() == "/run/linaje/linaje.sock", "a link may lead anywhere"
    runtime = tmp_path / "runtime"
    (runtime / "linaje").mkdir(parents=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    assert find_socket() == "/run/linaje/linaje.sock"
    (runtime / "linaje" / "linaje.sock").touch()
    assert find_socket() == str(runtime / "linaje" / "linaje.sock")
    monkeypatch.setenv("LINAJE_SOCKET", "/named")
    assert find_socket() == "/named"
    assert find_socket("/given") == "/given"


def test_nobody_at_the_socket_is_unavailable(home):
    with pytest.raises(linaje.LinajeError) as caught:
        linaje.Client().status()
    assert (caught.value.code, caught.value.name, caught.value.retryable) == (
        200, "unavailable", True)
    assert "start linajed" in str(caught.value)


def test_a_daemon_that_was_met_is_waited_for_and_the_call_made_once(fake):
    with linaje.Client() as client:
        client.status()
        fake.stop()
        started = threading.Timer(0.3, fake.start)
        started.start()
        assert client.call("CreateRun", id=bytes(16), name="meanwhile").name == "meanwhile"
        started.join()
        assert len(fake.answers) == 1


def test_the_patience_with_a_daemon_that_is_away_has_an_end(fake):
    with linaje.Client(patience=0.2) as client:
        client.status()
        fake.stop()
        begin = time.monotonic()
        with pytest.raises(linaje.LinajeError) as caught:
            client.status()
        assert caught.value.code == 200 and time.monotonic() - begin < 5


def test_an_error_keeps_its_number_name_and_text(fake):
    with linaje.Client() as client:
        with pytest.raises(linaje.LinajeError) as caught:
            client.get_run("0" * 32)
        assert caught.value.code == 104
        copy = pickle.loads(pickle.dumps(caught.value))
        assert (copy.code, copy.name, str(copy)) == (104, caught.value.name, str(caught.value))
        assert client.status().version == "fake"


def test_a_mistake_in_a_call_is_an_error_before_anything_is_sent(fake):
    with linaje.Client() as client:
        for call in (lambda: client.get_run("nonsense"), lambda: client.get_run("AB" * 16),
                     lambda: client.call("GetRun", idd=b""),
                     lambda: client.call("GetRun", id="text")):
            with pytest.raises(linaje.LinajeError) as caught:
                call()
            assert caught.value.code == 102
        with pytest.raises(ValueError):
            client.call("StreamMetrics")


def test_a_kept_connection_that_died_is_opened_anew_and_a_change_done_once(fake):
    with linaje.Client() as client:
        client.status()
        fake.drop_after = {fake.frames + 1}
        run = client.call("CreateRun", id=bytes(16), name="once")
        assert run.name == "once"
        assert [name for name, _ in fake.calls].count("CreateRun") == 2
        assert len(fake.answers) == 1


def server(path, script):
    """A server that runs `script(peer)` after the client's hello came."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(8)

    def run():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                peer.recv(65536)
                try:
                    script(peer)
                    time.sleep(0.2)
                except OSError:
                    pass

    threading.Thread(target=run, daemon=True).start()
    return listener


HELLO = _frames.encode(_frames.HELLO, 0, _wire.encode("ServerHello", {
    "connection_credit": 32768, "stream_credit": 65536}))


@pytest.mark.parametrize(("answer", "code"), [
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", 3), (b"", 111), (_frames.encode(_frames.DATA, 1), 2),
    (_frames.encode(_frames.HELLO, 0, b"\xff"), 101), (HELLO[:7], 111),
    (HELLO + _frames.encode(_frames.DATA, 8, b"x"), 2),
    (HELLO + _frames.encode(_frames.DATA, 99, b"x"), 2),
    (HELLO + _frames.encode(_frames.ERROR, 0, _wire.encode("Failure", {
        "code": 4_000_000_000, "name": "odd", "message": "from the future"})), 4_000_000_000),
    (HELLO, 111)])
def test_a_server_that_makes_no_sense_is_an_error_and_no_hang(home, answer, code):
    listener = server(str(home / "linaje.sock"), lambda peer: peer.sendall(answer))
    begin = time.monotonic()
    with pytest.raises(linaje.LinajeError) as caught:
        connection = Connection(timeout=0.3)
        connection.call("GetStatus", {}, timeout=0.1)
    assert caught.value.code in (code, 200) if code == 111 else caught.value.code == code
    assert time.monotonic() - begin < 5
    listener.close()


def test_a_server_that_sends_more_than_was_granted_is_refused(home):
    def flood(peer):
        peer.sendall(HELLO)
        peer.recv(65536)
        peer.sendall(_frames.encode(_frames.RESPONSE, 1, b"", 0, 0x0506))
        for _ in range(10):
            peer.sendall(_frames.encode(_frames.DATA, 1, bytes(100_000)))

    listener = server(str(home / "linaje.sock"), flood)
    connection = Connection(timeout=2)
    stream = connection.open("ReadArtifact", {"path": "x"})
    with pytest.raises(linaje.LinajeError) as caught:
        for _ in range(10):
            connection.pump_until(time.monotonic() + 2)
    assert caught.value.code == 2 and stream.over
    listener.close()


def test_a_ping_is_answered_and_asked(fake):
    connection = Connection()
    assert 0 <= connection.ping() < 5
    connection.close()
    with pytest.raises(linaje.LinajeError):
        connection.call("GetStatus", {})


def test_large_files_come_whole_under_flow_control(fake, tmp_path):
    content = os.urandom(2_000_000)
    (tmp_path / "big").write_bytes(content)
    with linaje.Client() as client:
        ingest = client.call("BeginIngest").ingest_id
        entry = client.put_file(ingest, "dir/big", str(tmp_path / "big")).file
        assert entry.size == len(content)
        tree = client.call("CommitIngest", ingest_id=ingest).digest
        assert b"".join(client.read_artifact(tree, "dir/big")) == content
        client.download(tree, "dir/big", str(tmp_path / "copy"), sha256=entry.sha256)
        assert (tmp_path / "copy").read_bytes() == content
        with pytest.raises(linaje.LinajeError) as caught:
            client.download(tree, "dir/big", str(tmp_path / "bad"), sha256=bytes(32))
        assert caught.value.code == 204 and not (tmp_path / "bad").exists()
        assert client.status().version == "fake"


def test_ids_of_runs_begin_with_their_time_as_uuids_of_version_7():
    before = time.time_ns() // 1_000_000
    ids = [uuid.UUID(bytes=new_timed_id()) for _ in range(200)]
    after = time.time_ns() // 1_000_000
    assert len(set(ids)) == 200
    for each in ids:
        assert each.version == 7 and each.variant == uuid.RFC_4122
        assert before <= each.int >> 80 <= after
