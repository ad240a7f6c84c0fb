"""Signs of life for runs whose owner the daemon cannot watch as a process."""

import threading
import time
from typing import Any, Dict, Mapping, Optional

from . import _wire
from ._background import Background
from ._client import Client
from ._errors import NOT_FOUND, RUN_NOT_ACTIVE, LinajeError
from ._log import warn

LONGEST_INTERVAL = 60.0


def heartbeat_lease(seconds: float) -> Dict[str, int]:
    """The lease of an owner that says at least each `seconds` that it is alive."""
    if not 1 <= seconds <= 366 * 86_400:
        raise ValueError(f"heartbeat of {seconds!r} seconds is out of bounds; give 1 or more")
    return {"kind": _wire.enum_number("LeaseKind", "HEARTBEAT"),
            "heartbeat_timeout_s": -int(-seconds // 1)}


class Heartbeats:
    """Sends them from a thread of its own, so that no upload and no burst of points delays one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._intervals: Dict[bytes, float] = {}
        self._due: Dict[bytes, float] = {}
        self._thread: Optional[Background] = None

    def begin(self, run_id: bytes, lease: Mapping[str, Any]) -> None:
        """From now on, four times within the timeout of the lease that the daemon has granted."""
        interval = min(LONGEST_INTERVAL, (lease["heartbeat_timeout_s"] or 600) / 4)
        with self._lock:
            self._intervals[run_id] = interval
            self._due[run_id] = time.monotonic() + interval
            if self._thread is None:
                try:
                    self._thread = Background("linaje-heartbeat", self._run)
                except RuntimeError as error:
                    warn("no-thread", f"heartbeats cannot be sent: {error}")
        self._changed.set()

    def end(self, run_id: bytes) -> None:
        """No more for this run."""
        with self._lock:
            self._intervals.pop(run_id, None)
            self._due.pop(run_id, None)

    def _run(self) -> None:
        client = Client(timeout=10.0)
        while True:
            with self._lock:
                now = time.monotonic()
                late = [run for run, due in self._due.items() if due <= now]
                for run in late:
                    self._due[run] = now + self._intervals[run]
                wait = min(self._due.values(), default=now + 3_600.0) - now
            for run in late:
                try:
                    client.call("Heartbeat", id=run)
                except LinajeError as error:
                    # A daemon that is away is somebody else's news.
                    if error.code in (NOT_FOUND, RUN_NOT_ACTIVE):
                        self.end(run)
                        warn("heartbeat", f"run {run.hex()} takes no heartbeats: {error}")
                except Exception as error:  # noqa: BLE001 - a fault here must not end the training
                    warn("heartbeat", f"a heartbeat met {error!r}")
            if not late:
                self._changed.wait(wait)
                self._changed.clear()
