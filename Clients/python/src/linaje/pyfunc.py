"""What MLflow calls to load a model of the generic flavor (`loader_module: linaje.pyfunc`)."""

import pickle
from typing import Any


def _load_pyfunc(path: str) -> Any:
    """The object of a model directory's `data` file; it has `predict`."""
    with open(path, "rb") as file:
        return pickle.load(file)  # noqa: S301 - loading a model runs it; the caller chose it
