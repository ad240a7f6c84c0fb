"""Linaje: runs, metrics, artifacts and models with their lineage.

    import linaje

    with linaje.start_run(name="forest", experiment="cancer"):
        linaje.log_param("trees", 100)
        for step, loss in enumerate(training()):
            linaje.log_metric("loss", loss, step)
        linaje.log_model(model, "model", input_example=X[:5])

    model = linaje.load_model("models:/forest/Production")

Logging costs microseconds and never fails because of the daemon: what it cannot take now waits in
a spool and follows once. Calls that ask something (`register_model`, `load_model`, searches) are
answered at once or raise `LinajeError`.
"""

import time as _time
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple, Union

from . import _run, pyfunc, types
from ._autolog import autolog
from ._client import Client
from ._datasets import Dataset
from ._errors import LinajeError
from ._models import (ModelInfo, client, download_model, load_model, log_model, register_model,
                      save_model, set_alias, transition_stage)
from ._provenance import capture_now, capture_slowly
from ._replay import replay_spools
from ._params import ParamSchema, ParamSpec
from ._run import Run, Time, active_run, end_run, start_run
from ._schema import ColSpec, ModelSignature, Schema, TensorSpec
from ._sender import sender
from ._signature import infer_signature
from ._types import DataType
from ._version import __version__
from ._wire import Message

__all__ = [
    "Client", "ColSpec", "DataType", "Dataset", "LinajeError", "Message", "ModelInfo",
    "ModelSignature", "ParamSchema", "ParamSpec", "Run", "Schema", "TensorSpec", "__version__",
    "active_run", "autolog", "capture", "delete_tag", "download_model", "end_run", "flush",
    "get_metric_history", "get_run", "infer_signature", "lineage", "load_model", "log_artifact",
    "log_artifacts", "log_input", "log_input_model", "log_metric", "log_metrics", "log_model",
    "log_param", "log_params", "log_text", "pyfunc", "register_model", "save_model",
    "search_runs", "set_alias", "set_tag", "set_tags", "start_run", "sync", "transition_stage",
    "types"]


def log_metric(key: str, value: float, step: Optional[int] = None, time: Time = None,
               model_id: Optional[str] = None, dataset: Any = None) -> None:
    """Adds one point to the active run; see `Run.log_metric`."""
    (active_run() or start_run()).log_metric(key, value, step, time, model_id, dataset)


def log_metrics(metrics: Mapping[str, float], step: Optional[int] = None, time: Time = None,
                model_id: Optional[str] = None, dataset: Any = None) -> None:
    """Adds one point of several metrics; see `Run.log_metrics`."""
    _run.current_run().log_metrics(metrics, step, time, model_id, dataset)


def log_param(key: str, value: Any) -> Any:
    """Sets a param of the active run; see `Run.log_param`."""
    return _run.current_run().log_param(key, value)


def log_params(params: Mapping[str, Any]) -> None:
    """Sets several params of the active run."""
    _run.current_run().log_params(params)


def set_tag(key: str, value: Any) -> None:
    """Sets a tag of the active run."""
    _run.current_run().set_tag(key, value)


def set_tags(tags: Mapping[str, Any]) -> None:
    """Sets several tags of the active run."""
    _run.current_run().set_tags(tags)


def delete_tag(key: str) -> None:
    """Removes a tag of the active run."""
    _run.current_run().delete_tag(key)


def log_artifact(path: Any, artifact_path: str = "") -> None:
    """Stores a file among the active run's artifacts; see `Run.log_artifact`."""
    _run.current_run().log_artifact(path, artifact_path)


def log_artifacts(folder: Any, artifact_path: str = "") -> None:
    """Stores a folder's files among the active run's artifacts; see `Run.log_artifacts`."""
    _run.current_run().log_artifacts(folder, artifact_path)


def log_text(text: str, artifact_file: str) -> None:
    """Stores a text as an artifact of the active run."""
    _run.current_run().log_text(text, artifact_file)


def log_input(data: Any, name: Optional[str] = None, context: str = "training",
              tags: Optional[Mapping[str, str]] = None) -> Dataset:
    """Records a data set as an input of the active run and returns it, with its digest.

    `data` is a path to a file or folder, an array or a data frame. The whole content is read and
    digested before this returns. A `.dvc` pointer beside a path is attached, with DVC's MD5.
    """
    return _run.current_run().log_input(data, name, context, tags)  # type: ignore[no-any-return]


def log_input_model(uri: str, role: str = "derived_from", step: int = 0) -> None:
    """Records a model as an input of the active run; see `Run.log_input_model`."""
    _run.current_run().log_input_model(uri, role, step)


def flush(timeout: Optional[float] = None) -> bool:
    """Waits until all that was logged is durable; False when that took longer than `timeout`
    seconds. None waits for ever."""
    begin = _time.monotonic()
    captured = _run.await_captures(timeout)
    left = None if timeout is None else max(0.0, timeout - (_time.monotonic() - begin))
    return sender.flush(left) and captured


def sync() -> Tuple[int, int]:
    """Replays what processes of this user that are gone could not send: (spools sent, spools that
    still wait)."""
    return replay_spools()


def capture() -> Dict[str, Any]:
    """What is recorded of code, environment and machine, without starting a run."""
    found, _ = capture_slowly()
    return {**capture_now(), **found}


def get_run(run_id: str) -> Message:
    """A run with everything known of it. Raises LinajeError."""
    return client().get_run(run_id)


def search_runs(experiments: Iterable[Union[str, int]] = (), *, statuses: Iterable[str] = (),
                tags: Optional[Mapping[str, str]] = None, parent: Optional[str] = None,
                limit: Optional[int] = None, filter: str = "",
                order_by: Union[str, Iterable[str]] = ()) -> List[Message]:
    """Runs, newest first unless `order_by` says otherwise, with their last metrics.

    search_runs(filter="metrics.loss < 0.1 AND params.lr = '0.1'", order_by="metrics.loss DESC")

    Raises LinajeError, which points at the character for a filter that is malformed.
    """
    return client().search_runs(experiments, statuses=statuses, tags=tags, parent=parent,
                                limit=limit, filter=filter, order_by=order_by)


def get_metric_history(run_id: str, key: str, *, first_step: Optional[int] = None,
                       last_step: Optional[int] = None) -> List[Tuple[int, float, float]]:
    """All points of a metric as (step, seconds since 1970 UTC, value), by step, time, arrival.
    Raises LinajeError."""
    out: List[Tuple[int, float, float]] = []
    for part in client().metric_history(run_id, [key], first_step=first_step,
                                        last_step=last_step):
        out += zip(part.step, (time / 1e6 for time in part.time_us), part.value)
    return out


def lineage(uri: str, depth: int = 0) -> Message:
    """Where a models:/ or runs:/ URI came from (LineageGraph). Raises LinajeError."""
    return client().lineage(uri, depth)
