"""What a plugin that misbehaves costs others: GetStatus of one client, window by window."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

from harness.children import ROOT
from harness.measuring import say

CLIENT = os.path.join(ROOT, "Clients/python/src")
AUTOGROUP = "/proc/sys/kernel/sched_autogroup_enabled"
PACE = 0.002
# A plugin in Python, after PROTOCOL.md's example, that is asked and never answers, or dies.
PROGRAM = """#!{python}
import os, signal, sys
sys.stdin.buffer.read(1)
while {spins}:
    pass
os.kill(os.getpid(), signal.SIGSEGV)
"""


class House:
    """A daemon on a folder of its own, with plugins if there are some."""

    def __init__(self, built, folder, plugins=(), nice=0):
        self.built, self.folder, self.nice = built, folder, nice
        self.sockets = tempfile.mkdtemp(prefix="lnj-")
        self.socket = f"{self.sockets}/s"
        os.makedirs(folder)
        for name, spins in plugins:
            self.place(name, spins)

    def place(self, name, spins):
        place = f"{self.folder}/.local/share/linaje/plugins/{name}"
        os.makedirs(place)
        python = os.path.realpath(sys.executable)
        with open(f"{place}/run", "w", encoding="utf-8") as file:
            file.write(PROGRAM.format(python=python, spins=spins))
        os.chmod(f"{place}/run", 0o755)
        prefix = os.path.dirname(os.path.dirname(python))
        with open(f"{place}/plugin.json", "w", encoding="utf-8") as file:
            json.dump({"name": name, "kind": "model flavor", "version": "1.0.0", "protocol": 1,
                       "executable": "run", "read": [] if prefix == "/usr" else [prefix]}, file)

    def __enter__(self):
        with open(f"{self.folder}/log", "ab") as log:
            self.process = subprocess.Popen(
                [self.built["linajed"], "--state-directory", f"{self.folder}/state", "--socket",
                 self.socket], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={"PATH": os.environ["PATH"], "HOME": self.folder},
                preexec_fn=lambda: os.setpriority(os.PRIO_PROCESS, 0, self.nice))
        end = time.monotonic() + 30
        while not os.path.exists(self.socket) or self.run("status")["code"]:
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit("compare: linajed does not answer")
            time.sleep(0.05)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)
        shutil.rmtree(self.sockets, ignore_errors=True)

    def run(self, *words):
        done = subprocess.run([self.built["linaje"], *words], capture_output=True, text=True,
                              check=False, timeout=300,
                              env={"PATH": os.environ["PATH"], "HOME": self.folder,
                                   "LINAJE_SOCKET": self.socket})
        return {"code": done.returncode, "out": done.stdout, "error": done.stderr}

    def describing(self):
        """Seconds that flavors have taken to describe models, and how often they did."""
        text = self.run("status", "--metrics")["out"]
        return tuple(float(re.search(rf"^linaje_flavor_seconds_{name} (\S+)$", text,
                                     re.MULTILINE).group(1)) for name in ("sum", "count"))


def measure(built, sizes, folder):
    """Latencies of GetStatus alone, beside a plugin that spins, and beside one that crashes."""
    sys.path.insert(0, CLIENT)
    nice = -10 if os.geteuid() == 0 else 0  # As linajed.service has it.
    cases = {"alone": [], "beside a plugin that spins": [("spins", True)],
             "beside a plugin that crashes": [("crashes", False)]}
    took = {case: [] for case in cases}
    # A quick look leaves the machine as it is.
    quiet = (without_autogroups() if sizes["windows"] > 1
             else contextlib.nullcontext(os.path.exists(AUTOGROUP)))
    with quiet as grouped:
        for window in range(sizes["windows"]):
            for number, (case, plugins) in enumerate(cases.items()):
                # With the daemon its plugins end: none is left for the next window.
                with House(built, f"{folder}/house-{window}-{number}", plugins, nice) as house:
                    took[case] += beside(house, sizes["calls"])
    rows = [{"case": case, **quantiles(each)} for case, each in took.items()]
    for row in rows:
        say(f"GetStatus {row['case']}: p50 {row['p50']:.2f} ms, p99 {row['p99']:.2f} ms")
    return {"nice": nice, "autogroups": grouped, "rows": rows}


@contextlib.contextmanager
def without_autogroups():
    """A plugin is a session of its own, and so would be a group with half of a processor, whatever its
    priority; under systemd there are no such groups. Says whether they could not be turned off."""
    try:
        with open(AUTOGROUP, "r+", encoding="ascii") as file:
            before = file.read().strip()
            file.seek(0)
            file.write("0")
    except OSError:
        yield os.path.exists(AUTOGROUP)
        return
    try:
        yield False
    finally:
        with open(AUTOGROUP, "w", encoding="ascii") as file:
            file.write(before)


def beside(house, calls):
    """Seconds of calls while models are registered, about which the plugins are asked."""
    from linaje import Client

    stop = threading.Event()
    model = f"{house.folder}/model"
    os.makedirs(model)
    with open(f"{model}/notes.txt", "w", encoding="utf-8") as file:
        file.write("nothing")

    def register():
        while not stop.is_set():
            house.run("model", "register", model, "some")
            time.sleep(0.1)

    threading.Thread(target=register, daemon=True).start()
    time.sleep(1)
    took = []
    with Client(house.socket) as client:
        for _ in range(calls):
            begin = time.perf_counter()
            client.status()
            took.append(time.perf_counter() - begin)
            time.sleep(PACE)
    stop.set()
    return took


def quantiles(took):
    ordered = sorted(each * 1_000 for each in took)
    return {"calls": len(ordered), "p50": ordered[len(ordered) // 2],
            "p99": ordered[len(ordered) * 99 // 100], "longest": ordered[-1]}
