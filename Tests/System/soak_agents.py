"""Who works beside the soak's faults, and remembers what must be there afterwards."""

import contextlib
import glob
import os
import random
import signal
import subprocess
import threading
import time

from support import LINAJE, LinajeError, Raw, eventually, history, put_tree, read, request
from zero_harm import KEYS, Trainer, check, difference

RUNNING, FAILED, NOT_FOUND = 1, 4, 104


class Agent:
    """Something that works until it is told to stop, on a thread of its own."""

    def __init__(self, house, seed):
        self.house, self.dice = house, random.Random(f"{seed} {type(self).__name__}")
        self.counts, self.latencies = {}, {}
        self.over = threading.Event()
        self.failure = None
        self.thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)

    def _run(self):
        try:
            while not self.over.is_set():
                self.work()
        except BaseException as error:  # noqa: BLE001 - reported at the end, whatever it is
            self.failure = error
        finally:
            with contextlib.suppress(Exception):
                self.leave()

    def work(self):
        """One piece of work."""
        raise NotImplementedError

    def leave(self):
        """The end of the work."""

    def verify(self, client):
        """Compares what is there with what must be, once nothing works any more."""

    def count(self, what, number=1):
        self.counts[what] = self.counts.get(what, 0) + number

    def persist(self, body, again=()):
        """Does something until the daemon has answered; `again`: errors that mean its state is
        gone, so that it begins anew. A key makes a change happen once."""
        while True:
            try:
                return body()
            except LinajeError as error:
                # 203: the storage has failed; whoever runs the soak starts the daemon anew.
                if not (error.retryable or error.code < 100 or error.code >= 200
                        or error.code in again):
                    raise
                self.count("tried again")
                time.sleep(0.05)

    @contextlib.contextmanager
    def timed(self, what):
        """Measures something that no fault disturbs."""
        disturbed, begin = self.house.disturbed, time.perf_counter()
        yield
        if not disturbed and not self.house.disturbed:
            self.latencies.setdefault(what, []).append(time.perf_counter() - begin)


class Trainers(Agent):
    """Trainings with the Python client, one after the other; some are killed."""

    def __init__(self, house, seed, state, seconds):
        super().__init__(house, f"{seed} {state}")
        self.state, self.seconds = state, seconds
        self.results, self.killed, self.trainer = [], [], None

    def work(self):
        options = ["--pause", self.dice.choice(["0.001", "0.003"])]
        if self.dice.random() < 0.3:
            options.append("--numpy")
        self.trainer = trainer = Trainer(self.house.daemon, self.state, *options)
        self.over.wait(self.dice.uniform(0.5, 1.0) * self.seconds)
        if self.dice.random() < 0.35:
            # The end of the soak may come when the training has just said its name, on a busy machine
            # before it has told anybody else. Nothing of it was acknowledged then.
            eventually(lambda: self._is_kept(trainer.run), 60, "the run is nowhere")
            number = self.dice.choice([signal.SIGKILL, signal.SIGTERM])
            trainer.process.send_signal(number)
            trainer.process.wait(20)
            trainer.process.stdout.close()
            trainer.process.stdin.close()
            trainer.errors.close()
            self.killed.append(trainer.run)
            self.count(f"trainings ended by {number.name}")
            return
        self.results.append(trainer.end(120))
        self.count("trainings")

    def _is_kept(self, run):
        """Whether the daemon knows a run, or the spool has what makes it."""
        for path in glob.glob(os.path.join(self.state, "linaje", "spool", "*", f"{run}.ops")):
            with contextlib.suppress(OSError), open(path, "rb") as file:
                if b"CreateRun" in file.read():
                    return True
        with contextlib.suppress(LinajeError, OSError), self.house.client(2) as client:
            return client.get_run(run) is not None
        return False

    def verify(self, client):
        for result in self.results:
            self.count("points of trainings", check(client, result))
        for run in self.killed:
            self._verify_killed(client, run)

    def _verify_killed(self, client, run):
        """What a killed training had logged up to some step is there once, and nothing else."""
        # One that was killed last is still in its grace: a death is told half a second after it.
        eventually(lambda: client.get_run(run).status != RUNNING, 5,
                   f"killed run {run} is still RUNNING")
        stored = client.get_run(run)
        assert stored.status == FAILED, f"killed run {run} has status {stored.status}"
        assert stored.ended_cause, f"run {run} does not say why it ended"
        found = {}
        for key, step, _, value in history(client, run):
            found.setdefault(key, []).append((step, value))
        for key, points in found.items():
            wanted = [(i, KEYS[key](i)) for i in range(len(points))]
            assert points == wanted, f"killed run {run}, {key}: {difference(points, wanted)}"
            self.count("points of killed trainings", len(points))


class Streams(Agent):
    """`linaje metric stream`: lines from a pipe, through whatever happens to the daemon."""

    def __init__(self, house, seed):
        super().__init__(house, seed)
        self.runs = []

    def work(self):
        with self.house.client() as client:
            key = os.urandom(16)
            run = os.urandom(16)
            self.persist(lambda: client.call("CreateRun", id=run, key=key))
        process = subprocess.Popen(
            [LINAJE, "metric", "stream", "--socket", self.house.socket, run.hex()],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={"PATH": os.environ.get("PATH", ""), "HOME": self.house.folder})
        lines, end = 0, time.monotonic() + self.dice.uniform(3, 10)
        while time.monotonic() < end and not self.over.is_set():
            for _ in range(20):
                process.stdin.write(f"x={lines}.5 step={lines}\n")
                lines += 1
            process.stdin.flush()
            time.sleep(0.02)
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, f"metric stream ended with {process.returncode}: {said}"
        self.runs.append((run, lines))
        self.count("metric streams")

    def verify(self, client):
        for run, lines in self.runs:
            points = [(step, value) for _, step, _, value in history(client, run)]
            wanted = [(i, i + 0.5) for i in range(lines)]
            assert points == wanted, f"stream {run.hex()}: {difference(points, wanted)}"
            self.count("points of streams", lines)


class Bench(Agent):
    """`linaje bench metrics --reconnect --verify`: it reads everything back itself."""

    POINTS = 60_000

    def work(self):
        seed = self.dice.randrange(2**31)
        done = subprocess.run(
            [LINAJE, "bench", "metrics", "--socket", self.house.socket, "--verify", "--reconnect",
             "--agents", "3", "--batch", "100", "--points", str(self.POINTS), "--seed",
             str(seed)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
            env={"PATH": os.environ.get("PATH", ""), "HOME": self.house.folder}, check=False)
        tail = done.stdout[-400:]
        if done.returncode in (69, 75):
            # It found no daemon before it had begun, or its disk full: nothing was promised.
            self.count("benches refused")
            self.over.wait(0.5)
            return
        assert done.returncode == 0, f"bench --seed {seed} ended with {done.returncode}: {tail}"
        assert "every point is there once" in done.stdout, tail
        self.count("points of benches", self.POINTS)
        self.over.wait(self.dice.uniform(0.5, 2.0))


class Artifacts(Agent):
    """Puts trees, reads them back now and then, and all of them at the end."""

    def __init__(self, house, seed):
        super().__init__(house, seed)
        self.client = house.client()
        self.trees = []

    def work(self):
        if self.trees and self.dice.random() < 0.5:
            self._verify(self.client, *self.dice.choice(self.trees))
            self.count("trees read")
        else:
            content = self.dice.randrange(2**32)
            files = self._files(content)
            with self.timed("put tree"):
                tree = self.persist(lambda: put_tree(self.client, files), again=(NOT_FOUND,))
            self.trees.append((tree.digest, content))
            self.count("trees put")
            self.count("bytes put", sum(map(len, files.values())))
        self.over.wait(0.05)

    def _files(self, content):
        dice = random.Random(content)
        return {f"d{i}/f": dice.randbytes(dice.choice([0, 10, 5_000, 150_000]))
                for i in range(dice.randint(1, 4))}

    def _verify(self, client, digest, content):
        for path, wanted in self._files(content).items():
            got = self.persist(lambda path=path: read(client, digest, path))
            assert got == wanted, f"file {path} of tree {digest.hex()} holds other bytes"

    def verify(self, client):
        for digest, content in self.trees:
            self._verify(client, digest, content)

    def leave(self):
        self.client.close()


class Registry(Agent):
    """Registers versions, moves stages and aliases, verifies the ledger."""

    NAME = "soak"

    def __init__(self, house, seed):
        super().__init__(house, seed)
        self.client = house.client()
        self.tree, self.versions, self.changes = None, 0, 0
        self.stages, self.champion = {}, 0

    def work(self):
        if self.tree is None:
            self.tree = self.persist(lambda: put_tree(self.client, {"MLmodel": b"flavors: {}\n"}),
                                     again=(NOT_FOUND,)).digest.hex()
        key = os.urandom(16)
        if self.versions == 0 or self.dice.random() < 0.3:
            with self.timed("register"):
                version = self.persist(lambda: self.client.create_model_version(
                    self.NAME, f"tree:sha256:{self.tree}", key=key))
            self.versions += 1
            assert version.version == self.versions, "a version was made twice or left out"
        else:
            version = self.dice.randint(1, self.versions)
            stage = self.dice.choice(["Staging", "Production", "Archived", "None"])
            with self.timed("transition"):
                if self.dice.random() < 0.5 and stage != self.stages.get(version, "None"):
                    self.persist(lambda: self.client.call(
                        "TransitionStage", name=self.NAME, version=version, stage=stage, key=key))
                    self.stages[version] = stage
                elif version != self.champion:
                    self.persist(lambda: self.client.call(
                        "SetAlias", name=self.NAME, alias="champion", version=version, key=key))
                    self.champion = version
                else:
                    return
        self.changes += 1
        self.count("registry changes")
        if self.changes % 20 == 0:
            checked = self.persist(lambda: self.client.call("VerifyLedger"))
            assert checked.first_bad == 0, f"event {checked.first_bad}: {checked.finding}"
            self.count("ledgers verified")
        self.over.wait(0.1)

    def verify(self, client):
        checked = client.call("VerifyLedger")
        assert checked.first_bad == 0, f"event {checked.first_bad}: {checked.finding}"
        # The first version came with the event of its model.
        assert checked.events == self.changes + bool(self.versions), (
            f"{checked.events} events of {self.changes} changes")
        if self.versions:
            found = [each.version for each in client.pages("SearchModelVersions", "versions",
                                                           name=self.NAME)]
            assert sorted(found) == list(range(1, self.versions + 1))

    def leave(self):
        self.client.close()


class Readers(Agent):
    """Searches, histories, states of the daemon; their latencies when nothing disturbs them."""

    def __init__(self, house, seed):
        super().__init__(house, seed)
        self.client = house.client()

    def work(self):
        for what, body in (("status", self.client.status),
                           ("search runs", lambda: self.client.search_runs(limit=20))):
            with self.timed(what):
                self.persist(body)
        for run in self.persist(lambda: self.client.search_runs(limit=2)):
            with self.timed("history"):
                self.persist(lambda run=run: len(history(self.client, run.id)))
        self.count("searches", 3)
        self.over.wait(0.2)

    def leave(self):
        self.client.close()


class Tails(Agent):
    """Follows the newest run as its points become durable."""

    def work(self):
        with self.house.client(3.0) as client, contextlib.suppress(LinajeError, OSError):
            runs = client.search_runs(limit=1)
            end = time.monotonic() + self.dice.uniform(1, 5)
            for run in runs:
                for _ in client.stream("TailMetrics", {"run_id": run.id}):
                    self.count("pieces tailed")
                    if time.monotonic() > end or self.over.is_set():
                        break
        self.over.wait(0.2)


class Abusers(Agent):
    """Clients that never read, send a byte at a time, or go away in the middle."""

    def work(self):
        with contextlib.suppress(OSError, LinajeError, AssertionError):
            self.dice.choice([self._never_reads, self._dribbles, self._goes_away])()
            self.count("abuses")
        self.over.wait(0.1)

    def _never_reads(self):
        with Raw(self.house.daemon) as raw:
            raw.socket.settimeout(1.0)
            for number in range(2_000):
                raw.socket.sendall(request("GetStatus", stream=1 + 2 * number, key=False))

    def _dribbles(self):
        with Raw(self.house.daemon) as raw:
            for byte in request("SearchRuns", stream=1, key=False):
                raw.send(bytes([byte]))
                if self.over.wait(0.1):
                    return

    def _goes_away(self):
        with self.house.client(3.0) as client:
            run = os.urandom(16)
            client.call("CreateRun", id=run)
            stream = client.connection.open("StreamMetrics", {
                "run_id": run, "writer_id": os.urandom(16)})
            stream.wait_answer(time.monotonic() + 3)
            self.over.wait(self.dice.uniform(0.5, 3.0))
            client.connection._socket.close()
