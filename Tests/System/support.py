"""What the system tests share: the daemon as a process, bytes on its socket, streams of points."""

import io
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "Clients/python/src"), str(ROOT / "Clients/python/plain")]

import linaje_plain  # noqa: E402
from linaje import _frames, _wire  # noqa: E402
from linaje._client import Client, file_parts  # noqa: E402
from linaje._connection import Connection, failure_to_error  # noqa: E402
from linaje._errors import LinajeError  # noqa: E402
from linaje._messages import METHODS  # noqa: E402

LINAJED = os.environ.get("LINAJED", str(ROOT / ".build/debug/linajed"))
LINAJE = os.environ.get("LINAJE", str(ROOT / ".build/debug/linaje"))
SOAK = os.environ.get("LINAJE_SOAK") == "1"
SEED = int(os.environ.get("LINAJE_SEED", "1859"))
SECONDS = 20.0


class Daemon:
    """One linajed and its files. `start` returns once it answers on its socket."""

    processes = []

    def __init__(self, folder, *, arguments=(), wrapper=(), environment=None, preexec=None,
                 pass_fds=()):
        self.folder = folder
        self.state = os.path.join(folder, "state")
        self.socket = os.path.join(folder, "s")
        self.log_path = os.path.join(folder, "log")
        self.arguments = list(arguments)
        self.wrapper = list(wrapper)
        self.environment = dict(environment or {})
        self.preexec = preexec
        self.pass_fds = pass_fds
        self.process = None
        self.killed = False

    # --- Its life ---

    def spawn(self):
        """Starts the process without waiting for anything."""
        environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.folder,
                       "TMPDIR": self.folder, **self.environment}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, LINAJED, "--state-directory", self.state, "--socket", self.socket,
                 *self.arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
                preexec_fn=self.preexec, pass_fds=self.pass_fds)
        self.processes.append(self.process)
        self.killed = False
        return self

    def start(self):
        """Starts the process and waits until its socket answers."""
        self.spawn()
        deadline = time.monotonic() + SECONDS
        while True:
            assert self.process.poll() is None, f"linajed ended at its start:\n{self.log}"
            assert time.monotonic() < deadline, f"linajed did not answer:\n{self.log}"
            try:
                Connection(self.socket, SECONDS).close()
                return self
            except LinajeError as error:
                assert error.code == 200, f"the daemon refuses a hello: {error}"
            time.sleep(0.005)

    def kill(self):
        """kill -9."""
        self.killed = True
        self.process.kill()
        self.process.wait(SECONDS)

    def stop(self, seconds=5.0):
        """SIGTERM; the exit status. More than `seconds` is a failure."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"linajed did not stop within {seconds} s:\n{self.log}") from None

    def restart(self):
        """Starts it again; stops it first when it runs."""
        if self.process.poll() is None:
            assert self.stop() == 0, self.log
        return self.start()

    def finish(self):
        """The end of each test: it is alive, stops when told, leaves nothing behind."""
        if self.killed:
            return
        assert self.process.poll() is None, f"linajed died:\n{self.log}"
        assert self.stop() == 0, f"linajed stopped with an error:\n{self.log}"
        assert not os.path.exists(self.socket), "the socket file was left behind"
        assert not os.path.exists(f"/proc/{self.process.pid}"), "the process was left behind"

    def refuses_to_start(self, seconds=SECONDS):
        """Starts it and expects it to end by itself: (exit status, what it said)."""
        before = len(self.log)
        self.spawn()
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"linajed started although it must not:\n{self.log}") from None
        self.killed = True
        return status, self.log[before:]

    # --- What is known of it ---

    @property
    def pid(self):
        return self.process.pid

    @property
    def log(self):
        """What it has written to its standard error."""
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def rss(self):
        """Its resident memory in bytes."""
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def client(self, timeout=SECONDS):
        # Without patience: a test that kills the daemon wants to see the error.
        return Client(self.socket, timeout, patience=0)

    def connection(self):
        return Connection(self.socket, SECONDS)


def held_socket(folder):
    """A listening socket that outlives the daemons on it, as linajed.socket does."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(os.path.join(folder, "s"))
    listening.listen(4_096)
    return listening


def inheriting(folder, *sockets, names=None, **environment):
    """A daemon that is handed sockets from descriptor 3 on."""
    descriptors = [each.fileno() for each in sockets]

    def hand_over():
        for number, descriptor in enumerate(os.dup(each) for each in descriptors):
            os.dup2(descriptor, 3 + number)
            os.set_inheritable(3 + number, True)

    environment["LISTEN_FDS"] = str(len(sockets))
    if names is not None:
        environment["LISTEN_FDNAMES"] = names
    # LISTEN_PID must be the daemon's own: a shell that becomes the daemon knows it.
    return Daemon(folder, environment=environment, preexec=hand_over,
                  wrapper=["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "-"],
                  pass_fds=(*range(3, 3 + len(sockets)), *descriptors))


NOBODY = 65534


def as_nobody(body):
    """The bytes that `body` returns when user 65534 runs it. Needs root."""
    # A fork and not a program: the other user may not be able to read the interpreter.
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(writing, body())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        said = file.read()
    os.waitpid(child, 0)
    return said


class Raw:
    """Bytes on the socket, right or wrong, and the frames that come back."""

    def __init__(self, daemon, hello=True):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(SECONDS)
        self.socket.connect(daemon.socket)
        self.buffer = bytearray()
        if hello:
            self.send(_frames.PREFACE, frame(_frames.HELLO))
            assert self.receive().type == _frames.HELLO
            assert self.receive().type == _frames.CREDIT

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *parts):
        """Sends everything in one write."""
        try:
            self.socket.sendall(b"".join(parts))
        except (BrokenPipeError, ConnectionResetError):
            pass  # It hung up; its last words are still to be read.
        return self

    def receive(self):
        """The next frame; None when the daemon hung up."""
        while (parsed := _frames.parse(self.buffer)) is None:
            data = self.socket.recv(65_536)
            if not data:
                return None
            self.buffer += data
        del self.buffer[:parsed[1]]
        return parsed[0]

    def wait(self, type):
        """The next frame of a type; an error frame before it is raised."""
        while (got := self.receive()) is not None:
            if got.type == type:
                return got
            if got.type == _frames.ERROR:
                raise failure_to_error(got.payload)
        raise AssertionError(f"the daemon hung up before a {_frames.NAMES[type]} frame")

    def failure(self):
        """Raises the error that comes; one of the connection must be the last thing that does."""
        while (got := self.receive()) is not None:
            if got.type != _frames.ERROR:
                continue
            error = failure_to_error(got.payload)
            if got.stream == 0:
                assert error.code < 100 or error.code in (108, 109, 200, 203), \
                    f"{error} must not end the connection"
                assert self.receive() is None, f"the daemon did not hang up after {error}"
            else:
                assert error.code >= 100, f"{error} must end the connection"
            raise error
        raise AssertionError("the daemon hung up without a word")


def frame(type, stream=0, payload=b"", flags=0, opcode=0, length=None):
    """A frame that need not be right."""
    length = len(payload) if length is None else length
    return struct.pack(">IIBBH", length, stream, type, flags, opcode) + payload


def request(method, message=b"", *, stream=1, key=True, header=None, end=None):
    """A request frame; `method` is a name or an opcode, `message` fields or bytes."""
    opcode, kind, name = method, "U", None
    if isinstance(method, str):
        opcode, kind, _, name, _ = METHODS[method]
    if isinstance(message, dict):
        message = _wire.encode(name, message)
    if header is None:
        header = _wire.encode("CallHeader", {"idempotency_key": os.urandom(16) if key is True
                                             else key or b""})
    ends = kind in "US" if end is None else end
    return frame(_frames.REQUEST, stream, struct.pack(">H", len(header)) + header + message,
                 _frames.END_FLAG if ends else 0, opcode)


def batch(sequence, points, key="bench/metric"):
    """A MetricBatch of (key, step, time, value) points of one series."""
    return linaje_plain.encode(
        "MetricBatch", sequence=sequence, series=linaje_plain.encode("Series", key=key),
        step=[p[1] for p in points], time_us=[p[2] for p in points], value=[p[3] for p in points])


def new_run(client, **fields):
    """A new run's id."""
    return client.call("CreateRun", id=os.urandom(16), **fields).id


class Writer:
    """A metric stream of one (run, writer) that sends the points of `linaje_plain.expected`."""

    def __init__(self, connection, run, writer, *, seed=SEED, agent=0, points=1, replay=False):
        self.connection, self.seed, self.agent, self.points = connection, seed, agent, points
        self.stream = connection.open("StreamMetrics", {
            "run_id": run, "writer_id": writer, "replay": replay})
        self.acked = self.stream.wait_answer(time.monotonic() + SECONDS).durable_through
        self.sent = self.acked

    def send(self):
        """Sends the next batch; takes in what acknowledgements there are when it must wait."""
        first = self.sent * self.points
        self.stream.send(batch(self.sent + 1, [
            linaje_plain.expected(self.seed, self.agent, i)
            for i in range(first, first + self.points)]), time.monotonic() + SECONDS)
        self.sent += 1

    def poll(self):
        """Takes in the acknowledgements that have come."""
        self.connection.pump(0)
        while self.stream.inbox:
            self.acked = _wire.decode("MetricAck", self.stream.receive()).durable_through
        self.stream.check()

    def wait(self, number=None):
        """Waits for the acknowledgement of a batch: the last one sent unless told."""
        number = self.sent if number is None else number
        while self.acked < number:
            payload = self.stream.receive(time.monotonic() + SECONDS)
            assert payload is not None, "the stream ended before its last acknowledgement"
            self.acked = _wire.decode("MetricAck", payload).durable_through

    def end(self):
        """Ends the stream in order; everything sent is durable then."""
        self.stream.end()
        while (payload := self.stream.receive(time.monotonic() + SECONDS)) is not None:
            self.acked = _wire.decode("MetricAck", payload).durable_through
        assert self.acked == self.sent


def put_tree(client, files, run=b"", path=""):
    """Commits {path: bytes} and returns the Tree."""
    ingest = client.call("BeginIngest").ingest_id
    for name, content in files.items():
        client._put(ingest, name, 0o100644,
                    lambda content=content: file_parts(io.BytesIO(content)), len(content), None)
    return client.call("CommitIngest", ingest_id=ingest, run_id=run, path=path)


def read(client, root, path):
    """All bytes of a file."""
    return b"".join(client.read_artifact(root, path))


def history(client, run, keys=()):
    """All points of a run as (key, step, time, value)."""
    return [(part.series.key, *point) for part in client.metric_history(run, keys)
            for point in zip(part.step, part.time_us, part.value)]


def verify(daemon, seed, runs, acked):
    """Lets the plain client compare what is stored with what was sent; the number of points."""
    command = [sys.executable, str(ROOT / "Clients/python/plain/linaje_plain.py"), "verify",
               "--socket", daemon.socket, "--seed", str(seed), "--agents", str(len(runs))]
    for run, number in zip(runs, acked):
        command += ["--run", run.hex(), "--acked", str(number)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"seed {seed}: {done.stderr}{done.stdout}"
    return int(done.stdout.split(" runs, ")[1].split()[0])


def eventually(check, seconds=SECONDS, why="it did not happen"):
    """Waits until `check()` is true; its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        assert time.monotonic() < deadline, why
        time.sleep(0.01)


def memory_cgroup():
    """A folder of the memory controller in which cgroups can be made: (folder, version)."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            before, _, after = line.partition(" - ")
            kind, _, options = after.split()[:3]
            point = before.split()[4]
            if kind == "cgroup" and "memory" in options.split(","):
                return point, 1
            if kind == "cgroup2":
                try:
                    with open(f"{point}/cgroup.subtree_control", encoding="ascii") as control:
                        if "memory" in control.read().split():
                            return point, 2
                except OSError:
                    pass
    return None, 0


def enter(path):
    """Moves this process into a cgroup; for `preexec_fn`."""
    with open(os.path.join(path, "cgroup.procs"), "w", encoding="ascii") as file:
        file.write(str(os.getpid()))


def may_unshare():
    """Whether this user may make mount namespaces."""
    try:
        return subprocess.run(["unshare", "-m", "true"], capture_output=True,
                              timeout=10).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


def may_trace():
    """Whether strace is here and may trace."""
    try:
        return subprocess.run(["strace", "-D", "-o", "/dev/null", "true"], capture_output=True,
                              timeout=10).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False


__all__ = [name for name in dir() if not name.startswith("__")]
