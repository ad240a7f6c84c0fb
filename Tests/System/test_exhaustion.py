"""What a client can do to use the daemon up, each found once and kept from coming back."""

import os
import threading
import time

import pytest

from support import Daemon, LinajeError, eventually, new_run

from linaje import _frames, _wire


def ping(size):
    """A ping frame of `size` bytes in all: its number takes 9 bytes, an unknown field the rest."""
    payload = b"\x08" + b"\xff" * 8 + b"\x01"
    filler = size - 12 - len(payload) - 4
    payload += b"\x82\x01" + _wire.varint(filler) + b"x" * filler
    return _frames.encode(_frames.PING, 0, payload)


def drain(raw):
    """Reads and throws away what comes, so that the sender is never held back."""
    try:
        while raw.recv(1 << 20):
            pass
    except OSError:
        pass


def test_writes_that_never_end_with_a_frame_cost_no_memory(daemon):
    with daemon.client() as client:
        client.status()
        raw = client.connection._socket
        frame = ping(4_000)
        before = daemon.rss()
        raw.settimeout(20)
        reader = threading.Thread(target=drain, args=(raw,), daemon=True)
        reader.start()
        shifted = (frame * 64)[1:] + frame[:1]
        raw.sendall(frame[:1])
        for _ in range(400):
            raw.sendall(shifted)
        grown = daemon.rss() - before
    assert grown < 24 << 20, f"grew by {grown} bytes while 100 MB of pings came"


def test_a_call_that_was_cancelled_while_it_waited_is_not_done_and_holds_no_memory(daemon):
    with daemon.client() as client:
        run = new_run(client)
        connection = client.connection
        before = daemon.rss()
        for index in range(100):
            stream = connection.open("LogRun", {
                "id": run, "tags": {"set": [
                    {"key": f"k{index}-{part}", "value": "v" * 90_000} for part in range(10)]}},
                key=os.urandom(16))
            stream.cancel()
        connection.call("GetStatus", {}, timeout=60)
        grown = daemon.rss() - before
    assert grown < 64 << 20, f"grew by {grown} bytes"


def test_metric_streams_that_ended_leave_nothing(daemon):
    with daemon.client() as client:
        run = new_run(client)
        connection = client.connection

        def streams(count):
            for _ in range(count):
                stream = connection.open("StreamMetrics", {
                    "run_id": run, "writer_id": os.urandom(16)})
                stream.wait_answer()
                stream.end()
                while stream.receive() is not None:
                    pass

        streams(500)
        before = daemon.rss()
        streams(3_000)
        grown = daemon.rss() - before
    assert grown < 4 << 20, f"grew by {grown} bytes over 3,000 streams"


def test_tags_of_a_run_are_bounded_so_that_it_can_always_be_shown(daemon):
    with daemon.client() as client:
        run = new_run(client)
        with pytest.raises(LinajeError) as refused:
            for index in range(20):
                client.call("LogRun", id=run, tags={
                    "set": [{"key": f"k{index}", "value": "v" * 99_000}]})
        assert refused.value.code == 103
        assert 7 <= len(client.get_run(run).tags) <= 8
        client.call("SearchRuns")


def test_a_stop_right_after_the_socket_appears_is_heard(folder):
    for delay in (0, 0.002, 0.005, 0.01, 0.02):
        daemon = Daemon(folder).spawn()
        eventually(lambda: os.path.exists(daemon.socket))
        time.sleep(delay)
        daemon.process.terminate()
        assert daemon.process.wait(5) in (0, -15), daemon.log
        if os.path.exists(daemon.socket):
            os.unlink(daemon.socket)
