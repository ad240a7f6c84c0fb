"""The background sender: what log_* calls hand over is carried to the daemon, once and in order.

Daemon threads of which none ever raises into the training code: one streams metrics, one makes
changes (runs, params, tags, files), each on a connection of its own, and one copies large files
before they are sent. While the daemon is away, the first two write to the spool (`_spool`), which
is replayed when it is back: by this process, or by the next one.

The training's threads only append to queues and ring a bell. They take no lock that is held while
somebody reads, writes or computes; those that they take (`_counting`) may be taken again by a
signal handler that interrupts them.
"""

import atexit
import itertools
import json
import os
import queue as _queue
import resource
import sys
import threading
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Optional

from . import _log, _upload, _wire
from ._background import Background
from ._bell import Bell
from ._client import Client, new_id
from ._connection import Connection
from ._errors import NOT_FOUND, RUN_NOT_ACTIVE, UNAVAILABLE, LinajeError
from ._heartbeat import Heartbeats
from ._log import warn
from ._metrics import MEMORY_LIMIT, MetricQueue
from ._operations import Operation, describe, perform, remove_staged, should_retry
from ._pace import Pace
from ._spool import DONE, OPERATION, RecordFile, SpoolFolder

FLUSH_INTERVAL = 0.01
OPEN_TIMEOUT = 10.0
EXIT_TIMEOUT = 10.0
COPY_TIMEOUT = 60.0
MAX_OPERATIONS = 100_000
MAX_OPERATION_BYTES = 128 << 20
MAX_HELD_BYTES = 64 << 20
# A quarter of what the process may have open; the limit has no number where there is none.
MAX_OPEN_FILES = max(32, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)
SILENT_AFTER = (1.0, 5.0)
_BACKOFF = (0.05, 2.0)


class _Journal(RecordFile):
    """The spooled changes of a run, and how many of them are not done."""

    waiting = 0


class Sender:
    """The queues and threads of this process."""

    def __init__(self) -> None:
        self.folder = SpoolFolder()
        self.queues: List[MetricQueue] = []
        self._reset()

    def _reset(self) -> None:
        self.operations: Deque[Operation] = deque()
        self._to_spool: Deque[Operation] = deque()
        self._to_copy: "_queue.SimpleQueue[Operation]" = _queue.SimpleQueue()
        self._numbers = itertools.count(1)
        self._journals: Dict[str, _Journal] = {}
        self._spooling = threading.Lock()
        self._counting = threading.RLock()
        self._bytes = self._open_files = 0
        self._progress = threading.Condition()
        self._wake_metrics = Bell()
        self._wake_operations = Bell()
        self._threads: List[Optional[Background]] = []
        self._copier: Optional[Background] = None
        self._closing = False
        self._hurry = 0
        self.away = False
        self._metric_connection: Optional[Connection] = None
        # A short patience: what waits for the daemon longer belongs into the spool.
        self._client = Client(timeout=60.0, patience=0.5, while_waiting=self._while_calling)
        self._calling_since = 0.0
        self._owned: List[MetricQueue] = []
        self._heartbeats = Heartbeats()
        self._busy = False

    # --- Called by any thread ---

    def start(self) -> None:
        """Starts the threads, once."""
        with self._counting:
            if self._threads or self._closing:
                return
            for name, body in (("metrics", self._run_metrics), ("changes", self._run_operations)):
                self._threads.append(self._thread(name, body))

    def _thread(self, name: str, body: Callable[[], None]) -> Optional[Background]:
        try:
            return Background(f"linaje-{name}", body)
        except RuntimeError as error:
            # No more threads are allowed, or the interpreter is leaving.
            warn("no-thread", f"the sender cannot start: {error}; what is logged goes to "
                              f"the spool when the process ends")
            return None

    def queue_for(self, run_id: bytes, created: bool) -> MetricQueue:
        """A new metric queue for a run."""
        queue = MetricQueue(run_id, self.folder)
        queue.created = created
        with self._counting:
            self.queues = self.queues + [queue]
        return queue

    def own(self, queue: MetricQueue, lease: Dict[str, int]) -> None:
        """From now on this process holds the lease of the run."""
        queue.lease = lease
        self._owned.append(queue)

    def _granted(self, queue: MetricQueue, lease: Any) -> None:
        """The daemon has answered with the lease it grants: perhaps one that needs heartbeats,
        because it cannot watch this process."""
        if (queue in self._owned and lease is not None
                and lease.kind == _wire.enum_number("LeaseKind", "HEARTBEAT")):
            queue.lease = {"kind": lease.kind, "heartbeat_timeout_s": lease.heartbeat_timeout_s}
            self._heartbeats.begin(queue.run_id, lease)

    def forget(self, queue: MetricQueue) -> None:
        """The run has ended: no more points, no lease."""
        with self._counting:
            queue.ended = True
            if queue in self._owned:
                self._owned.remove(queue)
        self._heartbeats.end(queue.run_id)

    def wake(self, queue: MetricQueue) -> None:
        """There are points in a queue that was idle."""
        queue.idle = False
        if not self._threads:
            self.start()
        self._wake_metrics.ring()

    def submit(self, queue: MetricQueue, body: Dict[str, Any],
               on_done: Optional[Callable[[Any], None]] = None) -> None:
        """Adds a change to the queue; never waits, never raises."""
        operation = Operation(queue, next(self._numbers), body, on_done)
        with self._counting:
            full = (len(self.operations) >= MAX_OPERATIONS
                    or self._bytes + operation.size > MAX_OPERATION_BYTES)
            if not full:
                self._bytes += operation.size
                self._open_files += operation.files
                self.operations.append(operation)
                self._to_spool.append(operation)
        if full:
            remove_staged(body)
            warn("changes-full", f"{len(self.operations)} changes wait for the daemon, and there "
                                 f"is no room for more; this one was dropped")
            return
        if not self._threads:
            self.start()
        if not operation.ready:
            with self._counting:
                if self._copier is None:
                    self._copier = self._thread("files", self._run_copies)
            if self._copier is None:
                _upload.settle(self.folder, body)
                operation.ready = True
            else:
                self._to_copy.put(operation)
        self._wake_operations.ring()

    def may_hold(self, body: Dict[str, Any]) -> bool:
        """Whether one more small file may be kept in memory."""
        return self._bytes + _upload.held_bytes(body) < MAX_HELD_BYTES

    def may_open(self, body: Dict[str, Any]) -> bool:
        """Whether one more large file may be kept open."""
        return self._open_files + _upload.open_files(body) < MAX_OPEN_FILES

    def flush(self, timeout: Optional[float] = None) -> bool:
        """Waits until everything handed over so far is durable; False when it did not in time."""
        deadline = None if timeout is None else time.monotonic() + timeout
        self._hurry += 1
        try:
            self._wake_metrics.ring()
            self._wake_operations.ring()
            with self._progress:
                while not self._settled():
                    left = None if deadline is None else deadline - time.monotonic()
                    if left is not None and left <= 0 or not self._alive():
                        return False
                    self._progress.wait(0.05 if left is None else min(0.05, left))
            return True
        finally:
            self._hurry -= 1

    def _alive(self) -> bool:
        return any(map(self._is_alive, self._threads))

    @staticmethod
    def _is_alive(thread: Optional[Background]) -> bool:
        return thread is not None and thread.is_alive()

    def _settled(self) -> bool:
        return (not self.operations and not self._busy
                and all(queue.drained for queue in self.queues))

    def close(self, timeout: Optional[float] = None) -> bool:
        """Flushes for EXIT_TIMEOUT or `timeout` seconds; what the daemon did not take by then goes
        to the spool. True: all was taken."""
        done = False
        try:
            limit = EXIT_TIMEOUT if timeout is None else timeout
            deadline = time.monotonic() + limit
            while not done and time.monotonic() < deadline and self._alive():
                done = self.flush(min(0.25, max(0.01, deadline - time.monotonic())))
                if self.away:
                    break
            if not done and limit:
                self._await_copies(time.monotonic() + COPY_TIMEOUT)
        finally:
            self._closing = True
            self._wake_metrics.ring()
            self._wake_operations.ring()
            if not done:
                done = self._settled() or self._spool_rest()
            self.folder.release(remove=done)
        return done

    def _await_copies(self, deadline: float) -> None:
        """What is only open would be lost with the process."""
        while (self._is_alive(self._copier)
               and any(not operation.ready for operation in list(self.operations))
               and time.monotonic() < deadline):
            time.sleep(0.01)

    def _spool_rest(self) -> bool:
        """Writes what is left to disk; True when nothing was left."""
        left = False
        for queue in self.queues:
            with queue.lock:
                queue.cut()
                queue.spill()
                left = left or not queue.drained
        for operation in list(self.operations):
            operation.ready = True
        self._spool_operations(leaving=True)
        left = left or bool(self.operations)
        if left:
            warn("spooled-at-exit", "the daemon has not taken everything; the rest is in the spool "
                                    "and follows with the next run, or with python -m linaje sync")
        return not left

    # --- The metric thread ---

    def _run_metrics(self) -> None:
        next_attempt, delay = 0.0, _BACKOFF[0]
        connected_before = False
        while not self._closing:
            try:
                if not self._metrics_pending():
                    self._wait_for_points()
                    continue
                for queue in self.queues:
                    with queue.lock:
                        queue.cut()
                    if queue.rejected is not None:
                        queue.refuse(queue.rejected)
                connection = self._metric_connection
                if connection is None or connection.closed or connection.draining:
                    self._close_metric_connection()
                    if time.monotonic() >= next_attempt:
                        try:
                            self._metric_connection = Connection(
                                timeout=OPEN_TIMEOUT, while_waiting=self._while_opening,
                                patient=False)
                            if connected_before:
                                self._attach_again(self._metric_connection)
                            self.away, delay, connected_before = False, _BACKOFF[0], True
                        except LinajeError as error:
                            self._lost(error)
                            next_attempt = time.monotonic() + delay
                            delay = min(delay * 2, _BACKOFF[1])
                if self._metric_connection is None:
                    self._spill_all()
                    self._wake_metrics.wait(0.02)
                    continue
                self._carry(self._metric_connection)
            except LinajeError as error:
                if self._metric_connection is not None and self._metric_connection.draining:
                    # A restart: the next daemon is on its way, nothing is lost.
                    self._close_metric_connection()
                    continue
                self._lost(error)
                self._close_metric_connection()
                next_attempt = time.monotonic() + delay
                delay = min(delay * 2, _BACKOFF[1])
            except Exception as error:  # noqa: BLE001 - a fault here must not end the training
                warn("sender-failed", f"the metric sender met {error!r}")
                time.sleep(0.1)
        self._close_metric_connection()

    def _metrics_pending(self) -> bool:
        return any(not queue.drained for queue in self.queues)

    def _prune(self) -> None:
        """Forgets the queues of runs that have ended and left nothing to send."""
        gone = [queue for queue in self.queues if queue.ended and queue.drained]
        if gone:
            for queue in gone:
                queue.leave()
            with self._counting:
                self.queues = [queue for queue in self.queues if queue not in gone]

    def _wait_for_points(self) -> None:
        self._prune()
        with self._progress:
            self._progress.notify_all()
        for queue in self.queues:
            queue.idle = True
        if self._metrics_pending():
            return
        rung = self._wake_metrics.wait(5.0)
        if self._metric_connection is not None:
            # Nothing was asked, so that it said nothing means nothing.
            self._metric_connection.heard_at = time.monotonic()
        if rung:
            if not self._hurry:
                # A little patience makes one batch of a burst.
                time.sleep(FLUSH_INTERVAL)
        elif self._metric_connection is not None:
            self._metric_connection.pump(0.0)

    def _while_opening(self) -> None:
        """A daemon that does not answer holds up this thread, not what it keeps for others."""
        if any(len(queue.points) or queue.waiting for queue in self.queues):
            self._spill_all()

    def _carry(self, connection: Connection) -> None:
        now = time.monotonic()
        moved = False
        self._prune()
        for queue in self.queues:
            if queue.drained or not queue.created or now < queue.retry_at:
                continue
            try:
                if queue.stream is None:
                    queue.open(connection, now + OPEN_TIMEOUT)
                moved = queue.advance() or moved
            except LinajeError as error:
                self._stream_failed(queue, error)
            if queue.waiting_bytes > MEMORY_LIMIT or queue.stalled:
                with queue.lock:
                    queue.spill()
        connection.pump(0.0 if moved and self._points_waiting() > 4_096 else FLUSH_INTERVAL)
        while connection.pump(0.0):
            pass
        for queue in self.queues:
            try:
                if queue.take_acks():
                    with self._progress:
                        self._progress.notify_all()
            except LinajeError as error:
                self._stream_failed(queue, error)
        self._check_silence(connection)
        if not self._hurry and self._points_waiting() < 1_000:
            time.sleep(FLUSH_INTERVAL / 2)

    def _check_silence(self, connection: Connection) -> None:
        """A daemon that says nothing is asked, and taken for gone when it does not answer: it may
        be stopped, and its socket still open."""
        now = time.monotonic()
        if not any(queue.sent_through > queue.durable_through for queue in self.queues):
            connection.heard_at = now
        silent, ask, gone = now - connection.heard_at, *SILENT_AFTER
        if silent > gone:
            raise LinajeError(UNAVAILABLE, f"the daemon at {connection.path} has not answered for "
                                           f"{silent:.0f} s")
        if silent > ask and connection.asked_at <= connection.heard_at:
            connection.ask()

    def _points_waiting(self) -> int:
        return sum(len(queue.points) for queue in self.queues)

    def _stream_failed(self, queue: MetricQueue, error: LinajeError) -> None:
        """Decides what becomes of a queue whose stream ended with an error."""
        queue.stream = None
        if self._metric_connection is None or self._metric_connection.closed:
            raise error
        queue.retry_at = time.monotonic() + 0.2
        if error.code == RUN_NOT_ACTIVE and not queue.replay:
            # The points were recorded before the run ended.
            queue.replay = True
            queue.retry_at = 0.0
        elif error.code in (NOT_FOUND, 115) or should_retry(error):
            # Not found: another process has not created the run yet, or creates it from a spool.
            warn(f"stream-{error.code}", f"metrics of run {queue.run_id.hex()} wait: {error}")
            queue.retry_at = time.monotonic() + 0.5
            with queue.lock:
                queue.spill()
        else:
            queue.refuse(error)

    def _lost(self, error: LinajeError) -> None:
        for queue in self.queues:
            queue.stream = None
        self.away = True
        warn("away", f"{error}; what is logged waits in the spool")
        self._spill_all()

    def _spill_all(self) -> None:
        for queue in self.queues:
            with queue.lock:
                queue.cut()
                queue.spill()

    def _close_metric_connection(self) -> None:
        connection, self._metric_connection = self._metric_connection, None
        for queue in self.queues:
            queue.stream = None
        if connection is not None:
            connection.close()

    def _attach_again(self, connection: Connection) -> None:
        """After a restart of the daemon: this process still owns its runs."""
        for queue in list(self._owned):
            if queue.created:
                try:
                    run = connection.call("AttachRun", {"id": queue.run_id, "lease": queue.lease},
                                          key=new_id(), timeout=OPEN_TIMEOUT)
                    self._granted(queue, run.lease)
                except LinajeError as error:
                    if connection.closed:
                        raise
                    warn("attach", f"run {queue.run_id.hex()} could not be attached again: {error}")

    # --- The thread of changes ---

    def _run_operations(self) -> None:
        delay = _BACKOFF[0]
        while not self._closing:
            try:
                if not self.operations:
                    with self._progress:
                        self._progress.notify_all()
                    self._wake_operations.wait(5.0)
                    continue
                operation = self.operations[0]
                if not operation.ready or (operation.body.get("barrier")
                                           and not operation.queue.drained):
                    if self.away:
                        self._spool_operations()
                    self._wake_metrics.ring()
                    with self._progress:
                        self._progress.wait(0.02)
                    continue
                self._busy = True
                self._calling_since = time.monotonic()
                try:
                    result = perform(self._client, operation.body)
                except LinajeError as error:
                    # Not found: whoever started this process has not reached the daemon yet.
                    waits = error.code == NOT_FOUND and operation.body.get("joined")
                    if should_retry(error) or waits:
                        self.away = self.away or waits or error.code == UNAVAILABLE
                        warn("away", f"{error}; what is logged waits in the spool")
                        self._spool_operations()
                        # Whoever logs meanwhile rings; that is no reason to try all the time.
                        time.sleep(_BACKOFF[0])
                        self._wake_operations.wait(delay)
                        delay = min(delay * 2, _BACKOFF[1])
                        continue
                    warn(f"refused-{error.code}",
                         f"run {operation.run}: {describe(operation.body)} was refused: {error}")
                    result = error
                self.away, delay = False, _BACKOFF[0]
                self._finish(operation, result)
            except Exception as error:  # noqa: BLE001 - a fault here must not end the training
                warn("sender-failed", f"the sender met {error!r}")
                if self.operations:
                    self._finish(self.operations[0], error)
            finally:
                self._busy = False
        self._client.close()

    def _while_calling(self) -> None:
        """A call that is not answered soon: what waits behind it goes to the spool."""
        if time.monotonic() - self._calling_since > SILENT_AFTER[0]:
            self._spool_operations()

    def _finish(self, operation: Operation, result: Any) -> None:
        if operation.body.get("method") == "CreateRun":
            if isinstance(result, LinajeError):
                operation.queue.rejected = result
            else:
                operation.queue.created = True
            self._wake_metrics.ring()
        if operation.body.get("method") in ("CreateRun", "AttachRun"):
            self._granted(operation.queue, getattr(result, "lease", None))
        if operation.on_done is not None:
            try:
                operation.on_done(result)
            except Exception as error:  # noqa: BLE001
                warn("callback", f"a callback met {error!r}")
        with self._spooling:
            operation.done = True
            self.operations.popleft()
            while self._to_spool and self._to_spool[0].done:
                self._to_spool.popleft()
            if operation.spooled:
                self._journal_done(operation)
        self._discount(operation)
        remove_staged(operation.body)
        with self._progress:
            self._progress.notify_all()

    def _discount(self, operation: Operation) -> None:
        """What an operation held in memory is free again."""
        with self._counting:
            self._bytes -= operation.size
            self._open_files -= operation.files
        operation.size = operation.files = 0

    def _journal_done(self, operation: Operation) -> None:
        journal = self._journals.get(operation.run)
        if journal is None:
            return
        try:
            journal.waiting -= 1
            if journal.waiting:
                journal.append(DONE, json.dumps(operation.number).encode())
            else:
                journal.close(remove=True)
                del self._journals[operation.run]
        except OSError as error:
            warn("spool-failed", f"the spool cannot be written: {error}")

    def _spool_operations(self, leaving: bool = False) -> None:
        """Writes the changes that still wait to disk, so that they outlive this process. Files
        that are still open count as what their names say only when it is `leaving`."""
        pace = Pace()
        with self._spooling:
            kept: List[Operation] = []
            try:
                while self._to_spool:
                    operation = self._to_spool.popleft()
                    if operation.done:
                        continue
                    kept.append(operation)
                    open_files = _upload.open_files(operation.body)
                    if not operation.ready or open_files and not leaving:
                        continue
                    self._spool_operation(operation)
                    kept.pop()
                    pace()
            except OSError as error:
                warn("spool-failed", f"changes cannot be spooled: {error}; they wait in memory")
            self._to_spool.extendleft(reversed(kept))

    def _spool_operation(self, operation: Operation) -> None:
        held = _upload.held_bytes(operation.body)
        _upload.keep_contents(self.folder, operation.body)
        with self._counting:
            self._bytes -= held
        operation.size -= held
        journal = self._journals.get(operation.run)
        if journal is None:
            journal = _Journal(self.folder.path(f"{operation.run}.ops"), {"run": operation.run})
            self._journals[operation.run] = journal
        body = {"number": operation.number, **_upload.without_open_files(operation.body)}
        journal.append(OPERATION, json.dumps(body).encode())
        journal.waiting += 1
        operation.spooled = True

    # --- The thread of files ---

    def _run_copies(self) -> None:
        while not self._closing:
            operation = self._to_copy.get()
            try:
                _upload.settle(self.folder, operation.body)
            except Exception as error:  # noqa: BLE001 - a fault here must not end the training
                warn("stage", f"artifacts could not be copied: {error!r}")
            operation.ready = True
            self._wake_operations.ring()

    # --- Fork ---

    def after_fork(self) -> None:
        """In a forked child: no threads, nothing queued, a writer of its own for each run."""
        connection, client = self._metric_connection, self._client
        self.folder.after_fork()
        for queue in self.queues:
            queue.after_fork()
        self._reset()
        for kept in (connection, client._connection):
            if kept is not None:
                kept.close()


# --- The sender of this process -----------------------------------------------------------------

sender = Sender()


_hooked_workers = False


def _before_fork() -> None:
    """Workers of multiprocessing leave without atexit: they flush by its own finalizers.

    Told to it when somebody forks and it is loaded; loading it for those that do not would cost
    the first call milliseconds.
    """
    global _hooked_workers
    util = sys.modules.get("multiprocessing.util")
    if util is not None and not _hooked_workers:
        _hooked_workers = True

        def in_worker(_: object) -> None:
            util.Finalize(None, sender.close, exitpriority=10)

        util.register_after_fork(sender, in_worker)


def _in_child() -> None:
    _log.after_fork()
    sender.after_fork()


os.register_at_fork(before=_before_fork, after_in_child=_in_child)


def close_at_exit(finish: Callable[[], None]) -> None:
    """At the end of the process: `finish` the runs, then flush within EXIT_TIMEOUT."""
    owner = os.getpid()

    def leave() -> None:
        try:
            try:
                if os.getpid() == owner:
                    finish()
            except Exception as error:  # noqa: BLE001 - what was logged still has to be sent
                warn("exit", f"runs could not be ended: {error!r}")
            sender.close()
        except KeyboardInterrupt:
            # Asked to hurry: what is left goes to the spool, and that takes no time.
            sender.close(0.0)

    atexit.register(leave)
