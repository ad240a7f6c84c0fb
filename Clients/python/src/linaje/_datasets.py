"""Data sets as inputs of a run, named by digests of their whole content."""

import hashlib
import json
import os
import re
import stat
from typing import Any, Dict, List, Optional

from ._errors import INVALID_ARGUMENT, LinajeError
from ._upload import describe_file, file_digest, tree_digest, walk


class Dataset:
    """A data set with its digest. Pass it to `log_metric(dataset=…)` to link a metric to it."""

    def __init__(self, name: str, fields: Dict[str, Any]) -> None:
        self.name = name
        self.fields = {"name": name, **fields}

    @property
    def digest(self) -> str:
        """"sha256:…" of the whole content."""
        for digest in self.fields.get("digests", []):
            return f"{digest['algorithm']}:{digest['value'].hex()}"
        return ""

    def __repr__(self) -> str:
        return f"<linaje.Dataset {self.name!r} {self.digest}>"


def describe(data: Any, name: Optional[str] = None) -> Dataset:
    """The data set of a path, an array, a data frame, or anything else that Python can hold.

    A file's digest is the SHA-256 of its bytes, a folder's its tree digest; an array's or frame's
    covers types, shape, names and every value. With a `.dvc` file beside a path, DVC's MD5 of the
    present content is added, and the pointer's text.
    """
    if isinstance(data, Dataset):
        return data
    if isinstance(data, os.PathLike) or isinstance(data, str):
        return _of_path(os.fspath(data), name)
    for of_kind in (_of_frame, _of_array):
        found = of_kind(data, name)
        if found is not None:
            return found
    raise LinajeError(INVALID_ARGUMENT, f"a {type(data).__name__} is no data set; give a path, an "
                                        f"array or a data frame")


def _of_path(path: str, name: Optional[str]) -> Dataset:
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise LinajeError(INVALID_ARGUMENT, f"data set {path} cannot be read: "
                                            f"{error.strerror}") from None
    full = os.path.abspath(path)
    pointer = _pointer(full)
    if stat.S_ISREG(mode):
        names = ("sha256", "md5") if pointer else ("sha256",)
        values = file_digest(full, *names)
        size, kind = os.stat(full).st_size, "file"
    elif stat.S_ISDIR(mode):
        files = [describe_file(entry, source) for entry, source in walk(full)]
        values = (tree_digest(files),)
        if pointer:
            values += (_dvc_folder_md5(full),)
        size, kind = sum(file.size for file in files), "directory"
    else:
        raise LinajeError(INVALID_ARGUMENT, f"{path} is neither a file nor a folder; only those "
                                            f"can be an input")
    fields: Dict[str, Any] = {
        "digests": [{"algorithm": algorithm, "value": value}
                    for algorithm, value in zip(("sha256", "md5"), values)],
        "source_type": kind, "source": full, "size": size, "dvc_pointer": pointer}
    if pointer:
        stated = re.search(r"^\s*(?:-\s+)?md5:\s*([0-9a-f]{32})", pointer, re.M)
        if stated:
            same = stated[1] == values[1].hex()
            fields["tags"] = [{"key": "dvc.state", "value": "match" if same else "modified"}]
    return Dataset(name or os.path.basename(full), fields)


def _pointer(path: str) -> str:
    try:
        with open(path.rstrip("/") + ".dvc", encoding="utf-8") as file:
            return file.read(1 << 20)
    except (OSError, UnicodeDecodeError):
        return ""


def _dvc_folder_md5(folder: str) -> bytes:
    """MD5 of DVC's directory object: JSON of its files' MD5 and paths, by path."""
    entries = []
    for path, source in walk(folder):
        (digest,) = file_digest(source, "md5")
        entries.append({"md5": digest.hex(), "relpath": path})
    entries.sort(key=lambda entry: entry["relpath"])
    text = json.dumps(entries, sort_keys=True).encode()
    try:
        return hashlib.new("md5", text, usedforsecurity=False).digest()
    except TypeError:
        return hashlib.md5(text).digest()


def _column(digest: Any, values: Any) -> int:
    """Adds a numpy array to a digest; its size in bytes. Objects count by their text."""
    import numpy

    if values.dtype.hasobject:
        size = 0
        for value in values.ravel().tolist():
            text = repr(value).encode("utf-8", "backslashreplace")
            digest.update(len(text).to_bytes(8, "little") + text)
            size += len(text)
        return size
    data = numpy.ascontiguousarray(values)
    if data.dtype.kind in "mM":
        data = data.view("int64")
    digest.update(data.reshape(-1).view("uint8").data if data.size else b"")
    return int(data.nbytes)


def _of_array(data: Any, name: Optional[str]) -> Optional[Dataset]:
    if not hasattr(data, "__array__"):
        return None
    import numpy

    array = numpy.asarray(data)
    digest = hashlib.sha256(f"linaje array 1\n{array.dtype.str} {array.shape}\n".encode())
    size = _column(digest, array)
    schema = {"type": "tensor", "tensor-spec": {
        "dtype": array.dtype.name, "shape": [-1, *array.shape[1:]] if array.ndim else []}}
    return _in_memory(name or "array", digest, size, [schema],
                      {"shape": list(array.shape), "num_elements": int(array.size)})


def _of_frame(data: Any, name: Optional[str]) -> Optional[Dataset]:
    if type(data).__module__.split(".")[0] != "pandas" or not hasattr(data, "columns"):
        return None
    import numpy

    digest = hashlib.sha256(f"linaje frame 1\n{data.shape}\n".encode())
    size, schema = _column(digest, numpy.asarray(data.index)), []
    for place, column in enumerate(data.columns):
        series = data.iloc[:, place]
        digest.update(f"\n{column!r} {series.dtype}\n".encode())
        size += _column(digest, numpy.asarray(series))
        schema.append({"name": str(column), "type": str(series.dtype)})
    return _in_memory(name or "frame", digest, size, schema,
                      {"num_rows": int(data.shape[0]), "num_columns": int(data.shape[1])})


def _in_memory(name: str, digest: Any, size: int, schema: List[Any],
               profile: Dict[str, Any]) -> Dataset:
    return Dataset(name, {
        "digests": [{"algorithm": "sha256", "value": digest.digest()}], "source_type": "memory",
        "source": "", "schema": json.dumps(schema), "profile": json.dumps(profile), "size": size})
