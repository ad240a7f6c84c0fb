"""Searches against the real daemon: what was acknowledged is found, and errors point at the character."""

import json
import math
import os
import subprocess
import time

import pytest

from support import LINAJE, SECONDS, batch, new_run

pytestmark = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")


def linaje(daemon, *arguments):
    return subprocess.run([LINAJE, *arguments, "--socket", daemon.socket],
                          capture_output=True, text=True, timeout=SECONDS)


def log_points(daemon, run, key, points):
    """Writes (step, value) as a new writer; returns when they are acknowledged."""
    connection = daemon.connection()
    try:
        deadline = time.monotonic() + SECONDS
        stream = connection.open("StreamMetrics", {"run_id": run, "writer_id": os.urandom(16)})
        stream.wait_answer(deadline)
        stream.send(batch(1, [(key, step, step, value) for step, value in points], key), deadline)
        stream.end()
        while stream.receive(deadline) is not None:
            pass
    finally:
        connection.close()


def found(client, filter="", order_by=()):
    return [bytes(run.id) for run in client.search_runs(filter=filter, order_by=order_by)]


def test_a_point_that_was_acknowledged_is_found_at_once(daemon):
    with daemon.client() as client:
        runs = [new_run(client) for _ in range(5)]
        for number, run in enumerate(runs):
            log_points(daemon, run, "loss", [(0, 9.0), (1, float(number))])
            assert found(client, f"metrics.loss = {number}") == [run]
        assert found(client, order_by="metrics.loss DESC") == runs[::-1]
        log_points(daemon, runs[2], "loss", [(2, math.nan)])
        assert found(client, order_by=["metrics.loss"]) == [
            runs[0], runs[1], runs[3], runs[4], runs[2]]
        log_points(daemon, runs[2], "loss", [(1, 7.0)])
        assert found(client, "metrics.loss = NaN") == [runs[2]]
        [run] = client.search_runs(filter="metrics.loss = 4")
        metrics = run.metrics
        assert list(zip(metrics.names, metrics.value, metrics.step)) == [("loss", 4.0, 1)]


def test_a_daemon_that_was_killed_goes_on_with_what_was_not_indexed(daemon):
    with daemon.client() as client:
        runs = [new_run(client) for _ in range(20)]
        for number, run in enumerate(runs):
            log_points(daemon, run, "loss", [(0, float(number))])
    daemon.kill()
    daemon.start()
    with daemon.client() as client:
        assert found(client, "metrics.loss >= 10", "metrics.loss") == runs[10:]


def test_a_malformed_filter_is_shown_with_a_caret(daemon):
    done = linaje(daemon, "run", "list", "--filter", "metrics.loss < 1 AND colour = 'red'")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert lines[0].startswith("linaje: error: filter, column 22: ")
    assert lines[1:] == ["  metrics.loss < 1 AND colour = 'red'", " " * 23 + "^"]
    done = linaje(daemon, "run", "list", "--order-by", "metrics.loss DOWN", "--json")
    assert "order_by[0], column 14" in done.stderr


def test_lists_count_explain_and_print_json(daemon):
    with daemon.client() as client:
        runs = [new_run(client) for _ in range(3)]
        for number, run in enumerate(runs):
            log_points(daemon, run, "loss", [(0, float(number))])
        done = linaje(daemon, "run", "list", "--filter", "metrics.loss < 2", "--count")
        assert done.stdout == "2\n", done.stderr
        done = linaje(daemon, "run", "list", "--filter", "metrics.loss < 2", "--order-by",
                      "metrics.loss DESC", "--json")
        listed = json.loads(done.stdout)
        assert [run["metrics"] for run in listed] == [{"loss": 1.0}, {"loss": 0.0}]
        done = linaje(daemon, "run", "list", "--filter", "metrics.loss < 2", "--explain")
        assert "run_metrics_by_value" in done.stdout
        done = linaje(daemon, "run", "list", "--order-by", "metrics.loss")
        assert "LOSS" in done.stdout.splitlines()[0]
        assert json.loads(linaje(daemon, "dataset", "list", "--json").stdout) == []
        assert json.loads(
            linaje(daemon, "experiment", "list", "--filter", "name = 'x'", "--json").stdout) == []
        for noun in ["experiment", "model", "dataset"]:
            done = linaje(daemon, noun, "list", "--count", "--json")
            assert json.loads(done.stdout).keys() == {"count"}, done.stderr
        assert linaje(daemon, "model", "versions", "--count").stdout == "0\n"


def test_a_list_longer_than_a_page_is_printed_whole_and_in_order(daemon):
    with daemon.client() as client:
        runs = [new_run(client).hex() for _ in range(1_003)][::-1]
    for limit, printed in [(1_000, 1_000), (1_001, 1_001), (5_000, 1_003)]:
        done = linaje(daemon, "run", "list", "--json", "--limit", str(limit))
        assert [run["id"] for run in json.loads(done.stdout)] == runs[:printed], done.stderr
    done = linaje(daemon, "run", "list", "--limit", "1001")
    assert len(done.stdout.splitlines()) == 1 + 1_001
