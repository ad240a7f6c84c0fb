"""Linaje: the Python client and a daemon of its own on a new state directory."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import child
from linaje_daemon import Daemon, clean

import linaje  # noqa: E402
from linaje import _wire  # noqa: E402
from linaje._run import param_fields  # noqa: E402

WRITERS = 8
FINISHED = 3  # RUN_STATUS_FINISHED


def log(order):
    work = child.Work(order["metrics"], order["steps"])
    loop = child.Loop(order["cap"])
    daemon = Daemon().start()
    daemon.stop()
    base = child.disk_bytes("state")
    daemon.start()
    run = linaje.start_run(name="run", experiment="compare")
    if order["mode"] == "log_metric":
        loop.each(work, linaje.log_metric)
    else:
        loop.row(work, linaje.log_metrics)
    if not linaje.flush(60):
        raise SystemExit("linaje.flush() did not end within 60 s")
    found = loop.found(version=linaje.__version__, durable="synced, acknowledged")
    linaje.end_run()
    linaje.flush(60)
    with linaje.Client() as client:
        stored = sum(len(part.value) for part in client.metric_history(run.run_id))
    written = child.disk_bytes("state")
    compacted = daemon.compact()
    daemon.stop()
    return {**found, "bytes": child.disk_bytes("state"), "base_bytes": base, "stored": stored,
            "bytes_before_close": written, "compacted": compacted}


def write_all(pool, fill, numbers):
    """Makes runs by the calls of the protocol, on a connection for each writer."""
    list(pool.map(lambda part: write_runs(fill, part),
                  [numbers[start::WRITERS] for start in range(WRITERS)]))


def write_runs(fill, numbers):
    with linaje.Client() as client:
        connection = client.connection
        experiment = client.experiment_id("compare", create=True)
        for number in numbers:
            run = os.urandom(16)
            client.call("CreateRun", id=run, experiment_id=experiment, name=f"run-{number}",
                        params=[param_fields(*each) for each in fill.params(number).items()],
                        tags=[{"key": "team", "value": "vision"}])
            metrics = fill.metrics(number)
            stream = connection.open("StreamMetrics", {"run_id": run, "writer_id": os.urandom(16)})
            deadline = time.monotonic() + 30
            stream.wait_answer(deadline)
            stream.send(_wire.encode("MetricBatch", {
                "sequence": 1, "series": [{"key": key} for key in metrics],
                "series_index": list(range(len(metrics))), "step": [0] * len(metrics),
                "time_us": [time.time_ns() // 1_000] * len(metrics),
                "value": list(metrics.values())}), deadline)
            stream.end()
            while stream.receive(deadline) is not None:
                pass
            client.call("UpdateRun", id=run, status=FINISHED)


def search(order):
    daemon = Daemon().start()
    fill = child.Fill(order["runs"], order["fill_cap"])
    for number in fill.numbers(most=order["api_runs"]):
        run = linaje.start_run(name=f"run-{number}", experiment="compare",
                               params=fill.params(number), tags={"team": "vision"})
        run.log_metrics(fill.metrics(number), 0)
        linaje.end_run(run=run)
    linaje.flush(60)
    fill.end()
    rate = fill.made / fill.seconds
    with ThreadPoolExecutor(WRITERS) as pool:
        waiting = []
        for number in fill.numbers():
            waiting.append(number)
            if len(waiting) == WRITERS * 50:
                write_all(pool, fill, waiting)
                waiting = []
        write_all(pool, fill, waiting)
    fill.end()

    def ask():
        runs = linaje.search_runs(["compare"], order_by="metrics.loss ASC", limit=child.TOP)
        return [dict(zip(run.metrics.names, run.metrics.value))["loss"] for run in runs]
    found = fill.query(ask, order["query_cap"])
    daemon.stop()
    return {**found, "api_runs_per_second": rate,
            "how": "linaje.search_runs(order_by=…)",
            "filled_by": "start_run, log_metrics, end_run; then calls of linaje.Client",
            "version": linaje.__version__}


child.main({"log": log, "search": search}, clean)
