"""The metrics of one run on their way: points, numbered batches, spool, acknowledgements."""

import os
import struct
import threading
import time
from array import array
from collections import deque
from typing import Any, Deque, Dict, Iterator, List, Optional, Tuple, Union

from . import _wire
from ._connection import Connection, Stream
from ._errors import LinajeError
from ._log import warn
from ._pace import Pace
from ._spool import BatchSpool, SpoolFolder, numbered
from ._thinning import DROPPED_KEY, Thinned

# A series is a key, or (key, model id, data set name, data set digest).
Series = Union[str, Tuple[str, bytes, str, str]]

MAX_POINTS_WAITING = 1_000_000
MAX_BATCH_POINTS = 4_096
MAX_BATCH_SERIES = 10_000
MAX_BATCH_BYTES = 120_000
MEMORY_LIMIT = 64 << 20
STALLED_AFTER = 2.0

# A point as log_metric leaves it: number of its series, step, microseconds since 1970, value.
# Bytes rather than a tuple: they never make the interpreter collect garbage, and a batch is cut
# out of thousands of them by a few calls.
pack_point = struct.Struct("=qqqd").pack


class MetricQueue:
    """One writer of one run.

    `points` is filled by any thread; everything else belongs to whoever holds `lock`: the sender's
    metric thread, or the one that ends the process. Points move on through `waiting` (batches
    without a number, which nobody has seen) to `pending` (numbered and sent) or to the spool.
    """

    def __init__(self, run_id: bytes, folder: SpoolFolder) -> None:
        self.run_id = run_id
        self.folder = folder
        self.lock = threading.Lock()
        self.points: Deque[bytes] = deque()
        self.series: Dict[Series, int] = {}
        self._names: List[Series] = []
        self._encoded: Dict[int, bytes] = {}
        # Taken for a moment by threads that log: a signal handler may be one of them.
        self._admitting = threading.RLock()
        self._overflow = 0
        self.idle = True
        self.created = False
        self.ended = False
        self.rejected: Optional[LinajeError] = None
        # The lease that this process holds of the run; None: somebody else owns it.
        self.lease: Optional[Dict[str, int]] = None
        self.retry_at = 0.0
        self._begin()

    def _begin(self) -> None:
        self.dropped = 0
        self._reported = 0
        self._reports = 0
        self.waiting: Deque[Tuple[bytes, int]] = deque()
        self.waiting_bytes = 0
        self.replay = False
        self.stream: Optional[Stream] = None
        self._cutting = False
        self._begin_writer()

    def _begin_writer(self) -> None:
        self.writer_id = os.urandom(16)
        self.pending: Deque[Tuple[int, bytes, int]] = deque()
        self.sent_through = 0
        self.sent_ever = 0
        self.durable_through = 0
        self.progress_at = time.monotonic()
        self.spool: Optional[BatchSpool] = None
        self._last = 0
        self._read_anew()

    def _read_anew(self) -> None:
        """What is in the spool is read from its beginning when it is next sent."""
        self._reader: Optional[Iterator[Tuple[int, int, bytes]]] = None
        self._reader_state = (0, 0)
        self._next_spooled: Optional[Tuple[int, bytes]] = None

    def after_fork(self) -> None:
        """In a forked child: a writer of its own with nothing to send."""
        self.lock = threading.Lock()
        self._admitting = threading.RLock()
        self.points.clear()
        self._overflow = 0
        self.idle = True
        self.created = True
        self._begin()

    @property
    def drained(self) -> bool:
        """Whether all points given so far are durable (or were dropped)."""
        # In the order in which a point moves on, so that it is seen in one of the places.
        return (not self.points and not self._cutting and not self.waiting and not self.pending
                and self.spool is None)

    # --- Called by any thread ---

    def admit(self, series: Series) -> int:
        """The number of a series in this queue's points."""
        with self._admitting:
            number = self.series.get(series)
            if number is None:
                number = len(self._names)
                self._names.append(series)
                self.series[series] = number
            return number

    def make_room(self) -> None:
        """Nobody takes the points away: the oldest is dropped."""
        with self._admitting:
            try:
                self.points.popleft()
            except IndexError:
                return
            self._overflow += 1

    def misfit(self, why: object) -> None:
        """A point that no batch can carry is dropped."""
        with self._admitting:
            self._overflow += 1
        warn("points-misfit", f"a step or time does not fit 64 bits: {why}; such points are "
                              f"dropped")

    # --- Points into batches ---

    def cut(self) -> None:
        """Turns all points into batches."""
        self._cutting = True
        try:
            self._cut(Pace())
        finally:
            self._cutting = False

    def _cut(self, pace: Pace) -> None:
        with self._admitting:
            overflow, self._overflow = self._overflow, 0
        self._drop(overflow, "they came faster than they could be taken, or fit no batch")
        while self.points:
            pop, taken = self.points.popleft, []
            try:
                for _ in range(MAX_BATCH_POINTS):
                    taken.append(pop())
            except IndexError:
                pass
            for body, size in self._encode(b"".join(taken)):
                self._wait(body, size)
            pace()
        self._report()

    def _wait(self, body: bytes, size: int) -> None:
        self.waiting.append((body, size))
        self.waiting_bytes += len(body)

    def _encode(self, data: bytes) -> List[Tuple[bytes, int]]:
        """The batches (without their numbers) of some packed points: one, or more when it grew
        large."""
        whole: "array[Any]" = array("q", data)
        series, count = whole[0::4], len(whole) // 4
        columns = (_wire.packed(4, whole[1::4]) + _wire.packed(5, whole[2::4])
                   + _wire.packed(6, array("d", data)[3::4]))
        table = dict.fromkeys(series)
        head = b"".join([self._encoded_series(each) for each in table])
        size = len(head) + len(columns) + 4 * count
        if (size > MAX_BATCH_BYTES or len(table) > MAX_BATCH_SERIES) and count > 1:
            half = count // 2 * 32
            return self._encode(data[:half]) + self._encode(data[half:])
        if len(table) > 1:
            place = dict(zip(table, range(len(table))))
            head += _wire.packed(3, array("I", map(place.__getitem__, series)))
        return [(head + columns, count)]

    def _encoded_series(self, number: int) -> bytes:
        encoded = self._encoded.get(number)
        if encoded is None:
            series = self._names[number]
            fields: Dict[str, Any] = {"key": series}
            if isinstance(series, tuple):
                fields = dict(zip(("key", "model_id", "dataset_name", "dataset_digest"), series))
            encoded = _wire.delimited(2, _wire.encode("Series", fields))
            self._encoded[number] = encoded
        return encoded

    # --- What is dropped ---

    def _drop(self, count: int, why: str) -> None:
        if count:
            self.dropped += count
            warn("points-dropped", f"{count} metric points were dropped ({self.dropped} so far): "
                                   f"{why}")

    def _report(self) -> None:
        """Lets the run say how many of its points this writer has dropped, as a metric."""
        if self.dropped == self._reported:
            return
        point = pack_point(self.admit(DROPPED_KEY), self._reports, time.time_ns() // 1000,
                           float(self.dropped))
        for body, _ in self._encode(point):
            self._wait(body, 0)
        self._reported = self.dropped
        self._reports += 1

    # --- Spooling ---

    def spill(self) -> None:
        """Moves all batches from memory to disk. When the disk refuses them, memory stays bounded
        by thinning out the oldest."""
        if not self.pending and not self.waiting:
            return
        try:
            if self.spool is None:
                name = f"{self.run_id.hex()}.{self.writer_id.hex()}.metrics"
                self.spool = BatchSpool(self.folder.path(name), self.run_id, self.writer_id)
                self.spool.last = self.pending[0][0] - 1 if self.pending else self._last
                self._read_anew()
            pace = Pace()
            while self.pending or self.waiting:
                if self.pending:
                    number, body, _ = self.pending[0]
                    self.spool.add(number, numbered(number, body))
                    self.pending.popleft()
                else:
                    body, _ = self.waiting[0]
                    self._last = self.spool.add_next(body)
                    self.waiting.popleft()
                    self.waiting_bytes -= len(body)
                if self.spool.full:
                    self._thin_spool(pace)
                pace()
        except OSError as error:
            warn("spool-failed", f"metrics cannot be spooled: {error}; they wait in memory")
            if self.spool is not None and self.spool.size == 0:
                self.spool.close(remove=True)
                self.spool = None
            self._thin_memory()

    def _thin_spool(self, pace: Pace) -> None:
        def pause() -> None:
            pace()
            if len(self.points) > MAX_BATCH_POINTS:
                self._cut(pace)

        assert self.spool is not None
        try:
            dropped = self.spool.thin(self.durable_through, self.sent_ever, pause)
        except OSError as error:
            warn("spool-failed", f"the metric spool is full and cannot be thinned out: {error}")
            return
        self._read_anew()
        if not self.pending:
            self._last = self.spool.last
        self._drop(dropped, "the metric spool is full and the oldest went; raise "
                            "LINAJE_SPOOL_BYTES or start linajed")
        self._report()

    def _thin_memory(self) -> None:
        """Keeps the newest half of what waits whole, and the last of each series of the rest."""
        if self.waiting_bytes <= MEMORY_LIMIT:
            return
        pace, thinned = Pace(), Thinned(MEMORY_LIMIT // 4)
        # The newest stays where it is, so that `drained` is not true meanwhile.
        while self.waiting_bytes > MEMORY_LIMIT // 2 and len(self.waiting) > 1:
            body, _ = self.waiting.popleft()
            self.waiting_bytes -= len(body)
            thinned.add(body)
            pace()
        for body, size in reversed(thinned.batches()):
            self.waiting.appendleft((body, size))
            self.waiting_bytes += len(body)
        self._drop(thinned.dropped, "neither the daemon nor the disk takes them")
        self._report()

    def _unsent(self) -> Iterator[Tuple[int, bytes]]:
        """Spooled batches that the open stream has not carried yet, in order."""
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
        for sequence, body, _ in list(self.pending):
            if sequence > self.sent_through:
                yield sequence, numbered(sequence, body)
        while self.waiting:
            # Only what is sent gets a number: until then the spool may still thin it out.
            sequence = self._last + 1
            body, size = self.waiting[0]
            yield sequence, numbered(sequence, body)
            # In this order: `drained` looks without the lock and must see it in one of the places.
            self.pending.append((sequence, body, size))
            self.waiting.popleft()
            self.waiting_bytes -= len(body)
            self._last = sequence

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
            self._read_anew()

    def advance(self) -> bool:
        """Sends what the credit allows; whether something was sent. Raises LinajeError."""
        assert self.stream is not None
        sent, pace = False, Pace()
        with self.lock:
            if self.sent_through == self.durable_through:
                self.progress_at = time.monotonic()
            for sequence, payload in self._unsent():
                if not self.stream.can_send(len(payload)):
                    break
                self.sent_ever = max(self.sent_ever, sequence)
                self.stream.send(payload)
                self.sent_through = sequence
                self._next_spooled = None
                sent = True
                pace()
        return sent

    @property
    def stalled(self) -> bool:
        """Whether nothing of what was sent has become durable for a while."""
        return (self.sent_through > self.durable_through
                and time.monotonic() - self.progress_at > STALLED_AFTER)

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
        if durable > self.durable_through:
            self.durable_through = durable
            self.progress_at = time.monotonic()
        while self.pending and self.pending[0][0] <= durable:
            self.pending.popleft()
        if self.spool is not None and self.spool.last <= durable:
            self.spool.close(remove=True)
            self.spool = None
            self._read_anew()

    def refuse(self, error: LinajeError) -> None:
        """The daemon will never take these batches: they are dropped, counted and reported."""
        with self.lock:
            count = sum(size for *_, size in self.pending) + sum(size for _, size in self.waiting)
            self.waiting.clear()
            self.waiting_bytes = 0
            if self.spool is not None:
                for _, _, payload in self.spool.batches(self.durable_through):
                    count += len(_wire.decode("MetricBatch", payload).value)
                self.spool.close(remove=True)
            self.stream = None
            # The numbers that were refused are gone: what follows needs a writer of its own.
            self._begin_writer()
            self._drop(count, str(error))
            # A report would be refused like the rest.
            self._reported = self.dropped
