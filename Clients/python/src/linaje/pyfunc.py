"""Models that predict: loaded with their signature, to which what they are given is held.

    model = linaje.pyfunc.load_model("models:/forest/Production")
    model.predict(frame)

`_load_pyfunc` is what MLflow calls to load a model of the generic flavor (`loader_module:
linaje.pyfunc`).
"""

import inspect
import os
import pickle
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional

from . import _boosting
from ._errors import INVALID_ARGUMENT, LinajeError
from ._log import warn
from ._schema import ModelSignature

if TYPE_CHECKING:
    from ._client import Client

__all__ = ["PyFuncModel", "load_model"]


def _load_pyfunc(path: str) -> Any:
    """The object of a model directory's `data` file; it has `predict`."""
    with open(path, "rb") as file:
        return pickle.load(file)  # noqa: S301 - loading a model runs it; the caller chose it


class PyFuncModel:
    """A model and its signature. `metadata` is what its MLmodel says."""

    def __init__(self, model: Any, metadata: Mapping[str, Any], predict_fn: str = "predict",
                 folder: str = "") -> None:
        if not callable(getattr(model, predict_fn, None)):
            raise LinajeError(INVALID_ARGUMENT, f"a {type(model).__name__} has no {predict_fn}; "
                                                f"linaje.load_model gives the object itself")
        self.metadata: Dict[str, Any] = dict(metadata)
        self.signature = signature_in(metadata)
        self._model = model
        own = _boosting.predictor(model) if predict_fn == "predict" else None
        self._predict = own or getattr(model, predict_fn)
        self._folder = folder
        self._example: Any = None

    def __repr__(self) -> str:
        return f"<linaje.PyFuncModel of {type(self._model).__name__}>"

    def get_raw_model(self) -> Any:
        """The object itself, which checks nothing."""
        return self._model

    @property
    def input_example(self) -> Any:
        """The input example of the model, in the types of its signature; None without one."""
        info = self.metadata.get("saved_input_example_info")
        if self._example is None and info and self._folder:
            from ._examples import read_example

            self._example = read_example(self._folder, info, self.signature)[0]
        return self._example

    def predict(self, data: Any, params: Optional[Mapping[str, Any]] = None) -> Any:
        """Predicts on data that fit the signature; the model gets the signature's columns in its
        order and types, and params with their defaults.

        LinajeError before the model is called names what is missing or wrong, what was wanted and
        found, and what to do. A model without a signature gets what is given.
        """
        signature = self.signature
        if signature is not None and signature.inputs is not None and not self.metadata.get(
                "is_signature_from_type_hint"):
            from ._enforce import enforce_schema

            data = enforce_schema(data, signature.inputs)
            if self.metadata.get("type_hint_from_example"):
                data = _like(data, self.input_example)
        from ._params import enforce_params

        checked = enforce_params(params, None if signature is None else signature.params)
        if _takes_params(self._predict):
            return self._predict(data, params=checked)
        if params and checked:
            warn("params-unused", f"params {list(checked)} are ignored: predict of "
                                  f"{type(self._model).__name__} takes no params")
        return self._predict(data)


def _takes_params(predict: Any) -> bool:
    try:
        found = inspect.signature(predict).parameters.get("params")
    except (TypeError, ValueError):
        return False
    return found is not None and found.kind is not inspect.Parameter.VAR_KEYWORD


def _like(data: Any, example: Any) -> Any:
    """A data frame in the form of the example: a scalar, a mapping or a list."""
    from ._signature import is_frame

    if not is_frame(data) or example is None or is_frame(example):
        return data
    if isinstance(example, dict):
        return data.to_dict(orient="records")[0] if len(data) == 1 else data
    if isinstance(example, list):
        if len(data.columns) == 1 and not any(isinstance(each, (dict, list)) for each in example):
            return data.iloc[:, 0].tolist()
        return data.to_dict(orient="records")
    return data.iloc[0, 0]


def signature_in(metadata: Mapping[str, Any]) -> Optional[ModelSignature]:
    """The signature of what an MLmodel file says. LinajeError for one that is malformed."""
    found = metadata.get("signature")
    if not found:
        return None
    if not isinstance(found, Mapping):
        raise LinajeError(INVALID_ARGUMENT, f"signature in MLmodel is no mapping: {found!r:.60}")
    try:
        return ModelSignature.from_dict(found)
    except LinajeError as error:
        raise LinajeError(INVALID_ARGUMENT, f"signature in MLmodel is malformed: {error.message}; "
                                            f"linaje.load_model gives the model without it",
                          details=error.details) from None


def read_metadata(folder: str) -> Dict[str, Any]:
    """What the MLmodel file of a model directory says."""
    from ._mlmodel import MODEL_FILE
    from ._yaml_read import load

    path = os.path.join(folder, MODEL_FILE)
    try:
        with open(path, encoding="utf-8") as file:
            found = load(file.read())
    except (OSError, UnicodeDecodeError) as error:
        raise LinajeError(INVALID_ARGUMENT, f"{path} cannot be read: {error}; give the directory "
                                            f"of a model") from None
    except LinajeError as error:
        raise LinajeError(INVALID_ARGUMENT, f"{path}: {error.message}") from None
    if not isinstance(found, dict):
        raise LinajeError(INVALID_ARGUMENT, f"{path} describes no model")
    return found


def load_model(uri: str, *, using: Optional["Client"] = None) -> PyFuncModel:
    """The model of a models:/ URI, or of a directory on this machine, ready to predict.

    What is fetched is checked as `linaje.load_model` does it, and the signature is read before
    anything is loaded.
    """
    from . import _mlmodel, _models

    local = os.path.isdir(uri)
    folder = uri if local else _models.download_model(uri, using=using)
    metadata = read_metadata(folder)
    signature_in(metadata)
    flavors = metadata.get("flavors")
    generic = flavors.get("python_function") if isinstance(flavors, dict) else None
    if not isinstance(generic, dict):
        raise LinajeError(INVALID_ARGUMENT, f"{uri} has no flavor python_function; "
                                            f"linaje.load_model or linaje.download_model bring "
                                            f"what it has")
    loader = generic.get("loader_module")
    if loader not in _mlmodel.LOADERS:
        raise LinajeError(INVALID_ARGUMENT, f"{uri} is loaded by {loader}; use "
                                            f"mlflow.pyfunc.load_model({folder!r})")
    model = _models.load_object(folder, metadata, uri)
    return PyFuncModel(model, metadata, str(generic.get("predict_fn") or "predict"), folder)
