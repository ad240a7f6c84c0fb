"""Weights & Biases, offline: one .wandb file a run, to be synced later. It cannot be queried."""

import os

import child

os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true", WANDB_DIR=os.getcwd(),
                  WANDB_ERROR_REPORTING="false")
import wandb  # noqa: E402


def log(order):
    os.environ["WANDB_DIR"] = os.getcwd()
    work = child.Work(order["metrics"], order["steps"])
    loop = child.Loop(order["cap"])
    run = wandb.init(project="compare", dir=os.getcwd())
    base = child.disk_bytes(".")
    loop.row(work, lambda values, step: run.log(values, step=step))
    run.finish()
    found = loop.found(version=wandb.__version__, durable="written, not synced")
    return {**found, "bytes": child.disk_bytes("."), "base_bytes": base}


child.main({"log": log})
