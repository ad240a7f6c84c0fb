"""The host agent: what the machine does, and which run it does it for."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import pytest
from support import LINAJE, ROOT, SECONDS, Writer, eventually, history
from test_agent import Agent

pytestmark = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")

# A training script with the real client: it holds memory, works for a share of a processor, and
# lets short-lived children work.
TRAINING = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
import linaje
megabytes, share, children = int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])
os.environ["LINAJE_SOCKET"] = sys.argv[2]
with linaje.start_run(name=sys.argv[6]) as run:
    held = bytearray(os.urandom(1 << 20) * megabytes)
    print(run.run_id, flush=True)
    def work(seconds):
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass
    for _ in range(children):
        child = os.fork()
        if child == 0:
            work(0.2)
            os._exit(0)
        os.waitpid(child, 0)
    print("children", flush=True)
    while True:
        began = time.monotonic()
        if share:
            work(0.05 * share)
        time.sleep(max(0, 0.05 - (time.monotonic() - began)))
"""


@pytest.fixture
def trainings(daemon):
    """Starts training scripts: (process, run id)."""
    started = []

    def start(name, megabytes, share, children=0):
        process = subprocess.Popen(
            [sys.executable, "-c", TRAINING, str(ROOT / "Clients/python/src"), daemon.socket,
             str(megabytes), str(share), str(children), name], stdout=subprocess.PIPE, text=True)
        started.append(process)
        run = bytes.fromhex(process.stdout.readline().strip())
        with daemon.client() as client:
            # The client never waits for the daemon: the run comes in its own time.
            eventually(lambda: run in {each.id for each in client.call("SearchRuns").runs})
        return process, run

    yield start
    for process in started:
        process.kill()
        process.wait(SECONDS)
        process.stdout.close()


def values(client, run, key):
    return [value for _, _, _, value in history(client, run, [key])]


def steps(client, run, key):
    return [step for _, step, _, _ in history(client, run, [key])]


CPU, SECONDS_USED = "system/process/cpu_utilization_percentage", "system/process/cpu_seconds"
MEMORY = "system/process/memory_rss_megabytes"


def test_a_run_gets_what_its_own_processes_use(daemon, trainings):
    busy, busy_run = trainings("busy", 200, 0.5)
    _, idle_run = trainings("idle", 20, 0)
    agent = Agent(daemon, "--interval", "0.5")
    with daemon.client() as client:
        eventually(lambda: len(values(client, busy_run, CPU)) >= 6 and
                   len(values(client, idle_run, CPU)) >= 6, why=f"no samples: {agent.events}")
        used = values(client, busy_run, SECONDS_USED)
        mean = sum(values(client, busy_run, CPU)) / len(values(client, busy_run, CPU))
        print(f"busy {mean:.1f} %, idle {values(client, idle_run, CPU)}")
        # The machine of a test may be late: what the kernel has counted for the process is exact.
        with open(f"/proc/{busy.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        assert used[-1] <= sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK") + 0.02
        assert used == sorted(used) and used[-1] > used[0]
        assert 15 < mean < 60, mean
        assert max(values(client, idle_run, CPU)) < 10
        assert values(client, idle_run, SECONDS_USED)[-1] < used[-1]
        for run, least, most in ((busy_run, 210, 330), (idle_run, 20, 120)):
            held = values(client, run, MEMORY)[-1]
            assert least < held < most, held
            names = {summary.series.key for summary in client.call(
                "GetMetricSummaries", run_id=run).summaries}
            assert {"system/cpu_utilization_percentage", "system/system_memory_usage_megabytes",
                    "system/system_memory_usage_percentage", "system/disk_usage_percentage",
                    "system/disk_usage_megabytes", "system/disk_available_megabytes",
                    "system/network_receive_megabytes",
                    "system/network_transmit_megabytes"} <= names
            assert not any("gpu" in name for name in names)
        # Killed and started again it goes on counting.
        agent.kill()
        last = steps(client, busy_run, CPU)[-1]
        agent = Agent(daemon, "--interval", "0.2")
        eventually(lambda: steps(client, busy_run, CPU)[-1] > last + 2)
        found = steps(client, busy_run, SECONDS_USED)
        assert found == list(range(len(found))), "a step is missing or double"
        again = values(client, busy_run, SECONDS_USED)
        assert again == sorted(again)
    agent.stop()


def test_children_that_have_ended_stay_counted(daemon, trainings):
    agent = Agent(daemon, "--interval", "0.1")
    agent.wait_for("ready")
    process, run = trainings("forks", 10, 0, children=5)
    with daemon.client() as client:
        assert process.stdout.readline() == "children\n"
        count = len(values(client, run, SECONDS_USED))
        eventually(lambda: len(values(client, run, SECONDS_USED)) > count + 1)
        used = values(client, run, SECONDS_USED)
        assert used == sorted(used), "a child's time was lost when it ended"
        with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        exact = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
        assert exact > 0.9 and abs(used[-1] - exact) < 0.05, (used, exact)
        assert max(values(client, run, "system/process/count")) >= 2
    agent.stop()


def test_a_run_that_does_not_want_it_is_left_alone(daemon, trainings):
    _, run = trainings("quiet", 1, 0)
    _, other = trainings("other", 1, 0)
    with daemon.client() as client:
        client.call("LogRun", id=run, tags={
            "set": [{"key": "linaje.system_metrics", "value": "false"}]})
        agent = Agent(daemon, "--interval", "0.1")
        eventually(lambda: len(values(client, other, MEMORY)) > 3)
        assert history(client, run) == []
        assert {event["run_id"] for event in agent.named("measuring")} == {other.hex()}
    agent.stop()


def test_samples_are_kept_while_the_daemon_is_away(daemon, trainings):
    _, run = trainings("kept", 1, 0)
    agent = Agent(daemon, "--interval", "0.1")
    with daemon.client() as client:
        eventually(lambda: len(values(client, run, MEMORY)) > 3)
    daemon.kill()
    agent.wait_for("unreachable")
    time.sleep(1)
    daemon.start()
    with daemon.client() as client:
        before = len(values(client, run, MEMORY))
        agent.wait_for("reachable")
        eventually(lambda: len(values(client, run, MEMORY)) > before + 10,
                   why="what was sampled meanwhile did not come")
        agent.stop()
        found = steps(client, run, MEMORY)
        assert found == list(range(len(found))), "a sample is missing or double"


def test_samples_that_are_sent_and_lost_are_sent_again_however_often(daemon, trainings):
    _, run = trainings("resent", 1, 0)
    agent = Agent(daemon, "--interval", "0.1")
    with daemon.client() as client:
        eventually(lambda: len(values(client, run, MEMORY)) > 3)
    for _ in range(3):
        # What is sent to a process that stands still is lost with it.
        os.kill(daemon.pid, signal.SIGSTOP)
        time.sleep(0.5)
        daemon.kill()
        daemon.start()
        time.sleep(0.1)
    with daemon.client() as client:
        before = len(values(client, run, MEMORY))
        eventually(lambda: len(values(client, run, MEMORY)) > before + 10,
                   why="what was sampled meanwhile did not come")
        agent.stop()
        found = steps(client, run, MEMORY)
        assert found == list(range(len(found))), "a sample is missing or double"


def test_a_run_whose_points_are_damaged_keeps_the_agent_from_no_other(daemon, trainings):
    _, ill = trainings("ill", 1, 0)
    _, well = trainings("well", 1, 0)
    writer = Writer(daemon.connection(), ill, os.urandom(16), points=5)
    writer.send()
    writer.end()
    assert daemon.stop() == 0
    database = sqlite3.connect(f"{daemon.state}/metrics.db")
    database.execute("UPDATE metric_segments SET data = ? WHERE run = ?", (bytes(40), ill))
    database.execute("UPDATE metric_writers SET folded_through = 0 WHERE run = ?", (ill,))
    database.commit()
    database.close()
    daemon.start()
    agent = Agent(daemon, "--interval", "0.1")
    with daemon.client() as client:
        eventually(lambda: len(values(client, well, MEMORY)) > 3)
        # A run that comes later is found, too.
        _, late = trainings("late", 1, 0)
        eventually(lambda: len(values(client, late, MEMORY)) > 3)
    agent.stop()
    failed = agent.named("failed")
    assert [event["run_id"] for event in failed] == [ill.hex()], failed
    assert ill.hex() not in {event["run_id"] for event in agent.named("measuring")}


FAKE_GPU = r"""
#include <string.h>
#include <stdlib.h>
typedef struct { unsigned gpu, memory; } utilization;
typedef struct { unsigned long long total, free, used; } memory;
typedef struct { unsigned pid; unsigned long long used; unsigned gi, ci; } process;
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **d) { *d = (void *)(size_t)(i + 1); return 0; }
int nvmlDeviceGetUtilizationRates(void *d, utilization *u) { u->gpu = 70 + (size_t)d; return 0; }
int nvmlDeviceGetMemoryInfo(void *d, memory *m) {
    m->total = 8000000000ull; m->used = 2000000000ull; m->free = 6000000000ull; return 0; }
int nvmlDeviceGetPowerUsage(void *d, unsigned *p) { *p = 150000; return 0; }
int nvmlDeviceGetEnforcedPowerLimit(void *d, unsigned *p) { *p = 300000; return 0; }
int nvmlDeviceGetTemperature(void *d, unsigned s, unsigned *t) { *t = 61; return 0; }
int nvmlDeviceGetTotalEccErrors(void *d, unsigned k, unsigned c, unsigned long long *n) {
    if (d == (void *)2) return 3; /* not supported */
    *n = k ? 1 : 5; return 0; }
int nvmlDeviceGetCurrentClocksThrottleReasons(void *d, unsigned long long *r) { *r = 4; return 0; }
int nvmlDeviceGetTotalEnergyConsumption(void *d, unsigned long long *e) {
    static unsigned long long now; *e = now += 1000; return 0; }
int nvmlDeviceGetComputeRunningProcesses_v3(void *d, unsigned *n, process *out) {
    if (d == (void *)2) { *n = 0; return 0; }
    if (*n < 2) return 7;
    memset(out, 0, 2 * sizeof *out);
    out[0].pid = atoi(getenv("FAKE_PID")); out[0].used = 1500000000ull;
    out[1].pid = 1; out[1].used = 500000000ull;
    *n = 2; return 0; }
"""


def test_a_gpu_is_read_and_its_memory_and_energy_go_to_the_run_that_uses_it(
        daemon, trainings, tmp_path):
    source = tmp_path / "nvml.c"
    source.write_text(FAKE_GPU)
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    subprocess.run([compiler, "-shared", "-fPIC", "-w", "-o", tmp_path / "libnvidia-ml.so.1",
                    source], check=True)
    process, run = trainings("gpu", 1, 0)
    _, other = trainings("none", 1, 0)
    agent = Agent(daemon, "--interval", "0.2", environment={
        "LD_LIBRARY_PATH": str(tmp_path), "FAKE_PID": str(process.pid)})
    with daemon.client() as client:
        eventually(lambda: len(values(client, run, "system/process/gpu_energy_joules")) > 3)
        last = {summary.series.key: summary.last.value for summary in client.call(
            "GetMetricSummaries", run_id=run).summaries}
        wanted = {"utilization_percentage": 71, "memory_usage_megabytes": 2000,
                  "memory_usage_percentage": 25, "power_usage_watts": 150,
                  "power_usage_percentage": 50, "temperature_celsius": 61,
                  "ecc_corrected_errors": 5, "ecc_uncorrected_errors": 1, "throttle_reasons": 4}
        assert {name: last[f"system/gpu_0_{name}"] for name in wanted} == wanted
        assert last["system/gpu_1_utilization_percentage"] == 72
        assert "system/gpu_1_ecc_corrected_errors" not in last
        assert last["system/process/gpu_memory_megabytes"] == 1500
        joules = values(client, run, "system/process/gpu_energy_joules")
        # 2 J between two samples, three quarters of them this run's; nothing is known at the first.
        assert joules[0] == 0 and all(
            abs(b - a - 1.5) < 1e-6 for a, b in zip(joules, joules[1:])), joules
        names = {summary.series.key for summary in client.call(
            "GetMetricSummaries", run_id=other).summaries}
        assert "system/gpu_0_utilization_percentage" in names
        assert not any(name.startswith("system/process/gpu") for name in names)
    agent.stop()


def test_a_control_group_of_its_own_counts_exactly(daemon, trainings):
    point = "/sys/fs/cgroup/unified" if os.path.isdir("/sys/fs/cgroup/unified") \
        else "/sys/fs/cgroup"
    folder = os.path.join(point, f"linaje-agent-{os.getpid()}")
    try:
        os.mkdir(folder)
    except OSError as error:
        pytest.skip(f"control groups cannot be made here: {error}")
    try:
        if not os.path.exists(os.path.join(folder, "cpu.stat")):
            pytest.skip("there is no control group of version 2 here")
        process, run = trainings("grouped", 1, 0.3)
        with open(os.path.join(folder, "cgroup.procs"), "w", encoding="ascii") as file:
            file.write(str(process.pid))
        agent = Agent(daemon, "--interval", "0.2")
        with daemon.client() as client:
            eventually(lambda: len(values(client, run, SECONDS_USED)) > 4)
            used = values(client, run, SECONDS_USED)
        # Ticks of the process table are hundredths; the group's microseconds are finer.
        assert used == sorted(used)
        assert any(abs(value * 100 - round(value * 100)) > 1e-3 for value in used[1:]), used
        agent.stop()
        process.kill()
        process.wait(SECONDS)
    finally:
        def removed():
            try:
                os.rmdir(folder)
            except OSError:
                return False
            return True
        eventually(removed, why="the group is still in use")
