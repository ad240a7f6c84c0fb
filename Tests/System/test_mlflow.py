"""Models of the real MLflow: described, registered, and loaded back by it."""

import filecmp
import json
import os
import subprocess
import sys

import pytest
from support import LINAJE, Daemon

# Logs a model as a training does, then prints where its files are and what it predicts.
LOG = """
import json, os, sys
import mlflow, pandas
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

data = load_iris(as_frame=True)
mlflow.set_tracking_uri("file:" + sys.argv[1])
with mlflow.start_run():
    model = RandomForestClassifier(n_estimators=5, random_state=0).fit(data.data, data.target)
    logged = mlflow.sklearn.log_model(
        model, name="model", input_example=data.data.head(3), pip_requirements=["scikit-learn"],
        serialization_format="cloudpickle")
folder = mlflow.artifacts.download_artifacts(logged.model_uri)
print(json.dumps({"folder": folder, "predictions": model.predict(data.data).tolist()}))
"""
# Loads a downloaded model as whoever serves it does.
LOAD = """
import json, sys
import mlflow
from sklearn.datasets import load_iris

model = mlflow.pyfunc.load_model(sys.argv[1])
print(json.dumps({
    "predictions": model.predict(load_iris(as_frame=True).data).tolist(),
    "inputs": model.metadata.get_input_schema().input_names(),
    "example": len(model.input_example)}))
"""


@pytest.fixture
def daemon(folder):
    daemon = Daemon(folder)
    daemon.start()
    yield daemon
    daemon.finish()


def linaje(daemon, *words):
    done = subprocess.run(
        [LINAJE, *words], capture_output=True, text=True, timeout=300, check=False,
        env={"PATH": os.environ["PATH"], "HOME": daemon.folder, "LINAJE_SOCKET": daemon.socket})
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def python(script, *words, home):
    environment = {"PATH": os.environ["PATH"], "HOME": home, "MLFLOW_ALLOW_FILE_STORE": "true",
                   "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, timeout=300,
        check=False, cwd=home, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_model_that_mlflow_logged_is_described_registered_and_loaded_back_by_mlflow(
        daemon, tmp_path):
    logged = python(LOG, str(tmp_path / "runs"), home=str(tmp_path))
    uri = linaje(daemon, "model", "register", logged["folder"], "iris").split()[0]

    shown = json.loads(linaje(daemon, "model", "show", uri, "--json"))["model"]
    flavors = {each["name"]: each for each in shown["flavors"]}
    assert {"python_function", "sklearn"} <= flavors.keys()
    assert "sepal length (cm)" in json.dumps(shown["signature"])
    assert any(each.startswith("scikit-learn") for each in shown["requirements"])
    assert shown["verdict"] == "safe"

    back = str(tmp_path / "back")
    linaje(daemon, "model", "download", uri, back)
    names = sorted(
        os.path.relpath(os.path.join(folder, name), logged["folder"])
        for folder, _, files in os.walk(logged["folder"]) for name in files)
    same, different, missing = filecmp.cmpfiles(logged["folder"], back, names, shallow=False)
    assert sorted(same) == names and not different and not missing
    loaded = python(LOAD, back, home=str(tmp_path))
    assert loaded["predictions"] == logged["predictions"]
    assert len(loaded["inputs"]) == 4 and loaded["example"] == 3
