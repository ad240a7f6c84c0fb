"""The metrics of one run on their way: points, numbered batches, spool, acknowledgements."""

import os
import threading
from array import array
from collections import deque
from itertools import islice
from typing import Any, Deque, Dict, Iterator, List, Optional, Sequence, Tuple, Union

from . import _wire
from ._connection import Connection, Stream
from ._errors import LinajeError
from ._log import warn
from ._spool import BatchSpool, SpoolFolder, thin_batch

# A series is a key, or (key, model id, data set name, data set digest).
Series = Union[str, Tuple[str, bytes, str, str]]
Point = Tuple[Series, int, int, float]

MAX_POINTS_WAITING = 1_000_000
MAX_BATCH_POINTS = 4_096
MAX_BATCH_SERIES = 10_000
MAX_BATCH_BYTES = 120_000
MEMORY_LIMIT = 64 << 20
_INT64 = range(-(1 << 63), 1 << 63)


class MetricQueue:
    """One writer of one run.

    `points` is filled by any thread; everything else belongs to the sender's metric thread, or to
    whoever holds `lock` while that thread is not at work on it.
    """

    def __init__(self, run_id: bytes, folder: SpoolFolder) -> None:
        self.run_id = run_id
        self.folder = folder
        self.lock = threading.Lock()
        self.points: Deque[Point] = deque(maxlen=MAX_POINTS_WAITING)
        self.idle = True
        self.created = False
        self.ended = False
        self.rejected: Optional[LinajeError] = None
        self.retry_at = 0.0
        self.dropped = 0
        self._begin()

    def _begin(self) -> None:
        self.writer_id = os.urandom(16)
        self.pending: Deque[Tuple[int, bytes, int]] = deque()
        self.pending_bytes = 0
        self.next_sequence = 1
        self.sent_through = 0
        self.durable_through = 0
        self.durable_points = 0
        self.replay = False
        self.stream: Optional[Stream] = None
        self.spool: Optional[BatchSpool] = None
        self._spool_points = 0
        self._reader: Optional[Iterator[Tuple[int, int, bytes]]] = None
        self._reader_state = (0, 0)
        self._next_spooled: Optional[Tuple[int, bytes]] = None
        self._series_bytes: Dict[Series, bytes] = {}
        self._cutting = False

    def after_fork(self) -> None:
        """In a forked child: a writer of its own with nothing to send."""
        self.lock = threading.Lock()
        self.points.clear()
        self.idle = True
        self.created = True
        self._begin()

    @property
    def drained(self) -> bool:
        """Whether all points given so far are durable (or were dropped)."""
        # In the order in which a point moves on, so that it is seen in one of the places.
        return (not self.points and not self._cutting and not self.pending
                and self.spool is None)

    # --- Points into batches ---

    def cut(self) -> None:
        """Turns all waiting points into numbered batches."""
        self._cutting = True
        try:
            self._cut()
        finally:
            self._cutting = False

    def _cut(self) -> None:
        while self.points:
            if len(self.points) == MAX_POINTS_WAITING:
                warn("points-full", f"more than {MAX_POINTS_WAITING} metric points wait to be "
                                    f"sent; the oldest are dropped")
            pop = self.points.popleft
            count = min(len(self.points), MAX_BATCH_POINTS)
            taken = [pop() for _ in range(count)]
            for body, size in self._encode(taken):
                payload = b"\x08" + _wire.varint(self.next_sequence) + body
                self.pending.append((self.next_sequence, payload, size))
                self.pending_bytes += len(payload)
                self.next_sequence += 1

    def _encode(self, points: Sequence[Point]) -> List[Tuple[bytes, int]]:
        """The batches (without their numbers) of some points: one, or more when it grew large."""
        series, steps, times, values = zip(*points)
        try:
            columns = (_wire.packed(4, array("q", steps)) + _wire.packed(5, array("q", times))
                       + _wire.packed(6, array("d", values)))
        except (OverflowError, TypeError, ValueError) as error:
            good = [point for point in points if point[1] in _INT64 and point[2] in _INT64]
            self._drop(len(points) - len(good), f"a step or time does not fit 64 bits: {error}")
            return self._encode(good) if good and len(good) < len(points) else []
        table = dict.fromkeys(series)
        head = b"".join([self._encoded_series(each) for each in table])
        size = len(head) + len(columns) + 4 * len(points)
        if (size > MAX_BATCH_BYTES or len(table) > MAX_BATCH_SERIES) and len(points) > 1:
            half = len(points) // 2
            return self._encode(points[:half]) + self._encode(points[half:])
        if len(table) > 1:
            place = {each: index for index, each in enumerate(table)}
            head += _wire.packed(3, array("I", map(place.__getitem__, series)))
        return [(head + columns, len(points))]

    def _encoded_series(self, series: Series) -> bytes:
        encoded = self._series_bytes.get(series)
        if encoded is None:
            fields: Dict[str, Any] = {"key": series}
            if isinstance(series, tuple):
                fields = dict(zip(("key", "model_id", "dataset_name", "dataset_digest"), series))
            encoded = _wire.delimited(2, _wire.encode("Series", fields))
            self._series_bytes[series] = encoded
        return encoded

    def _drop(self, count: int, why: str) -> None:
        if count:
            self.dropped += count
            warn("points-dropped", f"{count} metric points were dropped: {why}")

    # --- Spooling ---

    def spill(self) -> None:
        """Moves all batches from memory to disk. When the disk refuses them, memory stays bounded
        by thinning out the oldest."""
        if not self.pending:
            return
        try:
            if self.spool is None:
                name = f"{self.run_id.hex()}.{self.writer_id.hex()}.metrics"
                self.spool = BatchSpool(self.folder.path(name), self.run_id, self.writer_id)
                self._reader, self._reader_state, self._next_spooled = None, (0, 0), None
            while self.pending:
                sequence, payload, size = self.pending[0]
                self.spool.add(sequence, payload)
                self.pending.popleft()
                self.pending_bytes -= len(payload)
                self._spool_points += size
        except OSError as error:
            warn("spool-failed", f"metrics cannot be spooled: {error}; they wait in memory")
            if self.spool is not None and self.spool.last == 0:
                self.spool.close(remove=True)
                self.spool = None
            self._thin_memory()

    def _thin_memory(self) -> None:
        if self.pending_bytes <= MEMORY_LIMIT:
            return
        kept: Deque[Tuple[int, bytes, int]] = deque()
        dropped = 0
        for place, (sequence, payload, size) in enumerate(self.pending):
            if place < len(self.pending) // 2 and size > 1:
                record, count = thin_batch(bytes(8) + payload)
                payload, size, dropped = record[8:], size - count, dropped + count
            kept.append((sequence, payload, size))
        self.pending = kept
        self.pending_bytes = sum(len(payload) for _, payload, _ in kept)
        self._drop(dropped, "neither the daemon nor the disk takes them")

    def _unsent(self) -> Iterator[Tuple[int, bytes]]:
        """Batches that the open stream has not carried yet, in order."""
        while self.spool is not None:
            if self._next_spooled is None:
                if self._reader is None or self._reader_state[1] != self.spool.generation:
                    self._reader = self.spool.batches(self.sent_through)
                    self._reader_state = (0, self.spool.generation)
                found = next(self._reader, None)
                if found is None:
                    # More may be appended later; reading then goes on behind the last record.
                    position = self._reader_state[0]
                    self._reader = self.spool.batches(self.sent_through, position)
                    found = next(self._reader, None)
                    if found is None:
                        break
                self._reader_state = (found[0], self._reader_state[1])
                self._next_spooled = (found[1], found[2])
            sequence, payload = self._next_spooled
            if sequence > self.sent_through:
                yield sequence, payload
            self._next_spooled = None
        if self.pending:
            start = max(0, self.sent_through - self.pending[0][0] + 1)
            for sequence, payload, _ in list(islice(self.pending, start, None)):
                yield sequence, payload

    # --- On a connection ---

    def open(self, connection: Connection, deadline: float) -> None:
        """Opens the stream and learns what is durable already. Raises LinajeError."""
        stream = connection.open("StreamMetrics", {
            "run_id": self.run_id, "writer_id": self.writer_id, "replay": self.replay},
            deadline=deadline)
        durable = stream.wait_answer(deadline).durable_through
        self.stream = stream
        with self.lock:
            self._acknowledged(durable)
            self.sent_through = durable
            self._reader, self._next_spooled = None, None

    def advance(self) -> bool:
        """Sends what the credit allows; whether something was sent. Raises LinajeError."""
        assert self.stream is not None
        sent = False
        for sequence, payload in self._unsent():
            if not self.stream.can_send(len(payload)):
                break
            self.stream.send(payload)
            self.sent_through = sequence
            self._next_spooled = None
            sent = True
        return sent

    def leave(self) -> None:
        """Ends the stream of a run that has ended: a connection holds a limited number."""
        stream, self.stream = self.stream, None
        if stream is not None and not stream.connection.closed:
            stream.end()

    def take_acks(self) -> bool:
        """Takes in what the daemon acknowledged; whether something was. Raises LinajeError."""
        stream, news = self.stream, False
        if stream is None:
            return False
        while stream.inbox:
            payload = stream.receive()
            if payload is not None:
                durable = _wire.decode("MetricAck", payload).durable_through
                with self.lock:
                    self._acknowledged(durable)
                news = True
        stream.check()
        return news

    def _acknowledged(self, durable: int) -> None:
        self.durable_through = max(self.durable_through, durable)
        while self.pending and self.pending[0][0] <= durable:
            _, payload, size = self.pending.popleft()
            self.pending_bytes -= len(payload)
            self.durable_points += size
        if self.spool is not None and self.spool.last <= durable:
            self.durable_points += self._spool_points
            self._spool_points = 0
            self.spool.close(remove=True)
            self.spool = None
            self._reader, self._next_spooled = None, None

    def refuse(self, error: LinajeError) -> None:
        """The daemon will never take these batches: they are dropped, counted and reported."""
        with self.lock:
            count = sum(size for *_, size in self.pending) + self._spool_points
            self.pending.clear()
            self.pending_bytes = 0
            if self.spool is not None:
                self.spool.close(remove=True)
                self.spool = None
            self._spool_points = 0
            self.stream = None
            # The numbers that were refused are gone: what follows needs a writer of its own.
            self.writer_id = os.urandom(16)
            self.next_sequence = 1
            self.sent_through = self.durable_through = 0
            self._reader, self._next_spooled = None, None
        self._drop(count, str(error))
