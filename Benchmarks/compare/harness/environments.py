"""A virtual environment for each peer, made once from its pinned requirements."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SECONDS = 420


class Environment:
    """One peer's Python: where it is, how long it took to make, or why there is none."""

    def __init__(self, python, seconds=0.0, error=None):
        self.python, self.seconds, self.error = python, seconds, error


def make(name, cache):
    """The environment of requirements-NAME.txt; kept under `cache` until the pins change."""
    requirements = os.path.join(HERE, f"requirements-{name}.txt")
    with open(requirements, "rb") as file:
        mark = hashlib.sha256(file.read() + sys.version.encode()).hexdigest()
    folder = os.path.join(cache, f"venv-{name}")
    python = os.path.join(folder, "bin", "python")
    stamp = os.path.join(folder, "complete")
    if os.path.exists(stamp) and read(stamp) == mark:
        return Environment(python)
    begin = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    error = run([sys.executable, "-m", "venv", folder]) or run(
        [python, "-m", "pip", "install", "--quiet", "--prefer-binary", "--requirement",
         requirements])
    seconds = time.monotonic() - begin
    if error:
        return Environment(python, seconds, f"cannot be installed: {error}")
    with open(stamp, "w", encoding="ascii") as file:
        file.write(mark)
    return Environment(python, seconds)


def make_all(names, cache):
    """Environments by name; two at a time, as downloads and unpacking take turns well."""
    os.makedirs(cache, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(lambda name: make(name, cache), names)))


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def run(command):
    """None, or the last words of a command that failed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"not installed within {SECONDS} s"
    except OSError as error:
        return str(error)
    if done.returncode == 0:
        return None
    lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")] or lines or ["no message"]
    return errors[0][:200]
