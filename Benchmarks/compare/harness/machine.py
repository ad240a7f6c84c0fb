"""What this machine is and does by itself: facts without names or paths, and calibrations."""

import os
import platform
import re
import struct
import time

BLOCK = b"\xa5" * 8192
ROUNDS = 300
POINTS = 1_000_000


def facts(folder):
    """Facts about the machine and the file system of a folder."""
    return {"processor": processor(), "cores": len(os.sched_getaffinity(0)),
            "memory_gib": round(memory() / (1 << 30)), "kernel": platform.release().split("-")[0],
            "system": system(), "python": platform.python_version(),
            "file_system": file_system(folder)}


def processor():
    text = read("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return re.sub(r"\s+", " ", found.group(1)) if found else platform.machine()


def memory():
    return int(re.search(r"MemTotal:\s+(\d+)", read("/proc/meminfo")).group(1)) * 1024


def system():
    found = re.search(r'^PRETTY_NAME="?([^"\n]+)', read("/etc/os-release"), re.MULTILINE)
    return found.group(1) if found else platform.system()


def file_system(folder):
    """The type of the file system that holds a folder."""
    best, kind = "", "unknown"
    path = os.path.realpath(folder)
    for line in read("/proc/mounts").splitlines():
        point, found = line.split()[1:3]
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, found
    return kind


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def calibrate(folder):
    """What the disk of a folder takes: fdatasync after 8 KiB, and points as plain bytes."""
    path = os.path.join(folder, "calibration")
    took = []
    try:
        with open(path, "wb", buffering=0) as file:
            for _ in range(ROUNDS):
                begin = time.perf_counter_ns()
                file.write(BLOCK)
                os.fdatasync(file.fileno())
                took.append((time.perf_counter_ns() - begin) / 1e3)
        took.sort()
        # Packed beforehand: this is the disk, not Python.
        data = struct.pack("<qqd", 1, 2, 0.5) * POINTS
        begin = time.perf_counter()
        with open(path, "wb", buffering=0) as file:
            for start in range(0, len(data), 1 << 20):
                file.write(data[start:start + (1 << 20)])
            os.fdatasync(file.fileno())
        seconds = time.perf_counter() - begin
    finally:
        if os.path.exists(path):
            os.unlink(path)
    return {"fdatasync_p50_us": took[len(took) // 2], "fdatasync_p99_us": took[len(took) * 99 // 100],
            "raw_points_per_second": POINTS / seconds, "load": os.getloadavg()[0]}
