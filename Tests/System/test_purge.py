"""Deleting runs for good: by name, by age, under their users, over a kill."""

import json
import os
import sqlite3
import subprocess
import time

import pytest
from support import ROOT, SECONDS, LinajeError, Writer, eventually, history, new_run

LINAJE = os.environ.get("LINAJE", str(ROOT / ".build/debug/linaje"))
pytestmark = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")


def linaje(daemon, *arguments, check=True):
    done = subprocess.run([LINAJE, *arguments, "--socket", daemon.socket], capture_output=True,
                          text=True, timeout=SECONDS, check=False)
    if check:
        assert done.returncode == 0, done.stderr
        return done.stdout
    return done


def filled(daemon, client, batches=5, points=100, **fields):
    run = new_run(client, **fields)
    client.call("LogRun", id=run, params=[{"key": "lr", "string_value": "0.1"}])
    writer = Writer(daemon.connection(), run, os.urandom(16), points=points)
    for _ in range(batches):
        writer.send()
    writer.end()
    client.call("AppendRunLog", run_id=run, writer_id=os.urandom(16), records=[
        {"time_us": 1, "stream": 1, "data": b"hello\n"}])
    return run


def gone(client, run):
    """Every way to a run says that it is not there."""
    for method, fields in [
            ("GetRun", {"id": run}), ("UpdateRun", {"id": run, "lifecycle": 1}),
            ("GetMetricSummaries", {"run_id": run}), ("Heartbeat", {"id": run}),
            ("LogRun", {"id": run}), ("AppendRunLog", {"run_id": run, "writer_id": run})]:
        with pytest.raises(LinajeError) as error:
            client.call(method, **fields)
        assert error.value.code == 104, method
    for method in ["GetMetricHistory", "TailMetrics", "ReadRunLog"]:
        with pytest.raises(LinajeError) as error:
            list(client.stream(method, {"run_id": run}))
        assert error.value.code == 104, method
    assert run not in {each.id for each in client.call("SearchRuns", lifecycle=0).runs}


def rows(daemon, run):
    """How many rows the databases have of a run, besides its tombstone."""
    found = 0
    for name in ["catalog", "metrics"]:
        database = sqlite3.connect(f"file:{daemon.state}/{name}.db?mode=ro", uri=True)
        for table, in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            for column in database.execute(f"SELECT name FROM pragma_table_info('{table}')"):
                if column[0] in ("run", "run_id") and table != "run_purges":
                    found += database.execute(
                        f"SELECT COUNT(*) FROM {table} WHERE {column[0]} = ?", (run,)).fetchone()[0]
        database.close()
    return found


def test_a_run_is_deleted_for_good_with_all_it_had_and_its_id_never_comes_back(daemon):
    with daemon.client() as client:
        run, other = filled(daemon, client, name="doomed"), filled(daemon, client)
        before = history(client, other)
        told, = (json.loads(line) for line in linaje(
            daemon, "run", "delete", "--permanent", run.hex(), "--json").splitlines())
        assert told == {"run_id": run.hex(), "name": "doomed", "experiment_id": 0,
                        "deleted_at": None, "points": 500, "log_bytes": 6, "deleted": True,
                        "failure": None}
        gone(client, run)
        assert rows(daemon, run) == 0 and rows(daemon, other) > 0
        assert history(client, other) == before
        with pytest.raises(LinajeError) as error:
            client.call("CreateRun", id=run)
        assert error.value.code == 107 and "for good" in str(error.value)
        again = linaje(daemon, "run", "delete", "--permanent", run.hex(), check=False)
        assert again.returncode == 1 and "was deleted for good" in again.stderr
        event, = json.loads(linaje(daemon, "ledger", "list", "--json"))
        assert event["event"]["op"] == "run.delete" and event["event"]["run"] == run.hex()
        linaje(daemon, "ledger", "verify")


def test_whoever_uses_a_run_is_told_that_it_was_deleted(daemon):
    with daemon.client() as client, daemon.client() as admin:
        run = filled(daemon, client)
        writer = Writer(daemon.connection(), run, os.urandom(16))
        writer.send()
        writer.wait()
        following = [daemon.connection().open(method, {"run_id": run, **fields})
                     for method, fields in [("TailMetrics", {}), ("ReadRunLog", {"follow": True})]]
        for stream in following:
            stream.wait_answer(time.monotonic() + SECONDS)
        list(admin.stream("PurgeRuns", {"run_ids": [run], "also_active": True}))
        for stream in [*following, writer.stream]:
            with pytest.raises(LinajeError) as error:
                while stream.receive(time.monotonic() + SECONDS) is not None:
                    pass
            assert error.value.code == 104, error.value


def test_only_what_was_deleted_long_ago_goes_and_what_models_came_of_stays(daemon):
    with daemon.client() as client:
        old, kept, source = (filled(daemon, client, name=name) for name in ("old", "kept", "source"))
        client.call("CreateLoggedModel", experiment_id=0, run_id=source, name="forest")
        linaje(daemon, "run", "delete", old.hex(), source.hex())
        purge = ["maintain", "purge", "--deleted-for"]
        assert "no run" in linaje(daemon, *purge, "1d")
        dry = linaje(daemon, *purge, "0s", "--dry-run", "--json", check=False)
        told = {each["name"] or each["run_id"]: each
                for each in map(json.loads, dry.stdout.splitlines())}
        assert told["old"]["points"] == 500 and told["old"]["log_bytes"] == 6
        assert not told["old"]["deleted"] and "logged model m-" in told[source.hex()]["failure"]
        assert client.get_run(old).name == "old"
        done = linaje(daemon, *purge, "0s", check=False)
        assert done.returncode == 1 and "old deleted for good: 500 points" in done.stdout
        assert "logged model m-" in done.stderr
        gone(client, old)
        assert client.get_run(kept).name == "kept" and client.get_run(source).name == "source"
        wrong = linaje(daemon, *purge, "soon", check=False)
        assert wrong.returncode == 1 and "30d" in wrong.stderr
    assert "segments" in linaje(daemon, "maintain", "compact")


def test_a_daemon_that_is_killed_while_it_deletes_finishes_when_it_is_there_again(daemon):
    with daemon.client() as client:
        run = filled(daemon, client, batches=60, points=10_000)
        stream = daemon.connection().open("PurgeRuns", {"run_ids": [run], "also_active": True})
        stream.wait_answer(time.monotonic() + SECONDS)
        eventually(lambda: run not in {each.id for each in client.call("SearchRuns").runs},
                   why="the run is still found")
    daemon.kill()
    daemon.start()
    with daemon.client() as client:
        gone(client, run)
        eventually(lambda: rows(daemon, run) == 0, why="something of it is left")


def test_what_is_kept_for_a_run_that_was_deleted_for_good_does_not_wait_for_ever(daemon):
    environment = {**os.environ, "LINAJE_SOCKET": daemon.socket, "XDG_STATE_HOME": daemon.folder}
    command = subprocess.Popen([LINAJE, "run", "--", "sh", "-c", "echo one; sleep 1; exit 3"],
                               env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with daemon.client() as client:
        run, = eventually(lambda: client.call("SearchRuns").runs)
        linaje(daemon, "run", "delete", "--permanent", run.id.hex())
        assert command.wait(SECONDS) == 3
        kept = os.path.join(daemon.folder, "linaje/runs")
        assert os.listdir(kept) == [run.id.hex()]
        done = subprocess.run([LINAJE, "run", "sync"], env=environment, capture_output=True,
                              text=True, timeout=SECONDS, check=False)
        assert done.returncode == 0 and "was deleted for good" in done.stderr, done
        assert os.listdir(kept) == []
        gone(client, run.id)
