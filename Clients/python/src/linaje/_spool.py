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
import sys
import threading
import time
import zlib
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, Optional, Tuple

from . import _wire
from ._thinning import Thinned, without_number

_RECORD = struct.Struct("<II")
HEADER, BATCH, OPERATION, DONE = b"H", b"B", b"O", b"D"
METRIC_LIMIT = 512 << 20
_THINNED_BYTES = 16 << 20
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
        # A length that the file cannot hold is no length: nothing is taken for it.
        size = os.fstat(file.fileno()).st_size
        file.seek(start)
        position = start
        while True:
            head = file.read(_RECORD.size)
            if len(head) < _RECORD.size:
                return
            length, check = _RECORD.unpack(head)
            if not 1 <= length <= size - position - _RECORD.size:
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
    """Numbered metric batches of one writer, bounded in size by `thin`."""

    def __init__(self, path: str, run_id: bytes, writer_id: bytes) -> None:
        super().__init__(path, {"run": run_id.hex(), "writer": writer_id.hex()})
        self.last = 0
        self.generation = 0
        self.limit = metric_limit()
        self._full_at = self.limit

    @property
    def full(self) -> bool:
        """Whether it is time to `thin` it."""
        return self.size > self._full_at

    def add(self, sequence: int, payload: bytes) -> None:
        """Appends batch `sequence` (a whole MetricBatch). Raises OSError."""
        self.append(BATCH, struct.pack("<Q", sequence) + payload)
        self.last = sequence

    def batches(self, after: int, position: int = 0) -> Iterator[Tuple[int, int, bytes]]:
        """(position after it, number, MetricBatch) of the batches past number `after`."""
        for end, kind, payload in read_records(self.path, position):
            if kind == BATCH and len(payload) > 8:
                (sequence,) = struct.unpack_from("<Q", payload)
                if sequence > after:
                    yield end, sequence, payload[8:]

    def thin(self, durable: int, sent: int, pause: Callable[[], None]) -> int:
        """Rewrites the file with less in it; how many points that dropped.

        Batches up to number `durable` are left out. Those up to `sent` may be durable without our
        knowing: they keep number and content, or a point could be stored twice. Of the others the
        newest that fill half the limit stay whole, older ones are thinned out (`Thinned`), and all
        are numbered anew. `pause` is called between records. OSError leaves the file as it was.
        """
        target = BatchSpool(self.path + ".new", b"", b"")
        target.header = self.header
        with contextlib.suppress(OSError):
            os.unlink(target.path)
        try:
            dropped = self._rewrite(target, durable, sent, pause)
            target.close()
            os.replace(target.path, self.path)
        except OSError:
            target.close(remove=True)
            self._full_at = self.size + self.limit // 8
            raise
        self.close()
        self.size, self.last = target.size, target.last
        self.generation += 1
        self._full_at = max(self.limit, self.size + self.limit // 8)
        return dropped

    def _rewrite(self, target: "BatchSpool", durable: int, sent: int,
                 pause: Callable[[], None]) -> int:
        target.last = durable
        thinned: Optional[Thinned] = Thinned(min(self.limit // 4, _THINNED_BYTES))
        dropped = 0
        for end, sequence, payload in self.batches(durable):
            pause()
            if sequence <= sent:
                target.add(sequence, payload)
                continue
            body = without_number(payload)
            if thinned is not None:
                if end <= self.size - self.limit // 2:
                    thinned.add(body)
                    continue
                dropped, thinned = target.add_thinned(thinned, sent), None
            target.add_next(body, sent)
        if thinned is not None:
            dropped = target.add_thinned(thinned, sent)
        return dropped

    def add_thinned(self, thinned: Thinned, sent: int) -> int:
        """Appends what is left of some batches; how many points are not."""
        for body, _ in thinned.batches():
            self.add_next(body, sent)
        return thinned.dropped

    def add_next(self, body: bytes, sent: int = 0) -> int:
        """Appends a batch under the next number, past `sent`, and returns that. Raises OSError."""
        number = max(self.last, sent) + 1
        self.add(number, numbered(number, body))
        return number


def numbered(number: int, body: bytes) -> bytes:
    """A whole MetricBatch: its number (field 1) before its body."""
    return b"\x08" + _wire.varint(number) + body


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
        final = os.path.join(root, name)
        fd = -1
        try:
            os.mkdir(fresh, 0o700)
            os.mkdir(os.path.join(fresh, "files"), 0o700)
            fd = os.open(os.path.join(fresh, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Only now does it get a name that others look at: nobody finds it unlocked.
            os.rename(fresh, final)
        except OSError:
            # It is tried again and again: nothing may be left of what did not succeed.
            if fd >= 0:
                os.close(fd)
            shutil.rmtree(fresh, ignore_errors=True)
            raise
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
        """The runs it holds something of, as hex digits: in the order of their first changes, for
        a part of a run is created after it."""
        names = {name.split(".")[0] for name in os.listdir(self.path)
                 if name.endswith((".ops", ".metrics"))}
        first = {name: next((number for number, _ in self.operations(name)), sys.maxsize)
                 for name in names}
        return sorted(names, key=lambda name: (first[name], name))

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
