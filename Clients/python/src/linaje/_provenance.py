"""What made a run: code, environment, machine; captured without being asked.

Everything is optional: what cannot be found out stays empty and nothing is raised.
"""

import os
import platform
import re
import socket
import subprocess
import sys
from typing import Any, Dict, List, Optional, Tuple
from urllib.parse import urlsplit, urlunsplit

from . import _identity
from ._pace import Pace

DIFF_ARTIFACT = "linaje/diff.patch"
_DIFF_BYTES = 16 << 20
_ENVIRONMENT = (
    "CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "OMP_NUM_THREADS",
    "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CUBLAS_WORKSPACE_CONFIG", "PYTHONHASHSEED",
    "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
    "SLURM_JOB_ID", "SLURM_JOB_NAME", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_NODELIST",
    "CONDA_DEFAULT_ENV", "VIRTUAL_ENV", "LANG", "LC_ALL", "TZ", "XLA_FLAGS",
    "PYTORCH_CUDA_ALLOC_CONF", "TF_DETERMINISTIC_OPS", "TORCH_CUDNN_V8_API_ENABLED")
_SECRET = re.compile(r"(?i)(pass(word|wd)?|secret|token|credential|api[-_]?key|private[-_]?key)")
_HEAD = re.compile(r"(?m)^(Name|Version):[ \t]*(.*?)[ \t\r]*$")
_CELL_BYTES = 100_000


def capture_now() -> Dict[str, Any]:
    """What is cheap and may change while the run goes on."""
    found: Dict[str, Any] = {
        "entry_point": _entry_point(), "argv": _masked(sys.argv),
        "language": f"{platform.python_implementation()} {platform.python_version()}",
        "environment": environment(), "host": socket.gethostname(), "user": user()}
    job = _identity.scheduler_job(os.environ, found["host"])
    if job:
        found["job"] = job
    notebook = _notebook()
    if notebook:
        found["notebook"] = notebook
        found["notebook_cells"] = notebook_cells()
    return found


def capture_slowly() -> Tuple[Dict[str, Any], str]:
    """The rest, and the patch of what is not committed."""
    git, patch = git_state(os.getcwd())
    found: Dict[str, Any] = {
        "packages": packages(), "os": _operating_system(),
        "kernel": f"{platform.system()} {platform.release()}", "cpu": _cpu(),
        "memory_bytes": _memory(), "gpus": _gpus()}
    found["container"], container = _identity.container(os.environ)
    if container:
        found["container_identity"] = container
    if git:
        found["git"] = git
    return found, patch


def _entry_point() -> str:
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name:
        return "-m " + re.sub(r"\.__main__$", "", spec.name)
    file = getattr(main, "__file__", None)
    return os.path.abspath(file) if file else sys.argv[0]


def _masked(argv: List[str]) -> List[str]:
    """The command line; what looks like a secret is replaced by ***."""
    out: List[str] = []
    hide = False
    for argument in argv:
        argument = argument.encode("utf-8", "replace").decode()
        name, equals, _ = argument.partition("=")
        if hide and not argument.startswith("-"):
            out.append("***")
            hide = False
        elif equals and _SECRET.search(name):
            out.append(f"{name}=***")
        else:
            out.append(argument)
            hide = argument.startswith("-") and not equals and bool(_SECRET.search(argument))
    return out


def environment() -> Dict[str, str]:
    """Allow-listed variables, and those that LINAJE_CAPTURE_ENV names."""
    extra = [name.strip() for name in os.environ.get("LINAJE_CAPTURE_ENV", "").split(",")]
    return {name: os.environ[name].encode("utf-8", "replace").decode()
            for name in (*_ENVIRONMENT, *extra) if name and name in os.environ}


def user() -> str:
    """Who runs this process: the name of its user, else the number."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        return str(os.getuid())


# --- Git ---

def _git(folder: str, *arguments: str, limit: int = 1 << 20) -> Optional[str]:
    try:
        done = subprocess.run(
            ["git", "-C", folder, "-c", "core.fsmonitor=false", "-c", "core.quotepath=off",
             *arguments],
            capture_output=True, timeout=10, check=False, stdin=subprocess.DEVNULL,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0",
                 "LC_ALL": "C"})
    except (OSError, subprocess.SubprocessError):
        return None
    if done.returncode != 0:
        return None
    return done.stdout[:limit].decode("utf-8", "replace")


def git_state(folder: str) -> Tuple[Dict[str, Any], str]:
    """(GitState, patch) of the work tree around a folder; empty outside of one."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    if not top:
        return {}, ""
    top = top.rstrip("\n")
    commit = (_git(top, "rev-parse", "--verify", "HEAD") or "").strip()
    branch = (_git(top, "symbolic-ref", "--short", "-q", "HEAD") or "").strip()
    remotes = (_git(top, "remote") or "").split()
    remote = ""
    if remotes:
        chosen = "origin" if "origin" in remotes else remotes[0]
        remote = without_credentials((_git(top, "remote", "get-url", chosen) or "").strip())
    patch = ""
    if commit:
        patch = _git(top, "diff", "HEAD", "--binary", "--no-color", "--no-ext-diff",
                     "--no-textconv", limit=_DIFF_BYTES) or ""
    state: Dict[str, Any] = {"commit": commit, "branch": branch, "remote": remote,
                             "dirty": bool(patch)}
    if patch:
        state["diff_artifact"] = DIFF_ARTIFACT
    return state, patch


def without_credentials(url: str) -> str:
    """A remote's URL without user name, password and query."""
    if "://" not in url:
        # user@host:path of ssh: the user is no secret but says nothing either.
        return re.sub(r"^[^@/]*@", "", url)
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        if parts.port:
            host += f":{parts.port}"
    except ValueError:
        return ""
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


# --- Packages, machine ---

_packages: Optional[Dict[str, str]] = None


def packages() -> Dict[str, str]:
    """Installed distributions with their versions."""
    global _packages
    if _packages is None:
        from importlib import metadata

        found, pace = {}, Pace()
        for distribution in metadata.distributions():
            try:
                # `distribution.metadata` parses a whole mail, README included, without letting
                # the training's threads in between.
                text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO")
                head = dict(_HEAD.findall((text or "").partition("\n\n")[0]))
                found[head["Name"]] = head["Version"]
            except Exception:  # noqa: BLE001 - one broken distribution hides no other
                continue
            pace()
        _packages = found
    return dict(_packages)


def _read(path: str, limit: int = 1 << 20) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(limit)
    except OSError:
        return ""


def _operating_system() -> str:
    name = re.search(r'^PRETTY_NAME="?([^"\n]*)', _read("/etc/os-release"), re.M)
    return name[1] if name else platform.platform()


def _cpu() -> str:
    model = re.search(r"^model name\s*:\s*(.*)$", _read("/proc/cpuinfo"), re.M)
    name = model[1].strip() if model else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count() or 0} cores"


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0


def _gpus() -> List[str]:
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"],
            capture_output=True, timeout=10, check=False, stdin=subprocess.DEVNULL, text=True)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return []
    if done.returncode != 0:
        return []
    rows = (line.rsplit(",", 1) for line in done.stdout.splitlines() if "," in line)
    return [f"{name.strip()} (driver {driver.strip()})" for name, driver in rows]


# --- Notebook ---

def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def _notebook() -> str:
    """Path or URL of the notebook this runs in; empty when it does not."""
    shell = _shell()
    if shell is None or "IPKernelApp" not in getattr(shell, "config", {}):
        return ""
    names = getattr(shell, "user_ns", {})
    return str(names.get("__vsc_ipynb_file__") or os.environ.get("JPY_SESSION_NAME")
               or names.get("__session__") or "notebook")


def notebook_cells() -> List[str]:
    """Source of the cells run so far, in that order."""
    shell = _shell()
    cells = getattr(shell, "user_ns", {}).get("In", []) if shell is not None else []
    out, size = [], 0
    for cell in reversed(list(cells)):
        size += len(cell)
        if size > _CELL_BYTES:
            break
        if cell:
            out.append(cell)
    return out[::-1]
