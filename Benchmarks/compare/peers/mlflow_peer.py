"""MLflow: a SQLite or file store used directly, or its server on a SQLite store."""

import logging
import os
import socket
import subprocess
import sys
import time
import urllib.request

import child

os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true",
                  MLFLOW_ALLOW_FILE_STORE="true", MLFLOW_ENABLE_ASYNC_LOGGING="false")
logging.disable(logging.INFO)
import mlflow  # noqa: E402
from mlflow.entities import Metric, Param, RunTag  # noqa: E402

BATCH_STEPS = 100
DURABLE = {"sqlite": "synced at each call", "server": "synced at each call",
           "file": "written, not synced"}


class Server:
    """`mlflow server` on a SQLite store, one worker."""

    def __init__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.uri = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", "sqlite:///mlflow.db",
             "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        end = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(self.uri + "/health", timeout=5).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise SystemExit("mlflow server did not start") from None
                time.sleep(0.2)

    def stop(self):
        os.killpg(self.process.pid, 15)
        self.process.wait(20)


def connect(store):
    server = Server() if store == "server" else None
    mlflow.set_tracking_uri({"sqlite": "sqlite:///mlflow.db", "file": "./mlruns"}.get(store)
                            or server.uri)
    mlflow.set_experiment("compare")
    return server


def log(order):
    store, mode = order["store"], order["mode"]
    work = child.Work(order["metrics"], order["steps"])
    loop = child.Loop(order["cap"])
    server = connect(store)
    client = mlflow.MlflowClient()
    run = mlflow.start_run()
    run_id = run.info.run_id
    base = child.disk_bytes(".")
    if mode == "log_metric":
        loop.each(work, lambda key, value, step: mlflow.log_metric(key, value, step=step))
    elif mode == "log_metrics":
        loop.row(work, lambda values, step: mlflow.log_metrics(values, step=step))
    elif mode == "log_metrics, asynchronous":
        loop.row(work, lambda values, step: mlflow.log_metrics(values, step=step,
                                                               synchronous=False))
        mlflow.flush_async_logging()
    else:
        def send(points):
            now = time.time_ns() // 1_000_000
            client.log_batch(run_id, [Metric(key, value, now, step) for key, value, step in points])
        loop.batch(work, BATCH_STEPS, send)
    mlflow.end_run()
    found = loop.found(version=mlflow.__version__, durable=DURABLE[store])
    last = client.get_metric_history(run_id, work.keys[-1])
    if server:
        server.stop()
    return {**found, "bytes": child.disk_bytes("."), "base_bytes": base,
            "stored": len(last) * len(work.keys)}


def make_run(client, experiment, fill, number):
    run = client.create_run(experiment, run_name=f"run-{number}").info.run_id
    now = time.time_ns() // 1_000_000
    client.log_batch(run, [Metric(key, value, now, 0) for key, value in fill.metrics(number).items()],
                     [Param(key, str(value)) for key, value in fill.params(number).items()],
                     [RunTag("team", "vision")])
    client.set_terminated(run)


def insert_runs(experiment, fill):
    """Rows of MLflow's own tables, by its own classes: its API would take many minutes."""
    import sqlalchemy
    from mlflow.store.tracking.dbmodels import models
    engine = sqlalchemy.create_engine("sqlite:///mlflow.db")
    now = time.time_ns() // 1_000_000
    rows = {name: [] for name in ("SqlRun", "SqlParam", "SqlTag", "SqlMetric", "SqlLatestMetric")}
    for number in fill.numbers():
        run = os.urandom(16).hex()
        rows["SqlRun"].append({
            "run_uuid": run, "name": f"run-{number}", "source_type": "LOCAL", "user_id": "compare",
            "experiment_id": int(experiment), "status": "FINISHED", "start_time": now,
            "end_time": now, "lifecycle_stage": "active", "artifact_uri": f"./mlruns/{run}"})
        rows["SqlParam"] += [{"run_uuid": run, "key": key, "value": str(value)}
                             for key, value in fill.params(number).items()]
        rows["SqlTag"] += [{"run_uuid": run, "key": "team", "value": "vision"},
                           {"run_uuid": run, "key": "mlflow.runName", "value": f"run-{number}"}]
        points = [{"run_uuid": run, "key": key, "value": value, "timestamp": now, "step": 0,
                   "is_nan": False} for key, value in fill.metrics(number).items()]
        rows["SqlMetric"] += points
        rows["SqlLatestMetric"] += points
    with engine.begin() as connection:
        for name, values in rows.items():
            if values:
                connection.execute(sqlalchemy.insert(getattr(models, name)), values)
    engine.dispose()


def search(order):
    store = order["store"]
    connect(store)
    client = mlflow.MlflowClient()
    experiment = mlflow.get_experiment_by_name("compare").experiment_id
    fill = child.Fill(order["runs"], order["fill_cap"])
    by_api = order["api_runs"] if store == "sqlite" else None
    for number in fill.numbers(most=by_api):
        make_run(client, experiment, fill, number)
    fill.end()
    rate = fill.made / fill.seconds
    if store == "sqlite":
        insert_runs(experiment, fill)
        fill.end()

    def ask():
        runs = client.search_runs([experiment], order_by=["metrics.loss ASC"],
                                  max_results=child.TOP)
        return [run.data.metrics["loss"] for run in runs]
    return {**fill.query(ask, order["query_cap"]), "api_runs_per_second": rate,
            "how": "MlflowClient.search_runs(order_by=…)", "version": mlflow.__version__,
            "filled_by": "create_run, log_batch, set_terminated"
            + ("; then rows of its own tables" if store == "sqlite" else "")}


child.main({"log": log, "search": search})
