"""Changes on their way: everything that is needed to make one, now or in another process."""

import base64
import os
from typing import Any, Callable, Dict, Optional

from . import _wire
from ._client import Client, new_id
from ._errors import RUN_NOT_ACTIVE, LinajeError
from ._messages import METHODS
from ._metrics import MetricQueue
from ._upload import close_open_file, held_bytes, open_files, upload


def should_retry(error: LinajeError) -> bool:
    """Whether the fault lies with the daemon or the connection rather than the request."""
    return error.retryable or error.code >= 200 or error.code < 100


class Operation:
    """One change, with everything that is needed to make it in another process."""

    def __init__(self, queue: MetricQueue, number: int, body: Dict[str, Any],
                 on_done: Optional[Callable[[Any], None]] = None) -> None:
        self.queue = queue
        self.number = number
        self.body = body
        self.on_done = on_done
        self.size = len(body.get("message", "")) + held_bytes(body)
        self.files = open_files(body)
        # Whether it can be made: large files are copied before.
        self.ready = self.files == 0
        self.spooled = False
        self.done = False

    @property
    def run(self) -> str:
        """The run's id in hex."""
        return self.queue.run_id.hex()


def call_body(method: str, fields: Dict[str, Any], *, experiment: Optional[str] = None,
              barrier: bool = False) -> Dict[str, Any]:
    """The operation of a unary call. `experiment` names the experiment whose number the request
    needs; `barrier`: only when all metrics of the run are durable."""
    message = _wire.encode(METHODS[method][3], fields)
    return {"kind": "call", "method": method, "key": new_id().hex(), "experiment": experiment,
            "experiment_key": new_id().hex(), "barrier": barrier,
            "message": base64.b64encode(message).decode()}


def perform(client: Client, body: Dict[str, Any]) -> Any:
    """Makes a change; the answer, or a LinajeError. Doing it again is harmless."""
    if body["kind"] == "upload":
        return upload(client, body)
    encoded = base64.b64decode(body["message"])
    if body.get("experiment"):
        experiment = client.call("CreateExperiment", key=bytes.fromhex(body["experiment_key"]),
                                 name=body["experiment"], get_existing=True)
        # Field 2 is the experiment's number in every request that has one; the last value counts.
        encoded += b"\x10" + _wire.varint(experiment.id)
    try:
        return client.call(body["method"], key=bytes.fromhex(body["key"]), encoded=encoded)
    except LinajeError as error:
        if body["method"] == "UpdateRun" and error.code in (107, RUN_NOT_ACTIVE):
            return _finish_ended_run(client, body, encoded, error)
        raise


def _finish_ended_run(client: Client, body: Dict[str, Any], encoded: bytes,
                      error: LinajeError) -> Any:
    """Somebody ended the run before its owner did: the owner knows better how it went."""
    request = _wire.decode("UpdateRunRequest", encoded)
    if request.as_wish:
        raise error
    try:
        client.call("UpdateRun", id=request.id, status=_wire.enum_number("RunStatus", "RUNNING"))
        return client.call("UpdateRun", encoded=encoded)
    except LinajeError:
        raise error from None


def describe(body: Dict[str, Any]) -> str:
    """What a warning calls a change."""
    return str(body.get("method") or body["kind"])


def remove_staged(body: Dict[str, Any]) -> None:
    """Removes the copies that were made for an upload, and closes what it holds open."""
    for entry in body.get("files", ()):
        close_open_file(entry)
    for path in body.get("staged", ()):
        try:
            os.unlink(path)
        except OSError:
            pass
