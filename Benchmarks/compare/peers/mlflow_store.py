"""MLflow: `log_artifacts` to a local artifact root, `download_artifacts`."""

import logging
import os

import store

os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true")
logging.disable(logging.INFO)
import mlflow  # noqa: E402


class MLflowStore(store.Store):
    """A run for each put, its files copied into ./artifacts; a SQLite store for the runs."""

    durable = "written, not synced"
    version = mlflow.__version__
    inside = True
    compares = False

    def __init__(self, order):
        self.uris = {}

    def create(self):
        mlflow.set_tracking_uri("sqlite:///mlflow.db")
        root = os.path.abspath("artifacts")
        os.makedirs(root)
        mlflow.set_experiment(experiment_id=mlflow.create_experiment(
            "compare", artifact_location=f"file://{root}"))

    def put(self, tree):
        name = os.path.basename(tree)
        with mlflow.start_run() as run:
            mlflow.log_artifacts(tree, name)
        self.uris[tree] = f"{run.info.artifact_uri}/{name}"

    def get(self, tree, into):
        return mlflow.artifacts.download_artifacts(artifact_uri=self.uris[tree], dst_path=into)

    def places(self):
        return ["artifacts"]


store.main(MLflowStore)
