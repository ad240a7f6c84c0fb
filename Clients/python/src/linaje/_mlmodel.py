"""MLmodel directories, as MLflow writes and reads them (MLflow 3, models/model.py)."""

import datetime
import importlib
import json
import os
import pickle
import platform
import sys
from typing import Any, Dict, List, Mapping, Optional, Tuple

from . import _boosting, _requirements, _yaml
from ._errors import INVALID_ARGUMENT, LinajeError
from ._examples import Example, json_text
from ._log import warn
from ._params import infer_params
from ._schema import ModelSignature
from ._selftest import self_test
from ._signature import infer_schema, infer_signature, is_array, is_frame, is_series, reason
from .pyfunc import PyFuncModel

MODEL_FILE = "MLmodel"
PICKLE_FILE = "model.pkl"
# What loads models that are loaded here, by the name that MLmodel gives it.
LOADERS = ("mlflow.sklearn", "linaje.pyfunc", *_boosting.LOADERS)
_SKLEARN_NEEDS = {"sklearn", "numpy", "scipy", "joblib"}


def is_sklearn(model: Any) -> bool:
    """Whether a model is an estimator of scikit-learn's kind."""
    base = sys.modules.get("sklearn.base")
    return base is not None and isinstance(model, base.BaseEstimator)


def _wants_frames(model: Any) -> bool:
    """Whether a model wants rows as data frames or arrays."""
    return is_sklearn(model) or _boosting.native(model) is not None


# --- Signature ---

def signature_of(model: Any, signature: Any, example: Optional[Example],
                 name: str) -> Tuple[Optional[ModelSignature], bool]:
    """The signature given, or inferred from the example and what the model predicts on it; None
    for `False`, and where there is none. And whether the model was seen to predict pandas data."""
    if signature is False:
        return None, False
    if signature is None:
        return (None, False) if example is None else _inferred(model, example, name)
    if isinstance(signature, ModelSignature):
        return signature, False
    found = signature.to_dict() if hasattr(signature, "to_dict") else signature
    if not isinstance(found, Mapping):
        raise LinajeError(INVALID_ARGUMENT, "signature must be a ModelSignature, or a mapping with "
                                            "inputs, outputs and params; linaje.infer_signature "
                                            "makes one")
    return ModelSignature.from_dict(found), False


def keeps_form(model: Any, example: Optional[Example]) -> bool:
    """Whether a model wants plain data in the form of its example, not as a data frame.
    Estimators want mappings as frames, but lists of texts as lists."""
    if example is None or example.info["type"] != "json_object":
        return False
    return not _wants_frames(model) or isinstance(example.data, list) and not any(
        isinstance(each, (dict, list)) for each in example.data)


def _inferred(model: Any, example: Example, name: str) -> Tuple[Optional[ModelSignature], bool]:
    """What MLflow infers from an example; None, with a warning, when the model cannot predict on
    it. And whether it predicts pandas data."""
    try:
        inputs = infer_schema(example.data)
        params = infer_params(example.params) if example.params else None
        if not hasattr(model, "predict"):
            return ModelSignature(inputs, None, params), False
        known: Dict[str, Any] = {}
        if params or not keeps_form(model, example):
            taken = None if keeps_form(model, example) else inputs
            known["signature"] = ModelSignature(taken, None, params).to_dict()
        output = PyFuncModel(model, known).predict(example.data, example.params)
    except Exception as error:  # noqa: BLE001 - anything that a model raises
        warn(f"signature {name}", f"model {name} has no signature: it does not predict on its "
                                  f"input example: {reason(error)}")
        return None, False
    is_pandas = is_frame(output) or is_series(output)
    if not inputs.is_tensor_spec() and is_array(output) and output.ndim == 1:
        # A prediction for each row: a column, as the inputs are.
        output = _column(output)
    outputs = None if output is None else infer_signature(None, output).outputs
    return ModelSignature(inputs, outputs, params), is_pandas


def _column(array: Any) -> Any:
    try:
        import pandas
    except ImportError:
        return array
    return pandas.Series(array)


def _example(model: Any, given: Any, name: str) -> Optional[Example]:
    """The example that is kept; estimators' rows of numbers are an array."""
    if given is None:
        return None
    data, params = given if isinstance(given, tuple) and len(given) == 2 and isinstance(
        given[1], dict) else (given, None)
    try:
        if _wants_frames(model) and isinstance(data, list) and data and isinstance(data[0], list):
            import numpy

            array = numpy.array(data)
            if array.dtype.kind in "biuf":
                given = array if params is None else (array, params)
        return Example(given)
    except Exception as error:  # noqa: BLE001 - whatever a library raises for odd data
        warn(f"example {name}", f"the input example of model {name} is not kept: {reason(error)}")
        return None


# --- Requirements ---

def requirements_of(model: Any, pickle_path: Optional[str], pickler: str, name: str,
                    pandas: bool) -> List[str]:
    """The packages that a model needs where it is loaded, pinned to the versions it has here.

    `pickle_path` is the file that it was pickled to, by `pickler`; None for a file of its library.
    """
    modules = _requirements.modules_of(type(model))
    if is_sklearn(model):
        modules |= _SKLEARN_NEEDS
    if pickle_path is None:
        # XGBoost and LightGBM need them themselves.
        modules |= {"numpy", "scipy"}
    else:
        modules |= _requirements.modules_in(pickle_path) | {pickler}
    if pandas:
        modules.add("pandas")
    return _requirements.pin(modules, name)


def _takes_pandas(signature: Optional[ModelSignature], example: Optional[Example]) -> bool:
    """Whether what a model is given or gives is pandas data: columns are held against a signature
    by pandas."""
    if not _requirements.is_installed("pandas"):
        return False
    if example is not None and is_frame(example.data):
        return True
    inputs, outputs = (None, None) if signature is None else (signature.inputs, signature.outputs)
    return (inputs is not None and not inputs.is_tensor_spec()) or (
        outputs is not None and not outputs.is_tensor_spec() and outputs.has_input_names())


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


def _write(folder: str, file: str, text: str) -> None:
    with open(os.path.join(folder, file), "w", encoding="utf-8") as out:
        out.write(text)


def _write_environment(folder: str, python: str, needs: List[str]) -> None:
    """Writes the files that say where a model can be loaded."""
    _write(folder, "requirements.txt", "".join(f"{line}\n" for line in needs))
    _write(folder, "python_env.yaml", _yaml.dump({
        "python": python, "build_dependencies": ["pip"],
        "dependencies": ["-r requirements.txt"]}))
    _write(folder, "conda.yaml", _yaml.dump({
        "name": "mlflow-env", "channels": ["conda-forge"],
        "dependencies": [f"python={python}", "pip", {"pip": needs}]}))


def write_model(model: Any, folder: str, *, name: str, model_id: str = "", run_id: str = "",
                signature: Any = None, input_example: Any = None,
                requirements: Optional[List[str]] = None,
                metadata: Optional[Mapping[str, Any]] = None,
                test: bool = True) -> Dict[str, Any]:
    """Writes a model directory into an empty folder; what MLmodel says of it.

    With an example and `test` the model is loaded back by a new process and predicts on it; what
    it gives is written beside, and a failure is a warning.
    """
    if not is_sklearn(model) and not hasattr(model, "predict"):
        raise LinajeError(INVALID_ARGUMENT, f"a {type(model).__name__} has no predict; give a "
                                            f"scikit-learn estimator or an object with predict")
    form = _boosting.native(model)
    path = None if form is not None else os.path.join(folder, PICKLE_FILE)
    if form is not None:
        _boosting.write(model, form, folder)
    pickler = "" if path is None else pickle_model(model, path)
    python = platform.python_version()
    described: Dict[str, Any] = {
        "artifact_path": name, "flavors": _flavors(model, pickler, python),
        "utc_time_created": datetime.datetime.now(datetime.timezone.utc).strftime(
            "%Y-%m-%d %H:%M:%S.%f")}
    if model_id:
        described.update(model_id=model_id, model_uuid=model_id, run_id=run_id)
    example = _example(model, input_example, name)
    found, predicts_pandas = signature_of(model, signature, example, name)
    needs = list(requirements) if requirements is not None else requirements_of(
        model, path, pickler, name, predicts_pandas or _takes_pandas(found, example))
    _write_environment(folder, python, needs)
    if found is not None:
        described.update(signature=found.to_dict(), is_signature_from_type_hint=False,
                         type_hint_from_example=keeps_form(model, example))
    if example is not None:
        example.write(folder)
        described["saved_input_example_info"] = example.info
    if metadata:
        described["metadata"] = json.loads(json_text(metadata))

    def describe() -> None:
        described["model_size_bytes"] = sum(
            os.path.getsize(os.path.join(folder, file))
            for file in os.listdir(folder) if file != MODEL_FILE)
        _write(folder, MODEL_FILE, _yaml.dump(described))

    describe()
    if example is not None and test and hasattr(model, "predict"):
        failure = self_test(folder)
        if failure is None:
            describe()
        else:
            warn(f"self-test {name}", f"model {name}, loaded back, does not predict on its input "
                                      f"example: {failure}")
    return described


def _flavors(model: Any, pickler: str, python: str) -> Dict[str, Any]:
    generic: Dict[str, Any] = {"python_version": python, "env": {
        "conda": "conda.yaml", "virtualenv": "python_env.yaml"}}
    form = _boosting.native(model)
    if form is not None:
        generic.update({"loader_module": f"mlflow.{form.library}", "data": form.file})
        return {"python_function": generic, form.library: _boosting.facts(form)}
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
