"""The rows of the tables about runs and metrics, and the order that a row's child is given."""

import dataclasses

from harness import children


@dataclasses.dataclass
class Row:
    """One way of using one library."""

    peer: str  # Which child, and whose environment.
    title: str
    call: str  # What the training calls, or the query.
    job: str = "log"
    options: dict = dataclasses.field(default_factory=dict)
    answers: list = dataclasses.field(default_factory=list)

    @property
    def key(self):
        return (self.job, self.title, self.call)


def log_rows():
    """How each library's documentation lets a training log."""
    def mlflow(store, title, mode, **more):
        return Row("mlflow", title, mode, options={"store": store, "mode": mode, **more})
    return [
        Row("raw", "bare file", "write(24 bytes)"),
        Row("linaje", "Linaje", "log_metric", options={"mode": "log_metric"}),
        Row("linaje", "Linaje", "log_metrics", options={"mode": "log_metrics"}),
        mlflow("sqlite", "MLflow, SQLite", "log_metric"),
        mlflow("sqlite", "MLflow, SQLite", "log_metrics"),
        mlflow("sqlite", "MLflow, SQLite", "log_batch"),
        # Its calls return at once, whatever waits: no cap would end what follows.
        mlflow("sqlite", "MLflow, SQLite", "log_metrics, asynchronous", most_steps=1_000),
        mlflow("file", "MLflow, files", "log_metric"),
        mlflow("file", "MLflow, files", "log_batch"),
        mlflow("server", "MLflow, server", "log_metric"),
        mlflow("server", "MLflow, server", "log_batch"),
        Row("aim", "Aim", "track", options={"mode": "track"}),
        Row("aim", "Aim", "track(dict)", options={"mode": "track_dict"}),
        Row("wandb", "W&B, offline", "log(dict)"),
        Row("trackio", "trackio", "log(dict)"),
        Row("tensorboardx", "tensorboardX", "add_scalar"),
    ]


def search_rows():
    """Who can be asked for the best hundred runs by a metric."""
    # Those that have a fast way to all of them are given the time for it.
    whole = {"fill_factor": 2}
    return [
        Row("linaje", "Linaje", "search_runs", job="search", options=whole),
        Row("mlflow", "MLflow, SQLite", "search_runs", job="search",
            options={"store": "sqlite", **whole}),
        Row("mlflow", "MLflow, files", "search_runs", job="search", options={"store": "file"}),
        Row("aim", "Aim", "query_metrics", job="search"),
        Row("trackio", "trackio", "query project", job="search", options=whole),
    ]


def run(row, python, order, folder, timeout):
    """Runs a row's child on an empty folder; its answer, or {"error": why there is none}."""
    order = {**order, **row.options, "job": row.job}
    order["steps"] = min(order["steps"], order.get("most_steps", order["steps"]))
    order["fill_cap"] *= order.get("fill_factor", 1)
    return children.run(python, f"{row.peer}_peer.py", order, folder, timeout)
