"""What is left of metric batches when there is no room for all of them."""

from collections import deque
from typing import Any, Deque, Dict, List, Tuple

from . import _wire

# The series that says how many points a writer has dropped so far; proto-spec knows it as any other.
DROPPED_KEY = "linaje/dropped_points"
# Far enough below the credit of a stream, which one more batch may come on top of.
_GATHERED_BYTES = 60_000
_POINT_BYTES = 28
_SERIES_BYTES = 48


def without_number(payload: bytes) -> bytes:
    """A whole MetricBatch without its number (field 1, which comes first)."""
    _, end = _wire.read_varint(memoryview(payload), 1)
    return payload[end:]


class Thinned:
    """The last point of each series of some batches, gathered into few batches.

    These take at most `limit` bytes: the oldest of them go when there are more. `dropped` counts
    the points that are gone; the reports of earlier ones (DROPPED_KEY) are no points of anybody.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.dropped = 0
        self._series: Dict[Tuple[Any, ...], int] = {}
        self._messages: List[Any] = []
        self._columns: Tuple[List[int], List[int], List[int], List[float]] = ([], [], [], [])
        self._reports = self._size = 0
        self._done: Deque[Tuple[bytes, int]] = deque()
        self._bytes = 0

    def add(self, batch: bytes) -> None:
        """Takes in the next older batch, with or without its number."""
        message = _wire.decode("MetricBatch", batch)
        count = len(message.value)
        index = message.series_index or [0] * count
        last = sorted(dict(zip(index, range(count))).values())
        reports = {place for place, series in enumerate(message.series)
                   if series.key == DROPPED_KEY}
        all_reports = sum(map(index.count, reports))
        kept_reports = sum(index[place] in reports for place in last)
        self.dropped += (count - all_reports) - (len(last) - kept_reports)
        indexes, steps, times, values = self._columns
        for place in last:
            indexes.append(self._place(message.series[index[place]]))
            self._reports += index[place] in reports
            self._size += _POINT_BYTES
            steps.append(message.step[place])
            times.append(message.time_us[place])
            values.append(message.value[place])
            if self._size >= _GATHERED_BYTES:
                self._gather()
                indexes, steps, times, values = self._columns

    def batches(self) -> List[Tuple[bytes, int]]:
        """(MetricBatch without a number, its points) of what is left, oldest first."""
        self._gather()
        return list(self._done)

    def _place(self, series: Any) -> int:
        key = tuple(series.values())
        place = self._series.get(key)
        if place is None:
            place = self._series[key] = len(self._messages)
            self._messages.append(series)
            self._size += _SERIES_BYTES + sum(len(part) for part in key)
        return place

    def _gather(self) -> None:
        indexes, steps, times, values = self._columns
        if not steps:
            return
        body = _wire.encode("MetricBatch", {
            "series": self._messages, "series_index": indexes if len(self._messages) > 1 else [],
            "step": steps, "time_us": times, "value": values})
        self._done.append((body, len(steps) - self._reports))
        self._bytes += len(body)
        self._series, self._messages, self._columns = {}, [], ([], [], [], [])
        self._reports = self._size = 0
        while self._bytes > self.limit and len(self._done) > 1:
            gone, points = self._done.popleft()
            self._bytes -= len(gone)
            self.dropped += points
