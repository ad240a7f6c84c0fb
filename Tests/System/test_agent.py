"""The agent: files that it follows arrive exactly once, whatever happens to it meanwhile."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from support import (LINAJE, ROOT, SECONDS, Daemon, eventually, history, new_run)

tensorboardX = pytest.importorskip("tensorboardX")
pytestmark = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")

RUNNING, FINISHED = 1, 3


class Agent:
    """`linaje agent` as a process whose --json lines are read as they come."""

    def __init__(self, daemon, *arguments, environment=None):
        self.events = []
        self.process = subprocess.Popen(
            [LINAJE, "agent", "--socket", daemon.socket, "--json", *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **(environment or {})})
        Daemon.processes.append(self.process)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def named(self, name):
        return [event for event in self.events if event["event"] == name]

    def wait_for(self, name):
        return eventually(lambda: self.named(name), why=f"no {name} event: {self.events}")[0]

    def kill(self):
        self.process.kill()
        self._reap()

    def stop(self, seconds=5.0):
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(seconds)
        self._reap()
        assert status == 0, self.said
        return self.events[-1]

    def finish(self, status=0):
        """Waits for its end; the last event."""
        self.process.wait(SECONDS)
        self._reap()
        assert self.process.returncode == status, (self.said, self.events)
        return self.events[-1] if self.events else None

    def _reap(self):
        self.process.wait(SECONDS)
        self.reader.join(SECONDS)
        self.said = self.process.stderr.read()
        self.process.stdout.close()
        self.process.stderr.close()


def runs(client):
    """Runs by name."""
    return {run.name: run for run in client.call("SearchRuns").runs}


def points(client, run):
    """What is stored of a run: {key: [(step, value)]}, in order."""
    out = {}
    for key, step, _, value in history(client, run):
        out.setdefault(key, []).append((step, value))
    return out


# --- TensorBoard ---

def write(folder, keys, steps, **options):
    """One writer's life; what it has written, as `points` returns it."""
    writer = tensorboardX.SummaryWriter(str(folder), **options)
    out = {}
    for step in steps:
        for key in keys:
            value = step + len(key) / 8
            writer.add_scalar(key, value, step)
            out.setdefault(key, []).append((step, value))
    writer.close()
    return out


def test_each_directory_with_event_files_becomes_a_run(daemon, tmp_path):
    wanted = {"a": write(tmp_path / "a", ["loss"], range(10)),
              "b/c": write(tmp_path / "b/c", ["loss", "acc"], range(5))}
    last = Agent(daemon, "--tensorboard", tmp_path, "--once").finish()
    assert (last["files"], last["points"], last["damaged"]) == (2, 20, 0)
    with daemon.client() as client:
        found = runs(client)
        assert set(found) == {"a", "b/c"}
        for name, run in found.items():
            assert points(client, run.id) == wanted[name]
            assert run.status == FINISHED
            tags = {tag.key: tag.value for tag in client.get_run(run.id).tags}
            assert tags["linaje.tensorboard"] == str(tmp_path / name)
        # Again it finds the same runs and has nothing to send; what came since goes there, too.
        assert Agent(daemon, "--tensorboard", tmp_path, "--once").finish()["points"] == 0
        time.sleep(1.1)  # A file is named by the second.
        more = write(tmp_path / "a", ["loss"], range(10, 13))
        assert Agent(daemon, "--tensorboard", tmp_path, "--once").finish()["points"] == 3
        assert set(runs(client)) == {"a", "b/c"}
        assert points(client, found["a"].id)["loss"] == wanted["a"]["loss"] + more["loss"]


def test_directories_that_share_a_run_stand_before_their_tags(daemon, tmp_path):
    train = write(tmp_path / "train", ["loss"], range(4))
    write(tmp_path, ["lr"], range(2))
    with daemon.client() as client:
        run = new_run(client)
        Agent(daemon, "--tensorboard", tmp_path, "--once", "--run", run.hex()).finish()
        stored = points(client, run)
        assert stored["train/loss"] == train["loss"] and len(stored["lr"]) == 2
        assert client.get_run(run).status == RUNNING, "it is not the agent's to end"
        Agent(daemon, "--tensorboard", tmp_path, "--once", "--run", "mine").finish()
        assert points(client, runs(client)["mine"].id) == stored


WRITER = """
import sys, time, tensorboardX
folder, first, count, pause = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
writer = tensorboardX.SummaryWriter(folder, flush_secs=0.02, max_queue=3)
for step in range(first, first + count):
    writer.add_scalar("loss", 1 / (step + 1), step)
    writer.add_scalar("acc", step / 2, step)
    if step % 7 == 0:
        writer.add_histogram("weights", [1.0, 2.0, step], step)
    time.sleep(pause)
writer.close()
"""


def test_every_point_arrives_once_though_the_agent_is_killed_again_and_again(daemon, tmp_path):
    count = 400
    folders = [tmp_path / name for name in ("one", "two")]
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(folder), "0", str(count),
                                 "0.01"]) for folder in folders]
    kills = 0
    agent = None
    try:
        while any(writer.poll() is None for writer in writers):
            agent = Agent(daemon, "--tensorboard", tmp_path, "--poll", "0.02")
            # Somewhere between its start and the middle of a batch.
            time.sleep(0.15 + 0.13 * (kills % 5))
            agent.kill()
            kills += 1
    finally:
        for writer in writers:
            assert writer.wait(SECONDS) == 0
    assert kills >= 5
    # A second life of a writer makes a file of its own.
    time.sleep(1.1)
    subprocess.run([sys.executable, "-c", WRITER, str(folders[0]), str(count), "50", "0"],
                   check=True)
    Agent(daemon, "--tensorboard", tmp_path, "--once").finish()
    with daemon.client() as client:
        found = runs(client)
        assert set(found) == {"one", "two"}
        for name, total in (("one", count + 50), ("two", count)):
            stored = points(client, found[name].id)
            assert stored["acc"] == [(step, step / 2) for step in range(total)]
            assert [step for step, _ in stored["loss"]] == list(range(total))
            assert all(abs(value - 1 / (step + 1)) < 1e-6 for step, value in stored["loss"])


def test_the_daemon_may_stop_and_start_meanwhile(daemon, tmp_path):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "w"), "0", "150",
                               "0.01"])
    agent = Agent(daemon, "--tensorboard", tmp_path, "--poll", "0.02")
    for how in (daemon.restart, daemon.kill):
        agent.wait_for("ready")
        time.sleep(0.4)
        how()
    time.sleep(0.2)
    daemon.start()
    assert writer.wait(SECONDS) == 0
    with daemon.client() as client:
        eventually(lambda: "w" in runs(client) and
                   len(points(client, runs(client)["w"].id).get("acc", ())) == 150,
                   why="not every point came")
        agent.stop()
        assert points(client, runs(client)["w"].id)["acc"] == [(s, s / 2) for s in range(150)]


def test_a_torn_record_waits_and_a_corrupt_one_ends_its_file_only(daemon, tmp_path):
    for name in ("bad", "good", "torn"):
        write(tmp_path / name, ["loss"], range(20))
    bad, torn = ([entry for entry in (tmp_path / name).iterdir()][0] for name in ("bad", "torn"))
    bytes_of_bad = bytearray(bad.read_bytes())
    bytes_of_bad[len(bytes_of_bad) // 2] ^= 0xFF
    bad.write_bytes(bytes_of_bad)
    whole = torn.read_bytes()
    torn.write_bytes(whole[:-5])
    agent = Agent(daemon, "--tensorboard", tmp_path, "--poll", "0.02")
    with daemon.client() as client:
        damaged = agent.wait_for("damaged")
        assert damaged["path"] == str(bad) and "CRC" in damaged["reason"]
        assert 0 < damaged["offset"] <= len(bytes_of_bad) // 2
        eventually(lambda: {"good", "torn"} <= set(runs(client)) and
                   len(points(client, runs(client)["torn"].id)["loss"]) == 19 and
                   len(points(client, runs(client)["good"].id)["loss"]) == 20)
        torn.write_bytes(whole)
        eventually(lambda: len(points(client, runs(client)["torn"].id)["loss"]) == 20)
        assert [s for s, _ in points(client, runs(client)["torn"].id)["loss"]] == list(range(20))
        before = points(client, runs(client)["bad"].id)["loss"]
        assert before == [(s, s + 0.5) for s in range(len(before))] and 0 < len(before) < 20
    assert agent.stop()["damaged"] == 1


# --- JSON lines ---

def lines(path, steps, mode="a", **more):
    with open(path, mode, encoding="utf-8") as file:
        for step in steps:
            file.write(json.dumps({"step": step, "loss": step / 4, "val": {"acc": -step},
                                   "note": "x", **more}) + "\n")


def losses(client, run):
    return [step for step, _ in points(client, run).get("loss", ())]


def test_json_lines_arrive_once_over_kills_and_rotations(daemon, tmp_path):
    path = tmp_path / "metrics.jsonl"
    with daemon.client() as client:
        run = new_run(client)

        def agent():
            return Agent(daemon, "--jsonl", path, "--run", run.hex(), "--poll", "0.02")

        def arrived(count):
            eventually(lambda: len(losses(client, run)) >= count,
                       why=f"{len(losses(client, run))} of {count} came: {first.events}")
            assert losses(client, run) == list(range(count))

        first = agent()  # The file is not there yet.
        lines(path, range(100))
        arrived(100)
        with open(path, "a", encoding="utf-8") as file:
            file.write('not json\n{"step": 100, "lo')
            file.flush()
            time.sleep(0.1)
            file.write('ss": 25, "val": {"acc": -100}}\n')
        arrived(101)
        # Rotated while it looks, with lines that it has not seen yet.
        lines(path, range(101, 120))
        os.rename(path, str(path) + ".1")
        lines(path, range(120, 140))
        arrived(140)
        first.kill()
        # Rotated while it does not look.
        lines(path, range(140, 150))
        os.rename(path, str(path) + ".1")
        lines(path, range(150, 160))
        first = agent()
        arrived(160)
        first.kill()
        first = agent()
        time.sleep(0.2)
        lines(path, range(160, 165))
        arrived(165)
        assert points(client, run)["val/acc"] == [(s, -s) for s in range(165)]
        assert first.stop()["event"] == "end"


def test_a_file_that_is_written_anew_is_read_again(daemon, tmp_path):
    path = tmp_path / "metrics.jsonl"
    lines(path, range(10))
    with daemon.client() as client:
        run = new_run(client)
        agent = Agent(daemon, "--jsonl", path, "--run", run.hex(), "--poll", "0.02")
        eventually(lambda: len(losses(client, run)) == 10)
        lines(path, range(4), mode="w")  # The same inode and the same first line.
        agent.wait_for("rewritten")
        eventually(lambda: len(losses(client, run)) == 14)
        agent.kill()
        lines(path, range(4, 6))
        Agent(daemon, "--jsonl", path, "--run", run.hex(), "--once").finish()
        assert sorted(losses(client, run)) == sorted([*range(10), *range(6)])


def test_once_says_what_was_no_measurement(daemon, tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text('{"loss": 1}\nepoch\n{"loss": NaN, "text": "x"}\n{"loss": 3}')
    agent = Agent(daemon, "--jsonl", path, "--once")
    last = agent.finish()
    assert (last["points"], last["ignored"], last["problems"]) == (3, 1, 1)
    assert agent.named("problem")[0]["offset"] == 12
    with daemon.client() as client:
        run = runs(client)["m.jsonl"]
        assert run.status == FINISHED and losses(client, run.id) == [0, 1, 2]
    missing = Agent(daemon, "--jsonl", tmp_path / "none.jsonl", "--once")
    missing.finish(status=1)
    assert "none.jsonl" in missing.said
