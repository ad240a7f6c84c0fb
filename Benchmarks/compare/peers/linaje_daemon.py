"""A linajed of the child's own on ./state, and its socket where this process's client finds it."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

ORDER = json.loads(sys.argv[1])
SOCKETS = tempfile.mkdtemp(prefix="lnj-")
os.environ.update(LINAJE_SOCKET=f"{SOCKETS}/s", XDG_STATE_HOME=ORDER["folder"] + "/client")
import linaje  # noqa: E402


class Daemon:
    """linajed on ./state."""

    processes = []

    def __init__(self):
        self.process = None

    def start(self):
        log = open("linajed.log", "ab")
        self.process = subprocess.Popen(
            [ORDER["linajed"], "--state-directory", os.path.abspath("state"), "--socket",
             f"{SOCKETS}/s"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes.append(self.process)
        end = time.monotonic() + 30
        while True:
            try:
                with linaje.Client(patience=0) as client:
                    client.status()
                return self
            except linaje.LinajeError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f"linajed does not answer: {tail('linajed.log')}") from None
                time.sleep(0.02)

    def stop(self):
        self.process.terminate()
        if self.process.wait(30) != 0:
            raise SystemExit(f"linajed stopped with an error: {tail('linajed.log')}")

    def compact(self):
        """What an operator can ask for: packs points, and gives pages that are free back.

        A daemon without compaction says that it knows none.
        """
        return all(
            subprocess.run([ORDER["linaje"], "maintain", task], capture_output=True, text=True,
                           check=False).returncode == 0
            for task in ("compact", "vacuum", "checkpoint"))

    def cpu_seconds(self):
        """User and system time since it started."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            after_name = file.read().rpartition(")")[2].split()
        return sum(map(int, after_name[11:13])) / os.sysconf("SC_CLK_TCK")

    def peak_bytes(self):
        """The most memory that it has held at once (VmHWM)."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmHWM:\s+(\d+) kB", file.read()).group(1)) * 1024


def tail(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()[-500:]


def clean():
    """Nothing stays behind, whatever happened."""
    for process in Daemon.processes:
        if process.poll() is None:
            process.kill()
    shutil.rmtree(SOCKETS, ignore_errors=True)
