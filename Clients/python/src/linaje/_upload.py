"""Files on their way into the store: digests, copies for later, the upload itself."""

import contextlib
import fcntl
import hashlib
import os
import stat
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from ._client import Client
from ._errors import CORRUPT, INVALID_ARGUMENT, NOT_FOUND, LinajeError
from ._log import warn
from ._spool import SpoolFolder

FILE, EXECUTABLE, LINK = 0o100644, 0o100755, 0o120000
COPY_LIMIT = 256 << 20
_PART = 1 << 20
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

def stage(folder: SpoolFolder, path: str, source: str) -> Tuple[Dict[str, Any], List[str]]:
    """(entry of an upload, copies made for it). Raises OSError when the file cannot be read.

    Up to 256 MiB, and where the file system can share blocks any size, the content of this moment
    is kept. A larger file is linked: it may be removed, but not changed, before it is uploaded.
    """
    mode = file_mode(source)
    entry: Dict[str, Any] = {"path": check_path(path), "mode": mode}
    if mode == LINK:
        return {**entry, "target": os.readlink(source)}, []
    size = os.stat(source).st_size
    copy = folder.path(os.path.join("files", os.urandom(12).hex()))
    digest: Optional[bytes] = None
    if not _clone(source, copy):
        if size <= COPY_LIMIT or not _link(source, copy):
            digest, size = _copy(source, copy)
    return {**entry, "source": copy, "size": size,
            "sha256": digest.hex() if digest else None}, [copy]


def _clone(source: str, copy: str) -> bool:
    """A copy that shares its blocks with the source until one of them changes."""
    with open(source, "rb") as old:
        fd = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.ioctl(fd, _FICLONE, old.fileno())
            return True
        except OSError:
            os.unlink(copy)
            return False
        finally:
            os.close(fd)


def _link(source: str, copy: str) -> bool:
    try:
        os.link(os.path.realpath(source), copy)
        return True
    except OSError:
        return False


def _copy(source: str, copy: str) -> Tuple[bytes, int]:
    digest, size = hashlib.sha256(), 0
    fd = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(source, "rb") as old, os.fdopen(fd, "wb") as new:
        for part in iter(lambda: old.read(_PART), b""):
            digest.update(part)
            new.write(part)
            size += len(part)
    return digest.digest(), size


# --- Upload --------------------------------------------------------------------------------------

def upload_body(entries: List[Dict[str, Any]], staged: List[str], run_id: bytes,
                artifact_path: str) -> Dict[str, Any]:
    """The operation that uploads files as one tree into a run's artifacts."""
    return {"kind": "upload", "key": os.urandom(16).hex(), "run": run_id.hex(),
            "path": artifact_path, "files": entries, "staged": staged}


def upload(client: Client, body: Dict[str, Any]) -> Any:
    """Puts all files and commits; the Tree. Repeating it after a failure does it once.

    A session that the daemon no longer knows was either committed (the same key then brings the
    same answer) or dropped (another one is begun).
    """
    error: Optional[LinajeError] = None
    for attempt in range(3):
        begin = _key(body, f"begin {attempt}")
        commit = {"key": _key(body, f"commit {attempt}"), "path": body["path"],
                  "run_id": bytes.fromhex(body["run"])}
        ingest_id = client.call("BeginIngest", key=begin).ingest_id
        try:
            for entry in body["files"]:
                _put(client, ingest_id, entry)
            return client.call("CommitIngest", ingest_id=ingest_id, **commit)
        except LinajeError as failure:
            if failure.code == CORRUPT:
                # The bytes on their way, not in the store: trying again would not help.
                raise LinajeError(116, failure.message) from None
            if failure.code != NOT_FOUND:
                raise
            error = failure
        with contextlib.suppress(LinajeError):
            return client.call("CommitIngest", ingest_id=ingest_id, **commit)
    raise error or LinajeError(NOT_FOUND, "the upload's session is gone")


def _put(client: Client, ingest_id: bytes, entry: Dict[str, Any]) -> None:
    try:
        if entry["mode"] == LINK:
            target = os.fsencode(entry["target"])
            client._put(ingest_id, entry["path"], LINK, [target], len(target),
                        hashlib.sha256(target).digest())
            return
        sha256 = bytes.fromhex(entry["sha256"]) if entry.get("sha256") else None
        found = os.stat(entry["source"]).st_size
        if found != entry["size"]:
            warn("file-changed", f"artifact {entry['path']} had {entry['size']} bytes when it was "
                                 f"logged and has {found} now; the present content is stored")
            sha256 = None
        client.put_file(ingest_id, entry["path"], entry["source"], entry["mode"], sha256)
    except OSError as error:
        raise LinajeError(INVALID_ARGUMENT, f"file of artifact {entry['path']} cannot be read: "
                                            f"{error}") from None


def _key(body: Dict[str, Any], purpose: str) -> bytes:
    return hashlib.sha256(bytes.fromhex(body["key"]) + purpose.encode()).digest()[:16]
