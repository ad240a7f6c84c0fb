"""`linaje metric tail`: the points of a run as they come, each once, over restarts of the daemon."""

import json
import os
import subprocess
import time

import pytest
from support import ROOT, SECONDS, Writer, new_run

LINAJE = os.environ.get("LINAJE", str(ROOT / ".build/debug/linaje"))
pytestmark = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")


def follow(daemon, run, *options):
    return subprocess.Popen(
        [LINAJE, "metric", "tail", run.hex(), "--socket", daemon.socket, "--json", *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def steps(lines):
    return [json.loads(line)["step"] for line in lines]


def test_the_last_points_come_first_then_those_that_become_durable(daemon):
    with daemon.client() as client:
        run = new_run(client)
        writer = Writer(daemon.connection(), run, os.urandom(16), points=10)
        writer.send()
        writer.wait()
        tail = follow(daemon, run, "--last", "3")
        assert steps(tail.stdout.readline() for _ in range(3)) == [7, 8, 9]
        writer.send()
        writer.end()
        assert steps(tail.stdout.readline() for _ in range(10)) == list(range(10, 20))
        client.call("UpdateRun", id=run, status=3)
        assert tail.wait(SECONDS) == 0 and tail.stdout.read() == ""


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_no_point_is_lost_or_shown_twice_when_the_daemon_is_restarted(daemon, end):
    with daemon.client() as client:
        run = new_run(client)
    name, sent = os.urandom(16), 0
    tail = follow(daemon, run)
    # Its stream is open when a first point arrives.
    writer = Writer(daemon.connection(), run, name, points=5)
    time.sleep(0.5)
    for _ in range(4):
        for _ in range(20):
            writer.send()
        writer.wait()
        sent += 100
        getattr(daemon, end)()
        daemon.start()
        # Points that come before the tail is back are in the history.
        writer = Writer(daemon.connection(), run, name, points=5)
        writer.send()
        writer.wait()
        sent += 5
        time.sleep(0.2)
    writer.end()
    got = steps(tail.stdout.readline() for _ in range(sent))
    assert sorted(got) == list(range(sent)), [n for n in range(sent) if got.count(n) != 1]
    with daemon.client() as client:
        client.call("UpdateRun", id=run, status=3)
    assert tail.wait(SECONDS) == 0 and tail.stdout.read() == ""
    assert "being restarted" in tail.stderr.read()
