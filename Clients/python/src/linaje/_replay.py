"""Sends what processes that are gone left in their spools: exactly once, whoever does it."""

import base64
import os
import time
from typing import Any, Dict, Optional, Tuple

from . import _wire
from ._client import Client, new_id
from ._connection import Connection
from ._errors import NOT_FOUND, UNAVAILABLE, LinajeError
from ._log import warn
from ._operations import describe, perform, remove_staged, should_retry
from ._spool import BatchSpool, DeadSpool, dead_spools

_WAIT_FOR_RUN = 7 * 86_400.0


def replay_spools(client: Optional[Client] = None) -> Tuple[int, int]:
    """Sends what dead processes of this user left behind: (spools done, spools that still wait)."""
    own = client or Client()
    done = waiting = 0
    try:
        for spool in dead_spools():
            try:
                _replay(own, spool)
            except LinajeError as error:
                waiting += 1
                spool.close(remove=False)
                warn("sync", f"a spool still waits: {error}")
                if error.code == UNAVAILABLE:
                    break
            except (OSError, ValueError, KeyError) as error:
                waiting += 1
                spool.close(remove=False)
                warn("sync", f"spool {spool.path} cannot be read: {error!r}")
            else:
                done += 1
                spool.close(remove=True)
    finally:
        if client is None:
            own.close()
    return done, waiting


def _replay(client: Client, spool: DeadSpool) -> None:
    """All of one spool; for each run first what creates it, then metrics, then what ends it."""
    for run in spool.runs():
        late, rejected, created = [], False, None
        operations = spool.operations(run)
        for number, body in operations:
            if body.get("barrier"):
                late.append((number, body))
                continue
            accepted = _replay_operation(client, spool, run, number, body)
            if body.get("method") == "CreateRun":
                rejected, created = not accepted, number if accepted else None
        for writer_id, path in spool.writers(run):
            _replay_metrics(client, bytes.fromhex(run), writer_id, path, rejected)
        if created is not None:
            # Done only when the spool holds the run's end, or it has been given one: whoever takes
            # over in the middle must know that it needs one.
            if "UpdateRun" not in {body.get("method") for _, body in late}:
                client.call("UpdateRun", id=bytes.fromhex(run),
                            status=_wire.enum_number("RunStatus", "FAILED"),
                            ended_cause="process ended, cause unknown")
            spool.mark_done(run, created)
        for number, body in late:
            _replay_operation(client, spool, run, number, body)


def _replay_operation(client: Client, spool: DeadSpool, run: str, number: int,
                      body: Dict[str, Any]) -> bool:
    """Makes one change and remembers that it is done, but for the creation of the run; False when
    the daemon refuses it."""
    accepted = True
    if body.get("method") == "CreateRun":
        # The process that would own the run is gone; its spool says how the run ended, if it did.
        # The id makes it happen once; under the old key this would be another request.
        body = {**body, "message": _without_lease(body["message"]), "key": new_id().hex()}
    try:
        perform(client, body)
    except LinajeError as error:
        # The run may be created by what `linaje run` has kept.
        waits = (error.code == NOT_FOUND
                 and time.time() - body.get("joined", 0.0) < _WAIT_FOR_RUN)
        if should_retry(error) or waits:
            raise
        accepted = False
        warn(f"refused-{error.code}", f"run {run}: {describe(body)} was refused: {error}")
    if not accepted or body.get("method") != "CreateRun":
        spool.mark_done(run, number)
    remove_staged(body)
    return accepted


def _without_lease(message: str) -> str:
    fields = dict(_wire.decode("CreateRunRequest", base64.b64decode(message)))
    fields["lease"] = {"kind": _wire.enum_number("LeaseKind", "DETACHED")}
    return base64.b64encode(_wire.encode("CreateRunRequest", fields)).decode()


def _replay_metrics(client: Client, run_id: bytes, writer_id: bytes, path: str,
                    rejected: bool) -> None:
    batches = BatchSpool(path, run_id, writer_id)
    if next(batches.batches(0), None) is None:
        return
    connection = Connection(client.socket)
    try:
        deadline = time.monotonic() + 600
        stream = connection.open("StreamMetrics", {
            "run_id": run_id, "writer_id": writer_id, "replay": True}, deadline=deadline)
        durable = last = stream.wait_answer(deadline).durable_through
        for _, sequence, payload in batches.batches(durable):
            stream.send(payload, deadline)
            stream.check()
            last = sequence
        stream.end()
        while True:
            ack = stream.receive(deadline)
            if ack is None:
                break
            durable = _wire.decode("MetricAck", ack).durable_through
        if durable < last:
            raise LinajeError(UNAVAILABLE, f"only {durable} of {last} metric batches were "
                                           f"acknowledged")
    except LinajeError as error:
        # The spool of the process that creates the run may not have been replayed yet.
        young = time.time() - os.stat(path).st_mtime < _WAIT_FOR_RUN
        if should_retry(error) or (error.code == NOT_FOUND and young and not rejected):
            raise
        warn(f"refused-{error.code}", f"metrics of run {run_id.hex()} were refused: {error}")
    finally:
        connection.close()
