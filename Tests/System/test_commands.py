"""The command line against the real daemon, where it stands in somebody's pipeline."""

import os
import subprocess

import pytest

from support import LINAJE, SECONDS, history, new_run

pytestmark = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")

LINES = 'Epoch 1/3: done\nloss=0.5 step=1\n{"broken\n{"loss": 0.25, "step": 2}\n'


def stream(daemon, run, *arguments):
    return subprocess.run(
        [LINAJE, "metric", "stream", run.hex(), "--socket", daemon.socket, *arguments],
        input=LINES, capture_output=True, text=True, timeout=SECONDS)


def test_a_line_that_is_no_measurement_is_reported_and_passed_over(daemon):
    with daemon.client() as client:
        run = new_run(client)
        done = stream(daemon, run)
        assert done.returncode == 0, done.stderr
        assert "line 1:" in done.stderr and "line 3:" in done.stderr
        assert "2 lines passed over" in done.stderr
        assert [point[1] for point in history(client, run)] == [1, 2]


def test_strict_ends_at_the_first_such_line(daemon):
    with daemon.client() as client:
        run = new_run(client)
        done = stream(daemon, run, "--strict")
        assert done.returncode == 1
        assert "line 1:" in done.stderr
        assert history(client, run) == []
