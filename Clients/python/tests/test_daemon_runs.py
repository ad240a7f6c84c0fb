"""The package against the real daemon: durable, exactly once, through crashes."""

import math
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from conftest import run_python

import linaje
from linaje import _spool


def history(run_id, key):
    with linaje.Client(timeout=60) as client:
        return [(step, value) for part in client.metric_history(run_id, [key])
                for step, value in zip(part.step, part.value)]


def test_metrics_come_back_as_they_were_logged(daemon, fresh_sender):
    values = [0.5, math.nan, math.inf, -math.inf, -0.0, 5e-324, 1e308]
    with linaje.start_run(name="odd values", experiment="py") as run:
        for step, value in enumerate(values):
            run.log_metric("odd", value, step - 3)
        run.log_metrics({"a": 1.0, "b": 2.0}, step=7)
        for step in range(50_000):
            run.log_metric("many", step / 7, step)
        run.log_params({"i": -3, "f": 0.25, "b": False, "s": "text", "nan": math.nan})
        run.set_tags({"team": "vision", "empty": ""})
    assert linaje.flush(30), daemon.output()
    back = history(run.run_id, "odd")
    assert [step for step, _ in back] == [step - 3 for step in range(len(values))]
    for (_, found), given in zip(back, values):
        assert math.isnan(found) if math.isnan(given) else (
            (found, math.copysign(1, found)) == (given, math.copysign(1, given)))
    assert history(run.run_id, "many") == [(step, step / 7) for step in range(50_000)]
    assert [point[2] for point in linaje.get_metric_history(run.run_id, "a")] == [1.0]
    stored = linaje.get_run(run.run_id)
    assert stored.status == 3 and stored.name == "odd values"
    params = {param.key: param for param in stored.params}
    assert params["i"].int_value == -3 and params["f"].double_value == 0.25
    assert params["b"].bool_value is False and params["s"].string_value == "text"
    assert {tag.key: tag.value for tag in stored.tags} == {"team": "vision", "empty": ""}
    assert [found.id.hex() for found in linaje.search_runs(["py"])] == [run.run_id]
    assert linaje.search_runs(["py"], statuses=["RUNNING"]) == []


def test_metrics_on_a_data_set_and_a_model_keep_their_series(daemon, fresh_sender, tmp_path):
    (tmp_path / "t.csv").write_text("1")
    with linaje.start_run() as run:
        data = linaje.log_input(tmp_path / "t.csv")
        run.log_metric("acc", 0.5, 1, dataset=data)
        run.log_metric("acc", 0.6, 1)
    assert linaje.flush(30)
    with linaje.Client() as client:
        parts = list(client.metric_history(run.run_id, ["acc"]))
    found = {part.series.dataset_name: list(part.value) for part in parts}
    assert found == {"": [0.6], "t.csv": [0.5]}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_daemon_that_ends_in_the_middle_costs_no_point_and_doubles_none(
        daemon, fresh_sender, how):
    count = 0
    with linaje.start_run(name="through restarts") as run:
        stop = threading.Event()

        def train():
            nonlocal count
            while not stop.is_set():
                for _ in range(200):
                    run.log_metric("x", float(count), count)
                    count += 1
                time.sleep(0.001)

        training = threading.Thread(target=train)
        training.start()
        for _ in range(3):
            time.sleep(0.4)
            daemon.stop(how)
            time.sleep(0.2)
            daemon.start()
        time.sleep(0.3)
        stop.set()
        training.join()
        assert linaje.flush(60), daemon.output()
        assert linaje.get_run(run.run_id).status == 1, "the run lost its owner in a restart"
    assert linaje.flush(60)
    assert history(run.run_id, "x") == [(step, float(step)) for step in range(count)]
    assert linaje.get_run(run.run_id).status == 3


def test_a_run_made_while_the_daemon_is_away_follows_by_sync(daemon, tmp_path):
    daemon.stop()
    (tmp_path / "notes.txt").write_text("offline")
    run_id = run_python("""
        import sys, linaje
        with linaje.start_run(name="offline", experiment="field", params={"p": 1}) as run:
            for step in range(20_000):
                linaje.log_metric("x", float(step), step)
            linaje.log_artifact(sys.argv[1])
        print(run.run_id)
    """, tmp_path / "notes.txt").stdout.strip()
    (tmp_path / "notes.txt").unlink()
    daemon.start()
    done = run_python("import sys, linaje.__main__ as m; sys.argv[1:] = ['sync']; "
                      "sys.exit(m.main())")
    assert done.stdout.startswith("1 spools sent"), done.stderr
    stored = linaje.Client().get_run(run_id)
    assert stored.status == 3 and stored.name == "offline"
    assert stored.params[0].int_value == 1 and stored.provenance.language
    assert history(run_id, "x") == [(step, float(step)) for step in range(20_000)]
    with linaje.Client() as client:
        assert b"".join(client.read_artifact(f"runs:/{run_id}/notes.txt")) == b"offline"
    assert os.listdir(_spool.spool_root()) == []


def test_the_run_of_a_killed_process_ends(daemon):
    script = """
        import linaje, os
        run = linaje.start_run()
        linaje.log_metric("x", 1.0)
        assert linaje.flush(30)
        print(run.run_id, flush=True)
        os.kill(os.getpid(), 9)
    """
    run_id = run_python(script, check=False).stdout.strip()
    with linaje.Client() as client:
        deadline = time.monotonic() + 20
        while client.get_run(run_id).status == 1:
            assert time.monotonic() < deadline, "the run still runs"
            time.sleep(0.05)
        stored = client.get_run(run_id)
    assert stored.status == 4 and stored.ended_cause


def test_durable_points_a_second(daemon, capsys):
    out = run_python("""
        import time, linaje
        clock, log = time.perf_counter_ns, linaje.log_metric
        with linaje.start_run():
            for step in range(2000):
                log("warm", 0.5, step)
            assert linaje.flush(30)
            times, count = [], 300_000
            begin = time.perf_counter()
            for step in range(count):
                before = clock()
                log("x", step / 3, step)
                times.append(clock() - before)
            assert linaje.flush(60)
            rate = count / (time.perf_counter() - begin)
        times.sort()
        print(times[count // 2] / 1000, times[count * 99 // 100] / 1000, times[-1] / 1000, rate)
    """, timeout=120).stdout.split()
    p50, p99, longest, rate = map(float, out)
    with capsys.disabled():
        print(f"\n  log_metric: p50 {p50:.2f} us, p99 {p99:.2f} us, longest {longest:.0f} us; "
              f"{rate:,.0f} durable points/s")
    assert p50 < 30 and p99 < 1000


def test_provenance_of_a_repository_is_stored_with_its_patch(daemon, tmp_path):
    def git(*arguments):
        return subprocess.run(
            ["git", "-C", str(tmp_path / "r"), "-c", "user.name=A", "-c", "user.email=a@b.org",
             *arguments], check=True, capture_output=True, text=True).stdout.strip()

    (tmp_path / "r").mkdir()
    git("init", "-q", "-b", "trunk")
    (tmp_path / "r" / "train.py").write_text("old\n")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    (tmp_path / "r" / "train.py").write_text(
        "import linaje\nwith linaje.start_run(purpose='why') as run:\n    pass\n"
        "print(run.run_id)\n")
    done = subprocess.run(
        [sys.executable, "train.py", "--lr", "1"], cwd=tmp_path / "r", check=True,
        capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": os.path.dirname(os.path.dirname(linaje.__file__))})
    run_id = done.stdout.strip()
    with linaje.Client() as client:
        found = client.get_run(run_id).provenance
        assert found.git.commit == git("rev-parse", "HEAD") and found.git.branch == "trunk"
        assert found.git.dirty and found.purpose == "why" and found.argv[1:] == ["--lr", "1"]
        assert found.packages and found.kernel and found.host
        patch = b"".join(client.read_artifact(f"runs:/{run_id}", found.git.diff_artifact))
    assert b"-old\n+import linaje" in patch


def test_an_input_with_a_dvc_pointer_keeps_it(daemon, fresh_sender, tmp_path):
    import hashlib

    (tmp_path / "raw.csv").write_text("1,2\n")
    md5 = hashlib.md5(b"1,2\n").hexdigest()
    pointer = f"outs:\n- md5: {md5}\n  size: 4\n  hash: md5\n  path: raw.csv\n"
    (tmp_path / "raw.csv.dvc").write_text(pointer)
    with linaje.start_run() as run:
        linaje.log_input(tmp_path / "raw.csv", name="raw", context="training")
        linaje.log_input_model("bert-base-uncased")
    assert linaje.flush(30)
    stored = linaje.get_run(run.run_id)
    (data,) = stored.datasets
    assert data.name == "raw" and data.dvc_pointer == pointer and data.size == 4
    assert {(each.algorithm, each.value.hex()) for each in data.digests} == {
        ("sha256", hashlib.sha256(b"1,2\n").hexdigest()), ("md5", md5)}
    assert [link.uri for link in stored.model_inputs] == ["bert-base-uncased"]
