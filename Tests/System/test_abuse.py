"""Clients that keep their connections waiting are cut off; everybody else is left alone."""

import fcntl
import os
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time

import pytest

from support import (
    ROOT, SECONDS, Daemon, LinajeError, Raw, _frames, _wire, eventually, frame,
    history, new_run, put_tree, request)

LINAJE = os.environ.get("LINAJE", str(ROOT / ".build/debug/linaje"))
PATIENCE = 2
PING = frame(_frames.PING, payload=b"\x08\x01")
CREDIT = b"\x08" + _wire.varint(2**31 - 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return str(tmp_path_factory.mktemp("abuse"))


@pytest.fixture(scope="module")
def daemon(folder):
    """A daemon that is less patient than usual, for all tests of this file."""
    config = os.path.join(folder, "linaje.toml")
    with open(config, "w", encoding="ascii") as file:
        file.write(f"[limits]\nslow_client_seconds = {PATIENCE}\n")
    daemon = Daemon(folder, arguments=["--config", config]).start()
    yield daemon
    daemon.finish()


def is_cut(raw):
    """Whether the daemon has hung up; reads nothing."""
    poll = select.poll()
    poll.register(raw.socket, 0)
    return any(events & select.POLLHUP for _, events in poll.poll(0))


def flood(raw, piece):
    """Sends until the daemon takes no more."""
    raw.socket.setblocking(False)
    try:
        while raw.socket.send(piece):
            pass
    except (BlockingIOError, BrokenPipeError, ConnectionResetError):
        pass


def dribble(raw, payload):
    """Sends a byte every tenth of a second until the daemon hangs up."""
    for byte in payload:
        if is_cut(raw):
            return
        raw.send(bytes([byte]))
        time.sleep(0.1)


def status(raw, stream=1):
    """Asks for the status and reads the answer."""
    raw.send(request("GetStatus", stream=stream, key=False))
    assert raw.wait(_frames.RESPONSE).stream == stream


def test_offenders_are_cut_and_who_owes_nothing_is_not(daemon):
    with Raw(daemon) as idle, Raw(daemon) as one, Raw(daemon) as never, Raw(daemon) as slow, \
            Raw(daemon) as half:
        status(idle)
        flood(never, PING * 1_000)
        half.send(PING[:5])
        one.send(PING)
        dribbling = threading.Thread(target=dribble, args=(slow, frame(_frames.PING, payload=b"x" * 900)))
        begun = time.monotonic()
        dribbling.start()
        for offender in (never, slow, half):
            eventually(lambda: is_cut(offender), 30, "an offender was not cut within 30 s")
        assert time.monotonic() - begun >= PATIENCE, "nobody is cut before the time"
        dribbling.join()
        for talked_to in (slow, half):
            with pytest.raises(LinajeError) as told:
                talked_to.failure()
            assert told.value.code == 9 and told.value.retryable
        status(idle, 3)
        assert one.wait(_frames.PONG), "one answer that nobody has read yet is no offence"
    assert "was cut off" in daemon.log
    assert daemon.log.count("was cut off") <= 2, "the log tells of every one"


def test_a_stopped_client_with_unread_answers_is_cut_and_an_idle_one_is_not(daemon):
    """What a client looks like that is suspended: its process is there, its socket is open."""
    code = ("import sys, time; sys.path[:0] = sys.argv[2:]\n"
            "from linaje._connection import Connection\n"
            "connection = Connection(sys.argv[1], 20)\n"
            "connection.call('GetStatus', {})\n"
            "if sys.stdin.readline() == 'owe\\n':\n"
            "    for _ in range(100): connection.open('GetStatus', {})\n"
            "print('there', flush=True)\n"
            "time.sleep(60)\n")
    def client(word):
        process = subprocess.Popen(
            [sys.executable, "-c", code, daemon.socket, str(ROOT / "Clients/python/src")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        process.stdin.write(word + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "there\n"
        process.send_signal(signal.SIGSTOP)
        return process

    def connections():
        with daemon.client() as asking:
            return asking.status().connections

    before = connections()
    clients = [client("owe"), client("rest")]
    try:
        eventually(lambda: connections() == before + 1, 30, "the stopped client was not cut")
        time.sleep(PATIENCE)
        assert connections() == before + 1, "a client that owes nothing was cut"
    finally:
        for process in clients:
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()


def test_slow_but_honest_transfers_go_on(daemon):
    content = os.urandom(1_500_000)
    with daemon.client() as client:
        tree = put_tree(client, {"weights": content})
    sent = []
    sending = threading.Thread(target=lambda: sent.append(upload_slowly(daemon, content[:400_000])))
    sending.start()
    got = bytearray()
    with Raw(daemon) as raw:
        raw.send(request("ReadArtifact", {"root": {"tree": tree.digest}, "path": "weights"},
                         key=False),
                 frame(_frames.CREDIT, 1, CREDIT))
        begun = time.monotonic()
        while (read := raw.receive()).type != _frames.END:
            if read.type == _frames.DATA:
                got += read.payload
                time.sleep(0.2)
        took = time.monotonic() - begun
    sending.join()
    assert got == content
    assert took > 2 * PATIENCE
    assert sent == [True]


def upload_slowly(daemon, content):
    """Sends a file as one frame in small pieces; whether it was taken."""
    with daemon.client() as client, Raw(daemon) as raw:
        ingest = client.call("BeginIngest").ingest_id
        raw.send(request("PutFile", {"ingest_id": ingest, "path": "a", "mode": 0o100644,
                                     "size": len(content)}, key=False),
                 frame(_frames.DATA, 1, length=len(content)))
        for at in range(0, len(content), 32_000):
            raw.send(content[at:at + 32_000])
            time.sleep(0.3)
        raw.send(frame(_frames.END, 1))
        return raw.wait(_frames.RESPONSE).stream == 1


def test_a_daemon_that_was_stopped_itself_blames_nobody(daemon):
    with Raw(daemon) as raw:
        raw.send(PING[:7])
        eventually(lambda: not unread_by_daemon(raw))
        daemon.process.send_signal(signal.SIGSTOP)
        time.sleep(2 * PATIENCE)
        daemon.process.send_signal(signal.SIGCONT)
        raw.send(PING[7:])
        assert raw.wait(_frames.PONG)


def unread_by_daemon(raw):
    """Bytes that were sent and are not read yet."""
    return struct.unpack("i", fcntl.ioctl(raw.socket, termios.TIOCOUTQ, b"\0" * 4))[0]


def test_a_client_that_never_reads_costs_bounded_memory_whatever_credit_it_grants(daemon):
    content = os.urandom(24 << 20)
    with daemon.client() as client:
        tree = put_tree(client, {"weights": content})
        for _ in client.read_artifact(tree.digest, "weights"):
            pass
        run = new_run(client)
        for index in range(7):
            client.call("LogRun", id=run, tags={
                "set": [{"key": f"k{index}", "value": "v" * 99_000}]})
        before = daemon.rss()
        with Raw(daemon) as reader, Raw(daemon) as caller:
            for stream in range(1, 65, 2):
                reader.send(
                    request("ReadArtifact", {"root": {"tree": tree.digest}, "path": "weights"},
                            stream=stream, key=False),
                    frame(_frames.CREDIT, stream, CREDIT))
            for stream in range(1, 201, 2):
                caller.send(request("GetRun", {"id": run}, stream=stream, key=False))
            most = 0
            while not (is_cut(reader) and is_cut(caller)):
                most = max(most, daemon.rss() - before)
                time.sleep(0.01)
        # 32 downloads of 24 MiB and 100 answers of 0.7 MB were asked for.
        assert most < 64 << 20, f"grew by {most} bytes"


def test_clients_that_were_suspended_while_they_wrote_go_on_exactly_once(daemon, tmp_path):
    python, run = python_trainer(daemon, tmp_path)
    swift = swift_writer(daemon)
    for process in (python, swift):
        process.send_signal(signal.SIGSTOP)
    time.sleep(2 * PATIENCE)
    for process in (python, swift):
        process.send_signal(signal.SIGCONT)
    python.communicate(timeout=60)
    said, _ = swift.communicate(timeout=60)
    assert python.returncode == 0 and swift.returncode == 0
    with daemon.client() as client:
        assert [point[1] for point in history(client, run)] == list(range(40_000))
    assert '"verified":true' in said.splitlines()[-1], "the bench compares every point itself"


def python_trainer(daemon, folder):
    """A training script in the middle of its metrics, and its run."""
    code = ("import linaje\n"
            "print(linaje.start_run(experiment='suspended').run_id, flush=True)\n"
            "for step in range(40_000):\n"
            "    linaje.log_metric('loss', step / 7, step)\n"
            "    if step % 4_000 == 0: print(step, flush=True)\n"
            "linaje.end_run()\n")
    environment = {**os.environ, "LINAJE_SOCKET": daemon.socket, "HOME": str(folder),
                   "PYTHONPATH": str(ROOT / "Clients/python/src"),
                   "LINAJE_SPOOL_DIR": str(folder / "spool")}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=folder,
                               stdout=subprocess.PIPE, text=True)
    run = bytes.fromhex(process.stdout.readline().strip())
    process.stdout.readline()
    return process, run


def swift_writer(daemon):
    """`linaje bench` in the middle of its metrics."""
    process = subprocess.Popen(
        [LINAJE, "bench", "metrics", "--agents", "4", "--points", "200000", "--batch", "100",
         "--verify", "--reconnect", "--json", "--socket", daemon.socket],
        stdout=subprocess.PIPE, text=True)
    while '"acked"' not in process.stdout.readline():
        pass
    return process


def test_short_of_descriptors_the_daemon_lets_others_wait_and_serves_those_inside(folder):
    def few():
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))

    path = os.path.join(folder, "few")
    os.makedirs(path)
    daemon = Daemon(path, preexec=few).start()
    opened = []
    try:
        with daemon.client() as first:
            first.status()
            for _ in range(120):
                raw = socket.socket(socket.AF_UNIX)
                raw.connect(daemon.socket)
                raw.sendall(_frames.PREFACE + frame(_frames.HELLO))
                opened.append(raw)
            eventually(lambda: first.status().connections >= 60)
            before = processor_seconds(daemon.pid)
            time.sleep(1)
            assert processor_seconds(daemon.pid) - before < 0.3, "it spins"
            for _ in range(20):
                assert 60 <= first.status().connections <= 72, "those inside are served"
                first.search_runs()
            for raw in opened[:60]:
                raw.close()
            last = opened[-1]
            last.settimeout(SECONDS)
            assert last.recv(1) != b"", "one that waited is served once there is room"
    finally:
        for raw in opened:
            raw.close()
    daemon.finish()


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
