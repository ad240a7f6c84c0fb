"""Linaje: the Python client and a daemon of its own on a new state directory."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import child

ORDER = json.loads(sys.argv[1])
SOCKETS = tempfile.mkdtemp(prefix="lnj-")
os.environ.update(LINAJE_SOCKET=f"{SOCKETS}/s", XDG_STATE_HOME=ORDER["folder"] + "/client")
import linaje  # noqa: E402
from linaje import _wire  # noqa: E402
from linaje._run import param_fields  # noqa: E402

WRITERS = 8
FINISHED = 3  # RUN_STATUS_FINISHED


class Daemon:
    """linajed on ./state."""

    processes = []

    def __init__(self):
        self.process = None

    def start(self):
        log = open("linajed.log", "ab")
        self.process = subprocess.Popen(
            [ORDER["linajed"], "--state-directory", os.path.abspath("state"), "--socket",
             f"{SOCKETS}/s"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.append(self.process)
        end = time.monotonic() + 30
        while True:
            try:
                with linaje.Client(patience=0) as client:
                    client.status()
                return self
            except linaje.LinajeError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f"linajed does not answer: {tail('linajed.log')}") from None
                time.sleep(0.02)

    def stop(self):
        self.process.terminate()
        if self.process.wait(30) != 0:
            raise SystemExit(f"linajed stopped with an error: {tail('linajed.log')}")

    def compact(self):
        """What an operator can ask for: packs points, and gives pages that are free back.

        A daemon without compaction says that it knows none.
        """
        return all(
            subprocess.run([ORDER["linaje"], "maintain", task], capture_output=True, text=True,
                           check=False).returncode == 0
            for task in ("compact", "vacuum", "checkpoint"))


def tail(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()[-500:]


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


def clean():
    """Nothing stays behind, whatever happened."""
    for process in Daemon.processes:
        if process.poll() is None:
            process.kill()
    shutil.rmtree(SOCKETS, ignore_errors=True)


child.main({"log": log, "search": search}, clean)
