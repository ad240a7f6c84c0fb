"""Files on their way into the store: digests, copies for later, the upload itself."""

import contextlib
import fcntl
import hashlib
import io
import os
import stat
import time
from collections import deque
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from . import _wire
from ._client import Client, file_parts
from ._errors import CORRUPT, INVALID_ARGUMENT, NOT_FOUND, STORAGE_FULL, UNAVAILABLE, LinajeError
from ._log import warn
from ._spool import SpoolFolder

FILE, EXECUTABLE, LINK = 0o100644, 0o100755, 0o120000
HELD_FILE = 1 << 20
_PART = 1 << 20
# Longest content of a file that is sent with others (PROTOCOL.md, PutFiles), and of a frame of them.
_SMALL = _FRAME = 128 << 10
# Each restart of the daemon in the middle of an upload costs a session.
_SESSIONS = 100
_FICLONE = 0x40049409


class TreeFile(NamedTuple):
    """One entry of a tree (STORAGE.md, "Trees")."""

    path: str
    mode: int
    size: int
    sha256: bytes


def check_path(path: str) -> str:
    """A path inside an artifact, as it came in; else LinajeError 117."""
    parts = path.split("/")
    if (not path or "\0" in path or len(os.fsencode(path)) > 1024
            or any(part in ("", ".", "..") for part in parts)):
        raise LinajeError(117, f"path {path!r} is absolute, too long, or has an empty, \".\" or "
                               f"\"..\" part; give it relative to the artifact")
    return path


def file_digest(path: str, *names: str) -> Tuple[bytes, ...]:
    """Digests of a file's content: `file_digest(path, "sha256", "md5")`."""
    digests = [hashlib.new(name) if name != "md5" else _md5() for name in names]
    with open(path, "rb") as file:
        for part in iter(lambda: file.read(_PART), b""):
            for digest in digests:
                digest.update(part)
    return tuple(digest.digest() for digest in digests)


def _md5() -> Any:
    # DVC's name for content, not a protection: also where policy forbids MD5 as one.
    try:
        return hashlib.new("md5", usedforsecurity=False)
    except TypeError:
        return hashlib.md5()


def tree_text(files: Iterable[TreeFile]) -> bytes:
    """The canonical text of a tree."""
    out = [b"linaje tree 1\n"]
    for file in sorted(files, key=lambda each: each.path.encode()):
        out.append(f"{file.mode:o} {file.sha256.hex()} {file.size} ".encode()
                   + file.path.encode() + b"\0")
    return b"".join(out)


def tree_digest(files: Iterable[TreeFile]) -> bytes:
    """The SHA-256 that names a tree."""
    return hashlib.sha256(tree_text(files)).digest()


def walk(folder: str) -> Iterator[Tuple[str, str]]:
    """(path relative to the folder, path) of each file and link below it, in byte order of names.

    What is neither is refused: LinajeError 102.
    """
    for name in sorted(os.listdir(folder), key=os.fsencode):
        full = os.path.join(folder, name)
        mode = os.lstat(full).st_mode
        if stat.S_ISDIR(mode):
            for path, below in walk(full):
                yield f"{name}/{path}", below
        elif stat.S_ISREG(mode) or stat.S_ISLNK(mode):
            yield name, full
        else:
            raise LinajeError(INVALID_ARGUMENT, f"{full} is neither a file nor a link; only those "
                                                f"can be stored")


def file_mode(path: str) -> int:
    """The mode that a tree knows for a file."""
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        return LINK
    return EXECUTABLE if mode & 0o111 else FILE


def describe_file(path: str, source: str) -> TreeFile:
    """The tree entry of a file or link."""
    mode = file_mode(source)
    if mode == LINK:
        target = os.fsencode(os.readlink(source))
        return TreeFile(path, mode, len(target), hashlib.sha256(target).digest())
    (digest,) = file_digest(source, "sha256")
    return TreeFile(path, mode, os.stat(source).st_size, digest)


def describe_tree(folder: str) -> List[TreeFile]:
    """The tree entries of a folder."""
    return [describe_file(path, source) for path, source in walk(folder)]


# --- Staging: what log_artifact was given may be gone or changed when its turn comes -------------

def take(path: str, source: str, *, whole: bool = True) -> Dict[str, Any]:
    """The entry of an upload, as it is when a file is logged. Raises OSError.

    A small file is read (`whole`: if there is memory for it), which is what its content costs
    anyway; a larger one is only opened, so that it may be removed or replaced, and copied by
    `settle`.
    """
    mode = file_mode(source)
    entry: Dict[str, Any] = {"path": check_path(path), "mode": mode}
    if mode == LINK:
        return {**entry, "target": os.readlink(source)}
    file = open(source, "rb", buffering=0)
    status = os.fstat(file.fileno())
    if whole and status.st_size <= HELD_FILE:
        with file:
            content = file.read()
        return {**entry, "content": content, "size": len(content)}
    return {**entry, "size": status.st_size, "opened": file, "mtime": status.st_mtime_ns,
            "source": os.path.abspath(source)}


def text_entry(path: str, text: str) -> Dict[str, Any]:
    """The entry of a text that is no file yet."""
    content = text.encode("utf-8", "surrogatepass")
    return {"path": check_path(path), "mode": FILE, "content": content, "size": len(content)}


def held_bytes(body: Dict[str, Any]) -> int:
    """Bytes of files that an operation holds in memory."""
    return sum(len(entry.get("content", b"")) for entry in body.get("files", ()))


def open_files(body: Dict[str, Any]) -> int:
    """Files that an operation holds open."""
    return sum("opened" in entry for entry in body.get("files", ()))


def settle(folder: SpoolFolder, body: Dict[str, Any]) -> None:
    """Copies the open files of an operation. One for which the disk has no room stays open, and
    is sent from there."""
    for entry in body.get("files", ()):
        if "opened" not in entry:
            continue
        try:
            copied = _copied(folder, body, entry)
        except OSError as error:
            warn("stage", f"artifact {entry['path']} could not be copied: {error}; do not change "
                          f"it before it is sent (linaje.flush)")
            continue
        entry.update(copied)
        close_open_file(entry)


def without_open_files(body: Dict[str, Any]) -> Dict[str, Any]:
    """An operation for another process, which finds what is open here by its name."""
    if "files" not in body:
        return body
    return {**body, "files": [{name: value for name, value in entry.items()
                               if name not in ("opened", "mtime")} for entry in body["files"]]}


def close_open_file(entry: Dict[str, Any]) -> None:
    """Lets go of an open file."""
    entry.pop("mtime", None)
    opened = entry.pop("opened", None)
    if opened is not None:
        opened.close()


def _copied(folder: SpoolFolder, body: Dict[str, Any], entry: Dict[str, Any]) -> Dict[str, Any]:
    """What changes in an entry whose open file was copied."""
    opened, known, changed = entry["opened"], (entry["size"], entry["mtime"]), False
    for _ in range(5):
        copy = folder.path(os.path.join("files", os.urandom(12).hex()))
        digest, size = _copy(opened, copy)
        status = os.fstat(opened.fileno())
        now = (status.st_size, status.st_mtime_ns)
        if now == known:
            body["staged"].append(copy)
            if changed:
                warn("file-changed", f"artifact {entry['path']} was changed while it was copied; "
                                     f"what it holds now is stored")
            return {"source": copy, "size": size, "sha256": digest.hex()}
        changed, known = True, now
        os.unlink(copy)
        time.sleep(0.05)
    raise OSError("it does not stop changing")


def _copy(old: Any, copy: str) -> Tuple[bytes, int]:
    """Copies an open file: (SHA-256, size). Blocks are shared where the file system can."""
    digest, size = hashlib.sha256(), 0
    fd = os.open(copy, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "r+b", buffering=0) as new:
            with contextlib.suppress(OSError):
                fcntl.ioctl(new.fileno(), _FICLONE, old.fileno())
            shared = os.fstat(new.fileno()).st_size > 0
            source = new if shared else old
            source.seek(0)
            for part in iter(lambda: source.read(_PART), b""):
                digest.update(part)
                size += len(part)
                if not shared:
                    _write_all(new, part)
    except BaseException:
        os.unlink(copy)
        raise
    return digest.digest(), size


def _write_all(file: Any, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view):]


def keep_contents(folder: SpoolFolder, body: Dict[str, Any]) -> None:
    """Writes what an operation holds in memory to disk, so that it may outlive the process.
    Raises OSError."""
    for entry in body.get("files", ()):
        content = entry.get("content")
        if content is None:
            continue
        copy = folder.path(os.path.join("files", os.urandom(12).hex()))
        try:
            with open(copy, "xb", buffering=0) as file:
                _write_all(file, content)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(copy)
            raise
        body["staged"].append(copy)
        entry.update(source=copy, sha256=hashlib.sha256(content).hexdigest())
        del entry["content"]


# --- Upload --------------------------------------------------------------------------------------

def upload_body(entries: List[Dict[str, Any]], run_id: bytes,
                artifact_path: str) -> Dict[str, Any]:
    """The operation that uploads files as one tree into a run's artifacts."""
    return {"kind": "upload", "key": os.urandom(16).hex(), "run": run_id.hex(),
            "path": artifact_path, "files": entries, "staged": []}


def upload(client: Client, body: Dict[str, Any]) -> Any:
    """Puts all files and commits; the Tree. Repeating it after a failure does it once.

    A session that the daemon no longer knows was either committed (the same key then brings the
    same answer) or dropped (another one is begun). One that met a full disk, or a store that
    failed for a moment, has lost content for good, while its key would bring it back for a day:
    the last session is begun under a key of this try alone, so that an upload goes on whenever
    there is room again.
    """
    error, has_lost = LinajeError(NOT_FOUND, "the upload's session is gone"), False
    attempts = deque([*map(str, range(_SESSIONS)), os.urandom(8).hex()])
    while attempts:
        attempt = attempts.popleft()
        begin = _key(body, f"begin {attempt}")
        commit = {"key": _key(body, f"commit {attempt}"), "path": body["path"],
                  "run_id": bytes.fromhex(body["run"])}
        ingest_id = b""
        try:
            # The key of a session that has lost content brings the loss, not the session.
            ingest_id = client.call("BeginIngest", key=begin).ingest_id
            small = _SmallFiles(body["files"])
            if small.entries:
                client._put_small(ingest_id, small.frames)
            for entry in small.others:
                _put(client, ingest_id, entry)
            return client.call("CommitIngest", ingest_id=ingest_id, **commit)
        except LinajeError as failure:
            if failure.code == CORRUPT:
                # The bytes on their way, not in the store: trying again would not help.
                raise LinajeError(116, failure.message) from None
            is_session = "ingest_id" in failure.details
            if failure.code == STORAGE_FULL or is_session and failure.code != NOT_FOUND:
                if not attempts and ingest_id:
                    with contextlib.suppress(LinajeError):
                        client.call("AbortIngest", ingest_id=ingest_id)
                if not attempts:
                    raise
                attempts, has_lost = deque([attempts.pop()]), True
                continue
            if not is_session:
                raise
            error = failure
        with contextlib.suppress(LinajeError):
            return client.call("CommitIngest", ingest_id=ingest_id, **commit)
    if has_lost:
        # Not for want of sessions: the next try begins another.
        raise LinajeError(UNAVAILABLE, error.message)
    raise error


class _SmallFiles:
    """Those files of an upload that are sent together."""

    def __init__(self, entries: List[Dict[str, Any]]) -> None:
        self.entries = [entry for entry in entries if self._is_small(entry)]
        # What is sent alone: large, or grown since it was logged.
        self.others = [entry for entry in entries if not self._is_small(entry)]

    @staticmethod
    def _is_small(entry: Dict[str, Any]) -> bool:
        return entry["mode"] == LINK or ("opened" not in entry and entry["size"] <= _SMALL)

    def frames(self) -> Iterator[bytes]:
        """PutFilesFrames with their contents, as they are on disk now."""
        files: List[Dict[str, Any]] = []
        held = 0
        for entry in self.entries:
            read = self._read(entry)
            if read is None:
                if entry not in self.others:
                    self.others.append(entry)
                continue
            content, sha256 = read
            files.append({"path": entry["path"], "mode": entry["mode"], "content": content,
                          "sha256": sha256})
            held += len(content) + 256
            if held >= _FRAME:
                yield _wire.encode("PutFilesFrame", {"files": files})
                files, held = [], 0
        if files:
            yield _wire.encode("PutFilesFrame", {"files": files})

    @staticmethod
    def _read(entry: Dict[str, Any]) -> Optional[Tuple[bytes, bytes]]:
        """(content, the SHA-256 that it must have); None for a file that is not small any more."""
        if entry["mode"] == LINK:
            content = os.fsencode(entry["target"])
        elif "content" in entry:
            content = entry["content"]
        else:
            try:
                with open(entry["source"], "rb", buffering=0) as file:
                    content = file.read(_SMALL + 1)
            except OSError as error:
                raise _unreadable(entry, error) from None
            if len(content) > _SMALL:
                return None
            if entry.get("sha256") and len(content) == entry["size"]:
                return content, bytes.fromhex(entry["sha256"])
            if len(content) != entry["size"]:
                _warn_changed(entry, len(content))
        return content, hashlib.sha256(content).digest()


def _warn_changed(entry: Dict[str, Any], found: int) -> None:
    warn("file-changed", f"artifact {entry['path']} had {entry['size']} bytes when it was logged "
                         f"and has {found} now; the present content is stored")


def _unreadable(entry: Dict[str, Any], error: OSError) -> LinajeError:
    return LinajeError(INVALID_ARGUMENT, f"file of artifact {entry['path']} cannot be read: "
                                         f"{error}")


def _put(client: Client, ingest_id: bytes, entry: Dict[str, Any]) -> None:
    try:
        content = entry.get("content")
        if content is not None:
            client._put(ingest_id, entry["path"], entry["mode"],
                        lambda: file_parts(io.BytesIO(content)), len(content),
                        hashlib.sha256(content).digest())
            return
        opened = entry.get("opened")
        if opened is not None:
            client._put(ingest_id, entry["path"], entry["mode"], lambda: file_parts(opened), None,
                        None)
            return
        sha256 = bytes.fromhex(entry["sha256"]) if entry.get("sha256") else None
        found = os.stat(entry["source"]).st_size
        if found != entry["size"]:
            _warn_changed(entry, found)
            sha256 = None
        client.put_file(ingest_id, entry["path"], entry["source"], entry["mode"], sha256)
    except OSError as error:
        raise _unreadable(entry, error) from None


def _key(body: Dict[str, Any], purpose: str) -> bytes:
    return hashlib.sha256(bytes.fromhex(body["key"]) + purpose.encode()).digest()[:16]
