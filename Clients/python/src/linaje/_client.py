"""The synchronous client: one method of the protocol, one call; errors are raised."""

import hashlib
import os
import threading
import time
from typing import (Any, BinaryIO, Callable, Dict, Iterable, Iterator, List, Mapping, Optional,
                    Tuple, Union)

from . import _wire
from ._connection import Connection, Stream
from ._errors import (CONFLICT, CORRUPT, DEADLINE_EXCEEDED, HANDSHAKE_TIMEOUT, INVALID_ARGUMENT,
                      UNAVAILABLE, LinajeError)
from ._messages import METHODS
from ._wire import Message

RunID = Union[str, bytes]
_PUT_FRAME = 65_536


def new_id() -> bytes:
    """16 random bytes."""
    return os.urandom(16)


def new_timed_id() -> bytes:
    """A new id of a run or model that begins with its time: a UUID of version 7 (RFC 9562).

    What comes at one time stands side by side in the daemon's indexes then.
    """
    random = int.from_bytes(os.urandom(10), "big")
    number = (time.time_ns() // 1_000_000 & (1 << 48) - 1) << 80 | random
    return (number & ~(0xF << 76 | 0b11 << 62) | 7 << 76 | 0b10 << 62).to_bytes(16, "big")


def run_bytes(run_id: RunID) -> bytes:
    """The 16 bytes of a run id given as 32 hex digits or as bytes; else LinajeError 102."""
    return _id_bytes(run_id, "", "run id")


def model_bytes(model_id: RunID) -> bytes:
    """The 16 bytes of a logged model's id given as "m-" and 32 hex digits or as bytes."""
    return _id_bytes(model_id, "m-", "logged model id")


def _id_bytes(given: RunID, prefix: str, noun: str) -> bytes:
    value = b""
    if isinstance(given, (bytes, bytearray)):
        value = bytes(given)
    elif isinstance(given, str) and given.startswith(prefix) and given == given.lower():
        try:
            value = bytes.fromhex(given[len(prefix):])
        except ValueError:
            value = b""
    if len(value) != 16:
        wanted = f'"{prefix}" and 32 hex digits' if prefix else "32 hex digits"
        raise LinajeError(INVALID_ARGUMENT, f"{given!r} is no {noun}: it must be {wanted}")
    return value


def file_parts(file: BinaryIO) -> Iterator[bytes]:
    """All of an open file, in parts as they are sent."""
    file.seek(0)
    return iter(lambda: file.read(_PUT_FRAME), b"")


def artifact_root(root: Union[str, bytes, Mapping[str, Any]]) -> Dict[str, Any]:
    """An ArtifactRoot of a URI (models:/…, runs:/…), a run id, or a tree digest of 32 bytes."""
    if isinstance(root, Mapping):
        return dict(root)
    if isinstance(root, bytes):
        return {"tree": root} if len(root) == 32 else {"run_id": run_bytes(root)}
    return {"uri": root} if ":" in root else {"run_id": run_bytes(root)}


class Client:
    """Calls on one connection, which is opened when it is needed and anew when it broke.

    Safe to use from several threads; their calls are done one after the other. Every method
    raises LinajeError. `timeout` bounds each call, in seconds; None waits for ever.
    `while_waiting`: see `Connection`.

    A daemon that is restarted is waited for: calls that it had no time to answer are made again,
    with the same idempotency key, for `patience` seconds. A daemon that was never reached is not.
    """

    def __init__(self, socket: Optional[str] = None, timeout: Optional[float] = 60.0, *,
                 patience: float = 30.0,
                 while_waiting: Optional[Callable[[], None]] = None) -> None:
        self.socket = socket
        self.timeout = timeout
        self.patience = patience
        self._while_waiting = while_waiting
        self._met = False
        self._connection: Optional[Connection] = None
        self._lock = threading.RLock()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; the next call opens another."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @property
    def connection(self) -> Connection:
        """The open connection."""
        with self._lock:
            if (self._connection is None or self._connection.closed or
                    self._connection.draining):
                self.close()
                self._connection = Connection(self.socket, min(10.0, self.timeout or 10.0),
                                              while_waiting=self._while_waiting)
                self._met = True
            return self._connection

    # --- Any method ---

    def call(self, method: str, message: Optional[Mapping[str, Any]] = None, *,
             key: Optional[bytes] = None, encoded: Optional[bytes] = None,
             **fields: Any) -> Message:
        """Calls a unary method by its name: `call("GetRun", id=…)`.

        A change gets an idempotency key, so it is done once although a broken connection makes
        the call be sent again.
        """
        _, kind, mutation, request, _ = METHODS[method]
        if kind != "U":
            raise ValueError(f"{method} is a streaming method")
        fields = {**(message or {}), **fields}
        try:
            encoded = encoded if encoded is not None else _wire.encode(request, fields)
        except ValueError as error:
            raise LinajeError(INVALID_ARGUMENT, str(error)) from None
        key = key or (new_id() if mutation else None)
        answer: Message = self._retried(lambda connection: connection.call(
            method, {}, key=key, timeout=self.timeout, encoded=encoded))
        return answer

    def _retried(self, body: Callable[[Connection], Any]) -> Any:
        """Runs `body`; again on a fresh connection while the daemon is being restarted."""
        deadline, pause = None, 0.0
        while True:
            with self._lock:
                kept = self._connection
                try:
                    return body(self.connection)
                except LinajeError as error:
                    now = time.monotonic()
                    deadline = now + self.patience if deadline is None else deadline
                    # A kept connection may turn out to be dead however short the patience is.
                    stale = kept is not None and kept.closed and pause == 0.0
                    if not (self._is_restart(error) and (stale or now < deadline)):
                        raise
            time.sleep(pause)
            pause = min(0.5, pause * 2 or 0.01)

    def _is_restart(self, error: LinajeError) -> bool:
        """Whether the daemon is there and has no time, rather than not there or of another mind."""
        if "ingest_id" in error.details:
            return False  # A session that is over says the same again.
        if error.code != UNAVAILABLE:
            # Connected, and no hello yet: the next daemon is on its way.
            return self._connection is None and error.code in (DEADLINE_EXCEEDED, HANDSHAKE_TIMEOUT)
        return self._met or "unreachable" not in error.details

    def pages(self, method: str, entries: str, limit: Optional[int] = None,
              **fields: Any) -> Iterator[Message]:
        """All entries of a paged list, page by page; at most `limit`."""
        token, left = "", limit
        while True:
            size = 1000 if left is None else max(1, min(1000, left))
            answer = self.call(method, page={"limit": size, "token": token}, **fields)
            for entry in answer[entries]:
                yield entry
                if left is not None:
                    left -= 1
                    if left <= 0:
                        return
            token = answer.next_page_token
            if not token:
                return

    # --- Runs ---

    def status(self) -> Message:
        """How the daemon is."""
        return self.call("GetStatus")

    def get_run(self, run_id: RunID) -> Message:
        """A run with its params, tags, inputs, outputs and provenance."""
        return self.call("GetRun", id=run_bytes(run_id))

    def experiment_id(self, name: Union[str, int], create: bool = False) -> int:
        """The number of an experiment given by name (or number); `create` makes a missing one."""
        if isinstance(name, int):
            return name
        if create:
            return int(self.call("CreateExperiment", name=name, get_existing=True).id)
        return int(self.call("GetExperiment", name=name).id)

    def search_runs(self, experiments: Iterable[Union[str, int]] = (), *,
                    statuses: Iterable[str] = (), tags: Optional[Mapping[str, str]] = None,
                    parent: Optional[RunID] = None, lifecycle: str = "ACTIVE",
                    limit: Optional[int] = None, filter: str = "",
                    order_by: Union[str, Iterable[str]] = ()) -> List[Message]:
        """Runs that pass a filter, newest first unless another order is asked for."""
        return list(self.pages(
            "SearchRuns", "runs", limit,
            search={"filter": filter,
                    "order_by": [order_by] if isinstance(order_by, str) else list(order_by)},
            experiment_ids=[self.experiment_id(each) for each in experiments],
            statuses=[_wire.enum_number("RunStatus", each) for each in statuses],
            tags=[{"key": key, "value": str(value)} for key, value in (tags or {}).items()],
            lifecycle=_wire.enum_number("Lifecycle", lifecycle),
            parent_id=run_bytes(parent) if parent else b""))

    def metric_history(self, run_id: RunID, keys: Iterable[str] = (), *,
                       first_step: Optional[int] = None, last_step: Optional[int] = None,
                       limit: int = 0) -> Iterator[Message]:
        """Parts of series (MetricPoints), each series in the order (step, time, arrival)."""
        request = {"run_id": run_bytes(run_id), "keys": list(keys), "first_step": first_step,
                   "last_step": last_step, "limit": limit}
        for payload in self.stream("GetMetricHistory", request):
            yield _wire.decode("MetricPoints", payload)

    def stream(self, method: str, request: Mapping[str, Any]) -> Iterator[bytes]:
        """Data payloads of a server-streaming method."""
        return self._opened(method, request)[1]

    def _opened(self, method: str, request: Mapping[str, Any]) -> Tuple[Message, Iterator[bytes]]:
        """The answer of a server-streaming method, and its data payloads."""
        def begin(connection: Connection) -> Tuple[Message, Stream]:
            stream = connection.open(method, request, deadline=self._deadline())
            return stream.wait_answer(self._deadline()), stream

        answer, stream = self._retried(begin)
        return answer, self._payloads(stream)

    def _payloads(self, stream: Stream) -> Iterator[bytes]:
        try:
            while True:
                with self._lock:
                    payload = stream.receive(self._deadline())
                if payload is None:
                    return
                yield payload
        finally:
            if not stream.over and not stream.connection.closed:
                with self._lock:
                    stream.cancel()

    def _deadline(self) -> Optional[float]:
        return None if self.timeout is None else time.monotonic() + self.timeout

    # --- Artifacts ---

    def list_artifacts(self, root: Union[str, bytes, Mapping[str, Any]], path: str = "",
                       recursive: bool = False) -> List[Message]:
        """Files (FileEntry) below a path of a run, a tree or a URI."""
        return list(self.pages("ListArtifacts", "entries", root=artifact_root(root), path=path,
                               recursive=recursive))

    def read_artifact(self, root: Union[str, bytes, Mapping[str, Any]], path: str = "",
                      offset: int = 0, length: Optional[int] = None) -> Iterator[bytes]:
        """The bytes of a file, in parts."""
        request: Dict[str, Any] = {"root": artifact_root(root), "path": path, "offset": offset,
                                   "length": length}
        return self._read(request)

    def _read(self, request: Dict[str, Any]) -> Iterator[bytes]:
        """The bytes of a file; goes on where it was when the daemon is restarted meanwhile."""
        begun: Optional[Message] = None
        deadline: Optional[float] = None
        while True:
            opened, parts = self._opened("ReadArtifact", request)
            if begun is None:
                begun = opened
            elif opened.file.sha256 != begun.file.sha256:
                raise LinajeError(CONFLICT, f"file {request['path']!r} became another one while "
                                            f"it was read; read it again")
            try:
                for part in parts:
                    yield part
                    deadline = None
                    request["offset"] += len(part)
                    if request["length"] is not None:
                        request["length"] -= len(part)
                return
            except LinajeError as error:
                if error.code != UNAVAILABLE:
                    raise
                if request["offset"] >= begun.file.size or request["length"] == 0:
                    return
                deadline = deadline or time.monotonic() + self.patience
                if time.monotonic() > deadline:
                    raise

    def download(self, root: Union[str, bytes, Mapping[str, Any]], path: str, target: str, *,
                 sha256: Optional[bytes] = None) -> bytes:
        """Writes a file's bytes to `target` and returns their SHA-256.

        With `sha256`, other bytes are LinajeError 204 and the file is removed again.
        """
        digest = hashlib.sha256()
        with open(target, "xb") as file:
            for part in self.read_artifact(root, path):
                digest.update(part)
                file.write(part)
        if sha256 is not None and digest.digest() != sha256:
            os.unlink(target)
            raise LinajeError(CORRUPT, f"file {path!r} came with digest {digest.hexdigest()}, not "
                                       f"{sha256.hex()}; nothing was kept of it")
        return digest.digest()

    def put_file(self, ingest_id: bytes, path: str, source: str, mode: int = 0o100644,
                 sha256: Optional[bytes] = None) -> Message:
        """Sends one file (of a link: its target) into an ingest session."""
        if mode == 0o120000:
            target = os.fsencode(os.readlink(source))
            return self._put(ingest_id, path, mode, lambda: [target], None, None)
        with open(source, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            return self._put(ingest_id, path, mode, lambda: file_parts(file), size, sha256)

    def _put(self, ingest_id: bytes, path: str, mode: int, parts: Callable[[], Iterable[bytes]],
             size: Optional[int], sha256: Optional[bytes]) -> Message:
        """`parts` gives the content from its beginning, for each attempt anew."""
        request = {"ingest_id": ingest_id, "path": path, "mode": mode, "size": size,
                   "sha256": sha256}
        return self._retried(lambda connection: self._send_on(
            connection, "PutFile", request, parts()))

    def _put_small(self, ingest_id: bytes, frames: Callable[[], Iterable[bytes]]) -> Message:
        """Puts small files together; `frames` gives PutFilesFrames, for each attempt anew."""
        return self._retried(lambda connection: self._send_on(
            connection, "PutFiles", {"ingest_id": ingest_id}, frames()))

    def _send_on(self, connection: Connection, method: str, request: Mapping[str, Any],
                 parts: Iterable[bytes]) -> Message:
        stream = connection.open(method, request)
        for part in parts:
            if stream.over or stream.answer is not None:
                break
            stream.send(part, self._deadline())
        stream.end()
        return stream.wait_answer(self._deadline())

    # --- Registry ---

    def create_model_version(self, name: str, source: str, *, description: str = "",
                             tags: Optional[Mapping[str, str]] = None, run_id: bytes = b"",
                             create_model: bool = True, key: Optional[bytes] = None) -> Message:
        """Registers the next version of a model."""
        return self.call(
            "CreateModelVersion", key=key, name=name, source=source, run_id=run_id,
            description=description, create_model=create_model,
            tags=[{"key": key_, "value": str(value)} for key_, value in (tags or {}).items()])

    def resolve_model(self, uri: str, *, to_look: bool = False) -> Tuple[str, Message]:
        """What a models:/ URI points at: ("version", ModelVersion) or
        ("logged_model", LoggedModel). Unless it is only `to_look`, a version whose verdict blocks
        loading is LinajeError 107."""
        answer = self.call("ResolveModel", uri=uri, to_look=to_look)
        if answer.version is not None:
            return "version", answer.version
        if answer.logged_model is not None:
            return "logged_model", answer.logged_model
        raise LinajeError(101, f"the daemon's answer about {uri} names nothing")

    def set_scan_policy(self, name: str, *, reset: Iterable[str] = (),
                        **blocks: Iterable[str]) -> Message:
        """Says what verdicts ("none", "safe", "unknown", "dangerous") block of a model's versions:
        any of "promotion", "registration", "loading". The RegisteredModel.

        Verdicts in `reset` are left to the daemon; others stay."""
        return self.call("SetScanPolicy", name=name, reset=list(reset), set={
            verdict: {use: True for use in uses} for verdict, uses in blocks.items()})

    def accept_risk(self, name: str, version: int, reason: str, *,
                    withdraw: bool = False) -> Message:
        """Answers for a version in spite of its verdict, or takes that back; the ModelVersion."""
        return self.call("AcceptRisk", name=name, version=version, reason=reason,
                         withdraw=withdraw)

    def lineage(self, uri: str, depth: int = 0) -> Message:
        """The graph (LineageGraph) of where something came from."""
        return self.call("GetLineage", uri=uri, depth=depth)

    def events(self, model: str = "", version: int = 0) -> List[Message]:
        """The ledger's events about a model, oldest first."""
        return list(self.pages("ListEvents", "events", model=model, version=version))
