"""Scoring, scanning and describing: commands that are timed as a whole, in turns."""

import json
import os
import statistics
import subprocess
import time

from harness.measuring import say

LIBRARIES = ("xgboost", "lightgbm")
PICKLES = ("arrays.pkl", "forest.joblib", "numbers.pkl", "vocabulary.pkl")
LONG_FILES = ("model.safetensors", "model.gguf", "model.pt")
SECONDS = 120
SAFE_OPEN = """
import sys
from safetensors import safe_open
with safe_open(sys.argv[1], "np") as file:
    print(len([file.get_slice(key).get_shape() for key in file.keys()]))
"""


def score(built, environment, sizes, folder):
    """What `linaje bench predict` says of each library."""
    rows = []
    for library in LIBRARIES:
        done = run([built["linaje"], "bench", "predict", "--library", library, "--rows",
                    str(sizes["rows"]), "--trees", str(sizes["trees"]), "--rounds",
                    str(sizes["rounds"]), "--python", environment.python, "--directory", folder,
                    "--json"], folder, SECONDS * 5)
        rows.append(json.loads(done["out"]) if not done["error"]
                    else {"library": library, "error": done["error"]})
        say(f"scoring {library}: {rows[-1].get('speed_ratio', rows[-1].get('error'))}")
    return rows


def scanners(built, environment):
    """(name, command, exit code that says there is nothing bad) of each."""
    tools = os.path.dirname(environment.python)
    return [("Linaje", [built["linaje"], "model", "scan"]),
            ("picklescan", [f"{tools}/picklescan", "--path"]),
            ("modelscan", [f"{tools}/modelscan", "--path"]),
            ("fickling", [f"{tools}/fickling", "--check-safety", "--print-results"])]


def scan(built, environment, sizes, folder):
    """Seconds of each scanner for each file: medians of rounds that are taken in turns."""
    found = {}
    # A scanner that cannot even say what it can do has said nothing about a file.
    broken = {tool: done["error"] for tool, command in scanners(built, environment)
              if (done := run([*command[:-1], "--help"] if tool == "Linaje" else
                              [command[0], "--help"], folder, SECONDS))["code"] != 0}
    for _ in range(max(1, min(3, sizes["rounds"]))):
        for name in PICKLES:
            path = f"{folder}/models/{name}"
            for tool, command in scanners(built, environment):
                row = found.setdefault((name, tool), {
                    "file": name, "bytes": os.path.getsize(path), "tool": tool, "seconds": [],
                    "error": broken.get(tool)})
                if row["error"]:
                    continue
                done = run([*command, path], folder, SECONDS)
                row["error"] = done["error"] if done["code"] is None else None
                row["code"] = done["code"]
                row["seconds"].append(done["seconds"])
                say(f"scanning {name} with {tool}: {done['seconds']:.2f} s, ends with {done['code']}")
    return [{**row, "seconds": statistics.median(row["seconds"] or [0])} for row in found.values()]


def describe(built, environment, sizes, folder):
    """Seconds to describe long files, from the disk and by range from a store."""
    from harness.plugins import House

    rows = []
    with House(built, folder + "/house") as house:
        for name in LONG_FILES:
            path = f"{folder}/models/long/{name}"
            row = {"file": name, "bytes": os.path.getsize(path)}
            rows.append(row)
            # The first look at the file is not counted.
            took = [run([built["linaje"], "model", "scan", path, "--json"], folder, SECONDS)
                    for _ in range(1 + sizes["rounds"])]
            if took[-1]["error"]:
                row["error"] = took[-1]["error"]
                continue
            row["tensors"] = len(json.loads(took[-1]["out"])["model"]["tensors"])
            row["disk"] = statistics.median(each["seconds"] for each in took[1:])
            tree = house.run("artifact", "put", path)["out"].split()[-1]
            before = house.describing()
            for _ in range(sizes["rounds"]):
                house.run("model", "register", tree, "long")
            after = house.describing()
            row["store"] = (after[0] - before[0]) / (after[1] - before[1])
            if name.endswith(".safetensors"):
                took = [run([environment.python, "-c", SAFE_OPEN, path], folder, SECONDS)
                        for _ in range(1 + sizes["rounds"])]
                row["library"] = statistics.median(each["seconds"] for each in took[1:])
            say(f"describing {name}: {row}")
    return rows


def run(command, folder, timeout):
    """How long a command takes as a whole, and what it says."""
    begin = time.monotonic()
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout,
                              check=False, env={"PATH": os.environ["PATH"], "HOME": folder,
                                                "LANG": "C.UTF-8"})
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"seconds": time.monotonic() - begin, "code": None, "out": "",
                "error": f"not finished in {timeout} s" if isinstance(
                    error, subprocess.TimeoutExpired) else str(error)}
    said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()
    return {"seconds": time.monotonic() - begin, "code": done.returncode, "out": done.stdout,
            "error": said[-1][:160] if done.returncode else None}
