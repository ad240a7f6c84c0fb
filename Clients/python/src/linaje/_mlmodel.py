"""MLmodel directories, as MLflow writes and reads them (MLflow 3, models/model.py)."""

import datetime
import importlib
import json
import os
import pickle
import platform
import sys
from typing import Any, Dict, List, Mapping, Optional, Tuple

from . import _yaml
from ._errors import INVALID_ARGUMENT, LinajeError

MODEL_FILE = "MLmodel"
PICKLE_FILE = "model.pkl"
_SKLEARN_NEEDS = ("scikit-learn", "numpy", "scipy", "joblib")
_DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow", "yaml": "PyYAML", "cv2":
                  "opencv-python"}


def is_sklearn(model: Any) -> bool:
    """Whether a model is an estimator of scikit-learn's kind."""
    base = sys.modules.get("sklearn.base")
    return base is not None and isinstance(model, base.BaseEstimator)


# --- Signature ---

def schema_of(data: Any) -> Optional[List[Dict[str, Any]]]:
    """MLflow's schema of some data: columns of a frame, the tensor of an array; None: unknown."""
    if data is None:
        return None
    module = type(data).__module__.split(".")[0]
    if module == "pandas" and hasattr(data, "columns"):
        return [{"type": column_type(data.iloc[:, place]), "name": str(name), "required": True}
                for place, name in enumerate(data.columns)]
    if module == "pandas" and hasattr(data, "dtype"):
        entry: Dict[str, Any] = {"type": column_type(data), "required": True}
        return [{**entry, "name": str(data.name)} if data.name is not None else entry]
    if isinstance(data, Mapping):
        return [{**_value_type(value), "name": str(name), "required": True}
                for name, value in data.items()]
    if isinstance(data, (list, tuple)):
        data = _as_array(data)
    if data is None or not hasattr(data, "dtype") or not hasattr(data, "shape"):
        return None
    dtype = "str" if data.dtype.kind == "U" else data.dtype.name
    shape = [-1, *(int(size) for size in data.shape[1:])] if len(data.shape) else [-1]
    return [{"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": shape}}]


def _as_array(data: Any) -> Any:
    try:
        import numpy

        array = numpy.asarray(data)
    except (ImportError, ValueError):
        return None
    return None if array.dtype.hasobject else array


def column_type(column: Any) -> str:
    """MLflow's name of a column's type."""
    kind, size = getattr(column.dtype, "kind", "O"), getattr(column.dtype, "itemsize", 8)
    if kind == "b":
        return "boolean"
    if kind == "i" or kind == "u":
        return "integer" if size < 4 or (size == 4 and kind == "i") else "long"
    if kind == "f":
        return "float" if size <= 4 else "double"
    if kind == "M":
        return "datetime"
    values = [value for value in list(column) if value is not None][:100]
    return "binary" if values and all(isinstance(value, bytes) for value in values) else "string"


def _value_type(value: Any) -> Dict[str, Any]:
    if isinstance(value, Mapping):
        return {"type": "object", "properties": {
            str(name): {**_value_type(each), "required": True} for name, each in value.items()}}
    if isinstance(value, (list, tuple)):
        return {"type": "array", "items": _value_type(value[0]) if value else {"type": "string"}}
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    for kind, name in ((bool, "boolean"), (int, "long"), (float, "double"), (bytes, "binary"),
                       (datetime.datetime, "datetime")):
        if isinstance(value, kind):
            return {"type": name}
    return {"type": "string"}


def infer_signature(model_input: Any, model_output: Any = None,
                    params: Optional[Mapping[str, Any]] = None) -> Dict[str, Any]:
    """{"inputs": …, "outputs": …, "params": …} of example data."""
    found = [{"name": name, **_value_type(value), "default": value, "shape": None}
             for name, value in (params or {}).items()] or None
    return {"inputs": schema_of(model_input), "outputs": schema_of(model_output), "params": found}


def signature_of(model: Any, signature: Any, example: Any) -> Optional[Dict[str, Optional[str]]]:
    """The signature as MLmodel holds it: JSON texts. Given, or inferred from an example."""
    if signature is None:
        if example is None:
            return None
        signature = infer_signature(example, _predict(model, example))
    elif hasattr(signature, "to_dict"):
        signature = signature.to_dict()
    if not isinstance(signature, Mapping):
        raise LinajeError(INVALID_ARGUMENT, "signature must be a mapping with inputs, outputs and "
                                            "params; linaje.infer_signature makes one")
    return {name: _json_text(signature.get(name)) for name in ("inputs", "outputs", "params")}


def _json_text(part: Any) -> Optional[str]:
    return part if part is None or isinstance(part, str) else json.dumps(part)


def _predict(model: Any, example: Any) -> Any:
    try:
        return model.predict(example)
    except Exception:  # noqa: BLE001 - an example that does not fit costs the outputs only
        return None


# --- Example ---

def example_files(example: Any) -> Tuple[Dict[str, Any], Dict[str, Any], Dict[str, Any]]:
    """(input_example.json, serving_input_example.json, saved_input_example_info)."""
    info: Dict[str, Any] = {"artifact_path": "input_example.json",
                            "serving_input_path": "serving_input_example.json"}
    if hasattr(example, "columns") and hasattr(example, "to_dict"):
        split = {"columns": [str(name) for name in example.columns],
                 "data": _plain(example.to_numpy(dtype=object).tolist())}
        return split, {"dataframe_split": split}, {**info, "type": "dataframe",
                                                   "pandas_orient": "split"}
    if hasattr(example, "tolist"):
        inputs = {"inputs": _plain(example.tolist())}
        return inputs, inputs, {**info, "type": "ndarray", "format": "tf-serving"}
    plain = _plain(example)
    return plain, {"inputs": plain}, {**info, "type": "json_object"}


def _plain(value: Any) -> Any:
    """A value of JSON."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    if isinstance(value, bytes):
        import base64

        return base64.b64encode(value).decode()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


# --- Requirements ---

def requirements_of(model: Any, pickler: str) -> List[str]:
    """The packages that unpickling the model needs, pinned to the versions it has here."""
    from importlib import metadata

    names = set()
    for kind in type(model).__mro__:
        top = kind.__module__.split(".")[0]
        if top not in ("builtins", "__main__", "linaje", "abc", "typing"):
            names.add(_DISTRIBUTIONS.get(top, top))
    if is_sklearn(model):
        names |= set(_SKLEARN_NEEDS)
    if pickler == "cloudpickle":
        names.add("cloudpickle")
    found = []
    for name in sorted(names, key=str.lower):
        try:
            found.append(f"{name}=={metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return found


# --- The directory ---

def pickle_model(model: Any, path: str) -> str:
    """Writes the model and says by what: cloudpickle, where it is installed, else pickle."""
    try:
        pickler: Any = importlib.import_module("cloudpickle")
    except ImportError:
        pickler = pickle
    try:
        with open(path, "xb") as file:
            pickler.dump(model, file)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise LinajeError(INVALID_ARGUMENT, f"a {type(model).__name__} cannot be pickled: {error}; "
                                            f"log its files with log_artifacts") from None
    return str(pickler.__name__)


def write_model(model: Any, folder: str, *, name: str, model_id: str, run_id: str,
                signature: Any = None, input_example: Any = None,
                requirements: Optional[List[str]] = None,
                metadata: Optional[Mapping[str, Any]] = None) -> Dict[str, Any]:
    """Writes a model directory into an empty folder; what MLmodel says of it."""
    if not is_sklearn(model) and not hasattr(model, "predict"):
        raise LinajeError(INVALID_ARGUMENT, f"a {type(model).__name__} has no predict; give a "
                                            f"scikit-learn estimator or an object with predict")

    def write(file: str, text: str) -> None:
        with open(os.path.join(folder, file), "x", encoding="utf-8") as out:
            out.write(text)

    pickler = pickle_model(model, os.path.join(folder, PICKLE_FILE))
    needs = list(requirements) if requirements is not None else requirements_of(model, pickler)
    python = platform.python_version()
    write("requirements.txt", "".join(f"{line}\n" for line in needs))
    write("python_env.yaml", _yaml.dump({
        "python": python, "build_dependencies": ["pip"],
        "dependencies": ["-r requirements.txt"]}))
    write("conda.yaml", _yaml.dump({
        "name": "mlflow-env", "channels": ["conda-forge"],
        "dependencies": [f"python={python}", "pip", {"pip": needs}]}))
    described: Dict[str, Any] = {
        "artifact_path": name, "flavors": _flavors(model, pickler, python), "model_id": model_id,
        "model_uuid": model_id, "run_id": run_id,
        "utc_time_created": datetime.datetime.now(datetime.timezone.utc).strftime(
            "%Y-%m-%d %H:%M:%S.%f")}
    found = signature_of(model, signature, input_example)
    if found is not None:
        described["signature"] = found
    if input_example is not None:
        example, serving, info = example_files(input_example)
        write("input_example.json", json.dumps(example))
        write("serving_input_example.json", json.dumps(serving))
        described["saved_input_example_info"] = info
    if metadata:
        described["metadata"] = _plain(metadata)
    described["model_size_bytes"] = sum(
        os.path.getsize(os.path.join(folder, file)) for file in os.listdir(folder))
    write(MODEL_FILE, _yaml.dump(described))
    return described


def _flavors(model: Any, pickler: str, python: str) -> Dict[str, Any]:
    generic: Dict[str, Any] = {"python_version": python, "env": {
        "conda": "conda.yaml", "virtualenv": "python_env.yaml"}}
    if is_sklearn(model):
        generic.update({"loader_module": "mlflow.sklearn", "model_path": PICKLE_FILE})
        if hasattr(model, "predict"):
            generic["predict_fn"] = "predict"
        return {"python_function": generic, "sklearn": {
            "pickled_model": PICKLE_FILE, "serialization_format": pickler, "code": None,
            "sklearn_version": sys.modules["sklearn"].__version__}}
    generic.update({"loader_module": "linaje.pyfunc", "data": PICKLE_FILE})
    return {"python_function": generic}


def find_pickle(folder: str) -> str:
    """The pickled model of a directory: what its MLmodel names, else model.pkl."""
    import re

    text = ""
    try:
        with open(os.path.join(folder, MODEL_FILE), encoding="utf-8") as file:
            text = file.read()
    except OSError:
        pass
    if re.search(r"^\s+serialization_format:\s*['\"]?skops", text, re.M):
        raise LinajeError(INVALID_ARGUMENT, "the model is stored with skops; linaje.download_model "
                                            "brings its files")
    for key in ("pickled_model", "model_path", "data"):
        named = re.search(rf"^\s+{key}:\s*['\"]?([\w./-]+)", text, re.M)
        if named and os.path.isfile(os.path.join(folder, named[1])) and ".." not in named[1]:
            return os.path.join(folder, named[1])
    if os.path.isfile(os.path.join(folder, PICKLE_FILE)):
        return os.path.join(folder, PICKLE_FILE)
    raise LinajeError(INVALID_ARGUMENT, "the model holds no pickled object; linaje.download_model "
                                        "brings its files")
