"""`linaje model diff` on real models: what differs, what breaks callers, what could not be told."""

import json
import os
import subprocess
import sys

import pytest
from support import LINAJE, ROOT

numpy = pytest.importorskip("numpy")
safetensors = pytest.importorskip("safetensors.numpy")

TRAIN = """
import linaje
import numpy
import pandas
from sklearn.linear_model import LinearRegression

for kind, depth in (("float32", 2), ("float64", 4)):
    frame = pandas.DataFrame({"age": numpy.arange(8, dtype="int64"),
                              "income": numpy.linspace(0, 1, 8).astype(kind)})
    if depth > 3:
        frame["debts"] = numpy.arange(8) * 0.5
    target = frame["age"] * 2.0 + depth
    with linaje.start_run():
        linaje.log_params({"depth": depth, "seed": 7})
        linaje.log_metric("rmse", 1.0 / depth, step=1)
        linaje.log_input(frame, name="people")
        model = LinearRegression().fit(frame, target)
        signature = linaje.infer_signature(frame, model.predict(frame))
        linaje.log_model(model, "model", signature=signature, registered_model_name="prices",
                         self_test=False)
"""


def diff(daemon, *words, code=0):
    """What `linaje model diff` says."""
    done = subprocess.run(
        [LINAJE, "model", "diff", *words], capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": os.environ["PATH"], "HOME": daemon.folder, "LINAJE_SOCKET": daemon.socket})
    assert done.returncode == code, f"{words}: {done.stdout}{done.stderr}"
    return json.loads(done.stdout) if "--json" in words else done.stdout + done.stderr


def register(daemon, name, folder):
    done = subprocess.run(
        [LINAJE, "model", "register", folder, name], capture_output=True, text=True, timeout=60,
        check=True,
        env={"PATH": os.environ["PATH"], "HOME": daemon.folder, "LINAJE_SOCKET": daemon.socket})
    return done.stdout.split()[0]


def entries(found, part):
    """Of one part: name to (before, after)."""
    return {each["name"]: (each["before"], each["after"])
            for each in found["differences"].get(part, [])}


def test_two_trained_versions_differ_in_what_made_them_and_in_what_they_take(daemon):
    pytest.importorskip("sklearn")
    pytest.importorskip("pandas")
    subprocess.run(
        [sys.executable, "-c", TRAIN], check=True, timeout=120,
        env={**os.environ, "HOME": daemon.folder, "LINAJE_SOCKET": daemon.socket,
             "PYTHONPATH": str(ROOT / "Clients/python/src")})
    one, other = "models:/prices/1", "models:/prices/2"
    found = diff(daemon, one, other, "--json")
    assert found["before"] == one and found["after"] == other
    assert found["breaking"] and not found["same"]
    signature = {each["name"]: each["breaking"] for each in found["differences"]["signature"]}
    # A float fits where a double is wanted; a column that must be given now does not.
    assert signature == {"input income": False, "input debts": True}
    assert entries(found, "metrics") == {"rmse": ("0.5", "0.25")}
    assert found["differences"]["metrics"][0]["note"] == "-0.25 (-50.0 %)"
    assert entries(found, "params") == {"depth": ("2", "4")}
    assert list(entries(found, "data")) == ["people (training)"]
    assert "model.pkl" in entries(found, "files")
    assert "dependencies" not in found["differences"]

    # A logged model is compared as what became of it is: here they are the same files.
    with daemon.client() as client:
        logged = "models:/m-" + client.resolve_model(one)[1].logged_model_id.hex()
    assert diff(daemon, logged, one, "--json")["same"]
    assert set(diff(daemon, logged, other, "--json")["differences"]) >= {
        "signature", "files", "metrics", "params", "data"}

    back = diff(daemon, other, one, "--json")
    assert {each["name"]: each["breaking"] for each in back["differences"]["signature"]} == {
        "input income": True, "input debts": False}

    shown = diff(daemon, one, other)
    assert shown.index("signature (breaking)") < shown.index("files") < shown.index("metrics")
    assert "input debts  double  breaking" in shown
    diff(daemon, one, other, "--exit-code", code=4)
    assert "nothing differs" in diff(daemon, one, one, "--exit-code")


def test_tensors_are_compared_by_their_bytes_and_only_in_files_that_differ(daemon):
    shared = {"embed": numpy.arange(64, dtype="float32").reshape(8, 8)}
    first = {"head.w": numpy.ones((4, 4), "float32"), "head.b": numpy.zeros(4, "float32"),
             "old": numpy.zeros(2, "int64")}
    second = {"head.w": numpy.ones((4, 4), "float32"), "head.b": numpy.ones(4, "float32"),
              "new": numpy.zeros(2, "int64")}
    uris = []
    for number, tensors in enumerate((first, second)):
        folder = os.path.join(daemon.folder, f"m{number}")
        os.makedirs(folder)
        safetensors.save_file(shared, os.path.join(folder, "model-00001-of-00002.safetensors"))
        safetensors.save_file(tensors, os.path.join(folder, "model-00002-of-00002.safetensors"))
        names = {name: f"model-0000{part}-of-00002.safetensors"
                 for part, held in ((1, shared), (2, tensors)) for name in held}
        with open(os.path.join(folder, "model.safetensors.index.json"), "w",
                  encoding="ascii") as file:
            json.dump({"metadata": {}, "weight_map": names}, file)
        uris.append(register(daemon, "net", folder))
    found = diff(daemon, *uris, "--json")
    tensors = {each["name"]: (each["change"], each["note"])
               for each in found["differences"]["tensors"]}
    assert tensors == {"head.b": ("changed", "other values"), "old": ("removed", ""),
                       "new": ("added", "")}
    assert list(entries(found, "files")) == [
        "model-00002-of-00002.safetensors", "model.safetensors.index.json"]
    assert not found["breaking"] and "signature" not in found["differences"]
    assert found["notes"] == []
    diff(daemon, *uris, "--exit-code", code=3)
    assert "head.b  F32 (4)" in diff(daemon, *uris)


def test_what_cannot_be_compared_is_said_and_what_is_not_there_is_an_error(daemon):
    uris = []
    for number in (1, 2):
        folder = os.path.join(daemon.folder, f"m{number}")
        os.makedirs(folder)
        numpy.save(os.path.join(folder, "weights.npy"), numpy.full(3, number, "float32"))
        uris.append(register(daemon, "array", folder))
    found = diff(daemon, *uris, "--json")
    assert list(entries(found, "files")) == ["weights.npy"]
    if "tensors" in found["differences"] or found["notes"]:
        assert any("weights.npy" in note for note in found["notes"]), found
    assert "not_found" in diff(daemon, uris[0], "models:/array/9", code=1)
    assert "models:/" in diff(daemon, uris[0], "array", code=1)


def test_show_lists_the_tensors_of_a_version(daemon, tmp_path):
    def show(*words, code=0):
        done = subprocess.run(
            [LINAJE, "model", "show", *words], capture_output=True, text=True, timeout=60,
            check=False, env={"PATH": os.environ["PATH"], "HOME": daemon.folder,
                              "LINAJE_SOCKET": daemon.socket})
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    (tmp_path / "m").mkdir()
    safetensors.save_file({"layer.w": numpy.zeros((2, 3), "float32")}, tmp_path / "m/a.safetensors")
    uri = register(daemon, "shown", str(tmp_path / "m"))
    rows = [line.split() for line in show(uri, "--tensors").splitlines()]
    assert rows == [["TENSOR", "TYPE", "SHAPE"], ["layer.w", "F32", "[2,", "3]"]]
    assert "give models:/shown/VERSION" in show("shown", "--tensors", code=2)
