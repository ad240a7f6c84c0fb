"""What is scored natively and what is not, and why, from outside: no library is asked."""

import json
import os
import subprocess

import pytest
from support import LINAJE, Daemon

onnx = pytest.importorskip("onnx")

WEIGHTS = [0.5, -2.0, 0.25]


@pytest.fixture
def say(tmp_path):
    """The command line, which knows a daemon."""
    short = f"/tmp/lnj-limits-{os.getpid()}"
    os.makedirs(short, mode=0o700)
    daemon = Daemon(short).start()

    def say(*words, given=None, code=0):
        done = subprocess.run(
            [LINAJE, *words], input=given, capture_output=True, text=True, timeout=120, check=False,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LINAJE_SOCKET": daemon.socket})
        assert done.returncode == code, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout if code == 0 else done.stderr

    yield say
    try:
        daemon.finish()
    finally:
        subprocess.run(["rm", "-rf", short], check=False)


def save(path):
    """A linear model over one matrix, named as converters name it."""
    made = onnx.helper.make_model(
        onnx.helper.make_graph(
            [onnx.helper.make_node("LinearRegressor", ["X"], ["variable"], domain="ai.onnx.ml",
                                   coefficients=WEIGHTS, intercepts=[1.0])],
            "linear",
            [onnx.helper.make_tensor_value_info("X", onnx.TensorProto.FLOAT, [None, 3])],
            [onnx.helper.make_tensor_value_info("variable", onnx.TensorProto.FLOAT, [None, 1])]),
        opset_imports=[onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("ai.onnx.ml", 1)])
    onnx.save(made, path)


def test_a_bare_onnx_file_is_scored_natively(say, tmp_path):
    save(tmp_path / "lr.onnx")
    say("model", "register", str(tmp_path / "lr.onnx"), "lr")
    rows = [[1, 2, 3], [-1, 0, 8]]
    expected = [sum(a * b for a, b in zip(WEIGHTS, row)) + 1 for row in rows]
    text = "age,amount,hour\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)
    for name, given in [("rows.csv", text), ("lists.json", json.dumps({"inputs": rows})),
                        ("named.json", json.dumps({"inputs": {"X": rows}}))]:
        (tmp_path / name).write_text(given)
        found = json.loads(say("model", "predict", "-m", "models:/lr/1", "-i", str(tmp_path / name),
                               "--engine", "native", "--json"))["predictions"]
        assert [each[0] if isinstance(each, list) else each for each in found] == expected
    said = say("model", "predict", "-m", "models:/lr/1", "-i", "-", "--engine", "native",
               given="a,b\n1,2\n", code=1)
    assert "3 features, and 2 columns" in said


def test_a_file_that_mlmodel_does_not_name_is_not_scored(say, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    save(folder / "beside.onnx")
    (folder / "MLmodel").write_text(
        "flavors:\n  python_function:\n    loader_module: mlflow.onnx\n    data: model.onnx\n"
        "  onnx:\n    data: model.onnx\n")
    words = ("model", "predict", "-m", str(folder), "-i", "-")
    given = "a,b,c\n1,2,3\n"
    said = say(*words, "--engine", "native", given=given, code=1)
    assert "no native scorer: its MLmodel says that mlflow.onnx loads it" in said
    # Without being asked, it says why it needs an environment at all.
    said = say(*words, given=given, code=1)
    assert "no requirements.txt" in said and "no native scorer: its MLmodel" in said
