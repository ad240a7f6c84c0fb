"""The rows of the tables about artifacts, and the middle of what their rounds found."""

import shutil
import statistics

from harness import children, jobs

TITLES = {"linaje": "Linaje", "dvc": "DVC", "restic": "restic", "borg": "borg",
          "mlflow": "MLflow", "zstd": "zstd -3 of each file", "zipnn": "ZipNN"}
CALLS = {"linaje": "artifact put", "dvc": "add, push", "restic": "backup",
         "borg": "create -C zstd,1", "mlflow": "log_artifacts", "zstd": "zstd -3",
         "zipnn": "compress"}
# Who does which job. What MLflow does, copying files, is seen in the first two.
JOBS = {"mixed": ("linaje", "dvc", "restic", "borg", "mlflow"),
        "small": ("linaje", "dvc", "restic", "borg", "mlflow"),
        "checkpoints": ("linaje", "dvc", "restic", "borg", "zstd"),
        "float32": ("linaje", "restic", "borg", "zstd", "zipnn"),
        "bf16": ("linaje", "restic", "borg", "zstd", "zipnn")}
# What must not be zero for a job to be done.
SIZES = {"mixed": "mixed_bytes", "small": "files", "checkpoints": "checkpoint_bytes",
         "float32": "weights_bytes", "bf16": "weights_bytes"}
# Those that are Python packages; the others are programs of the system.
PACKAGES = ("dvc", "mlflow", "zipnn")
SYSTEM = {"restic": "restic", "borg": "borgbackup", "zstd": "zstd"}


def rows(peers, sizes):
    """Rows by job; none of a job without data."""
    return {name: [jobs.Row(peer, TITLES[peer], CALLS[peer], job=name)
                   for peer in who if peer in peers and sizes[SIZES[name]]]
            for name, who in JOBS.items()}


def lacking(peer):
    """Why a peer that is a program of the system cannot be asked, or None."""
    if peer not in SYSTEM or shutil.which(peer):
        return None
    return f"no {peer} on the PATH: apt-get install {SYSTEM[peer]}"


def run(row, python, order, folder, timeout):
    """Runs a row's child on an empty folder; its answer, or {"error": why there is none}."""
    weights = row.job in ("float32", "bf16")
    return children.run(python, f"{row.peer}_store.py", {
        **order, "job": "weights" if weights else row.job, "element": row.job}, folder, timeout)


def middle(row):
    """What a row's rounds found: medians of times, the most memory; or why there is nothing."""
    good = [answer for answer in row.answers if "error" not in answer]
    head = {"peer": row.peer, "title": row.title, "call": row.call}
    if not good:
        return {**head, **(row.answers[-1] if row.answers else {"error": "no time was left"})}
    took = {name: {unit: statistics.median(answer["took"][name][unit] for answer in good)
                   for unit in ("seconds", "cpu")} for name in good[0]["took"]}
    wrong = next((answer["wrong"] for answer in good if answer["wrong"]), None)
    most = {name: max((answer[name] for answer in good), key=lambda value: value or 0)
            for name in ("peak", "daemon_peak")}
    return {**head, **good[-1], "took": took, "wrong": wrong, **most, "rounds": len(good)}


def wall(rows):
    """Seconds that one more round of rows takes, by the last."""
    return sum(row.answers[-1].get("wall", 0.0) for row in rows)
