"""tensorboardX: event files. It has no way to ask them anything."""

import importlib.metadata

import child
from tensorboardX import SummaryWriter


def log(order):
    work = child.Work(order["metrics"], order["steps"])
    loop = child.Loop(order["cap"])
    writer = SummaryWriter("events")
    writer.flush()
    base = child.disk_bytes(".")
    loop.each(work, writer.add_scalar)
    writer.close()
    found = loop.found(version=importlib.metadata.version("tensorboardX"),
                       durable="written, not synced")
    return {**found, "bytes": child.disk_bytes("."), "base_bytes": base}


child.main({"log": log})
