"""Models: logged by a run, registered, loaded again with every byte checked."""

import hashlib
import os
import pickle
import re
import shutil
import tempfile
import threading
from typing import Any, Dict, List, Mapping, Optional, Union

from . import _boosting, _mlmodel, _run, _upload
from ._client import Client, new_timed_id
from ._errors import CORRUPT, INVALID_ARGUMENT, UNAVAILABLE, LinajeError
from ._sender import sender
from ._upload import TreeFile
from ._wire import Message
from .pyfunc import read_metadata, signature_in

FLUSH_TIMEOUT = 60.0
_client: Optional[Client] = None
_client_lock = threading.Lock()


def client() -> Client:
    """The client that the functions of this package share."""
    global _client
    with _client_lock:
        if _client is None:
            _client = Client()
        return _client


def _in_child() -> None:
    global _client, _client_lock
    _client_lock = threading.Lock()
    if _client is not None and _client._connection is not None:
        _client._connection.close()
    _client = None


os.register_at_fork(after_in_child=_in_child)


class ModelInfo:
    """A model that was logged: its names, known before it has arrived."""

    def __init__(self, model_id: bytes, name: str, run_id: str, tree: bytes,
                 described: Dict[str, Any]) -> None:
        self.model_id = f"m-{model_id.hex()}"
        self.name = name
        self.run_id = run_id
        self.tree = tree.hex()
        self.signature = signature_in(described)
        self.flavors = described["flavors"]
        self.registered_model_version: Optional[int] = None

    @property
    def uri(self) -> str:
        """models:/m-ID"""
        return f"models:/{self.model_id}"

    model_uri = uri

    def __repr__(self) -> str:
        return f"<linaje.ModelInfo {self.name!r} {self.uri}>"


def log_model(model: Any, name: str = "model", signature: Any = None, input_example: Any = None,
              requirements: Optional[List[str]] = None,
              registered_model_name: Optional[str] = None, *, step: int = 0,
              params: Optional[Mapping[str, Any]] = None,
              tags: Optional[Mapping[str, Any]] = None,
              metadata: Optional[Mapping[str, Any]] = None, self_test: bool = True,
              run: Optional["_run.Run"] = None) -> ModelInfo:
    """Stores a model as an MLmodel directory: among the artifacts of the active run, and as a
    logged model that can be registered and loaded.

    Scikit-learn estimators and any object with `predict` are taken. Models of XGBoost and boosters
    of LightGBM are kept in the files of these libraries, anything else is pickled. `signature` is a
    ModelSignature (MLflow's too); without one it is inferred from `input_example` and what the
    model predicts on it, unless `signature=False`. The example, data or (data, params), is kept
    with the model. It is also a test: a new process loads the model back and predicts on it, which
    takes as long as that takes (`self_test=False` leaves it out); the output is kept as
    output_example.json. What fails of all this is a warning.

    With `registered_model_name` the next version of that model is registered once the files have
    arrived. The daemon may be away; then the files wait in the spool. LinajeError for a model that
    cannot be stored.
    """
    if not name or re.search(r"[/:.%\"'\x00-\x1f]", name):
        raise LinajeError(INVALID_ARGUMENT, f"name of the logged model {name!r} must not be empty "
                                            f"or hold / : . % \" '")
    owner = run or _run.current_run()
    model_id = new_timed_id()
    with tempfile.TemporaryDirectory(prefix="linaje-model-") as folder:
        described = _mlmodel.write_model(
            model, folder, name=name, model_id=f"m-{model_id.hex()}", run_id=owner.run_id,
            signature=signature, input_example=input_example, requirements=requirements,
            metadata=metadata, test=self_test)
        files = list(_upload.walk(folder))
        tree = _upload.tree_digest(_upload.describe_file(path, full) for path, full in files)
        info = ModelInfo(model_id, name, owner.run_id, tree, described)
        if not owner._upload(files, name):
            raise LinajeError(UNAVAILABLE, f"model {name} cannot be kept for upload: its files "
                                           f"cannot be read back; is the temporary folder full?")
    experiment = owner.experiment
    fields: Dict[str, Any] = {
        "id": model_id, "run_id": owner._id, "name": name, "tree": tree, "step": step,
        "params": [_run.param_fields(key, value) for key, value in (params or {}).items()],
        "tags": [_run.tag_fields(key, value) for key, value in (tags or {}).items()]}
    if isinstance(experiment, int):
        fields["experiment_id"] = experiment
    owner._submit("CreateLoggedModel", fields,
                  experiment=experiment if isinstance(experiment, str) else None)
    owner._log("model_outputs", [{"logged_model_id": model_id, "uri": info.uri, "step": step,
                                  "role": "model"}])
    if registered_model_name:
        def registered(answer: Any) -> None:
            info.registered_model_version = getattr(answer, "version", None)

        owner._submit("CreateModelVersion", {
            "name": registered_model_name, "source": info.uri, "run_id": owner._id,
            "create_model": True}, on_done=registered)
    return info


def save_model(model: Any, path: "Union[str, os.PathLike[str]]", signature: Any = None,
               input_example: Any = None, requirements: Optional[List[str]] = None, *,
               metadata: Optional[Mapping[str, Any]] = None, self_test: bool = True) -> None:
    """Writes a model as an MLmodel directory, which must not be there yet, on this machine only;
    the arguments are those of `log_model`."""
    folder = os.fspath(path)
    try:
        os.makedirs(folder)
    except OSError as error:
        raise LinajeError(INVALID_ARGUMENT, f"{folder} cannot be made for a model: {error}; give a "
                                            f"path that is not there yet") from None
    _mlmodel.write_model(model, folder, name=os.path.basename(os.path.abspath(folder)),
                         signature=signature, input_example=input_example,
                         requirements=requirements, metadata=metadata, test=self_test)


def register_model(source: Union[str, ModelInfo], name: str, *, description: str = "",
                   tags: Optional[Mapping[str, str]] = None,
                   timeout: float = FLUSH_TIMEOUT) -> Message:
    """Registers the next version of model `name` and returns it (ModelVersion).

    `source` is what log_model returned, models:/m-ID, runs:/ID/path or models:/NAME/3. What this
    process still has to send is sent first. Raises LinajeError.
    """
    if isinstance(source, ModelInfo):
        source = source.uri
    if not sender.flush(timeout):
        raise LinajeError(UNAVAILABLE, f"{source} has not arrived at the daemon within {timeout:g} "
                                       f"s; register it when the daemon is back")
    return client().create_model_version(name, source, description=description, tags=tags)


def transition_stage(name: str, version: int, stage: str, archive_existing: bool = False,
                     comment: str = "") -> Message:
    """Moves a version to None, Staging, Production or Archived; the ModelVersion.

    What this process still has to send is sent first: the version may be among it."""
    sender.flush(FLUSH_TIMEOUT)
    return client().call("TransitionStage", name=name, version=version, stage=stage,
                         archive_existing=archive_existing, comment=comment)


def set_alias(name: str, alias: str, version: int,
              expected_version: Optional[int] = None) -> None:
    """Points an alias at a version; with `expected_version` only if it points there now (0: only
    if it does not exist), else LinajeError 113. What this process still has to send is sent first."""
    sender.flush(FLUSH_TIMEOUT)
    client().call("SetAlias", name=name, alias=alias, version=version,
                  expected_version=expected_version)


# --- Loading --------------------------------------------------------------------------------------

def cache_root() -> str:
    """Where loaded models are kept: $XDG_CACHE_HOME/linaje/models."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "linaje", "models")


def load_model(uri: str, *, using: Optional[Client] = None) -> Any:
    """The object of a model: models:/NAME/3, models:/NAME/Production, models:/NAME@alias, ….

    Its files are fetched once and checked against their digests, and those against the digest
    that the registry pins, each time: bytes that do not match are never unpickled (LinajeError
    204). Unpickling runs code of whoever made the model; XGBoost and LightGBM read their own files.
    """
    folder = download_model(uri, using=using)
    try:
        described = read_metadata(folder)
    except LinajeError:
        # Its pickle may be found without.
        described = {}
    return load_object(folder, described, uri)


def load_object(folder: str, described: Mapping[str, Any], uri: str) -> Any:
    """The object of a model in a folder whose MLmodel says `described`: read by the library whose
    file it is, else unpickled."""
    found = _boosting.load(folder, described, uri)
    return unpickle(_mlmodel.find_pickle(folder), uri, folder) if found is None else found


def unpickle(path: str, uri: str, folder: str) -> Any:
    """The object of a pickle file of a model, which runs code of whoever made it."""
    with open(path, "rb") as file:
        try:
            return pickle.load(file)  # noqa: S301
        except ImportError as error:
            raise LinajeError(INVALID_ARGUMENT, f"{uri} needs a package that is missing here: "
                                                f"{error}; see its requirements.txt in "
                                                f"{folder}") from None


def download_model(uri: str, target: Optional[str] = None, *,
                   using: Optional[Client] = None) -> str:
    """Fetches the files of a model, checked, into `target` or the cache; the folder."""
    if using is None:
        sender.flush(FLUSH_TIMEOUT)
    caller = using or client()
    _, model = caller.resolve_model(uri)
    if len(model.tree) != 32:
        raise LinajeError(107, f"{uri} has no files yet; wait until it is READY")
    if target is not None:
        os.mkdir(target, 0o700)
        fetch_tree(caller, model.tree, target)
        return target
    root = cache_root()
    os.makedirs(root, 0o700, exist_ok=True)
    folder = os.path.join(root, model.tree.hex())
    if os.path.isdir(folder):
        if _upload.tree_digest(_upload.describe_tree(folder)) == model.tree:
            return folder
        # Somebody changed it: what the store holds counts.
        shutil.rmtree(folder)
    fresh = tempfile.mkdtemp(prefix=".new-", dir=root)
    try:
        fetch_tree(caller, model.tree, fresh)
        try:
            os.rename(fresh, folder)
        except OSError:
            # Another process was faster; its files went through the same checks.
            if _upload.tree_digest(_upload.describe_tree(folder)) != model.tree:
                raise LinajeError(CORRUPT, f"the cache folder {folder} holds other files than "
                                           f"{uri}; remove it") from None
        return folder
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def fetch_tree(caller: Client, tree: bytes, target: str) -> None:
    """Fetches all files of a tree into an empty folder; anything that does not match its digest
    is LinajeError 204."""
    entries = [entry for entry in caller.list_artifacts({"tree": tree}, recursive=True)
               if entry.mode != 0o040000]
    files = [TreeFile(_upload.check_path(entry.path), entry.mode, entry.size, entry.sha256)
             for entry in entries]
    found = hashlib.sha256(_upload.tree_text(files)).digest()
    if found != tree:
        raise LinajeError(CORRUPT, f"the daemon's list of files has digest {found.hex()}, not "
                                   f"{tree.hex()}; nothing was fetched")
    for file in files:
        path = os.path.join(target, file.path)
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        if file.mode == _upload.LINK:
            _fetch_link(caller, tree, file, target, path)
            continue
        caller.download({"tree": tree}, file.path, path, sha256=file.sha256)
        os.chmod(path, 0o755 if file.mode == _upload.EXECUTABLE else 0o644)
        if os.path.getsize(path) != file.size:
            raise LinajeError(CORRUPT, f"file {file.path!r} has another size than its tree says")


def _fetch_link(caller: Client, tree: bytes, file: TreeFile, target: str, path: str) -> None:
    content = b"".join(caller.read_artifact({"tree": tree}, file.path))
    if hashlib.sha256(content).digest() != file.sha256:
        raise LinajeError(CORRUPT, f"link {file.path!r} does not match its digest")
    aim = os.path.normpath(os.path.join(os.path.dirname(path), os.fsdecode(content)))
    root = os.path.normpath(target)
    if os.path.isabs(os.fsdecode(content)) or not aim.startswith(root + os.sep):
        raise LinajeError(INVALID_ARGUMENT, f"link {file.path!r} leads out of the model; it is "
                                            f"not followed")
    os.symlink(content, os.fsencode(path))
