"""Runs: what training code talks to. Nothing here waits for the daemon or fails because of it."""

import datetime
import operator
import os
import sys
import threading
import time as _time
from struct import error as StructError
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Tuple, Union

from . import _provenance, _upload, _wire
from ._background import Background
from ._client import model_bytes, new_timed_id, run_bytes
from ._errors import INVALID_ARGUMENT, RUN_NOT_ACTIVE, LinajeError
from ._heartbeat import heartbeat_lease
from ._log import warn
from ._metrics import MAX_POINTS_WAITING, Series, pack_point
from ._operations import call_body, remove_staged
from ._sender import close_at_exit, sender

ParamValue = Union[str, int, float, bool]
Time = Union[float, int, datetime.datetime, None]
_now_ns = _time.time_ns
_KEY_BYTES = 250
_PARAM_BYTES = 6_000
_TAG_BYTES = 100_000
_ITEMS = 1_000
CAPTURE_TIMEOUT = 10.0


def _check_key(key: Any, noun: str) -> str:
    if not isinstance(key, str) or not key:
        raise ValueError(f"key of a {noun} must be a text that is not empty, not {key!r}")
    if len(key.encode("utf-8", "surrogatepass")) > _KEY_BYTES:
        raise ValueError(f"key of {noun} {key[:60]!r}… is longer than {_KEY_BYTES} bytes")
    if any(ord(letter) < 0x20 or ord(letter) == 0x7F or 0xD800 <= ord(letter) < 0xE000
           for letter in key):
        raise ValueError(f"key of {noun} {key!r} holds a character that cannot be shown")
    return key


def _text(value: Any) -> str:
    return str(value).encode("utf-8", "replace").decode()


def param_fields(key: str, value: Any) -> Dict[str, Any]:
    """The Param message of a value: truth values, whole numbers and numbers keep their type, all
    else becomes text."""
    _check_key(key, "param")
    if hasattr(value, "item") and getattr(value, "shape", None) == ():
        value = value.item()
    if isinstance(value, bool):
        return {"key": key, "bool_value": value}
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return {"key": key, "int_value": value}
    if isinstance(value, float):
        return {"key": key, "double_value": value}
    text = _text(value)
    if len(text.encode()) > _PARAM_BYTES:
        raise ValueError(f"param {key!r} has {len(text.encode())} bytes; at most {_PARAM_BYTES} "
                         f"are allowed: log it as an artifact")
    return {"key": key, "string_value": text}


def tag_fields(key: str, value: Any) -> Dict[str, Any]:
    """The Tag message of a value."""
    text = _text(value)
    if len(text.encode()) > _TAG_BYTES:
        raise ValueError(f"tag {key!r} has {len(text.encode())} bytes; at most {_TAG_BYTES} are "
                         f"allowed: log it as an artifact")
    return {"key": _check_key(key, "tag"), "value": text}


def _microseconds(time: Time) -> int:
    if isinstance(time, datetime.datetime):
        time = time.timestamp()
    if not isinstance(time, (int, float)) or time != time or abs(time) > 9e12:
        raise ValueError(f"time {time!r} is neither seconds since 1970 UTC nor a datetime")
    return round(time * 1_000_000)


class Run:
    """A run of this process. Use `linaje.start_run`, which also makes it the active one."""

    def __init__(self, run_id: bytes, name: str, experiment: Union[str, int, None],
                 created: bool, parent: Optional[bytes]) -> None:
        self.run_id = run_id.hex()
        self.name = name
        self.experiment = experiment
        self.parent_id = parent.hex() if parent else None
        self.status = "RUNNING"
        self._id = run_id
        self._owner = os.getpid()
        self._queue = sender.queue_for(run_id, created)
        self._next_step: Dict[Series, int] = {}
        self._capture: Optional[Background] = None
        self._ending = threading.RLock()
        self._end_later: Optional[Callable[[], None]] = None
        self._provenance: Dict[str, Any] = {}
        self._on_end: List[Callable[[], None]] = []
        # Whether `linaje run` owns the run, and this process only works on it.
        self._joined = False

    def __repr__(self) -> str:
        return f"<linaje.Run {self.run_id} {self.name!r} {self.status}>"

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if self.status == "RUNNING":
            killed = kind is not None and issubclass(kind, KeyboardInterrupt)
            end_run("FINISHED" if kind is None else "KILLED" if killed else "FAILED", run=self)

    @property
    def uri(self) -> str:
        """runs:/ID"""
        return f"runs:/{self.run_id}"

    # --- Metrics ---

    def log_metric(self, key: str, value: float, step: Optional[int] = None, time: Time = None,
                   model_id: Optional[str] = None, dataset: Any = None) -> None:
        """Adds one point. NaN and infinities are values.

        Without a `step` it is one more than the last of the same series, from 0 on. `time` is in
        seconds since 1970 UTC, or a datetime; without it, now. `model_id` and `dataset` say what
        was measured on what. Costs microseconds; ValueError for what is no metric.
        """
        series: Series = key
        if model_id is not None or dataset is not None:
            series = self._series(key, model_id, dataset)
        steps, queue = self._next_step, self._queue
        try:
            if step is None:
                step = steps[series]
            elif step.__class__ is not int:
                step = operator.index(step)
            if series not in steps:
                raise KeyError
            if value.__class__ is not float:
                value = float(value)
        except KeyError:
            self._admit(series)
            step = 0 if step is None else step
            value = _number(key, value)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"metric {key!r}: value {value!r} at step {step!r} is no number at a "
                             f"whole step") from None
        steps[series] = step + 1
        points = queue.points
        if len(points) >= MAX_POINTS_WAITING:
            queue.make_room()
        try:
            points.append(pack_point(queue.series[series], step, _now_ns() // 1000 if time is None
                                     else _microseconds(time), value))
        except StructError as error:
            queue.misfit(error)
        if queue.idle:
            sender.wake(queue)

    def log_metrics(self, metrics: Mapping[str, float], step: Optional[int] = None,
                    time: Time = None, model_id: Optional[str] = None,
                    dataset: Any = None) -> None:
        """Adds one point of several metrics at the same step and moment."""
        now: Time = _now_ns() / 1e9 if time is None else time
        for key, value in metrics.items():
            self.log_metric(key, value, step, now, model_id, dataset)

    def _series(self, key: str, model_id: Optional[str], dataset: Any) -> Series:
        name = digest = ""
        if dataset is not None:
            name = str(getattr(dataset, "name", dataset))
            digest = str(getattr(dataset, "digest", ""))
        return (key, model_bytes(model_id) if model_id else b"", name, digest)

    def _admit(self, series: Series) -> None:
        """The first point of a series: its texts are checked once."""
        if self.status != "RUNNING":
            raise LinajeError(RUN_NOT_ACTIVE, f"run {self.run_id} has ended; start another")
        _check_key(series[0] if isinstance(series, tuple) else series, "metric")
        self._queue.admit(series)
        self._next_step[series] = 0

    # --- Params, tags, inputs ---

    def log_param(self, key: str, value: ParamValue) -> ParamValue:
        """Sets a param, once: another value later is refused by the daemon, with a warning."""
        self.log_params({key: value})
        return value

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Sets several params."""
        self._log("params", [param_fields(str(key), value) for key, value in params.items()])

    def set_tag(self, key: str, value: Any) -> None:
        """Sets or replaces a tag."""
        self.set_tags({key: value})

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Sets or replaces several tags."""
        fields = [tag_fields(str(key), value) for key, value in tags.items()]
        for start in range(0, len(fields), _ITEMS):
            self._submit("LogRun", {"id": self._id,
                                    "tags": {"set": fields[start:start + _ITEMS]}})

    def delete_tag(self, key: str) -> None:
        """Removes a tag."""
        self._submit("LogRun", {"id": self._id, "tags": {"remove": [_check_key(key, "tag")]}})

    def _log(self, field: str, entries: List[Dict[str, Any]]) -> None:
        for start in range(0, len(entries), _ITEMS):
            self._submit("LogRun", {"id": self._id, field: entries[start:start + _ITEMS]})

    def log_input(self, data: Any, name: Optional[str] = None, context: str = "training",
                  tags: Optional[Mapping[str, str]] = None) -> Any:
        """Records a data set as an input, by the digest of its whole content; see
        `linaje.log_input`."""
        from ._datasets import describe

        dataset = describe(data, name)
        fields = {**dataset.fields, "context": context,
                  "tags": dataset.fields.get("tags", []) + [
                      tag_fields(key, value) for key, value in (tags or {}).items()]}
        self._log("datasets", [fields])
        return dataset

    def log_input_model(self, uri: str, role: str = "derived_from", step: int = 0) -> None:
        """Records a model as an input: a models:/ URI, or any other name of a pre-trained one."""
        link: Dict[str, Any] = {"uri": str(uri), "role": role, "step": step}
        if str(uri).startswith("models:/m-"):
            link["logged_model_id"] = model_bytes(str(uri)[len("models:/"):])
        self._log("model_inputs", [link])

    # --- Files ---

    def log_artifact(self, path: Union[str, "os.PathLike[str]"], artifact_path: str = "") -> None:
        """Stores a file among the run's artifacts, in folder `artifact_path` (the root).

        What the file holds now is what is stored; it may be removed or replaced at once. A file of
        up to 1 MiB is read before this returns. A larger one is copied in the background: written
        to in place within that moment, it is stored as it is afterwards, with a warning.
        LinajeError for a path that is no file.
        """
        source = os.fspath(path)
        if not os.path.isfile(source):
            raise LinajeError(INVALID_ARGUMENT, f"{source} is no file; give a file, or a folder to "
                                                f"log_artifacts")
        self._upload([(os.path.basename(source), source)], artifact_path)

    def log_artifacts(self, folder: Union[str, "os.PathLike[str]"],
                      artifact_path: str = "") -> None:
        """Stores a folder's files among the run's artifacts, below `artifact_path` (the root);
        each as `log_artifact` does, so this costs what listing the folder and reading its small
        files cost."""
        source = os.fspath(folder)
        if not os.path.isdir(source):
            raise LinajeError(INVALID_ARGUMENT, f"{source} is no folder; give a folder, or a file "
                                                f"to log_artifact")
        self._upload(_upload.walk(source), artifact_path)

    def log_text(self, text: str, artifact_file: str) -> None:
        """Stores a text as an artifact file."""
        folder, _, name = _upload.check_path(artifact_file).rpartition("/")
        body = _upload.upload_body([_upload.text_entry(name, text)], self._id, folder)
        sender.submit(self._queue, self._marked(body))

    def _upload(self, files: Iterable[Tuple[str, str]], artifact_path: str) -> bool:
        """Hands (path in the artifact, file) over to be stored as one; False when a file cannot be
        read."""
        if artifact_path:
            artifact_path = _upload.check_path(artifact_path.rstrip("/"))
        body = _upload.upload_body([], self._id, artifact_path)
        try:
            for path, source in files:
                body["files"].append(_upload.take(path, source, whole=sender.may_hold(body)))
                if not sender.may_open(body):
                    _upload.settle(sender.folder, body)
        except OSError as error:
            # Logging does not end a training because a disk is full.
            remove_staged(body)
            warn("stage", f"artifacts were not stored: {error}")
            return False
        if body["files"]:
            sender.submit(self._queue, self._marked(body))
        return True

    # --- Life ---

    def _submit(self, method: str, fields: Dict[str, Any], *, barrier: bool = False,
                experiment: Optional[str] = None,
                on_done: Optional[Callable[[Any], None]] = None) -> None:
        if self.status != "RUNNING" and method == "LogRun":
            raise LinajeError(RUN_NOT_ACTIVE, f"run {self.run_id} has ended; start another")
        sender.submit(self._queue, self._marked(
            call_body(method, fields, barrier=barrier, experiment=experiment)), on_done)

    def _marked(self, body: Dict[str, Any]) -> Dict[str, Any]:
        """A change of a run that somebody else creates waits until it is there."""
        return {**body, "joined": _time.time()} if self._joined else body

    def _join(self, tags: Mapping[str, Any], params: Mapping[str, Any]) -> None:
        """Works on the run that `linaje run` has started for this process and will end."""
        self._joined = True
        if self.name and not os.environ.get("LINAJE_RUN_NAME"):
            self._submit("UpdateRun", {"id": self._id, "name": self.name})
        if tags:
            self.set_tags(tags)
        if params:
            self.log_params(params)

    def _create(self, tags: Mapping[str, Any], params: Mapping[str, Any],
                lease: Dict[str, int]) -> None:
        fields: Dict[str, Any] = {
            "id": self._id, "name": self.name, "user": _provenance.user(),
            "started_at_us": _now_ns() // 1000,
            "parent_id": bytes.fromhex(self.parent_id) if self.parent_id else b"",
            "tags": [tag_fields(key, value) for key, value in tags.items()],
            "params": [param_fields(key, value) for key, value in params.items()],
            "lease": lease}
        if isinstance(self.experiment, int):
            fields["experiment_id"] = self.experiment
        self._submit("CreateRun", fields, experiment=(
            self.experiment if isinstance(self.experiment, str) else None))
        sender.own(self._queue, lease)

    def _capture_provenance(self, purpose: str) -> None:
        """Starts the capture; what changes with time is taken before this returns."""
        known = _provenance.capture_now()
        known["purpose"] = purpose
        if self._joined:
            # `linaje run` has captured the code, the machine and the whole command line.
            known.pop("argv")

        def work() -> None:
            try:
                if self._joined:
                    known["packages"] = _provenance.packages()
                else:
                    found, patch = _provenance.capture_slowly()
                    known.update(found)
                    if patch:
                        self.log_text(patch, _provenance.DIFF_ARTIFACT)
                self._provenance = known
                # Not by _submit: the run may have ended meanwhile, and its end waits for this.
                sender.submit(self._queue, self._marked(call_body("LogRun", {
                    "id": self._id, "provenance": known, "merge_provenance": self._joined})))
            except Exception as error:  # noqa: BLE001 - provenance must not end the training
                warn("provenance", f"provenance was not captured: {error!r}")
            finally:
                self._captured()

        try:
            with self._ending:
                self._capture = Background("linaje-provenance", work)
                _captures.append(self)
        except RuntimeError as error:
            warn("provenance", f"provenance was not captured: {error}")

    def _captured(self) -> None:
        """No more provenance comes: a run that has ended meanwhile ends now."""
        with self._ending:
            self._capture, end = None, self._end_later
            self._end_later = None
        if self in _captures:
            _captures.remove(self)
        if end is not None:
            end()

    def _end(self, status: str) -> None:
        if self._owner != os.getpid() or self.status != "RUNNING":
            return
        ended_at = _now_ns() // 1000
        for callback in self._on_end:
            callback()
        cells = _provenance.notebook_cells()
        end: Dict[str, Any] = {"id": self._id, "status": _wire.enum_number("RunStatus", status)}
        if self._joined:
            # How it ended says who started it, by the exit code; this counts when that is 0.
            end["as_wish"] = True
        else:
            end.update(ended_at_us=ended_at, ended_cause="finished by its owner")

        def finish() -> None:
            if self._provenance.get("notebook") and cells != self._provenance.get(
                    "notebook_cells"):
                sender.submit(self._queue, self._marked(call_body("LogRun", {
                    "id": self._id, "merge_provenance": self._joined,
                    "provenance": {**self._provenance, "notebook_cells": cells}})))
            sender.forget(self._queue)
            self._submit("UpdateRun", end, barrier=True)

        self.status = status
        # From here on every series is new again, and _admit says that the run has ended.
        self._next_step = {}
        with self._ending:
            if self._capture is not None:
                # What made the run is not known yet; nobody waits for that here.
                self._end_later = finish
                return
        finish()


def await_captures(timeout: Optional[float]) -> bool:
    """Waits until nothing more is captured of any run; False when that took longer than `timeout`
    seconds."""
    deadline = None if timeout is None else _time.monotonic() + timeout
    for run in list(_captures):
        capture = run._capture
        if capture is not None:
            capture.join(None if deadline is None else max(0.0, deadline - _time.monotonic()))
    return not any(capture is not None and capture.is_alive()
                   for capture in [run._capture for run in list(_captures)])


def _number(key: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"metric {key!r}: value {value!r} is no number") from None


# --- The active run ------------------------------------------------------------------------------

_local = threading.local()
_started: List[Run] = []
_captures: List[Run] = []
_exit_hooked = False
_has_joined = False


def active_run() -> Optional[Run]:
    """The innermost run that this thread has started, else the last one that any has."""
    stack = getattr(_local, "stack", None)
    while stack and stack[-1].status != "RUNNING":
        stack.pop()
    if stack:
        return stack[-1]  # type: ignore[no-any-return]
    return _started[-1] if _started else None


def current_run() -> Run:
    """The active run; starts one when there is none."""
    return active_run() or start_run()


def start_run(name: Optional[str] = None, experiment: Union[str, int, None] = None,
              tags: Optional[Mapping[str, Any]] = None,
              params: Optional[Mapping[str, Any]] = None,
              parent: Union[str, bytes, Run, None] = None, purpose: str = "", *,
              run_id: Optional[str] = None, nested: bool = False,
              heartbeat: Optional[float] = None) -> Run:
    """Starts a run and makes it the active one; returns at once, daemon or not.

    `experiment` is a name (made if it is not there) or a number; without it, LINAJE_EXPERIMENT or
    0, "Default". A run started inside another (`nested=True`, or `parent` given) is its part. With
    `run_id` an existing run of this name is resumed. As a context manager the run ends FINISHED,
    FAILED when an exception leaves the block, KILLED when that is KeyboardInterrupt; without,
    at `end_run` or with the process.

    The daemon notices the end of this process by itself. With `heartbeat`, a number of seconds, it
    waits for signs of life instead, which are sent in the background: the run is STALLED while
    there are none for longer than that, and goes on with the next.

    Below `linaje run` (LINAJE_RUN_ID) the first run of a process is the one that command has
    started, which also ends it; the `name` counts unless the command line gave one, the
    `experiment` does not. Further runs are parts of it.
    """
    global _exit_hooked, _has_joined
    outer = active_run()
    if outer is not None and parent is None and not nested:
        raise LinajeError(RUN_NOT_ACTIVE, f"run {outer.run_id} is active; end it first, or start a "
                                          f"part of it with nested=True")
    if parent is None:
        parent_id = outer._id if outer is not None else None
    else:
        parent_id = parent._id if isinstance(parent, Run) else run_bytes(parent)
    if experiment is None:
        experiment = os.environ.get("LINAJE_EXPERIMENT") or (
            outer.experiment if outer is not None else None)
    lease = (heartbeat_lease(heartbeat) if heartbeat
             else {"kind": _wire.enum_number("LeaseKind", "PROCESS")})
    around = None if run_id or parent_id else _run_around()
    joins = around is not None and not nested and not _has_joined
    identifier = around if joins else run_bytes(run_id) if run_id else new_timed_id()
    run = Run(identifier, name or "", experiment, created=joins or run_id is not None,
              parent=None if joins else parent_id or around)
    if joins:
        _has_joined = True
        run._join(tags or {}, params or {})
    elif run_id is None:
        run._create(tags or {}, params or {}, lease)
    else:
        run._submit("UpdateRun", {"id": identifier,
                                  "status": _wire.enum_number("RunStatus", "RUNNING")})
        sender.own(run._queue, lease)
        run._submit("AttachRun", {"id": identifier, "lease": lease})
        if tags:
            run.set_tags(tags)
        if params:
            run.log_params(params)
    if not _exit_hooked:
        _exit_hooked = True
        close_at_exit(_end_all)
        try:
            Background("linaje-replay", _replay)
        except RuntimeError as error:
            warn("sync", f"old spools were not replayed: {error}")
    if not hasattr(_local, "stack"):
        _local.stack = []
    _local.stack.append(run)
    _started.append(run)
    run._capture_provenance(purpose)
    return run


def _run_around() -> Optional[bytes]:
    """The run that `linaje run` has started around this process."""
    text = os.environ.get("LINAJE_RUN_ID")
    if not text:
        return None
    try:
        return run_bytes(text)
    except (LinajeError, ValueError) as error:
        warn("run-id", f"LINAJE_RUN_ID is ignored: {error}")
        return None


def _replay() -> None:
    from ._replay import replay_spools

    try:
        replay_spools()
    except Exception as error:  # noqa: BLE001 - an old spool must not end the training
        warn("sync", f"old spools were not replayed: {error!r}")


def end_run(status: str = "FINISHED", run: Optional[Run] = None) -> None:
    """Ends the active run (or `run`) with a status: FINISHED, FAILED or KILLED."""
    if status not in ("FINISHED", "FAILED", "KILLED"):
        raise ValueError(f"status {status!r} ends no run; use FINISHED, FAILED or KILLED")
    ending = run or active_run()
    if ending is None:
        return
    ending._end(status)
    if ending in _started:
        _started.remove(ending)
    stack = getattr(_local, "stack", [])
    if ending in stack:
        stack.remove(ending)


def _end_all() -> None:
    """The process ends: so do its runs, as well as the process itself does."""
    kind = None if hasattr(sys, "ps1") else getattr(sys, "last_type", None)
    status = "FINISHED"
    if kind is not None:
        status = "KILLED" if issubclass(kind, KeyboardInterrupt) else "FAILED"
    for run in reversed(list(_started)):
        end_run(status, run)
    try:
        await_captures(CAPTURE_TIMEOUT)
    finally:
        for run in list(_captures):
            run._captured()


def _in_child() -> None:
    """A forked child may log to its parent's runs but does not end them."""
    global _exit_hooked
    _exit_hooked = False
    for run in _started + _captures:
        run._capture = run._end_later = None
        run._ending = threading.RLock()
    _captures.clear()


os.register_at_fork(after_in_child=_in_child)
