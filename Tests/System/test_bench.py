"""`linaje bench` against the real daemon: what it says, and that it leaves nothing behind."""

import json
import os
import subprocess

import pytest

from support import ROOT, Daemon, eventually

LINAJE = os.environ.get("LINAJE", str(ROOT / ".build/debug/linaje"))
pytestmark = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")
PERCENTILES = {"count", "p50_us", "p99_us", "p99_9_us", "max_us"}


def bench(daemon, *arguments):
    """What a bench finds."""
    done = subprocess.run([LINAJE, "bench", *arguments, "--json", "--socket", daemon.socket],
                          capture_output=True, text=True, timeout=120)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    # A gate says what this machine did just now; whether it is passed is no matter of this test.
    assert done.returncode == (0 if found["gate_passed"] in (None, True) else 1), done.stderr
    assert found["daemon_resident_bytes"] > 0 and found["daemon_cpu_seconds"] >= 0
    return found


def daemon_says(daemon, *arguments):
    """What a command prints for people."""
    done = subprocess.run([LINAJE, *arguments, "--socket", daemon.socket], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def names(found):
    return [check["name"] for check in found["gate"]]


def test_metrics(daemon):
    found = bench(daemon, "metrics", "--agents", "3", "--points", "3000", "--batch", "100",
                  "--sync-rounds", "20", "--verify", "--gate")
    assert found["verified"] and found["points_per_second"] > 0
    assert set(found["sync"]) == PERCENTILES and found["sync"]["count"] == 20
    assert names(found) == ["sync_ratio", "bare_sqlite_share"]


def test_metrics_while_compaction_runs_and_the_bytes_that_are_left(daemon):
    found = bench(daemon, "metrics", "--agents", "2", "--points", "60000", "--rounds", "1",
                  "--sync-rounds", "5", "--compaction", "--gate")
    assert found["compacting_share"] > 0
    # What the curves take does not depend on the machine.
    passed = {check["name"]: check["passed"] for check in found["gate"]}
    assert passed["losses_bytes_per_point"] and passed["system_bytes_per_point"]
    assert found["losses_bytes_per_point"] > 1, "noise cannot be packed away"
    assert "compaction goes on" in daemon_says(daemon, "maintain", "compact", "--pause", "0")


def test_history_is_read_whole_and_in_buckets(daemon):
    found = bench(daemon, "history", "--points", "50000", "--rounds", "3", "--buckets", "100",
                  "--gate")
    assert found["points"] == 50_000 and found["points_per_second"] > 0
    assert found["all"]["count"] == found["divided"]["count"] == 3
    assert names(found) == ["points_per_second", "divided"]
    with daemon.client() as client:
        assert not client.search_runs(["linaje-bench"]), "the run is deleted afterwards"


def test_artifacts_of_every_kind_are_made_stored_and_got_back(daemon):
    found = bench(daemon, "artifacts", "--size", "2", "--files", "1", "--seed", "5", "--gate")
    kinds = {kind["kind"]: kind for kind in found["kinds"]}
    assert list(kinds) == ["random", "float32", "bf16", "text", "duplicates", "small"]
    assert all(set(kind["file_put"]) == PERCENTILES for kind in kinds.values())
    assert all(kind["put_share"] > 0 and kind["get_share"] > 0 for kind in kinds.values())
    assert kinds["small"]["files"] == 100
    assert kinds["random"]["ratio"] < 1.01, "random bytes do not shrink"
    assert kinds["text"]["ratio"] > 2
    assert kinds["bf16"]["ratio"] > 1.1
    assert kinds["duplicates"]["ratio"] > 1.5, "half of it is known when it comes again"
    again = bench(daemon, "artifacts", "--size", "2", "--files", "1", "--seed", "5",
                  "--kinds", "random")
    assert again["kinds"][0]["stored_bytes"] == 0, "the same seed gives the same bytes"
    assert not [name for name in os.listdir(daemon.state) if name.startswith("bench-")]


def test_registry(daemon):
    found = bench(daemon, "registry", "--agents", "2", "--versions", "3", "--gate")
    assert [found[name]["count"] for name in ("create", "register", "stage", "alias", "lookup")] \
        == [2, 6, 12, 6, 18]
    assert names(found) == ["change_ratio"]
    with daemon.client() as client:
        models = client.call("SearchRegisteredModels").models
        assert not models, "the models are deleted afterwards"


def test_fill_makes_the_same_runs_from_the_same_seed_and_each_once(daemon):
    """A sample of `linaje bench fill --runs 100000`."""
    arguments = ("--runs", "300", "--points", "30", "--experiments", "3", "--seed", "9")
    found = bench(daemon, "fill", *arguments)
    assert found["runs_made"] == 300 and found["runs_per_second"] > 0
    assert found["disk_bytes_grown"] > 0
    with daemon.client() as client:
        runs = client.search_runs([f"linaje-bench-fill-9-{n}" for n in range(3)])
        assert len(runs) == 300 and all(len(run.params) == 10 for run in runs)
        assert {run.status for run in runs} == {1, 3, 4, 5}, "running, finished, failed, killed"
        teams = {tag.value for run in runs for tag in run.tags if tag.key == "team"}
        assert teams == {"vision", "language", "speech", "ranking", "robotics"}
        summaries = [
            {each.series.key: each
             for each in client.call("GetMetricSummaries", run_id=run.id).summaries}
            for run in runs]
        assert found["points"] == sum(one.count for each in summaries for one in each.values())
        lengths = {len(each) for each in summaries}
        assert lengths == {0, 14, 20}, "some runs lack metrics"
        losses = [each["loss"].last for each in summaries if "loss" in each]
        assert any(loss.value != loss.value for loss in losses), "some diverge"
    again = bench(daemon, "fill", *arguments)
    assert (again["runs_made"], again["points"]) == (0, 0)
    with daemon.client() as client:
        assert client.status().points == found["points"]


def test_connections_with_abusive_ones_among_them(folder):
    """A sample of `linaje bench connections --clients 10000 --abusive 3000`."""
    config = os.path.join(folder, "linaje.toml")
    with open(config, "w", encoding="ascii") as file:
        file.write("[limits]\nslow_client_seconds = 1\n")
    daemon = Daemon(folder, arguments=["--config", config]).start()
    found = bench(daemon, "connections", "--clients", "600", "--abusive", "180", "--rounds", "1",
                  "--seconds", "3", "--rate", "0.5", "--gate")
    cuts = {cut["role"]: cut for cut in found["cuts"]}
    assert set(cuts) == {"never", "dribble", "stopped"}
    for role, cut in cuts.items():
        assert cut["cut"] == cut["clients"] == 60, f"{role}: {cut}"
        assert cut["seconds"] <= 30, f"{role}: {cut}"
    assert found["failed"] == 0, "good clients notice nothing"
    assert found["most_resident_bytes"] < 512 << 20
    assert names(found) == ["p99_ratio", "resident_mib", "cut_seconds", "failed"]
    assert set(found["quiet"][0]) == PERCENTILES
    with daemon.client() as client:
        eventually(lambda: client.status().connections == 1, why="a worker was left behind")
    daemon.finish()
