"""What the daemon says about itself: the metrics, over the protocol and over HTTP, and linaje top."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import termios
import time

import pytest
from support import (ROOT, SECONDS, Daemon, LinajeError, Raw, Writer, as_nobody, eventually, frame,
                     new_run, put_tree, read)

LINAJE = os.environ.get("LINAJE", str(ROOT / ".build/debug/linaje"))
FINISHED, PROCESS = 3, 2
SAMPLE = re.compile(
    r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\})?'
    r" (NaN|[+-]Inf|[-+0-9.e]+)")


class Exposition:
    """The text format, read strictly: what it says of each family and series."""

    def __init__(self, text):
        assert text.endswith("\n")
        self.types, self.help, self.samples = {}, {}, {}
        family = None
        for line in text[:-1].split("\n"):
            if line.startswith("# HELP "):
                _, _, name, words = line.split(" ", 3)
                assert name not in self.help, f"{name} is described twice"
                self.help[name] = words
            elif line.startswith("# TYPE "):
                _, _, family, kind = line.split(" ")
                assert family not in self.types, f"{family} comes twice"
                assert kind in ("counter", "gauge", "histogram")
                self.types[family] = kind
            else:
                found = SAMPLE.fullmatch(line)
                assert found, f"no sample: {line!r}"
                name, labels, value = found.groups()
                suffixes = ("_bucket", "_sum", "_count") if self.types[family] == "histogram" \
                    else ("",)
                assert name in [family + suffix for suffix in suffixes], f"{line!r} is out of place"
                series = (name, labels or "")
                assert series not in self.samples, f"{series} comes twice"
                self.samples[series] = float(value)
        assert list(self.types) == sorted(self.types)
        self.check_histograms()

    def check_histograms(self):
        for name, kind in self.types.items():
            if kind != "histogram":
                continue
            rows = {}
            for (sample, labels), value in self.samples.items():
                if sample == name + "_bucket":
                    others, bound = re.fullmatch(r'(.*?),?le="(.*)"', labels).groups()
                    rows.setdefault(others, []).append((float(bound), value))
            for labels, buckets in rows.items():
                assert buckets == sorted(buckets), f"{name} is not ascending"
                assert buckets[-1][0] == float("inf")
                assert buckets[-1][1] == self.samples[name + "_count", labels]
                assert self.samples[name + "_sum", labels] >= 0

    def __getitem__(self, name):
        """The sum of a family's series, or of one series as `name{labels}`."""
        name, _, labels = name.partition("{")
        return sum(value for (sample, have), value in self.samples.items()
                   if sample == name and (not labels or have == labels.rstrip("}")))


def metrics(client):
    return Exposition(client.call("GetDaemonMetrics").text)


def documented():
    """{metric: type} of docs/telemetry.md, and those that appear later."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*)\|",
                      (ROOT / "docs/telemetry.md").read_text(), re.MULTILINE)
    return {name: kind for name, kind, _ in rows}, {n for n, _, labels in rows if "later" in labels}


def test_the_daemon_exports_what_the_table_says(daemon):
    table, later = documented()
    with daemon.client() as client:
        said = metrics(client)
    assert said.types == table
    assert set(said.help) == set(table)
    shown = {re.sub("_(bucket|sum|count)$", "", name) if said.types.get(name) is None else name
             for name, _ in said.samples}
    assert set(table) - shown <= later and not shown & later


def test_what_happens_is_counted_once(daemon):
    with daemon.client() as client, contextlib.closing(daemon.connection()) as connection:
        run = new_run(client)
        writer = Writer(connection, run, os.urandom(16), points=100)
        for _ in range(5):
            writer.send()
        writer.end()
        files = {"a": b"x" * 300_000, "b": os.urandom(200_000)}
        tree = put_tree(client, files, run)
        put_tree(client, files, run, "again")
        assert read(client, {"tree": tree.digest}, "b") == files["b"]
        client.call("CreateRegisteredModel", name="m")
        client.call("UpdateRun", id=run, status=FINISHED)
        with pytest.raises(LinajeError):
            client.call("GetRun", id=os.urandom(16))
        said = metrics(client)
        status = client.call("GetStatus")
    assert said["linaje_ingest_points_total"] == 500
    assert said["linaje_ingest_batches_total"] == 5
    assert said["linaje_ingest_commit_points_sum"] == 500
    assert said["linaje_ingest_commit_seconds_count"] == said["linaje_ingest_commit_points_count"]
    assert said['linaje_calls_total{method="GetRun",result="not_found"}'] == 1
    assert said['linaje_calls_total{method="CreateRun",result="ok"}'] == 1
    assert said['linaje_calls_total{method="StreamMetrics",result="ok"}'] == 1
    assert said['linaje_calls_total{method="PutFile",result="ok"}'] == 4
    assert said['linaje_call_seconds_count{method="CreateRun"}'] == 1
    assert said['linaje_artifact_chunk_bytes_total{known="no"}'] \
        + said['linaje_artifact_chunk_bytes_total{known="yes"}'] == 1_000_000
    assert said['linaje_artifact_chunk_bytes_total{known="yes"}'] >= 500_000
    assert said["linaje_artifact_read_bytes_total"] == 200_000
    assert said["linaje_artifact_written_bytes_total"] > said["linaje_artifact_store_bytes"] > 0
    assert said["linaje_artifact_corrupt_total"] == 0
    assert said["linaje_artifact_pack_seconds_count"] == said["linaje_artifact_store_packs"] > 0
    assert said["linaje_ledger_events_total"] == 1
    assert said['linaje_runs_ended_total{by="client",status="FINISHED"}'] == 1
    assert said["linaje_connections"] == said["linaje_connections_accepted_total"] - 1 == 2
    assert said['linaje_sqlite_commit_seconds_count{database="metrics"}'] > 0
    assert said["linaje_storage_failed"] == 0
    assert said["process_resident_memory_bytes"] == pytest.approx(daemon.rss(), rel=0.5)
    assert said["process_open_fds"] == pytest.approx(
        len(os.listdir(f"/proc/{daemon.pid}/fd")), abs=3)
    assert said["process_start_time_seconds"] == pytest.approx(time.time(), abs=60)
    # The same figures, in the answer for people.
    assert status.commit_latency.count == said["linaje_ingest_commit_seconds_count"]
    assert status.commit_latency.cumulative_count[-1] <= status.commit_latency.count
    assert list(status.commit_latency.upper_bound_us) == sorted(status.commit_latency.upper_bound_us)
    assert status.calls > status.failed_calls == 1
    assert status.queue_limit_bytes == 64 << 20
    assert status.total_bytes >= status.free_bytes > 0
    assert status.received_bytes > 1_000_000 and status.sent_bytes > 200_000
    assert status.open_files_limit >= status.open_files > 10


def test_who_is_refused_and_who_is_cut_is_counted_by_the_reason(daemon):
    with Raw(daemon, hello=False) as raw, pytest.raises(LinajeError):
        raw.send(b"GET / HTTP/1.1\r\n\r\n").failure()
    for _ in range(2):
        with Raw(daemon) as raw, pytest.raises(LinajeError):
            raw.send(frame(99)).failure()
    with daemon.client() as client:
        said = metrics(client)
        status = client.call("GetStatus")
    assert said['linaje_connections_refused_total{reason="bad_preface"}'] == 1
    assert said['linaje_connections_cut_total{reason="bad_frame"}'] == 2
    assert (status.refused_connections, status.cut_connections) == (1, 2)


def test_a_run_whose_owner_dies_is_counted_as_ended_by_the_daemon(daemon):
    with daemon.client() as client:
        reading, writing = os.pipe()
        owner = os.fork()
        if owner == 0:
            try:
                os.close(writing)
                new_run(daemon.client(), lease={"kind": PROCESS})
                os.read(reading, 1)
            finally:
                os._exit(0)
        os.close(reading)
        eventually(lambda: metrics(client)["linaje_runs_watched"] == 1)
        os.close(writing)
        os.waitpid(owner, 0)
        eventually(lambda: metrics(client)["linaje_runs_ended_total"] == 1)
        assert metrics(client)["linaje_runs_watched"] == 0


# --- Over HTTP ---


@pytest.fixture(scope="module")
def endpoint():
    """A daemon with the HTTP endpoint, and the endpoint's path."""
    folder = tempfile.mkdtemp(prefix="lnj-")
    path = os.path.join(folder, "m")
    config = os.path.join(folder, "linaje.toml")
    with open(config, "w", encoding="ascii") as file:
        file.write(f'[telemetry]\nhttp_socket = "{path}"\nhttp_socket_mode = "0666"\n')
    os.chmod(folder, 0o755)
    daemon = Daemon(folder, arguments=["--config", config]).start()
    yield daemon, path
    try:
        daemon.finish()
        assert not os.path.exists(path), "the endpoint's socket was left behind"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def ask(path, request, *, shut=False):
    """Everything that is answered to these bytes until the daemon hangs up."""
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(SECONDS)
        door.connect(path)
        answer = b""
        try:
            door.sendall(request)
            if shut:
                door.shutdown(socket.SHUT_WR)
            while data := door.recv(65_536):
                answer += data
        except (BrokenPipeError, ConnectionResetError):
            pass
        return answer


def get(path, target, method="GET", version="1.1", headers=""):
    answer = ask(path, f"{method} {target} HTTP/{version}\r\n{headers}\r\n".encode())
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split(" ")[1]), fields, body.decode()


def test_metrics_and_health_over_http(endpoint):
    _, path = endpoint
    status, fields, body = get(path, "/metrics", headers="Host: example.org\r\n")
    assert status == 200
    assert fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert int(fields["content-length"]) == len(body) and fields["connection"] == "close"
    assert Exposition(body).types == documented()[0]
    assert get(path, "/healthz?verbose=1")[::2] == (200, "ok\n")
    assert get(path, "/metrics", version="1.0")[0] == 200
    status, fields, body = get(path, "/metrics", method="HEAD")
    assert (status, body) == (200, "") and int(fields["content-length"]) > 1_000


def test_anything_else_over_http_is_refused(endpoint):
    _, path = endpoint
    for target in ("/", "/metrics/", "//metrics", "/Metrics", "http://localhost/metrics", "*"):
        assert get(path, target)[0] == 404, target
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        status, fields, _ = get(path, "/metrics", method=method)
        assert (status, fields["allow"]) == (405, "get, head"), method


@pytest.mark.parametrize("request_bytes, answers", [
    (b"\x00\xff" * 100, "400"),
    (b"GET /metrics SMTP/9.9\r\n\r\n", "400"),
    (b"GET /metrics HTTP/1.1\r\nno colon\r\n\r\n", "400"),
    (b"GET /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "400"),
    (b"LNJE\r\n\x1a\x01" + frame(1), "400"),
    (b"GET /metrics HTTP/1.1\r\nA: " + b"b" * 9_000 + b"\r\n\r\n", "431"),
    # Which bound is met first depends on how the bytes come.
    (b"GET /metrics HTTP/1.1\r\n" + b"a: b\r\n" * 2_000 + b"\r\n", "400 431"),
    (b"POST /metrics HTTP/1.1\r\nContent-Length: 99999\r\n\r\n" + b"x" * 99_999, "431"),
], ids=["garbage", "other protocol", "no header", "length", "linaje", "long header", "many headers",
        "long body"])
def test_a_hostile_request_is_refused_and_hung_up_on(endpoint, request_bytes, answers):
    daemon, path = endpoint
    said = ask(path, request_bytes)
    # Nothing at all when the daemon hung up while the request was still being sent.
    assert said == b"" or said.split()[1].decode() in answers.split(), said[:100]
    assert b"linaje_" not in said
    assert get(path, "/healthz")[0] == 200
    assert daemon.process.poll() is None


def test_only_the_first_request_of_a_connection_is_answered(endpoint):
    _, path = endpoint
    said = ask(path, b"GET /healthz HTTP/1.1\r\nConnection: keep-alive\r\n\r\n" * 20)
    assert said.count(b"HTTP/1.1 200") == 1 and said.endswith(b"ok\n")
    # A client that has sent everything may close its half.
    assert ask(path, b"GET /healthz HTTP/1.1\r\n\r\n", shut=True).endswith(b"ok\n")


def test_slow_clients_and_too_many_of_them_are_hung_up_on(endpoint):
    _, path = endpoint
    slow = []

    def dribble():
        door = socket.socket(socket.AF_UNIX)
        door.settimeout(SECONDS)
        door.connect(path)
        slow.append(door)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            door.sendall(b"GET /metrics HTTP/1.1\r\nA:")

    def is_full():
        dribble()
        return ask(path, b"GET /healthz HTTP/1.1\r\n\r\n") == b""

    for _ in range(15):
        dribble()
    # One more than may be is closed at once, without an answer.
    eventually(is_full)
    for door in slow:
        with contextlib.suppress(ConnectionResetError):
            assert door.recv(1) == b"", "a request that never ends was answered"
        door.close()
    eventually(lambda: ask(path, b"GET /healthz HTTP/1.1\r\n\r\n").endswith(b"ok\n"))


@pytest.mark.skipif(os.getuid() != 0, reason="needs to be root to become another user")
def test_who_has_no_role_is_refused_over_http(endpoint):
    _, path = endpoint
    said = as_nobody(lambda: ask(path, b"GET /metrics HTTP/1.1\r\n\r\n"))
    assert said.startswith(b"HTTP/1.1 403 ") and b"linaje_" not in said


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl_reads_the_metrics(endpoint):
    _, path = endpoint
    said = subprocess.run(["curl", "-sSf", "--unix-socket", path, "http://localhost/metrics"],
                          capture_output=True, text=True, timeout=SECONDS, check=True)
    assert "linaje_build_info" in said.stdout


def test_the_endpoint_is_off_by_default_and_takes_no_socket_in_use(folder, daemon):
    assert [name for name in os.listdir(folder) if name.startswith("m")] == []
    other = os.path.join(folder, "other")
    os.mkdir(other)
    for path, code in ((daemon.socket, 1), (os.path.join(other, "s"), 78), ("x" * 120, 78)):
        config = os.path.join(other, "c.toml")
        with open(config, "w", encoding="ascii") as file:
            file.write(f'[telemetry]\nhttp_socket = "{path}"\n')
        second = Daemon(other, arguments=["--config", config])
        status, said = second.refuses_to_start()
        assert status == code, said
        assert not os.path.exists(second.socket), "a start that failed left its socket"
    with daemon.client() as client:
        assert client.call("GetStatus").pid == daemon.pid


# --- linaje status --metrics and linaje top ---

needs_linaje = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")


@needs_linaje
def test_status_prints_the_metrics(daemon):
    done = subprocess.run([LINAJE, "status", "--metrics", "--socket", daemon.socket],
                          capture_output=True, text=True, timeout=SECONDS, check=True)
    assert Exposition(done.stdout).types == documented()[0]


@needs_linaje
def test_top_prints_a_line_of_json_for_each_interval_and_survives_a_restart(daemon):
    top = subprocess.Popen([LINAJE, "top", "--socket", daemon.socket, "--interval", "0.1"],
                           stdout=subprocess.PIPE, text=True)
    try:
        first = json.loads(top.stdout.readline())
        assert first["reachable"] and not first["restarted"]
        assert first["connections"] == 1 and first["pid"] == daemon.pid
        daemon.restart()
        for line in top.stdout:
            seen = json.loads(line)
            if seen["reachable"] and seen["restarted"]:
                break
        assert seen["pid"] == daemon.pid != first["pid"]
        assert set(seen) == set(first)
    finally:
        top.kill()
        top.wait()


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *command, rows=24, columns=100):
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm"
            os.execv(command[0], command)
        self.written = b""
        self.resize(rows, columns)

    def resize(self, rows, columns):
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait(self, text):
        """Reads until `text` has been written since the last wait; what came before it."""
        deadline = time.monotonic() + SECONDS
        while text not in self.written:
            assert time.monotonic() < deadline, f"{text!r} was not written: {self.written[-500:]!r}"
            if select.select([self.descriptor], [], [], 0.2)[0]:
                try:
                    self.written += os.read(self.descriptor, 65_536)
                except OSError:  # The other side has gone.
                    assert text in self.written, f"ended before {text!r}: {self.written[-500:]!r}"
        before, _, self.written = self.written.partition(text)
        return before

    def end(self):
        """The exit status, negative for a signal."""
        status = os.waitpid(self.pid, 0)[1]
        os.close(self.descriptor)
        return os.waitstatus_to_exitcode(status)

    @property
    def has_echo(self):
        return bool(termios.tcgetattr(self.descriptor)[3] & termios.ECHO)


ENTER, LEAVE = b"\x1b[?1049h\x1b[?25l", b"\x1b[?25h\x1b[?1049l"


@needs_linaje
@pytest.mark.parametrize("how, status", [("q", 0), (signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_top_takes_the_terminal_and_gives_it_back(daemon, how, status):
    terminal = Terminal(LINAJE, "top", "--socket", daemon.socket, "--interval", "0.1")
    terminal.wait(ENTER)
    terminal.wait(b"\x1b[H")
    assert b"connections" in terminal.wait(b"\x1b[J") and not terminal.has_echo
    terminal.resize(3, 20)
    # A screen of three rows has no more than its three lines, of 20 characters each.
    while True:
        shown = terminal.wait(b"\x1b[J").rpartition(b"\x1b[H")[2]
        lines = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", shown).decode().split("\n")
        if len(lines) == 3:
            break
    assert all(len(line.rstrip("\r")) <= 20 for line in lines), lines
    if how == "q":
        os.write(terminal.descriptor, b"q")
    else:
        os.kill(terminal.pid, how)
    terminal.wait(LEAVE)
    assert terminal.end() == status


@needs_linaje
def test_top_gives_the_terminal_back_while_it_is_suspended(daemon):
    terminal = Terminal(LINAJE, "top", "--socket", daemon.socket, "--interval", "0.1")
    terminal.wait(ENTER)
    terminal.wait(b"connections")
    os.kill(terminal.pid, signal.SIGTSTP)
    terminal.wait(LEAVE)
    assert os.WIFSTOPPED(os.waitpid(terminal.pid, os.WUNTRACED)[1]) and terminal.has_echo
    os.kill(terminal.pid, signal.SIGCONT)
    terminal.wait(ENTER)
    terminal.wait(b"connections")
    os.write(terminal.descriptor, b"q")
    terminal.wait(LEAVE)
    assert terminal.end() == 0


@needs_linaje
def test_top_says_that_nobody_answers_and_ends_when_told(daemon):
    terminal = Terminal(LINAJE, "top", "--socket", daemon.socket, "--interval", "0.1")
    terminal.wait(b"connections")
    daemon.kill()
    terminal.wait(b"not reachable")
    daemon.start()
    terminal.wait(b"daemon was restarted")
    # A daemon that hangs hinders nobody from leaving.
    os.kill(daemon.pid, signal.SIGSTOP)
    try:
        os.write(terminal.descriptor, b"q")
        terminal.wait(LEAVE)
        assert terminal.end() == 0
    finally:
        os.kill(daemon.pid, signal.SIGCONT)
