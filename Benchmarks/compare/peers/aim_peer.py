"""Aim: one RocksDB a run in one repository."""

import importlib.metadata
import os
import subprocess
import sys

import aim
import child

VERSION = importlib.metadata.version("aim")


def log(order):
    work = child.Work(order["metrics"], order["steps"])
    loop = child.Loop(order["cap"])
    repo = aim.Repo.from_path("repo", init=True)
    run = aim.Run(repo=repo, experiment="compare", log_system_params=False)
    base = child.disk_bytes("repo")
    if order["mode"] == "track":
        loop.each(work, lambda key, value, step: run.track(value, name=key, step=step))
    else:
        loop.row(work, lambda values, step: run.track(values, step=step))
    run.close()
    found = loop.found(version=VERSION, durable="in RocksDB's log, not synced")
    return {**found, "bytes": child.disk_bytes("repo"), "base_bytes": base}


def search(order):
    fill = child.Fill(order["runs"], order["fill_cap"])
    repo = aim.Repo.from_path("repo", init=True)
    for number in fill.numbers():
        run = aim.Run(repo=repo, experiment="compare", log_system_params=False,
                      system_tracking_interval=None, capture_terminal_logs=False)
        run["hparams"] = fill.params(number)
        run.track(fill.metrics(number), step=0)
        run.close()
    fill.end()
    rate = fill.made / fill.seconds
    # Without its index, which the user interface or this command makes, a query finds no metrics.
    command = os.path.join(os.path.dirname(sys.executable), "aim")
    subprocess.run([command, "storage", "--repo", "repo", "reindex", "-y"], check=True,
                   capture_output=True)
    fill.end()
    repo = aim.Repo("repo")

    def ask():
        found = []
        # It has no order and no limit: every run's metric is fetched, then sorted here.
        for metrics in repo.query_metrics("metric.name == 'loss'", report_mode=0).iter_runs():
            for metric in metrics:
                found.append(metric.values.values_list()[-1])
        return sorted(found)[:child.TOP]
    return {**fill.query(ask, order["query_cap"]),
            "api_runs_per_second": rate, "how": "query_metrics, sorted in Python",
            "filled_by": "Run, track, close; reindex", "version": VERSION}


child.main({"log": log, "search": search})
