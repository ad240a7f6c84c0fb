"""Logging never hurts the training: what it must not wait for, and what is bounded.

Each test is a way in which a call once waited, failed or grew. The whole, beside a real daemon that
fails in every way, is Tests/System/test_zero_harm.py.
"""

import os
import signal
import threading

import pytest
from conftest import run_python
from test_sender import log_numbers, steps, wait_for

import linaje
from linaje import _metrics, _provenance, _run, _sender, _spool, _upload
from linaje._thinning import DROPPED_KEY


@pytest.fixture(autouse=True)
def no_capture(request, monkeypatch):
    if "capture" not in request.node.name:
        monkeypatch.setattr(linaje.Run, "_capture_provenance", lambda self, purpose: None)


class Gate:
    """Holds a thread up until it is opened: a disk or a daemon that takes its time."""

    def __init__(self):
        self.reached, self.opened = threading.Event(), threading.Event()

    def hold(self, *_):
        self.reached.set()
        assert self.opened.wait(20)


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.opened.set()


def test_changes_do_not_wait_for_a_slow_disk_of_the_spool(home, fresh_sender, gate, monkeypatch):
    """The journal is written under a lock that the calls once took too."""
    append = _spool.RecordFile.append

    def slow(self, kind, payload):
        gate.hold()
        append(self, kind, payload)

    monkeypatch.setattr(_spool.RecordFile, "append", slow)
    with linaje.start_run() as run:
        linaje.log_param("p", 1)
        assert gate.reached.wait(20)
        for number in range(100):
            linaje.set_tag("t", number)
            run.log_metric("x", 0.5)
        linaje.log_text("text", "a.txt")
        linaje.end_run()
        assert not gate.opened.is_set()
    gate.opened.set()


def test_a_run_ends_without_waiting_for_its_capture_and_loses_nothing_of_it(
        fake, fresh_sender, gate, monkeypatch):
    def slowly():
        gate.hold()
        return {"kernel": "slow"}, "the patch"

    monkeypatch.setattr(_provenance, "capture_slowly", slowly)
    with linaje.start_run() as run:
        run.log_metric("x", 0.5)
        assert gate.reached.wait(20)
    assert run.status == "FINISHED" and not linaje.flush(0.2)
    assert fake.run(run.run_id)["status"] == 1, "the run ended before its provenance was known"
    gate.opened.set()
    assert linaje.flush(20)
    stored = fake.run(run.run_id)
    assert stored["status"] == 3 and stored["provenance"].kernel == "slow"
    assert _provenance.DIFF_ARTIFACT in stored["_artifacts"]


def test_the_end_of_the_process_waits_for_a_capture_so_long_and_no_longer(fake, home):
    run_id = run_python("""
        import linaje, time
        from linaje import _provenance, _run
        _run.CAPTURE_TIMEOUT = 0.2
        _provenance.capture_slowly = lambda: time.sleep(30)
        with linaje.start_run() as run:
            linaje.log_metric("x", 0.5)
        print(run.run_id)
    """).stdout.strip()
    assert fake.run(run_id)["status"] == 3


def test_a_signal_handler_may_log_whatever_it_interrupts(fake, fresh_sender):
    """Locks that cannot be taken twice would stop the training for good."""
    with linaje.start_run() as run:
        count = [0]

        def handler(*_):
            count[0] += 1
            run.log_metric("in handler", 0.5)
            run.set_tag("in handler", count[0])

        before = signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        try:
            wait_for(lambda: run.set_tag("t", 1) or run.log_metric("x", 0.5) or count[0] > 100)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
    assert linaje.flush(20)
    assert len(steps(fake, run, "in handler")) == count[0]


# --- A daemon that is stopped, but there ---

def test_points_go_to_the_spool_when_a_daemon_acknowledges_nothing(
        fake, fresh_sender, monkeypatch):
    monkeypatch.setattr(_metrics, "STALLED_AFTER", 0.1)
    fake.ack_delay = 30.0
    with linaje.start_run() as run:
        log_numbers(run, 0, 100)
        wait_for(lambda: fresh_sender.queues[-1].spool is not None)
        log_numbers(run, 100, 100)
        fake.ack_delay = 0.0
        fake.stop()
        fake.start()
    assert linaje.flush(20)
    assert steps(fake, run) == list(range(200))


def test_a_daemon_that_says_nothing_is_taken_for_gone(fake, fresh_sender, gate, monkeypatch):
    monkeypatch.setattr(_sender, "SILENT_AFTER", (0.05, 0.3))
    with linaje.start_run() as run:
        log_numbers(run, 0, 10)
        assert linaje.flush(20)
        # From here on it takes bytes and answers none, not even a ping.
        fake.before_frame = gate.hold
        log_numbers(run, 10, 10)
        wait_for(lambda: fresh_sender.away)
        fake.before_frame = None
        gate.opened.set()
    assert linaje.flush(20)
    assert steps(fake, run) == list(range(20))


def test_points_are_spooled_while_a_connection_is_not_answered(home, fresh_sender):
    """A stopped daemon's socket still accepts connections; its hello never comes."""
    import socket

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(home / "linaje.sock"))
        listener.listen(1)
        with linaje.start_run() as run:
            log_numbers(run, 0, 100)
            wait_for(lambda: fresh_sender.queues[-1].spool is not None)
            log_numbers(run, 100, 100)
            wait_for(lambda: fresh_sender.queues[-1].spool.last >= 2)
            assert not linaje.flush(0.1)


# --- Bounds ---

def test_the_spool_is_bounded_and_the_run_says_how_many_points_that_cost(
        fake, fresh_sender, monkeypatch, caplog):
    monkeypatch.setenv("LINAJE_SPOOL_BYTES", "100000")
    with linaje.start_run() as run:
        log_numbers(run, 0, 100)
        assert linaje.flush(20)
        fake.stop()
        wait_for(lambda: run.log_metric("y", 0.5) or fresh_sender.away)
        logged_y = run._next_step["y"]
        for part in range(40):
            log_numbers(run, 100 + 500 * part, 500)
            wait_for(lambda: not run._queue.points and not run._queue.waiting)
            assert run._queue.spool.size < 150_000
        fake.start()
        assert linaje.flush(20)
        known = steps(fake, run)
    assert known == sorted(set(known)) and known[:100] == list(range(100))
    assert known[-500:] == list(range(20_100 - 500, 20_100)), "not the oldest were dropped"
    lost = 20_100 + logged_y - len(known) - len(steps(fake, run, "y"))
    reports = [value for _, _, value in fake.points(run.run_id, DROPPED_KEY)]
    assert reports == sorted(reports) and reports[-1] == run._queue.dropped == lost > 0
    assert "the metric spool is full" in caplog.text


def test_memory_is_bounded_when_neither_daemon_nor_disk_takes_points(
        home, fresh_sender, monkeypatch, caplog):
    monkeypatch.setattr(_metrics, "MEMORY_LIMIT", 50_000)
    (home / "state").write_text("a file where a folder should be")
    with linaje.start_run() as run:
        queue = run._queue
        for part in range(40):
            log_numbers(run, 500 * part, 500)
            wait_for(lambda: not queue.points and not queue._cutting)
            wait_for(lambda: queue.waiting_bytes < 60_000)
        from fake_daemon import FakeDaemon

        daemon = FakeDaemon(str(home / "linaje.sock")).start()
        assert linaje.flush(20)
    known = steps(daemon, run)
    assert known[-500:] == list(range(19_500, 20_000))
    assert len(known) == len(set(known)) == 20_000 - queue.dropped
    assert daemon.points(run.run_id, DROPPED_KEY)[-1][2] == queue.dropped > 0
    assert "neither the daemon nor the disk takes them" in caplog.text
    daemon.stop()


def test_points_that_nobody_takes_are_bounded_counted_and_the_newest_kept(
        fake, fresh_sender, monkeypatch):
    monkeypatch.setattr(_run, "MAX_POINTS_WAITING", 1_000)
    with linaje.start_run() as run:
        with run._queue.lock:
            # As if the sender's thread got no processor for a while.
            run.log_metric("x", 0.0, 0)
            wait_for(lambda: run._queue._cutting or run._queue.points)
            log_numbers(run, 1, 4_999)
            assert len(run._queue.points) <= 1_000
        assert linaje.flush(20)
    known = steps(fake, run)
    assert known[-900:] == list(range(4_100, 5_000))
    assert fake.points(run.run_id, DROPPED_KEY)[-1][2] == 5_000 - len(known) > 0


def test_changes_are_bounded_in_bytes(home, fresh_sender, monkeypatch, caplog):
    monkeypatch.setattr(_sender, "MAX_OPERATION_BYTES", 100_000)
    with linaje.start_run() as run:
        for number in range(100):
            run.set_tag(f"t{number}", "v" * 10_000)
        assert fresh_sender._bytes < 100_000
    assert "this one was dropped" in caplog.text


# --- Files ---

def artifact(fake, run, path):
    return fake.files[fake.run(run.run_id)["_artifacts"][path][2]]


def test_a_large_file_may_be_removed_or_replaced_at_once(
        fake, fresh_sender, tmp_path, gate, monkeypatch):
    settle = _upload.settle
    monkeypatch.setattr(_upload, "settle", lambda *given: (gate.hold(), settle(*given)))
    large = tmp_path / "checkpoint.bin"
    with linaje.start_run() as run:
        for number in range(2):
            large.write_bytes(bytes([number]) * (3 << 20))
            linaje.log_artifact(large, str(number))
            os.unlink(large)
        assert gate.reached.wait(20)
        gate.opened.set()
    assert linaje.flush(20)
    for number in range(2):
        assert artifact(fake, run, f"{number}/checkpoint.bin") == bytes([number]) * (3 << 20)
    assert os.listdir(fresh_sender.folder.path("files")) == [], "copies are left behind"


def test_a_large_file_that_is_written_to_in_place_is_stored_whole_with_a_warning(
        fake, fresh_sender, tmp_path, gate, monkeypatch, caplog):
    settle = _upload.settle
    monkeypatch.setattr(_upload, "settle", lambda *given: (gate.hold(), settle(*given)))
    large = tmp_path / "checkpoint.bin"
    large.write_bytes(b"1" * (2 << 20))
    with linaje.start_run() as run:
        linaje.log_artifact(large)
        assert gate.reached.wait(20)
        large.write_bytes(b"2" * (3 << 20))
        gate.opened.set()
    assert linaje.flush(20)
    assert artifact(fake, run, "checkpoint.bin") == b"2" * (3 << 20)
    assert "was changed while it was copied" in caplog.text


@pytest.mark.parametrize("most", [None, 4])
def test_a_folder_may_be_removed_at_once_whatever_it_holds(
        fake, fresh_sender, tmp_path, monkeypatch, most):
    import shutil

    if most:
        monkeypatch.setattr(_sender, "MAX_OPEN_FILES", most)
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    wanted = {}
    for number in range(40):
        size = (1 << 20) + number if number % 2 else number * 100
        wanted[f"sub/{number}"] = bytes([number]) * size
        (folder / "sub" / str(number)).write_bytes(wanted[f"sub/{number}"])
    os.symlink("sub/1", folder / "link")
    with linaje.start_run() as run:
        linaje.log_artifacts(folder)
        shutil.rmtree(folder)
        assert fresh_sender._open_files <= _sender.MAX_OPEN_FILES
    assert linaje.flush(60)
    for path, content in wanted.items():
        assert artifact(fake, run, path) == content, path
    assert fresh_sender._open_files == fresh_sender._bytes == 0


def test_files_are_stored_although_the_spool_has_no_room(
        home, fresh_sender, tmp_path, caplog):
    (home / "state").write_text("a file where a folder should be")
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"s" * 1000)
    large.write_bytes(b"l" * (2 << 20))
    with linaje.start_run() as run:
        linaje.log_artifact(small)
        linaje.log_artifact(large)
        linaje.log_text("text", "a.txt")
        wait_for(lambda: "could not be copied" in caplog.text)
        os.unlink(small)
        os.unlink(large)
        from fake_daemon import FakeDaemon

        daemon = FakeDaemon(str(home / "linaje.sock")).start()
        assert linaje.flush(30)
    assert artifact(daemon, run, "small") == b"s" * 1000
    assert artifact(daemon, run, "large") == b"l" * (2 << 20)
    assert artifact(daemon, run, "a.txt") == b"text"
    daemon.stop()


@pytest.mark.parametrize("loss", [202, 200])
def test_an_upload_that_met_a_full_or_ill_store_goes_on_afterwards(fake, fresh_sender, tmp_path,
                                                                   loss):
    """The session that lost content came back under its key, again and again, for a day."""
    (tmp_path / "file").write_bytes(b"content")
    fake.loss = loss
    fake.full = True
    with linaje.start_run() as run:
        for number in range(3):
            linaje.log_artifact(tmp_path / "file", str(number))
        wait_for(lambda: len(fake.lost) >= 4)
        fake.full = False
    assert linaje.flush(20)
    for number in range(3):
        assert artifact(fake, run, f"{number}/file") == b"content"
    assert len(fake.ingests) <= 1, "sessions that are never used again are left open"


def test_files_of_a_process_that_ends_without_a_daemon_follow_later(fake, home, tmp_path):
    fake.stop()
    (tmp_path / "small").write_bytes(b"s" * 1000)
    (tmp_path / "large").write_bytes(b"l" * (5 << 20))
    run_id = run_python("""
        import linaje, os, sys
        with linaje.start_run() as run:
            for name in ("small", "large"):
                linaje.log_artifact(f"{sys.argv[1]}/{name}")
                os.unlink(f"{sys.argv[1]}/{name}")
            linaje.log_text("text", "a.txt")
        print(run.run_id)
    """, tmp_path).stdout.strip()
    fake.start()
    assert linaje.sync() == (1, 0)
    stored = fake.run(run_id)["_artifacts"]
    assert fake.files[stored["small"][2]] == b"s" * 1000
    assert fake.files[stored["large"][2]] == b"l" * (5 << 20)
    assert fake.files[stored["a.txt"][2]] == b"text"


# --- The interpreter ---

def test_the_first_calls_load_nothing_that_costs_milliseconds():
    loaded = run_python("""
        import sys, linaje
        linaje.Run._capture_provenance = lambda self, purpose: None
        before = set(sys.modules)
        linaje.start_run()
        linaje.log_metric("x", 0.5)
        linaje.log_param("p", 1)
        print(*sorted(set(sys.modules) - before))
    """, XDG_STATE_HOME="/nonexistent").stdout.split()
    allowed = {"linaje._replay", "pwd", "grp", "_pwd"}
    assert set(loaded) <= allowed, loaded


def test_a_number_too_large_for_a_metric_is_a_value_error(home, fresh_sender):
    with linaje.start_run() as run:
        run.log_metric("x", 1)
        for key in ("x", "new"):
            with pytest.raises(ValueError):
                run.log_metric(key, 10 ** 400)


def test_what_moves_from_one_place_to_the_next_is_never_taken_for_sent(fake, fresh_sender):
    """The end of a process and the end of a run look at `drained` from other threads."""
    run = linaje.start_run()
    queue, wrong, over = run._queue, [], threading.Event()

    def look():
        while not over.is_set():
            if queue.drained and queue.durable_through < queue._last:
                # Looked at again, for the acknowledgement may have come in between.
                wrong.append(queue._last) if queue.drained and (
                    queue.durable_through < queue._last) else None

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    for number in range(300):
        run.log_metric("x", 0.5, number)
        wait_for(lambda: queue.drained)
    over.set()
    watcher.join()
    assert wrong == [] and queue._last >= 300
