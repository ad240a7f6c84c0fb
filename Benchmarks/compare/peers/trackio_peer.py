"""trackio, local: one SQLite file a project, metrics of a step as JSON."""

import json
import os
import sys

import child

os.environ.update(TRACKIO_DIR=json.loads(sys.argv[1])["folder"] + "/trackio", HF_HUB_OFFLINE="1")
import trackio  # noqa: E402
from trackio.sqlite_storage import SQLiteStorage  # noqa: E402

# As `trackio query project` takes it.
QUERY = """SELECT json_extract(metrics, '$.loss') FROM metrics
WHERE json_extract(metrics, '$.loss') IS NOT NULL ORDER BY 1 LIMIT 100"""


def log(order):
    work = child.Work(order["metrics"], order["steps"])
    loop = child.Loop(order["cap"])
    trackio.init(project="compare", name="base", embed=False)
    trackio.log({"a": 1.0})
    trackio.finish()
    base = child.disk_bytes("trackio")
    trackio.init(project="compare", name="run", embed=False)
    loop.row(work, lambda values, step: trackio.log(values, step=step))
    trackio.finish()
    found = loop.found(version=trackio.__version__, durable="in SQLite's log, not synced")
    logs = SQLiteStorage.get_logs("compare", "run")
    return {**found, "bytes": child.disk_bytes("trackio"), "base_bytes": base,
            "stored": sum(len(order_keys(entry)) for entry in logs)}


def order_keys(entry):
    """The metrics of a logged step."""
    return [key for key in entry if key.startswith("train/")]


def search(order):
    fill = child.Fill(order["runs"], order["fill_cap"])
    for number in fill.numbers(most=order["api_runs"]):
        trackio.init(project="compare", name=f"run-{number}", config=fill.params(number),
                     embed=False)
        trackio.log(fill.metrics(number), step=0)
        trackio.finish()
    fill.end()
    rate = fill.made / fill.seconds
    # What `import_csv` does for each run, without its message.
    for number in fill.numbers():
        SQLiteStorage.bulk_log(project="compare", run=f"run-{number}",
                               metrics_list=[fill.metrics(number)], steps=[0],
                               config=fill.params(number))
    fill.end()

    def ask():
        return [next(iter(row.values())) if isinstance(row, dict) else row[0]
                for row in SQLiteStorage.query_project("compare", QUERY)["rows"]]
    return {**fill.query(ask, order["query_cap"]), "api_runs_per_second": rate,
            "how": "SQL of `trackio query project`", "filled_by": "init, log, finish; then bulk_log",
            "version": trackio.__version__}


child.main({"log": log, "search": search})
