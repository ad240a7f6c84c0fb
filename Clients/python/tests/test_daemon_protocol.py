"""The real daemon answers the conversations of the vectors and the plain client."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import linaje
from linaje import _frames, _wire

ROOT = Path(__file__).resolve().parents[3]
PLAIN = Path(__file__).resolve().parents[1] / "plain" / "linaje_plain.py"
CONVERSATIONS = json.loads(
    (ROOT / "proto-spec" / "vectors" / "frames.json").read_text())["conversations"]


def converse(path, data):
    """(errors as (stream, number), whether the daemon closed the connection)."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(path)
        peer.settimeout(10)
        errors, buffer = [], bytearray()
        try:
            peer.sendall(data)
            while True:
                part = peer.recv(65536)
                if not part:
                    return errors, True
                buffer += part
                while (parsed := _frames.parse(buffer)) is not None:
                    frame, size = parsed
                    del buffer[:size]
                    if frame.type == _frames.ERROR:
                        failure = _wire.decode("Failure", frame.payload)
                        errors.append((frame.stream, failure.code))
                        if frame.stream:
                            # Of a stream: the connection goes on, which a ping shows.
                            peer.sendall(_frames.encode(_frames.PING, 0, b"\x08\x2a"))
                    elif frame.type == _frames.PONG:
                        assert frame.payload == b"\x08\x2a"
                        return errors, False
        except ConnectionError:
            return errors, True


def test_each_conversation_ends_in_its_error_and_the_daemon_lives(daemon):
    wrong = []
    for case in CONVERSATIONS:
        errors, closed = converse(daemon.socket, bytes.fromhex(case["hex"]))
        expected = {(case["stream"], number) for number in case["allowed"]}
        if not expected & set(errors) or closed != (case["ends"] == "connection"):
            wrong.append((case["name"], case["allowed"], errors, closed))
        with linaje.Client(daemon.socket, timeout=10) as client:
            assert client.status().pid == daemon.process.pid
    assert not wrong


def test_a_hello_torn_at_every_byte_harms_nobody(daemon):
    data = bytes.fromhex(CONVERSATIONS[-1]["hex"])
    for size in range(0, len(data), 3):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(daemon.socket)
            peer.sendall(data[:size])
    with linaje.Client(daemon.socket, timeout=10) as client:
        assert client.status().pid == daemon.process.pid


@pytest.mark.parametrize("points", [1, 1000, 16384])
def test_the_plain_client_streams_a_batch_and_reads_it_back(daemon, points):
    done = subprocess.run([sys.executable, str(PLAIN), "demo", "--socket", daemon.socket,
                           "--points", str(points)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr + daemon.output()
    assert f"{points} points durable and read back" in done.stdout


def test_the_plain_client_says_what_the_daemon_refused(daemon):
    done = subprocess.run([sys.executable, str(PLAIN), "verify", "--socket", daemon.socket,
                           "--run", "00" * 16], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "not_found" in done.stderr


def test_verify_tells_good_points_from_bad_ones(daemon, fresh_sender):
    vectors = json.loads((ROOT / "proto-spec" / "vectors" / "bench.json").read_text())
    points = {(seed["seed"], point["agent"], point["index"]): point for seed in vectors["seeds"]
              for point in seed["points"]}
    with linaje.start_run(name="bench") as run:
        for index in range(3):
            point = points["42", 0, index]
            run.log_metric("bench/metric", point["value"], int(point["step"]),
                           int(point["timeUs"]) / 1e6)
    assert linaje.flush(20)

    def verify(seed, acked):
        return subprocess.run(
            [sys.executable, str(PLAIN), "verify", "--socket", daemon.socket, "--seed", seed,
             "--agents", "1", "--run", run.run_id, "--acked", acked],
            capture_output=True, text=True, timeout=60)

    good = verify("42", "3")
    assert good.returncode == 0 and "1 runs, 3 points" in good.stdout, good.stderr
    assert verify("42", "4").returncode != 0
    assert verify("43", "3").returncode != 0
