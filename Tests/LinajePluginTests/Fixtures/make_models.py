"""Writes models with the real libraries into a folder, and what they should be described as.

usage: make_models.py FOLDER
"""
import json
import os
import pickle
import sys

import numpy
import safetensors.numpy
import sklearn
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier


def tensor_facts(tensors):
    names = {
        "float32": "F32", "float64": "F64", "float16": "F16", "int64": "I64", "int32": "I32",
        "int16": "I16", "int8": "I8", "uint8": "U8", "bool": "BOOL", "uint16": "U16",
        "uint32": "U32", "uint64": "U64",
    }
    return {
        name: {"dtype": names[str(value.dtype)], "shape": list(value.shape)}
        for name, value in tensors.items()
    }


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def single(folder):
    generator = numpy.random.default_rng(7)
    tensors = {
        "layer.weight": generator.standard_normal((33, 17)).astype(numpy.float32),
        "layer.bias": generator.standard_normal(33).astype(numpy.float16),
        "double": generator.standard_normal((2, 3, 5)),
        "steps": numpy.arange(10, dtype=numpy.int64),
        "mask": numpy.zeros((4, 4), dtype=bool),
        "bytes": numpy.zeros(3, dtype=numpy.uint8),
        "none": numpy.zeros((0, 8), dtype=numpy.float32),
        "scalar": numpy.array(3, dtype=numpy.int32),
    }
    os.makedirs(folder)
    safetensors.numpy.save_file(
        tensors, os.path.join(folder, "model.safetensors"),
        metadata={"format": "np", "title": "naïve 模型 \"quoted\""})
    return {
        "tensors": tensor_facts(tensors),
        "parameters": int(sum(value.size for value in tensors.values())),
        "title": "naïve 模型 \"quoted\"",
    }


def sharded(folder):
    generator = numpy.random.default_rng(8)
    os.makedirs(folder)
    weight_map, everything = {}, {}
    for shard in range(1, 4):
        name = f"model-{shard:05d}-of-00003.safetensors"
        tensors = {
            f"block.{shard}.{index}": generator.standard_normal((8, index + 1)).astype("float32")
            for index in range(5)
        }
        safetensors.numpy.save_file(tensors, os.path.join(folder, name), {"format": "pt"})
        weight_map.update({tensor: name for tensor in tensors})
        everything.update(tensors)
    size = int(sum(value.nbytes for value in everything.values()))
    write(
        os.path.join(folder, "model.safetensors.index.json"),
        json.dumps({"metadata": {"total_size": size}, "weight_map": weight_map}, indent=2))
    return {
        "tensors": tensor_facts(everything),
        "parameters": int(sum(value.size for value in everything.values())),
    }


def mlmodel_by_hand(folder):
    """The layout that MLflow 3 writes for a scikit-learn model."""
    data = load_iris()
    model = RandomForestClassifier(n_estimators=3, random_state=0).fit(data.data, data.target)
    os.makedirs(folder)
    with open(os.path.join(folder, "model.pkl"), "wb") as file:
        pickle.dump(model, file)
    inputs = json.dumps([{"type": "double", "name": name, "required": True}
                         for name in data.feature_names])
    outputs = json.dumps([{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}])
    python = ".".join(map(str, sys.version_info[:3]))
    write(os.path.join(folder, "MLmodel"), f"""\
artifact_path: model
flavors:
  python_function:
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.sklearn
    model_path: model.pkl
    predict_fn: predict
    python_version: {python}
  sklearn:
    code: null
    pickled_model: model.pkl
    serialization_format: cloudpickle
    sklearn_version: {sklearn.__version__}
mlflow_version: 3.1.0
model_id: m-0123456789abcdef0123456789abcdef
model_size_bytes: 12345
run_id: 0123456789abcdef0123456789abcdef
signature:
  inputs: '{inputs}'
  outputs: '{outputs}'
  params: null
utc_time_created: '2026-01-02 03:04:05.678901'
""")
    requirements = [f"scikit-learn=={sklearn.__version__}", f"numpy=={numpy.__version__}"]
    write(os.path.join(folder, "requirements.txt"), "\n".join(requirements) + "\n")
    write(os.path.join(folder, "conda.yaml"), "name: mlflow-env\n")
    write(os.path.join(folder, "python_env.yaml"), f"python: {python}\n")
    return {
        "flavors": {"python_function": "3.1.0", "sklearn": sklearn.__version__},
        "requirements": requirements,
        "inputs": json.loads(inputs),
        "outputs": json.loads(outputs),
    }


def mlmodel_by_mlflow(folder):
    """The same by MLflow itself, where it is installed."""
    try:
        import mlflow
        import mlflow.sklearn
        from mlflow.models import infer_signature
    except ImportError:
        return None
    data = load_iris()
    model = RandomForestClassifier(n_estimators=3, random_state=0).fit(data.data, data.target)
    mlflow.sklearn.save_model(
        model, folder, signature=infer_signature(data.data, model.predict(data.data)),
        pip_requirements=[f"scikit-learn=={sklearn.__version__}"], metadata={"team": {"name": "x"}},
        serialization_format="cloudpickle")
    return {
        "flavors": {"python_function": mlflow.__version__, "sklearn": sklearn.__version__},
    }


def estimators(folder):
    """Fitted estimators in the ways people write them, and what they say of themselves."""
    import joblib
    import pandas
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    data = load_iris()
    columns = [f"column {number}" for number in range(4)]
    table = pandas.DataFrame(data.data, columns=columns)
    kinds = numpy.array(["setosa", "versicolor", "virginica"])[data.target]
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=0.5)).fit(table, kinds)
    forest = RandomForestClassifier(n_estimators=3, random_state=0).fit(data.data, data.target)

    def place(name, file):
        os.makedirs(os.path.join(folder, name))
        return os.path.join(folder, name, file)

    expected = {}
    for name, writer, model in (
        ("pickle", lambda model, path: pickle.dump(model, open(path, "wb"), 2), pipeline),
        ("joblib", joblib.dump, pipeline),
        ("packed", lambda model, path: joblib.dump(model, path, compress=3), pipeline),
        ("forest", lambda model, path: pickle.dump(model, open(path, "wb")), forest),
    ):
        writer(model, place(f"sklearn-{name}", "model.bin"))
        kind = type(model)
        names = getattr(model, "feature_names_in_", None)
        # joblib keeps numbers and texts of arrays outside of its pickle; only objects are in one.
        is_apart = name in ("joblib", "packed")
        expected[f"sklearn-{name}"] = {
            "class": f"{kind.__module__}.{kind.__qualname__}",
            "n_features": str(model.n_features_in_),
            "feature_names": None if names is None else ",".join(names),
            "classes": None if is_apart else ",".join(str(each) for each in model.classes_),
            "serialization_format": "joblib" if is_apart else "pickle",
        }
    try:
        import skops.io
        skops.io.dump(pipeline, place("sklearn-skops", "model.skops"))
        expected["sklearn-skops"] = {"class": "sklearn.pipeline.Pipeline",
                                     "serialization_format": "skops"}
    except ImportError:
        pass
    return expected


def main():
    folder = sys.argv[1]
    expected = {
        "single": single(os.path.join(folder, "single")),
        "sharded": sharded(os.path.join(folder, "sharded")),
        "mlmodel": mlmodel_by_hand(os.path.join(folder, "mlmodel")),
        "estimators": estimators(folder),
        "sklearn": sklearn.__version__,
        "mlflow": mlmodel_by_mlflow(os.path.join(folder, "mlflow")),
    }
    write(os.path.join(folder, "expected.json"), json.dumps(expected))


main()
