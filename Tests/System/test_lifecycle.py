"""Hello, drain, tails. What systemd sees is in test_service.py."""

import os
import signal
import socket
import threading
import time

import pytest
from support import (SECONDS, Daemon, LinajeError, Raw, Writer, _frames, _wire, eventually,
                     frame, history, new_run, request)

RUNNING, FINISHED = 1, 3


# --- Hello ---

def test_hello_says_what_is_allowed(daemon):
    connection = daemon.connection()
    hello = connection.hello
    assert hello.minor_version == 0
    assert hello.agent.startswith("linajed/")
    assert len(hello.instance) == 16
    assert 0 < hello.connection_credit <= 32_768
    assert hello.stream_credit > 0
    assert hello.principal == f"uid:{os.getuid()}"
    assert hello.role == "admin"
    limits = hello.limits
    assert limits.frame_bytes == 4 << 20
    assert limits.request_bytes >= 1 << 20
    assert min(limits.concurrent_streams, limits.batch_points, limits.path_bytes) > 0
    assert limits.key_bytes == 250
    connection.close()


def test_the_credit_is_raised_at_once_to_the_longest_request(daemon):
    connection = daemon.connection()
    connection.pump(0.2)
    assert connection.credit >= connection.hello.limits.request_bytes
    connection.close()


def test_each_start_has_an_instance_of_its_own(daemon):
    before = daemon.connection().hello.instance
    daemon.restart()
    assert daemon.connection().hello.instance != before


def test_a_thousand_clients_may_connect_at_once(daemon):
    sockets = []
    for _ in range(1_000):
        sockets.append(socket.socket(socket.AF_UNIX))
        sockets[-1].setblocking(False)
        sockets[-1].connect(daemon.socket)
    for each in sockets:
        each.close()
    with daemon.client() as client:
        assert eventually(lambda: client.status().connections == 1, why="connections are kept")


def test_unary_calls_of_a_connection_are_done_in_order(daemon):
    with daemon.client() as client:
        run = new_run(client)
    with Raw(daemon) as raw:
        raw.send(*(request("LogRun", {"id": run, "tags": {"set": [
            {"key": "n", "value": str(i)}]}}, stream=1 + 2 * i) for i in range(100)))
        raw.send(request("GetRun", {"id": run}, stream=201))
        answers = [raw.wait(_frames.RESPONSE) for _ in range(101)]
    assert [each.stream for each in answers] == [1 + 2 * i for i in range(101)]
    assert _wire.decode("Run", answers[-1].payload).tags[0].value == "99"


# --- Stopping ---

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_lets_open_streams_end_and_takes_no_new_ones(folder, number):
    daemon = Daemon(folder).start()
    with daemon.client() as client:
        run = new_run(client)
    writer = Writer(daemon.connection(), run, os.urandom(16))
    writer.send()
    writer.wait()
    with Raw(daemon) as raw:
        # An open stream keeps this connection alive too.
        raw.send(request("StreamMetrics", {"run_id": run, "writer_id": os.urandom(16)}))
        raw.wait(_frames.RESPONSE)
        daemon.process.send_signal(number)
        goaway = _wire.decode("GoAway", raw.wait(_frames.GOAWAY).payload)
        assert goaway.last_stream == 1 and goaway.reason
        with pytest.raises(LinajeError) as caught:
            raw.send(request("GetStatus", stream=3)).failure()
        assert caught.value.code == 200 and caught.value.retryable
        with socket.socket(socket.AF_UNIX) as late, pytest.raises(OSError):
            late.connect(daemon.socket)
        for _ in range(20):
            writer.send()
        writer.end()
        raw.send(frame(_frames.END, 1)).wait(_frames.END)
        assert raw.receive() is None
    assert daemon.process.wait(5) == 0, daemon.log
    assert not os.path.exists(daemon.socket)
    again = Daemon(folder).start()
    with again.client() as client:
        assert len(history(client, run)) == 21
    again.finish()


def test_a_stop_does_not_wait_for_idle_clients(daemon):
    idle = [daemon.connection() for _ in range(5)]
    begin = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - begin < 2
    daemon.killed = True
    for each in idle:
        each.close()




# --- Tails ---

def test_a_tail_gets_live_points_and_ends_with_the_run(daemon):
    client, got, opened = daemon.client(), [], threading.Event()
    run = new_run(client)

    def follow():
        stream = daemon.connection().open("TailMetrics", {"run_id": run})
        stream.wait_answer(time.monotonic() + SECONDS)
        opened.set()
        while (payload := stream.receive(time.monotonic() + SECONDS)) is not None:
            part = _wire.decode("MetricPoints", payload)
            got.extend(part.step)
        got.append("end")

    thread = threading.Thread(target=follow)
    thread.start()
    assert opened.wait(SECONDS)
    writer = Writer(daemon.connection(), run, os.urandom(16), points=10)
    writer.send()
    writer.wait()
    eventually(lambda: len(got) == 10, 2, "the points did not come live")
    writer.send()
    writer.end()
    client.call("UpdateRun", id=run, status=FINISHED)
    thread.join(5)
    assert not thread.is_alive(), "the tail did not end with the run"
    assert got == [*range(20), "end"]
    client.close()


def test_a_tail_of_a_run_that_has_ended_ends_at_once(daemon):
    with daemon.client() as client:
        run = new_run(client)
        client.call("UpdateRun", id=run, status=FINISHED)
        assert list(client.stream("TailMetrics", {"run_id": run})) == []


def test_a_tail_that_never_reads_harms_nobody(daemon):
    with daemon.client() as client, Raw(daemon) as raw:
        run = new_run(client)
        raw.send(request("TailMetrics", {"run_id": run})).wait(_frames.RESPONSE)
        writer = Writer(daemon.connection(), run, os.urandom(16), points=1_000)
        before, begin = daemon.rss(), time.monotonic()
        for _ in range(300):
            writer.send()
        writer.end()
        assert time.monotonic() - begin < 30
        assert daemon.rss() - before < 96 << 20
        assert client.get_run(run).status == RUNNING
        # What it missed is told when it reads again.
        raw.send(frame(_frames.CREDIT, 1, _wire.encode("Credit", {"bytes": 1 << 30})))
        client.call("UpdateRun", id=run, status=FINISHED)
        points = missed = 0
        while (got := raw.receive()).type != _frames.END:
            part = _wire.decode("MetricPoints", got.payload)
            points, missed = points + len(part.step), missed + part.missed
        assert points + missed == 300_000, f"{points} came, {missed} missed"


def test_only_the_newest_stream_of_a_writer_goes_on(daemon):
    with daemon.client() as client:
        run = new_run(client)
    writer_id = os.urandom(16)
    first = Writer(daemon.connection(), run, writer_id)
    first.send()
    first.wait()
    second = Writer(daemon.connection(), run, writer_id)
    assert second.acked == 1
    with pytest.raises(LinajeError) as caught:
        while True:
            first.connection.pump_until(time.monotonic() + SECONDS)
            first.stream.check()
    assert caught.value.code == 115
    second.send()
    second.end()


def test_a_stream_outlives_the_end_of_its_run_and_a_replay_may_come_later(daemon):
    with daemon.client() as client:
        run = new_run(client)
        writer = Writer(daemon.connection(), run, os.urandom(16))
        client.call("UpdateRun", id=run, status=FINISHED)
        writer.send()
        writer.end()
        replay = Writer(daemon.connection(), run, os.urandom(16), agent=1, replay=True)
        replay.send()
        replay.end()
        assert len(history(client, run)) == 2
