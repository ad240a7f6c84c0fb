"""What could not be sent waits on disk: one private folder per process, replayed once, then gone.

```
$XDG_STATE_HOME/linaje/spool/PID-RANDOM/      0700
    lock               flock(2), held by the process that owns the folder or replays it
    RUN.ops            changes of a run, in order
    RUN.WRITER.metrics numbered metric batches of one writer
    files/             copies of files that wait to be uploaded
record = u32 length | u32 CRC-32 | kind (1 byte) | payload
```

Numbers are little-endian; length and checksum cover kind and payload. Files are append-only; a
torn record at the end is where a process died, and ends the file.
"""

import contextlib
import fcntl
import json
import os
import shutil
import struct
import threading
import time
import zlib
from typing import Any, BinaryIO, Dict, Iterator, List, Optional, Tuple

from . import _wire
from ._log import warn

_RECORD = struct.Struct("<II")
_MAX_RECORD = 16 << 20
HEADER, BATCH, OPERATION, DONE = b"H", b"B", b"O", b"D"
METRIC_LIMIT = 512 << 20
FILE_LIMIT = 64 << 30
_STALE = 86_400.0


def spool_root() -> str:
    """The folder of all spools of the user."""
    base = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"),
                                                            ".local", "state")
    return os.path.join(base, "linaje", "spool")


def metric_limit() -> int:
    """Most bytes of one writer's spooled metrics: LINAJE_SPOOL_BYTES, else 512 MiB."""
    try:
        return max(4096, int(os.environ["LINAJE_SPOOL_BYTES"]))
    except (KeyError, ValueError):
        return METRIC_LIMIT


def read_records(path: str, start: int = 0) -> Iterator[Tuple[int, bytes, bytes]]:
    """(position after it, kind, payload) of each whole record from `start` on."""
    try:
        file = open(path, "rb")
    except FileNotFoundError:
        return
    with file:
        file.seek(start)
        position = start
        while True:
            head = file.read(_RECORD.size)
            if len(head) < _RECORD.size:
                return
            length, check = _RECORD.unpack(head)
            if not 1 <= length <= _MAX_RECORD:
                return
            body = file.read(length)
            if len(body) < length or zlib.crc32(body) != check:
                return
            position += _RECORD.size + length
            yield position, body[:1], body[1:]


def _record(kind: bytes, payload: bytes) -> bytes:
    body = kind + payload
    return _RECORD.pack(len(body), zlib.crc32(body)) + body


class RecordFile:
    """An append-only file of records; opened when the first is written."""

    def __init__(self, path: str, header: Dict[str, Any]) -> None:
        self.path = path
        self.header = header
        self.size = 0
        self._file: Optional[BinaryIO] = None

    def append(self, kind: bytes, payload: bytes) -> None:
        """Adds a record; it is in the kernel's hands when this returns. Raises OSError."""
        record = _record(kind, payload)
        if self._file is None:
            fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._file = os.fdopen(fd, "ab", buffering=0)
            self.size = os.fstat(fd).st_size
            if self.size == 0:
                self._write(_record(HEADER, json.dumps(self.header).encode()))
        self._write(record)

    def _write(self, record: bytes) -> None:
        assert self._file is not None
        written = self._file.write(record)
        if written != len(record):
            # A full disk takes a part; what follows must not stand behind a torn record.
            os.ftruncate(self._file.fileno(), self.size)
            raise OSError(28, "no space left for the spool")
        self.size += len(record)

    def close(self, remove: bool = False) -> None:
        """Closes the file, and removes it if it is no longer needed."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if remove:
            with contextlib.suppress(OSError):
                os.unlink(self.path)
            self.size = 0


class BatchSpool(RecordFile):
    """Numbered metric batches of one writer, bounded in size.

    A batch number may never be missing, so what is dropped for space is not a batch but its
    points: the oldest batches shrink to the last point of each series.
    """

    def __init__(self, path: str, run_id: bytes, writer_id: bytes) -> None:
        super().__init__(path, {"run": run_id.hex(), "writer": writer_id.hex()})
        self.last = 0
        self.dropped = 0
        self.limit = metric_limit()

    def add(self, sequence: int, payload: bytes) -> None:
        """Appends batch `sequence` (a whole MetricBatch)."""
        self.append(BATCH, struct.pack("<Q", sequence) + payload)
        self.last = sequence
        if self.size > self.limit:
            self._thin()

    def batches(self, after: int, position: int = 0) -> Iterator[Tuple[int, int, bytes]]:
        """(position after it, number, MetricBatch) of the batches past number `after`."""
        for end, kind, payload in read_records(self.path, position):
            if kind == BATCH and len(payload) > 8:
                (sequence,) = struct.unpack_from("<Q", payload)
                if sequence > after:
                    yield end, sequence, payload[8:]

    generation = 0

    def _thin(self) -> None:
        """Rewrites the file with its older half thinned out."""
        half, kept, dropped = self.limit // 2, 0, 0
        temporary = self.path + ".new"
        target = RecordFile(temporary, self.header)
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        for end, kind, payload in read_records(self.path):
            if kind != BATCH:
                continue
            if end <= self.size - half:
                payload, count = thin_batch(payload)
                dropped += count
            target.append(kind, payload)
            kept += 1
        self.close()
        target.close()
        os.replace(temporary, self.path)
        self.size = target.size
        self.generation += 1
        # Thinned batches stay small: when all is thinned already, let the file grow once more.
        if self.size > self.limit * 3 // 4:
            self.limit = self.size * 2
        self.dropped += dropped
        if dropped:
            warn("spool-full", f"the metric spool is full: {dropped} of the oldest points were "
                               f"dropped ({self.dropped} so far); raise LINAJE_SPOOL_BYTES or "
                               f"start linajed")


def thin_batch(record: bytes) -> Tuple[bytes, int]:
    """A spooled batch reduced to the last point of each series, and how many points that drops."""
    batch = _wire.decode("MetricBatch", memoryview(record)[8:])
    count = len(batch.value)
    index = batch.series_index or [0] * count
    last = sorted({series: place for place, series in enumerate(index)}.values())
    thinned = _wire.encode("MetricBatch", {
        "sequence": batch.sequence, "series": batch.series,
        "series_index": [index[place] for place in last] if batch.series_index else [],
        "step": [batch.step[place] for place in last],
        "time_us": [batch.time_us[place] for place in last],
        "value": [batch.value[place] for place in last]})
    return record[:8] + thinned, count - len(last)


class SpoolFolder:
    """The folder of this process, made when it is first needed and locked while it lives."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fd = -1
        self._path: Optional[str] = None

    @property
    def exists(self) -> bool:
        """Whether it was made."""
        return self._path is not None

    def path(self, name: str = "") -> str:
        """The folder, or a file in it. Raises OSError when it cannot be made."""
        with self._lock:
            if self._path is None:
                self._make()
            assert self._path is not None
            return os.path.join(self._path, name) if name else self._path

    def _make(self) -> None:
        root = spool_root()
        # The folder above is also a daemon's state directory: private, whoever makes it first.
        os.makedirs(os.path.dirname(root), 0o700, exist_ok=True)
        os.makedirs(root, 0o700, exist_ok=True)
        name = f"{os.getpid()}-{os.urandom(8).hex()}"
        fresh = os.path.join(root, f".new-{name}")
        os.mkdir(fresh, 0o700)
        os.mkdir(os.path.join(fresh, "files"), 0o700)
        fd = os.open(os.path.join(fresh, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Only now does it get a name that others look at: nobody finds it unlocked.
        final = os.path.join(root, name)
        os.rename(fresh, final)
        self._fd, self._path = fd, final

    def release(self, remove: bool) -> None:
        """Lets go of the folder; `remove` when nothing in it is needed any more."""
        with self._lock:
            path, self._path = self._path, None
            if path is not None and remove:
                shutil.rmtree(path, ignore_errors=True)
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def after_fork(self) -> None:
        """In a forked child: the folder belongs to the parent."""
        self._lock = threading.Lock()
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._path = -1, None


class DeadSpool:
    """A spool whose process is gone, locked by us."""

    def __init__(self, path: str, fd: int) -> None:
        self.path = path
        self._fd = fd

    def runs(self) -> List[str]:
        """The runs it holds something of, as hex digits."""
        names = {name.split(".")[0] for name in os.listdir(self.path)
                 if name.endswith((".ops", ".metrics"))}
        return sorted(names)

    def operations(self, run: str) -> List[Tuple[int, Dict[str, Any]]]:
        """The changes of a run that are not done yet: (number, operation)."""
        waiting: Dict[int, Dict[str, Any]] = {}
        for _, kind, payload in read_records(os.path.join(self.path, f"{run}.ops")):
            if kind == OPERATION:
                operation = json.loads(payload)
                waiting[operation["number"]] = operation
            elif kind == DONE:
                waiting.pop(json.loads(payload), None)
        return sorted(waiting.items())

    def mark_done(self, run: str, number: int) -> None:
        """Remembers that a change is done."""
        path = os.path.join(self.path, f"{run}.ops")
        # What a torn record left behind would hide the mark.
        os.truncate(path, max((end for end, _, _ in read_records(path)), default=0))
        record = RecordFile(path, {})
        record.append(DONE, json.dumps(number).encode())
        record.close()

    def writers(self, run: str) -> List[Tuple[bytes, str]]:
        """(writer id, file) of each writer of the run."""
        found = []
        for name in sorted(os.listdir(self.path)):
            parts = name.split(".")
            if len(parts) == 3 and parts[0] == run and parts[2] == "metrics":
                found.append((bytes.fromhex(parts[1]), os.path.join(self.path, name)))
        return found

    def close(self, remove: bool) -> None:
        """Removes the folder, or lets go of it for another try."""
        if remove:
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._fd)


def dead_spools() -> Iterator[DeadSpool]:
    """Locks and yields each spool whose process is gone."""
    root = spool_root()
    try:
        names = sorted(os.listdir(root))
    except OSError:
        return
    for name in names:
        path = os.path.join(root, name)
        if name.startswith("."):
            with contextlib.suppress(OSError):
                if time.time() - os.stat(path).st_mtime > _STALE:
                    shutil.rmtree(path, ignore_errors=True)
            continue
        try:
            fd = os.open(os.path.join(path, "lock"), os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Somebody may have replayed and removed it between the opening and the locking.
            if os.fstat(fd).st_nlink == 0:
                raise OSError("gone")
        except OSError:
            os.close(fd)
            continue
        yield DeadSpool(path, fd)
