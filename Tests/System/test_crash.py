"""kill -9 at any moment: what was acknowledged is there, exactly once."""

import hashlib
import os
import random
import subprocess
import threading
import time

import pytest
from support import (LINAJE, SEED, SOAK, LinajeError, Writer, _wire, history, linaje_plain,
                     put_tree, read, verify)

ROUNDS = 50 if SOAK else 12
AGENTS = 4


def in_threads(bodies, moment, daemon):
    """Runs bodies until the daemon is killed after `moment` seconds; what went wrong in them."""
    failures = []

    def guarded(body):
        try:
            body()
        except LinajeError as error:
            # The daemon went away in the middle of something: that is what is tested.
            if error.code != 200:
                failures.append(error)
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    time.sleep(moment)
    daemon.kill()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "a writer hangs after the daemon is gone"
    assert not failures, failures


def test_acknowledged_points_survive_exactly_once(daemon):
    for number in range(ROUNDS):
        dice = random.Random(SEED * 1000 + number)
        seed, points = dice.randrange(2**31), dice.choice([1, 7, 100, 1000])
        agents = [Agent(daemon, seed, index, points, dice.random()) for index in range(AGENTS)]
        moment = dice.uniform(0.02, 0.5)
        in_threads([agent.write for agent in agents], moment, daemon)
        daemon.start()
        what = f"round {number} of seed {SEED}: {points} points a batch, killed at {moment:.3f} s"
        runs = [agent.run for agent in agents]
        try:
            verify(daemon, seed, runs, [agent.acked * points for agent in agents])
            # Whoever comes back goes on where it was: nothing twice, nothing left out.
            for agent in agents:
                agent.resume(5)
            total = verify(daemon, seed, runs, [agent.acked * points for agent in agents])
        except AssertionError as error:
            raise AssertionError(f"{what}: {error}") from error
        assert total == sum(agent.acked for agent in agents) * points, what


class Agent:
    """One writer with a run of its own."""

    def __init__(self, daemon, seed, index, points, haste):
        self.daemon, self.seed, self.index, self.points = daemon, seed, index, points
        self.run, self.id, self.acked = os.urandom(16), os.urandom(16), 0
        self.window = 1 + int(haste * 64)
        with daemon.client() as client:
            client.call("CreateRun", id=self.run)

    def write(self):
        """Sends as fast as it can, at most a window ahead of the acknowledgements."""
        writer = self._open()
        try:
            while True:
                writer.send()
                writer.poll()
                if writer.sent - writer.acked >= self.window:
                    writer.wait(writer.acked + 1)
        finally:
            # Acknowledgements that came with the last bytes count.
            while writer.stream.inbox:
                writer.acked = _acked(writer.stream.inbox.popleft())
            self.acked = writer.acked

    def resume(self, batches):
        writer = self._open()
        assert writer.acked >= self.acked, f"{self.acked} were acknowledged, {writer.acked} known"
        for _ in range(batches):
            writer.send()
        writer.end()
        self.acked = writer.acked
        writer.connection.close()

    def _open(self):
        return Writer(self.daemon.connection(), self.run, self.id, seed=self.seed,
                      agent=self.index, points=self.points)


def _acked(payload):
    return _wire.decode("MetricAck", payload).durable_through


def test_several_writers_of_one_run_survive_exactly_once(daemon):
    dice = random.Random(SEED)
    run, known = os.urandom(16), [0] * 3
    with daemon.client() as client:
        client.call("CreateRun", id=run)

    def body(index, writer_id):
        def act():
            writer = Writer(daemon.connection(), run, writer_id, agent=index, points=3)
            while True:
                writer.send()
                writer.wait()
                known[index] = writer.acked
        return act

    ids = [os.urandom(16) for _ in known]
    in_threads([body(i, each) for i, each in enumerate(ids)], dice.uniform(0.1, 0.4), daemon)
    daemon.start()
    with daemon.client() as client:
        values = [point[3] for point in history(client, run)]
    for agent, acked in enumerate(known):
        wanted = {linaje_plain.expected(SEED, agent, i)[3] for i in range(acked * 3)}
        assert acked > 0 and wanted <= set(values), f"seed {SEED}: agent {agent} lost points"
    assert len(values) == len(set(values)), f"seed {SEED}: a point is there twice"


def test_committed_trees_survive_byte_for_byte(daemon):
    for number in range(ROUNDS // 2):
        dice = random.Random(SEED * 77 + number)
        committed = []

        def body(seed):
            def act():
                own = random.Random(seed)
                with daemon.client() as client:
                    while True:
                        files = {f"d{i}/f": own.randbytes(own.choice([0, 10, 3_000, 200_000]))
                                 for i in range(own.randint(1, 4))}
                        committed.append((put_tree(client, files), files))
            return act

        in_threads([body(dice.random()) for _ in range(2)], dice.uniform(0.05, 0.6), daemon)
        daemon.start()
        with daemon.client() as client:
            for tree, files in committed:
                listed = client.list_artifacts(tree.digest, recursive=True)
                assert {each.path for each in listed} == set(files)
                for path, content in files.items():
                    assert read(client, tree.digest, path) == content, f"{number}, seed {SEED}"
                assert tree.digest == hashlib.sha256(canonical(files)).digest()


def canonical(files):
    """The canonical text of a tree (STORAGE.md, "Trees")."""
    return b"linaje tree 1\n" + b"".join(
        f"100644 {hashlib.sha256(files[path]).hexdigest()} {len(files[path])} {path}\0".encode()
        for path in sorted(files))


def test_registered_versions_survive_without_gaps(daemon):
    with daemon.client() as client:
        tree = put_tree(client, {"MLmodel": b"flavors: {}\n"}).digest.hex()
    acked = []
    for number in range(ROUNDS // 2):
        dice = random.Random(SEED * 99 + number)

        def body():
            with daemon.client() as client:
                while True:
                    version = client.create_model_version("forest", f"tree:sha256:{tree}")
                    acked.append(version.version)

        in_threads([body] * 3, dice.uniform(0.05, 0.4), daemon)
        daemon.start()
        with daemon.client() as client:
            try:
                versions = [each.version for each in client.pages(
                    "SearchModelVersions", "versions", name="forest")]
            except LinajeError as error:
                assert error.code == 104 and not acked
                continue
            checked = client.call("VerifyLedger")
        what = f"round {number}, seed {SEED}"
        assert versions == list(range(len(versions), 0, -1)), what
        assert len(acked) == len(set(acked)), f"{what}: a number was given twice"
        assert set(acked) <= set(versions), what
        assert checked.first_bad == 0 and checked.events >= len(versions), what


def test_a_change_sent_again_after_the_crash_is_done_once(daemon):
    key, name = os.urandom(16), "once"
    with daemon.client() as client:
        answer = client.call("CreateExperiment", name=name, key=key)
    daemon.kill()
    daemon.start()
    with daemon.client() as client:
        assert client.call("CreateExperiment", name=name, key=key) == answer
        with pytest.raises(LinajeError) as caught:
            client.call("CreateExperiment", name=name)
    assert caught.value.code == 106


with_bench = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")


def bench(daemon, seed, points, *options):
    """`linaje bench metrics --verify` with three agents."""
    return subprocess.Popen(
        [LINAJE, "bench", "metrics", "--socket", daemon.socket, "--verify", "--keep", "--agents",
         "3", "--batch", "100", "--points", str(points), "--seed", str(seed), *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={"PATH": os.environ.get("PATH", ""), "HOME": daemon.folder})


def after_lines(process, wanted):
    """The first lines of what it says."""
    lines = []
    while len(lines) < wanted:
        line = process.stdout.readline()
        assert line, f"the bench ended early: {lines}"
        lines.append(line)
    return lines


@with_bench
@pytest.mark.parametrize("number", range(20 if SOAK else 4))
def test_kill_in_the_middle_of_the_bench_loses_nothing(daemon, number):
    dice = random.Random(SEED * 31 + number)
    seed, wait = dice.randrange(2**31), dice.randint(4, 60)
    process = bench(daemon, seed, 20_000_000)
    lines = after_lines(process, wait)
    daemon.kill()
    lines += process.communicate(timeout=30)[0].splitlines()
    assert process.returncode == 75, lines[-3:]
    runs, acked = {}, {}
    for line in lines:
        words = line.split()
        if len(words) == 6 and words[1] == "agent" and words[3] == "run":
            agent = int(words[2])
            runs[agent] = bytes.fromhex(words[4])
            acked[agent] = max(acked.get(agent, 0), int(words[5]))
    assert set(runs) == {0, 1, 2}, lines[:5]
    daemon.start()
    total = verify(daemon, seed, [runs[i] for i in range(3)], [acked[i] for i in range(3)])
    assert total >= sum(acked.values()) > 0


@with_bench
def test_the_bench_that_comes_back_finds_every_point_once(daemon):
    process = bench(daemon, SEED, 300_000, "--reconnect")
    after_lines(process, 12)
    daemon.kill()
    daemon.start()
    rest = process.communicate(timeout=60)[0]
    assert process.returncode == 0, rest[-500:]
    assert "every point is there once" in rest, rest[-500:]
