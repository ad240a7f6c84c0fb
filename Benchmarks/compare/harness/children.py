"""How a child process of the comparison is run: in an empty folder, for so long and no longer."""

import json
import os
import shutil
import signal
import subprocess
import time

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(os.path.dirname(HERE))


def run(python, script, order, folder, timeout):
    """What peers/SCRIPT says of an order that it carries out in a new `folder`.

    Its answer and how long it took as "wall", or {"error": why there is none}. Nothing that it
    started or wrote stays behind.
    """
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    command = [python, os.path.join(HERE, "peers", script), json.dumps({**order, "folder": folder})]
    begin = time.monotonic()
    try:
        out, err = output(command, surroundings(script, folder), timeout)
        wall = time.monotonic() - begin
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if out is None:
        return {"error": f"not finished in {timeout:.0f} s"}
    try:
        return {**json.loads(out.strip().splitlines()[-1]), "wall": wall}
    except (ValueError, IndexError):
        lines = [line for line in err.splitlines() if line.strip()] or ["it said nothing"]
        return {"error": f"failed: {lines[-1][:160]}"}


def surroundings(script, folder):
    """The environment of a child: nobody's settings; Linaje's has this repository's client."""
    found = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": folder, "LANG": "C.UTF-8",
             "PYTHONDONTWRITEBYTECODE": "1"}
    if script.startswith("linaje_"):
        found["PYTHONPATH"] = os.path.join(ROOT, "Clients/python/src")
    return found


def output(command, environment, timeout):
    """What a command wrote to its two outputs; (None, None) when it was killed for its slowness."""
    # A session of its own, so that nothing that it starts stays behind.
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, env=environment,
                               start_new_session=True)
    try:
        return process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        return None, None
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
