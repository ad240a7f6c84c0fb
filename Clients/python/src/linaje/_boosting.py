"""Models of XGBoost and LightGBM in the files of these libraries, as MLflow keeps them (MLflow 3,
mlflow/xgboost and mlflow/lightgbm).

Nothing of this imports a library before one of its models is there.
"""

import os
import sys
from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional

from ._errors import INVALID_ARGUMENT, LinajeError
from ._log import warn
from ._signature import reason

_BOOSTERS = {"xgboost": "xgboost.core.Booster", "lightgbm": "lightgbm.basic.Booster"}
# Estimators that XGBoost itself writes and reads. LightGBM's are pickled, as MLflow does it.
_ESTIMATORS = {f"xgboost.sklearn.{name}" for name in (
    "XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor", "XGBRanker")}
_FILES = {"xgboost": "model.ubj", "lightgbm": "model.lgb"}
LOADERS = tuple(f"mlflow.{library}" for library in _FILES)


class Native(NamedTuple):
    """How a model is kept: by which library, which is the name of the flavor, and as what."""

    library: str
    model_class: str

    @property
    def file(self) -> str:
        """The model's file in its directory."""
        return _FILES[self.library]


# --- Writing ---

def native(model: Any) -> Optional[Native]:
    """How a model is written by its own library; None for what is pickled.

    Classes that somebody derived are pickled, and so are estimators that their file would change:
    it does not say which value is a missing one. What is not fitted has no file.
    """
    kind = type(model)
    name = f"{kind.__module__}.{kind.__qualname__}"
    library = name.split(".")[0]
    if name == _BOOSTERS.get(library):
        return Native(library, name)
    if name not in _ESTIMATORS or not model.__sklearn_is_fitted__():
        return None
    is_nan = isinstance(model.missing, float) and model.missing != model.missing
    return Native(library, name) if is_nan else None


def write(model: Any, form: Native, folder: str) -> None:
    """Writes the model's file. LinajeError when the library cannot."""
    try:
        model.save_model(os.path.join(folder, form.file))
    except Exception as error:  # noqa: BLE001 - whatever the library raises
        raise LinajeError(INVALID_ARGUMENT, f"a {form.model_class} is not saved by {form.library}: "
                                            f"{reason(error)}; log its files with "
                                            f"log_artifacts") from None


def facts(form: Native) -> Dict[str, Any]:
    """What MLmodel says of the flavor."""
    version = sys.modules[form.library].__version__
    said = {"data": form.file, "model_class": form.model_class, "code": None}
    if form.library == "xgboost":
        return {**said, "xgb_version": version, "model_format": "ubj"}
    return {**said, "lgb_version": version}


# --- Predicting ---

def predictor(model: Any) -> Optional[Callable[..., Any]]:
    """`predict` of a model of XGBoost as MLflow calls it: boosters get their matrix made, params
    are its arguments. None for other models, which predict by themselves."""
    form = native(model)
    if form is None or form.library != "xgboost":
        return None

    def predict(data: Any, params: Optional[Mapping[str, Any]] = None) -> Any:
        import inspect

        accepted = inspect.signature(model.predict).parameters
        odd = [name for name in params or {} if name not in accepted]
        if odd:
            warn("params-unused", f"params {odd} are ignored: predict of {form.model_class} takes "
                                  f"none of these names")
        options = {name: each for name, each in (params or {}).items() if name in accepted}
        if form.model_class == _BOOSTERS["xgboost"]:
            data = sys.modules["xgboost"].DMatrix(
                data, enable_categorical="c" in (model.feature_types or ()))
        return model.predict(data, **{"validate_features": True, **options})

    return predict


# --- Loading ---

def load(folder: str, described: Mapping[str, Any], uri: str) -> Any:
    """The model that MLmodel names a library's own file of; None where it names none.
    LinajeError when it cannot be loaded."""
    flavors = described.get("flavors")
    if not isinstance(flavors, dict):
        return None
    generic = flavors.get("python_function")
    loader = generic.get("loader_module") if isinstance(generic, dict) else None
    for library in _FILES:
        said = flavors.get(library)
        if isinstance(said, dict) and loader in (None, f"mlflow.{library}"):
            name = str(said.get("model_class") or _BOOSTERS[library])
            # MLflow pickles the estimators of LightGBM.
            if library == "xgboost" or name == _BOOSTERS[library]:
                return _read(library, name, _inside(folder, said.get("data"), uri), uri, folder)
    return None


def _inside(folder: str, path: Any, uri: str) -> str:
    whole = os.path.join(folder, path) if isinstance(path, str) and not os.path.isabs(
        path) and ".." not in path.split("/") else ""
    if not os.path.isfile(whole):
        raise LinajeError(INVALID_ARGUMENT, f"{uri}: MLmodel names the file {path!r:.80}, which is "
                                            f"none of the model; linaje.download_model brings what "
                                            f"it has")
    return whole


def _read(library: str, name: str, path: str, uri: str, folder: str) -> Any:
    if name != _BOOSTERS[library] and name not in _ESTIMATORS:
        raise LinajeError(INVALID_ARGUMENT, f"{uri} is a {name!r:.80}, which is not known here; "
                                            f"use mlflow.{library}.load_model({folder!r})")
    try:
        if library == "lightgbm":
            import lightgbm

            return lightgbm.Booster(model_file=path)
        import xgboost

        model = getattr(xgboost, name.rpartition(".")[2])()
        model.load_model(path)
        return model
    except ImportError as error:
        raise LinajeError(INVALID_ARGUMENT, f"{uri} needs a package that is missing here: {error}; "
                                            f"see its requirements.txt in {folder}") from None
    except Exception as error:  # noqa: BLE001 - whatever the library raises for odd bytes
        raise LinajeError(INVALID_ARGUMENT, f"{uri} is not loaded by {library}: "
                                            f"{reason(error)}") from None
