"""The packages that a model needs where it is loaded: the lines of its requirements.txt.

What a pickle names is read from its opcodes; nothing is unpickled for that.
"""

import importlib.util
import os
import pickletools
import sys
import warnings
from importlib import metadata
from typing import Any, Dict, Iterable, List, Optional, Set

# Packages by the module that they hold, for installations that do not list their files.
_PACKAGES = {"sklearn": "scikit-learn", "PIL": "pillow", "yaml": "PyYAML", "cv2": "opencv-python"}
# Modules that no package has to bring: the script itself, and this client, which is not needed to
# load what it has written.
_OWN = {"__main__", "__mp_main__", "linaje"}
_CODE = (".py", ".so", ".pyd")
_TEXTS = {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"}
_GETS = {"BINGET", "LONG_BINGET", "GET"}
_PUTS = {"BINPUT", "LONG_BINPUT", "PUT"}
# What cloudpickle calls with the name of a module that a function uses.
_IMPORTER = ("cloudpickle.cloudpickle", "subimport")


def pin(modules: Iterable[str], name: str) -> List[str]:
    """The packages that hold modules, pinned to the versions they have here, in order of their
    names. A warning (of the module `warnings`) names modules that are in no package."""
    wanted = {module.split(".")[0] for module in modules} - _OWN
    wanted = {module for module in wanted if not _is_standard(module)}
    held = _packages(wanted)
    found: Dict[str, str] = {}
    unknown = []
    for module in sorted(wanted):
        pins = {package: _version(package)
                for package in held.get(module) or [_PACKAGES.get(module, module)]}
        known = {package: version for package, version in pins.items() if version is not None}
        if not known:
            unknown.append(module)
        found.update(known)
    if unknown:
        # For whoever called log_model or save_model.
        warnings.warn(f"requirements.txt of model {name} names nothing for "
                      f"{', '.join(map(repr, unknown))}: no installed package holds it; give "
                      f"requirements=[…], and see that it can be imported where the model is "
                      f"loaded", stacklevel=5)
    return [f"{package}=={found[package]}" for package in sorted(found, key=lambda package: (
        package.lower(), package))]


def modules_of(kind: type) -> Set[str]:
    """The modules of a class and of those it is made from."""
    return {each.__module__ for each in kind.__mro__}


def modules_in(path: str) -> Set[str]:
    """The modules that loading a pickle file, which was written here, imports."""
    found: Set[str] = set()
    # What the last two opcodes put on the stack, and what was remembered: texts, or _IMPORTER.
    below: Any = None
    top: Any = None
    memo: Dict[int, Any] = {}
    remembered = 0
    with open(path, "rb") as file:
        for opcode, value, _ in pickletools.genops(file):
            code = opcode.name
            if code == "MEMOIZE" or code in _PUTS:
                if top is not None:
                    memo[remembered if code == "MEMOIZE" else value] = top
                remembered += 1
                continue
            if code in ("FRAME", "PROTO"):
                continue
            pushed: Any = None
            if code in _TEXTS:
                pushed = value
            elif code in _GETS:
                pushed = memo.get(value)
            elif code == "GLOBAL":
                found.add(value.split(" ")[0])
            elif code == "STACK_GLOBAL" and isinstance(below, str):
                found.add(below)
                pushed = _IMPORTER if (below, top) == _IMPORTER else None
            elif code == "TUPLE1" and below is _IMPORTER and isinstance(top, str):
                found.add(top)
            below, top = top, pushed
    return found


def is_installed(module: str) -> bool:
    """Whether a module could be imported here; it is not."""
    return sys.modules.get(module) is not None or importlib.util.find_spec(module) is not None


def _is_standard(module: str) -> bool:
    """Whether a module comes with Python."""
    names: Optional[Iterable[str]] = getattr(sys, "stdlib_module_names", None)
    if names is not None:
        return module in names
    # Python 3.9 has no list of them.
    import sysconfig

    if module in sys.builtin_module_names:
        return True
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return False
    origin = (spec.origin if spec is not None else None) or ""
    return origin == "frozen" or (origin.startswith(
        sysconfig.get_paths()["stdlib"] + os.sep) and not any(
        folder in origin for folder in ("site-packages", "dist-packages")))


def _packages(modules: Set[str]) -> Dict[str, Set[str]]:
    """The installed packages that hold each of these modules."""
    found: Dict[str, Set[str]] = {}
    for distribution in metadata.distributions():
        for module in _top_level(distribution) & modules:
            name = distribution.metadata["Name"]
            if name:
                found.setdefault(module, set()).add(name)
    return found


def _top_level(distribution: metadata.Distribution) -> Set[str]:
    """The modules that a package says it has, else those of the files that it has installed.

    `importlib.metadata.packages_distributions` does not look at the files before Python 3.11, and
    does not exist before 3.10.
    """
    declared = (distribution.read_text("top_level.txt") or "").split()
    if declared:
        return set(declared)
    found = set()
    for line in (distribution.read_text("RECORD") or "").splitlines():
        path = line.lstrip('"').split(",", 1)[0]
        if path.endswith(_CODE):
            found.add(path.partition("/")[0].partition(".")[0])
    return found


def _version(package: str) -> Optional[str]:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
