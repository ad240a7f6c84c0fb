"""Life under systemd: activation, readiness, status, the watchdog, reload, drain, the journal."""

import os
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest
from notify import Notify
from support import (LINAJED, NOBODY, ROOT, SECONDS, Daemon, LinajeError, Raw, Writer, _frames, _wire,
                     eventually, frame, held_socket, history, inheriting, may_trace, may_unshare,
                     new_run, put_tree, request)

as_root = pytest.mark.skipif(os.getuid() != 0, reason="needs to be root to become another user")
with_mounts = pytest.mark.skipif(not may_unshare(), reason="may not make a mount namespace")
traced = pytest.mark.skipif(not may_trace(), reason="needs strace and the right to trace")
activate = "systemd-socket-activate"
activated = pytest.mark.skipif(
    subprocess.run(["sh", "-c", f"command -v {activate}"], capture_output=True,
                   check=False).returncode != 0, reason=f"needs {activate}")


@pytest.fixture
def notify(folder):
    with Notify(folder) as notify:
        yield notify


@pytest.fixture
def listening(folder):
    """A socket that somebody else holds, as systemd does."""
    held = held_socket(folder)
    yield held
    held.close()


# --- Socket activation ---

@pytest.mark.parametrize("names", [None, "linajed.socket", "something"])
def test_a_socket_from_systemd_is_used_and_left_alone(folder, listening, names):
    daemon = inheriting(folder, listening, names=names).start()
    with daemon.client() as client:
        assert client.status().pid == daemon.pid
    assert daemon.stop() == 0
    assert os.path.exists(daemon.socket), "a socket that belongs to systemd was removed"


def test_more_than_one_socket_is_refused_and_their_names_told(folder, listening):
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(os.path.join(folder, "t"))
        other.listen()
        daemon = inheriting(folder, listening, other, names="one:two")
        status, said = daemon.refuses_to_start()
    assert status == 78 and "2 sockets" in said and "one:two" in said, said


@pytest.mark.parametrize("kind", ["inet", "datagram", "deaf", "abstract"])
def test_a_socket_that_is_no_listening_unix_stream_is_refused(folder, kind):
    family = socket.AF_INET if kind == "inet" else socket.AF_UNIX
    type_ = socket.SOCK_DGRAM if kind == "datagram" else socket.SOCK_STREAM
    with socket.socket(family, type_) as wrong:
        wrong.bind({"inet": ("127.0.0.1", 0), "abstract": f"\0lnj-{os.getpid()}"}.get(
            kind, os.path.join(folder, "t")))
        if kind not in ("datagram", "deaf"):
            wrong.listen()
        status, said = inheriting(folder, wrong).refuses_to_start()
    assert status == 78 and "ListenStream=" in said, said


def test_sockets_meant_for_another_process_are_not_taken(folder, listening):
    os.rename(f"{folder}/s", f"{folder}/t")
    daemon = inheriting(folder, listening)
    daemon.wrapper = ["env", "LISTEN_PID=1"]
    daemon.start()
    with daemon.client() as client:
        assert client.status().pid == daemon.pid
    daemon.finish()


def test_readiness_is_told_although_the_queue_of_systemd_is_full_at_that_moment(folder, notify):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        try:
            while True:
                other.sendto(b"STATUS=noise", notify.path)
        except BlockingIOError:
            pass
    daemon = Daemon(folder, environment=notify.environment()).start()
    notify.until("READY")
    daemon.finish()


@activated
def test_the_first_client_starts_the_daemon_by_socket_activation(folder, notify):
    daemon = Daemon(folder, wrapper=[
        activate, f"--listen={folder}/s", f"--setenv=NOTIFY_SOCKET={notify.path}",
        "--setenv=WATCHDOG_USEC=2000000", f"--setenv=HOME={folder}", "--setenv=PATH=/usr/bin:/bin",
        "--"])
    daemon.spawn()
    eventually(lambda: os.path.exists(daemon.socket), why="nobody listens")
    assert notify.next(0.2) is None, "the daemon was started before a client came"
    with daemon.client() as client:
        run = new_run(client)
        assert client.status().pid == daemon.pid, "it did not become the daemon"
        assert notify.until("READY")["STATUS"].startswith("serving on ")
        notify.until("WATCHDOG")
        daemon.process.send_signal(signal.SIGHUP)
        notify.until("RELOADING")
        notify.until("READY")
        writer = Writer(daemon.connection(), run, os.urandom(16))
        writer.send()
        daemon.process.send_signal(signal.SIGTERM)
        notify.until("STOPPING")
        writer.end()
    assert daemon.process.wait(SECONDS) == 0, daemon.log
    assert os.path.exists(daemon.socket)


# --- Notification ---

def test_systemd_is_told_of_the_start_of_readiness_and_of_the_end(folder, notify):
    daemon = Daemon(folder, environment=notify.environment()).start()
    ready = notify.until("READY")
    assert ready["STATUS"].startswith(f"serving on {daemon.socket}, ready in ")
    before = [each for each in notify.seen if "EXTEND_TIMEOUT_USEC" in each]
    assert [each["STATUS"] for each in before][:2] == ["opening the databases",
                                                       "preparing the catalog"]
    assert all(int(each["EXTEND_TIMEOUT_USEC"]) >= 10_000_000 for each in before)
    assert daemon.stop() == 0
    assert "STOPPING" in notify.until("STOPPING")
    assert not any("WATCHDOG" in each for each in notify.seen), "nobody asked for a watchdog"


def test_the_status_has_numbers(folder, notify):
    daemon = Daemon(folder, environment=notify.environment()).start()
    notify.until("READY")
    with daemon.client() as client:
        writer = Writer(daemon.connection(), new_run(client), os.urandom(16), points=1_000)
        for _ in range(10):
            writer.send()
        writer.wait()
        text = notify.until("STATUS")["STATUS"]
        assert text.startswith("2 connections; "), text
        assert int(text.split("; ")[1].split(" points/s")[0]) > 0, text
        assert text.endswith(" of 64.0 MiB queued"), text
        writer.end()
    daemon.finish()


@pytest.mark.parametrize("moment", [0.0, 0.005, 0.02, 0.05, 0.1, 0.2])
def test_a_stop_during_the_start_is_a_stop_in_order(folder, moment):
    daemon = Daemon(folder).spawn()
    # From the first moment that signals are caught; before that no state is touched.
    eventually(lambda: os.path.exists(f"/proc/{daemon.pid}/status") and int(next(
        line.split()[1] for line in open(f"/proc/{daemon.pid}/status", encoding="ascii")
        if line.startswith("SigCgt")), 16) >> (signal.SIGTERM - 1) & 1)
    time.sleep(moment)
    assert daemon.stop() == 0, daemon.log
    assert not os.path.exists(daemon.socket)


# --- The watchdog ---

def pings(notify, seconds):
    """How many signs of life come within some seconds."""
    deadline, count = time.monotonic() + seconds, 0
    while (left := deadline - time.monotonic()) > 0:
        message = notify.next(left)
        count += message is not None and "WATCHDOG" in message
    return count


def test_a_watchdog_for_another_process_is_left_to_it(folder, notify):
    daemon = Daemon(folder, environment={**notify.environment(1), "WATCHDOG_PID": "1"}).start()
    notify.until("READY")
    assert pings(notify, 1) == 0
    daemon.finish()


def test_a_daemon_that_is_stopped_gives_no_sign_of_life_and_does_again(folder, notify):
    daemon = Daemon(folder, environment=notify.environment(1)).start()
    notify.until("WATCHDOG")
    daemon.process.send_signal(signal.SIGSTOP)
    notify.drain()
    assert pings(notify, 1.5) == 0
    daemon.process.send_signal(signal.SIGCONT)
    notify.until("WATCHDOG")
    daemon.finish()


@traced
@pytest.mark.parametrize("database, stage", [("catalog", "the catalog database"),
                                             ("metrics", "the metrics database")])
def test_a_database_that_hangs_silences_the_watchdog_and_the_log_says_which(
        folder, notify, database, stage):
    daemon = Daemon(folder, environment=notify.environment(2)).start()
    notify.until("WATCHDOG")
    # Every read takes a lock in this file first.
    tracer = subprocess.Popen(
        ["strace", "-f", "-qq", "-o", os.devnull, "-p", str(daemon.pid), "-P",
         f"{daemon.state}/{database}.db-shm", "-e", "trace=fcntl",
         "-e", "inject=fcntl:delay_enter=60000000"], stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: f"no answer from {stage}" in daemon.log, why="the log says nothing")
        notify.drain()
        assert pings(notify, 2) == 0
    finally:
        tracer.kill()
        tracer.wait()
        daemon.kill()


@traced
def test_a_disk_that_syncs_slowly_is_no_hang(folder, notify):
    daemon = Daemon(folder, environment=notify.environment(2)).start()
    tracer = subprocess.Popen(
        ["strace", "-f", "-qq", "-o", os.devnull, "-p", str(daemon.pid), "-e", "trace=fdatasync",
         "-e", "inject=fdatasync:delay_enter=3000000"], stderr=subprocess.DEVNULL)
    try:
        notify.until("WATCHDOG")
        client = daemon.client(60)
        begin = time.monotonic()
        changing = threading.Thread(target=new_run, args=(client,))
        changing.start()
        assert pings(notify, 2.5) > 0
        changing.join(SECONDS)
        assert time.monotonic() - begin > 2, "the disk was not slow"
        client.close()
    finally:
        tracer.kill()
        tracer.wait()
        daemon.kill()


def test_the_watchdog_goes_on_under_load(folder, notify):
    daemon = Daemon(folder, environment=notify.environment(4)).start()
    notify.until("READY")
    stop = threading.Event()
    client = daemon.client()
    runs = [new_run(client) for _ in range(4)]

    def load(run):
        writer = Writer(daemon.connection(), run, os.urandom(16), points=5_000)
        while not stop.is_set():
            writer.send()
            writer.poll()
        writer.end()

    threads = [threading.Thread(target=load, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    notify.drain()
    # Enough points for several checkpoints of the metric database.
    count = pings(notify, 4.5)
    stop.set()
    for thread in threads:
        thread.join(SECONDS)
    assert count >= 1, "no sign of life in 4.5 s; one in 4 s is a must"
    assert "no answer from" not in daemon.log, daemon.log
    client.close()
    daemon.finish()


# --- Reload ---

@pytest.fixture
def configured(folder, notify):
    """A daemon with a configuration file that the test changes."""
    path = os.path.join(folder, "linaje.toml")

    def write(text):
        with open(path + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path + ".new", path)

    def reload(text):
        write(text)
        daemon.process.send_signal(signal.SIGHUP)
        told = notify.until("RELOADING")
        assert 0 < int(told["MONOTONIC_USEC"]) <= time.clock_gettime_ns(
            time.CLOCK_MONOTONIC) // 1_000
        return notify.until("READY")["STATUS"]

    write("")
    daemon = Daemon(folder, arguments=["--config", path], environment=notify.environment())
    daemon.reload = reload
    daemon.start()
    notify.until("READY")
    yield daemon
    daemon.finish()


def test_a_reload_changes_the_log_level_at_once(configured):
    configured.reload('[daemon]\nlog_level = "debug"\n')
    assert "configuration reloaded: daemon.log_level" in configured.log
    configured.reload('[daemon]\nlog_level = "error"\n')
    before = configured.log
    configured.reload('[daemon]\nlog_level = "critical"\n')
    assert configured.log == before, "a notice was written although errors alone were asked for"


def test_a_reload_names_what_needs_a_restart(configured):
    configured.reload('[daemon]\nlog_level = "notice"\nstate_directory = "/elsewhere"\n'
                      '[metrics]\nqueue_bytes = 1048576\n')
    assert "configuration reloaded: daemon.log_level\n" in configured.log
    assert ("restart linajed for the new value of: daemon.state_directory, metrics.queue_bytes"
            in configured.log), configured.log


@pytest.mark.parametrize("bad, named", [
    ("[daemon\n", "is no TOML"), ('[daemon]\nlog_level = "loud"\n', "loud"),
    ('[access.users]\nnobody-of-that-name = "reader"\n', "nobody-of-that-name"),
    ("colour = 1\n", "colour")])
def test_a_bad_file_changes_nothing_and_the_status_says_why(configured, bad, named):
    status = configured.reload(bad)
    assert "configuration not reloaded" in status and named in status, status
    assert named in configured.log
    with configured.client() as client:
        assert client.status().pid == configured.pid
    assert "not reloaded" not in configured.reload('[daemon]\nlog_level = "info"\n')


def as_nobody(configured, script, *arguments):
    """Runs Python as somebody else against the daemon."""
    for path in (configured.folder, configured.socket):
        os.chmod(path, 0o777)
    return subprocess.Popen(
        ["python3", "-c", script, str(ROOT / "Clients/python/src"), configured.socket, *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        preexec_fn=lambda: (os.setgroups([]), os.setgid(NOBODY), os.setuid(NOBODY)))


ASKING = """
import sys
sys.path.insert(0, sys.argv[1])
from linaje._client import Client
from linaje._errors import LinajeError
client = Client(sys.argv[2])
for line in sys.stdin:
    try:
        client.call(line.strip())
        print("ok", flush=True)
    except LinajeError as error:
        print(error.name, flush=True)
"""


@as_root
def test_a_reload_changes_who_may_do_what_on_open_connections_too(configured):
    configured.reload(f'[access.users]\n{NOBODY} = "reader"\n')
    asking = as_nobody(configured, ASKING)

    def ask(method):
        asking.stdin.write(method + "\n")
        asking.stdin.flush()
        return asking.stdout.readline().strip()

    assert ask("GetStatus") == "ok"
    assert ask("BeginIngest") == "permission_denied"
    configured.reload(f'[access.users]\n{NOBODY} = "writer"\n')
    assert ask("BeginIngest") == "ok"
    configured.reload("")
    assert ask("GetStatus") == "permission_denied"
    asking.stdin.close()
    assert asking.wait(SECONDS) == 0
    asking.stdout.close()


# --- The end ---

def test_a_client_that_was_accepted_last_is_greeted_and_then_asked_to_leave(folder, listening):
    daemon = inheriting(folder, listening).start()
    with daemon.client() as client:
        run = new_run(client)
    # An open stream keeps the daemon draining.
    with Raw(daemon) as busy, Raw(daemon, hello=False) as late:
        busy.send(request("StreamMetrics", {"run_id": run, "writer_id": os.urandom(16)}))
        busy.wait(_frames.RESPONSE)
        daemon.process.send_signal(signal.SIGTERM)
        busy.wait(_frames.GOAWAY)
        late.send(_frames.PREFACE, frame(_frames.HELLO))
        assert late.receive().type == _frames.HELLO
        assert late.receive().type == _frames.CREDIT
        assert _wire.decode("GoAway", late.receive().payload).last_stream == 0
        assert late.receive() is None
        with socket.socket(socket.AF_UNIX) as waiting:
            waiting.connect(daemon.socket)  # In the queue of the socket, for the next daemon.
        busy.send(frame(_frames.END, 1)).wait(_frames.END)
    assert daemon.process.wait(5) == 0, daemon.log


def test_a_tail_and_a_stream_that_ignore_the_end_do_not_hold_it_up(folder):
    daemon = Daemon(folder).start()
    with daemon.client() as client:
        run = new_run(client)
    with Raw(daemon) as tail, Raw(daemon) as stream:
        tail.send(request("TailMetrics", {"run_id": run})).wait(_frames.RESPONSE)
        stream.send(request("StreamMetrics", {"run_id": run, "writer_id": os.urandom(16)}))
        stream.wait(_frames.RESPONSE)
        daemon.process.send_signal(signal.SIGTERM)
        for raw in (tail, stream):
            with pytest.raises(LinajeError) as caught:
                raw.wait(_frames.END)
            assert caught.value.code == 200 and caught.value.retryable
        assert daemon.process.wait(8) == 0, daemon.log


# --- The journal ---

def journal_fields(datagram):
    """The fields of an entry, both framings."""
    fields, at = {}, 0
    while at < len(datagram):
        end = datagram.index(b"\n", at)
        name, equals, value = datagram[at:end].partition(b"=")
        at = end + 1
        if not equals:
            (length,) = struct.unpack_from("<Q", datagram, at)
            value = datagram[at + 8:at + 8 + length]
            at += 8 + length + 1
        fields.setdefault(name.decode(), []).append(value.decode())
    return fields


@pytest.fixture
def journal(folder):
    """A daemon whose standard error is "the journal", and the journal's socket."""
    inner = os.path.join(folder, "journal")
    os.mkdir(inner)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as fake:
        fake.bind(os.path.join(inner, "socket"))
        fake.settimeout(SECONDS)
        script = ('mount -t tmpfs none /run && mkdir -p /run/systemd/journal && '
                  f'mount --bind {inner} /run/systemd/journal && '
                  'JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2) exec "$@"')
        daemon = Daemon(folder, wrapper=["unshare", "-m", "sh", "-c", script, "-"])
        yield daemon, fake


@with_mounts
def test_log_messages_reach_the_journal_with_their_fields(journal):
    daemon, fake = journal
    daemon.start()
    fields = journal_fields(fake.recv(65_536))
    assert fields["MESSAGE"][0].startswith("serving on ")
    assert fields["PRIORITY"] == ["5"]
    assert fields["SYSLOG_IDENTIFIER"] == ["linajed"]
    assert fields["CODE_FILE"][0].startswith("linajed/") and int(fields["CODE_LINE"][0]) > 0
    with daemon.client() as client:
        run = new_run(client, lease={"kind": 3, "heartbeat_timeout_s": 1})
        fields = journal_fields(fake.recv(65_536))
    assert fields["RUN"] == [run.hex()] and "stalled" in fields["MESSAGE"][0]
    assert daemon.log == "", "the journal has it twice"
    daemon.finish()


@with_mounts
def test_a_message_with_line_breaks_is_one_entry(journal):
    daemon, fake = journal
    path = os.path.join(daemon.folder, "linaje.toml")
    open(path, "w", encoding="ascii").close()
    daemon.arguments = ["--config", path]
    daemon.start()
    fake.recv(65_536)
    with open(path, "w", encoding="utf-8") as file:
        file.write('[access.users]\n"new\\nPRIORITY=0" = "reader"\n')
    daemon.process.send_signal(signal.SIGHUP)
    fields = journal_fields(fake.recv(65_536))
    assert 'new\nPRIORITY=0' in fields["MESSAGE"][0]
    assert fields["PRIORITY"] == ["3"]
    daemon.finish()


@with_mounts
def test_a_journal_that_does_not_read_holds_nothing_up_and_learns_how_much_it_missed(journal):
    daemon, fake = journal
    daemon.start()

    def reload(times):
        for _ in range(times):
            daemon.process.send_signal(signal.SIGHUP)
            time.sleep(0.01)

    reload(300)  # More than the queue of a datagram socket holds.
    with daemon.client() as client:
        assert client.status().pid == daemon.pid
    fake.settimeout(0.3)
    messages = []

    def read():
        try:
            while True:
                messages.extend(journal_fields(fake.recv(65_536))["MESSAGE"])
        except TimeoutError:
            pass

    read()
    reload(1)
    read()
    assert any("log messages were dropped" in each for each in messages), messages[-3:]
    daemon.finish()


@with_mounts
def test_without_a_journal_socket_lines_have_a_priority(folder):
    daemon = Daemon(folder, wrapper=[
        "unshare", "-m", "sh", "-c", "mount -t tmpfs none /run && "
        'JOURNAL_STREAM=$(stat -Lc %d:%i /proc/self/fd/2) exec "$@"', "-"]).start()
    # The socket is there a moment before the line.
    eventually(lambda: daemon.log)
    assert daemon.log.startswith("<5>serving on "), daemon.log
    daemon.finish()


def test_a_log_that_nobody_reads_holds_nothing_up(folder):
    read_end, write_end = os.pipe()
    daemon = Daemon(folder)
    environment = {"PATH": os.environ["PATH"], "HOME": folder, "TMPDIR": folder}
    daemon.process = subprocess.Popen(
        [LINAJED, "--state-directory", daemon.state, "--socket", daemon.socket],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=write_end, env=environment)
    daemon.processes.append(daemon.process)
    os.close(write_end)
    eventually(lambda: os.path.exists(daemon.socket))
    for _ in range(2_000):
        daemon.process.send_signal(signal.SIGHUP)
        time.sleep(0.0005)
    with daemon.client() as client:
        run = new_run(client)
        put_tree(client, {"f": b"x"}, run)
        assert history(client, run) == []
    daemon.finish()
    os.close(read_end)
