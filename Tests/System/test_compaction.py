"""Compaction in the real daemon: on demand, over a kill, under recovery."""

import json
import os
import sqlite3
import subprocess
import time

import pytest
from recovery import assert_quiet, findings, recover, rows
from support import ROOT, SECONDS, Writer, eventually, history, new_run

LINAJE = os.environ.get("LINAJE", str(ROOT / ".build/debug/linaje"))
pytestmark = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")
BATCHES, POINTS = 90, 50


def linaje(daemon, *arguments):
    done = subprocess.run([LINAJE, *arguments, "--json", "--socket", daemon.socket],
                          capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def fill(daemon, client, run, writers):
    """Sends so many batches of each writer in turn that their segments are worth compacting."""
    connection = daemon.connection()
    streams = [Writer(connection, run, writer, agent=agent, points=POINTS)
               for agent, writer in enumerate(writers)]
    for _ in range(BATCHES):
        for stream in streams:
            stream.send()
            stream.wait()
    for stream in streams:
        stream.end()
    connection.close()


def compact(daemon):
    last = linaje(daemon, "maintain", "compact")[-1]
    assert last["finished"] and last["task"] == "compact" and not last["failure"], last
    return last


def counts(daemon):
    return tuple(rows(daemon, "metrics.db", f"SELECT COUNT(*) FROM {table}")[0][0]
                 for table in ("metric_segments", "metric_chunks"))


def test_compaction_may_be_paused_and_goes_on(daemon):
    def packed():
        lines = subprocess.run([LINAJE, "status", "--metrics", "--socket", daemon.socket],
                               capture_output=True, text=True, timeout=30).stdout.splitlines()
        name = "linaje_compaction_segments_total "
        return sum(float(line[len(name):]) for line in lines if line.startswith(name))

    assert linaje(daemon, "maintain", "compact", "--pause", "600") == [
        {"compaction_paused_seconds": 600}]
    with daemon.client() as client:
        run = new_run(client)
    connection = daemon.connection()
    stream = Writer(connection, run, os.urandom(16), agent=0, points=1)
    for _ in range(300):
        stream.send()
        stream.wait()
    stream.end()
    connection.close()
    time.sleep(2.5)
    assert packed() == 0, "256 segments are due, and it looks each second"
    linaje(daemon, "maintain", "compact", "--pause", "0")
    eventually(lambda: packed() >= 256)
    bad = subprocess.run([LINAJE, "maintain", "compact", "--pause", "604801", "--socket",
                          daemon.socket], capture_output=True, text=True, timeout=30, check=False)
    assert bad.returncode != 0 and "at most 604800, a week" in bad.stderr


def test_compacted_points_are_all_there_over_kill_resume_and_recovery(daemon):
    writers = [os.urandom(16), os.urandom(16)]
    with daemon.client() as client:
        run = new_run(client)
        fill(daemon, client, run, writers)
        before = history(client, run)
        assert len(before) == 2 * BATCHES * POINTS
        done = compact(daemon)
        assert done["done"] > BATCHES and done["freed_bytes"] > 0, done
        assert history(client, run) == before
    daemon.kill()
    segments, chunks = counts(daemon)
    assert segments == 0 and chunks > 0

    daemon.start()
    with daemon.client() as client:
        assert history(client, run) == before
        # The writers go on after what is compacted, and their new points join the old ones.
        fill(daemon, client, run, writers)
        more = history(client, run)
        assert len(more) == 2 * len(before) and set(before) <= set(more)
        compact(daemon)
        assert history(client, run) == more
        buckets = linaje(daemon, "metric", "history", run.hex(), "--buckets", "7")
        values = [value for *_, value in more]
        assert 1 < len(buckets) <= 7 * len({key for key, *_ in more})
        assert sum(bucket["count"] for bucket in buckets) == len(more)
        assert min(bucket["min"] for bucket in buckets) == min(values)
        assert max(bucket["max"] for bucket in buckets) == max(values)
    assert daemon.stop() == 0
    assert_quiet(daemon)
    daemon.start()


def test_a_chunk_with_a_flipped_byte_costs_its_points_and_is_named(daemon):
    with daemon.client() as client:
        run = new_run(client)
        fill(daemon, client, run, [os.urandom(16)])
        compact(daemon)
        whole = history(client, run)
    assert daemon.stop() == 0
    database = sqlite3.connect(f"{daemon.state}/metrics.db")
    number, points, data = database.execute(
        "SELECT id, points, data FROM metric_chunks ORDER BY id LIMIT 1").fetchone()
    data = bytearray(data)
    data[len(data) // 2] ^= 4
    database.execute("UPDATE metric_chunks SET data = ? WHERE id = ?", (bytes(data), number))
    database.commit()
    database.close()
    _, said = recover(daemon, status=1)
    lost, = findings(said, "lost", "parts of metrics")
    assert lost["affected"] == [f"run {run.hex()}: chunk {number} does not match its check"]
    assert_quiet(daemon)
    daemon.start()
    with daemon.client() as client:
        left = history(client, run)
        assert len(left) == len(whole) - points and set(left) <= set(whole)
        summaries = client.call("GetMetricSummaries", run_id=run).summaries
        assert sum(summary.count for summary in summaries) == len(left)
