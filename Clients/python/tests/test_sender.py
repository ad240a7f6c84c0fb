"""The sender delivers everything exactly once, whatever the connection does."""

import math
import os
import random
import threading
import time

import pytest
from conftest import run_python

import linaje
from linaje import _replay, _sender, _spool


def wait_for(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


@pytest.fixture(autouse=True)
def no_capture(monkeypatch):
    """Provenance has tests of its own; here it would only take time."""
    monkeypatch.setattr(linaje.Run, "_capture_provenance", lambda self, purpose: None)


def log_numbers(run, first, count, key="x"):
    for number in range(first, first + count):
        run.log_metric(key, float(number), number)


def steps(fake, run, key="x"):
    return [step for step, _, _ in fake.points(run.run_id, key)]


def test_points_params_tags_and_the_end_arrive(fake, fresh_sender):
    with linaje.start_run(name="one", experiment="e", tags={"a": "b"}, params={"p": 1}) as run:
        log_numbers(run, 0, 5000)
        run.log_metrics({"nan": math.nan, "up": math.inf, "down": -math.inf}, step=-3)
        linaje.log_params({"rate": 0.5, "on": True, "name": "sgd", "big": 1 << 70})
        linaje.set_tag("team", "vision")
    assert linaje.flush(20)
    assert steps(fake, run) == list(range(5000))
    assert math.isnan(fake.points(run.run_id, "nan")[0][2])
    assert fake.points(run.run_id, "up")[0][::2] == (-3, math.inf)
    stored = fake.run(run.run_id)
    assert stored["status"] == 3 and stored["name"] == "one"
    assert stored["experiment_id"] == fake.experiments["e"] == 1
    assert stored["lease"].kind == 2
    values = {param["key"]: param for param in stored["params"]}
    assert values["p"]["int_value"] == 1 and values["rate"]["double_value"] == 0.5
    assert values["on"]["bool_value"] is True and values["name"]["string_value"] == "sgd"
    assert values["big"]["string_value"] == str(1 << 70)
    assert {tag["key"]: tag["value"] for tag in stored["tags"]} == {"a": "b", "team": "vision"}


@pytest.fixture
def eager(monkeypatch):
    """Reconnects at once."""
    monkeypatch.setattr(_sender, "_BACKOFF", (0.005, 0.02))


def test_a_connection_closed_at_many_frames_in_a_row_costs_nothing(fake, eager, fresh_sender):
    fake.drop_at = set(range(1, 60))
    with linaje.start_run(name="drops") as run:
        for part in range(10):
            log_numbers(run, part * 300, 300)
            time.sleep(0.02)
        linaje.log_param("p", 7)
    assert linaje.flush(60)
    assert fake.drops == 59
    assert steps(fake, run) == list(range(3000))
    assert [param["int_value"] for param in fake.run(run.run_id)["params"]] == [7]
    assert fake.run(run.run_id)["status"] == 3


@pytest.mark.parametrize("fault", ["drop_at", "drop_after"])
def test_a_connection_closed_at_any_one_frame_costs_nothing(fake, eager, fresh_sender, fault):
    for number in range(1, 13):
        setattr(fake, fault, {fake.frames + number})
        with linaje.start_run(name=f"{number}") as run:
            log_numbers(run, 0, 100)
            linaje.log_param("p", number)
            time.sleep(0.012)
            log_numbers(run, 100, 100)
            linaje.set_tag("t", number)
        assert linaje.flush(20), f"frame {number}"
        assert steps(fake, run) == list(range(200)), f"frame {number}"
        stored = fake.run(run.run_id)
        assert stored["status"] == 3 and len(stored["params"]) == len(stored["tags"]) == 1
    assert len(fake.runs) == 12
    assert fake.drops >= 6, "the faults did not happen"


@pytest.mark.parametrize("seed", range(6))
def test_answers_and_acks_lost_at_random_cost_nothing(fake, eager, fresh_sender, seed):
    chance = random.Random(seed)
    fake.drop_after = {number for number in range(2, 200) if chance.random() < 0.3}
    fake.drop_at = {number for number in range(2, 200) if chance.random() < 0.1}
    with linaje.start_run(name="lost") as run:
        for part in range(12):
            log_numbers(run, part * 200, 200)
            linaje.set_tag(f"t{part}", part)
            time.sleep(chance.random() * 0.03)
    assert linaje.flush(60), f"seed {seed}"
    assert steps(fake, run) == list(range(2400)), f"seed {seed}"
    assert len(fake.run(run.run_id)["tags"]) == 12
    assert len(fake.runs) == 1


def test_acknowledgements_that_come_twice_change_nothing(fake, fresh_sender):
    fake.repeat_acks = True
    with linaje.start_run() as run:
        log_numbers(run, 0, 20_000)
    assert linaje.flush(20)
    assert steps(fake, run) == list(range(20_000))


def test_little_credit_and_slow_acks_only_slow_it_down(fake, fresh_sender):
    fake.stream_credit, fake.ack_delay = 130_000, 0.01
    with linaje.start_run() as run:
        log_numbers(run, 0, 60_000)
    assert linaje.flush(30)
    assert steps(fake, run) == list(range(60_000))


def test_a_goaway_is_followed_by_a_new_connection(fake, fresh_sender):
    fake.goaway_after = 2
    with linaje.start_run() as run:
        for part in range(5):
            log_numbers(run, part * 5000, 5000)
            time.sleep(0.03)
    assert linaje.flush(20)
    assert steps(fake, run) == list(range(25_000))


def test_a_restart_in_the_middle_costs_nothing_and_the_run_is_attached_again(fake, fresh_sender):
    with linaje.start_run() as run:
        log_numbers(run, 0, 3000)
        assert linaje.flush(20)
        fake.stop()
        log_numbers(run, 3000, 3000)
        linaje.set_tag("while", "away")
        wait_for(lambda: fresh_sender.away)
        wait_for(lambda: fresh_sender.queues[-1].spool is not None)
        log_numbers(run, 6000, 3000)
        fake.start()
        log_numbers(run, 9000, 3000)
        assert linaje.flush(20)
        assert fresh_sender.queues[-1].spool is None
    assert linaje.flush(20)
    assert steps(fake, run) == list(range(12_000))
    assert "AttachRun" in [name for name, _ in fake.calls]
    assert {tag["key"] for tag in fake.run(run.run_id)["tags"]} == {"while"}


def test_nothing_raises_or_blocks_without_a_daemon(home, fresh_sender, tmp_path):
    (tmp_path / "file.txt").write_text("content")
    begin = time.monotonic()
    with linaje.start_run(name="alone", experiment="offline") as run:
        log_numbers(run, 0, 2000)
        linaje.log_param("p", 1)
        linaje.log_artifact(tmp_path / "file.txt")
    assert time.monotonic() - begin < 2
    assert not linaje.flush(0.1)


def test_a_run_made_offline_arrives_by_sync_once(home, fresh_sender, tmp_path):
    from fake_daemon import FakeDaemon

    (tmp_path / "file.txt").write_text("content")
    script = """
        import sys, linaje
        with linaje.start_run(name="alone", experiment="offline") as run:
            for step in range(5000):
                linaje.log_metric("x", float(step), step)
            linaje.log_param("p", 1)
            linaje.log_artifact(sys.argv[1], "sub")
        print(run.run_id)
    """
    run_id = run_python(script, tmp_path / "file.txt").stdout.strip()
    os.unlink(tmp_path / "file.txt")
    assert len(os.listdir(_spool.spool_root())) == 1
    assert linaje.sync() == (0, 1)
    daemon = FakeDaemon(str(home / "linaje.sock")).start()
    # An answer lost in the middle, and a second try.
    daemon.drop_after = {9}
    while linaje.sync() != (1, 0):
        pass
    assert linaje.sync() == (0, 0)
    assert os.listdir(_spool.spool_root()) == []
    assert [step for step, _, _ in daemon.points(run_id)] == list(range(5000))
    stored = daemon.run(run_id)
    assert stored["status"] == 3 and stored["name"] == "alone"
    assert stored["experiment_id"] == daemon.experiments["offline"]
    assert stored["lease"].kind == 1, "the process that replays must not own the run"
    mode, size, digest = stored["_artifacts"]["sub/file.txt"]
    assert daemon.files[digest] == b"content"
    daemon.stop()


def test_parts_of_a_run_made_offline_are_replayed_after_it(fake, home):
    fake.stop()
    out = run_python("""
        import linaje
        with linaje.start_run() as outer:
            for _ in range(8):
                with linaje.start_run(nested=True) as part:
                    linaje.log_metric("x", 1.0)
                print(part.run_id)
        print(outer.run_id)
    """).stdout.split()
    fake.start()
    assert linaje.sync() == (1, 0)
    assert [run["parent_id"].hex() for run in map(fake.run, out[:-1])] == [out[-1]] * 8


def test_the_next_run_of_any_process_replays_old_spools(fake, home):
    fake.stop()
    first = run_python("""
        import linaje
        with linaje.start_run() as run:
            linaje.log_metric("x", 1.0)
        print(run.run_id)
    """).stdout.strip()
    fake.start()
    run_python("""
        import linaje, os, sys, time
        with linaje.start_run():
            deadline = time.monotonic() + 30
            while os.path.exists(sys.argv[1]) and time.monotonic() < deadline:
                time.sleep(0.01)
    """, os.path.join(_spool.spool_root(), os.listdir(_spool.spool_root())[0]))
    assert len(fake.points(first)) == 1
    assert fake.run(first)["status"] == 3
    assert os.listdir(_spool.spool_root()) == []


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_process_killed_while_the_daemon_is_away_leaves_its_run_failed(
        fake, home, monkeypatch, interrupted):
    fake.stop()
    script = """
        import linaje, os, time
        run = linaje.start_run()
        for step in range(1000):
            linaje.log_metric("x", 0.5, step)
        print(run.run_id, flush=True)
        sender, queue = linaje.sender, run._queue
        while not (queue.spool and not queue.points and not queue.waiting
                   and all(operation.spooled for operation in sender.operations)):
            time.sleep(0.01)
        os.kill(os.getpid(), 9)
    """
    run_id = run_python(script, check=False).stdout.strip()
    fake.start()
    if interrupted:
        # The daemon goes away between the creation of the run and its end.
        def away(*_):
            raise linaje.LinajeError(200, "away")

        with monkeypatch.context() as patch:
            patch.setattr(_replay, "_replay_metrics", away)
            assert linaje.sync() == (0, 1)
        assert fake.run(run_id)["status"] == 1
    assert linaje.sync() == (1, 0)
    assert [step for step, _, _ in fake.points(run_id)] == list(range(1000))
    assert fake.run(run_id)["status"] == 4
    assert fake.run(run_id)["ended_cause"] == "process ended, cause unknown"


@pytest.mark.parametrize(("ending", "status"), [
    ("pass", 3), ("raise RuntimeError('x')", 4), ("raise KeyboardInterrupt", 5),
    ("import sys; sys.exit(0)", 3)])
def test_a_run_without_a_block_ends_as_its_process_does(fake, ending, status):
    run_id = run_python(f"""
        import linaje
        run = linaje.start_run()
        linaje.log_metric("x", 1.0)
        print(run.run_id, flush=True)
        {ending}
    """, check=False).stdout.strip()
    assert fake.run(run_id)["status"] == status
    assert len(fake.points(run_id)) == 1


@pytest.mark.parametrize(("error", "status"), [(None, 3), (ValueError, 4), (KeyboardInterrupt, 5)])
def test_a_block_ends_its_run_by_what_leaves_it(fake, fresh_sender, error, status):
    try:
        with linaje.start_run() as run:
            if error:
                raise error
    except (ValueError, KeyboardInterrupt):
        pass
    assert linaje.flush(20)
    assert fake.run(run.run_id)["status"] == status


def test_a_forked_child_writes_as_a_writer_of_its_own(fake):
    run_id = run_python("""
        import linaje, os
        run = linaje.start_run()
        for step in range(1000):
            linaje.log_metric("parent", 0.5, step)
        children = []
        for child in range(3):
            pid = os.fork()
            if pid == 0:
                for step in range(500):
                    linaje.log_metric(f"child {child}", 0.5, step)
                assert linaje.flush(20)
                linaje.end_run()
                os._exit(0)
            children.append(pid)
        assert all(os.waitpid(pid, 0)[1] == 0 for pid in children)
        for step in range(1000, 2000):
            linaje.log_metric("parent", 0.5, step)
        linaje.end_run()
        assert linaje.flush(20)
        print(run.run_id)
    """).stdout.strip()
    assert [step for step, _, _ in fake.points(run_id, "parent")] == list(range(2000))
    for child in range(3):
        assert [step for step, _, _ in fake.points(run_id, f"child {child}")] == list(range(500))
    assert len(fake.batches) == 4
    assert [name for name, _ in fake.calls].count("UpdateRun") == 1


def test_a_multiprocessing_worker_flushes_when_it_leaves(fake):
    run_id = run_python("""
        import linaje, multiprocessing

        def work():
            for step in range(100):
                linaje.log_metric("worker", 0.5, step)

        with linaje.start_run() as run:
            worker = multiprocessing.get_context("fork").Process(target=work)
            worker.start()
            worker.join()
        print(run.run_id)
    """).stdout.strip()
    assert [step for step, _, _ in fake.points(run_id, "worker")] == list(range(100))


def test_many_threads_and_series_in_one_run(fake, fresh_sender):
    with linaje.start_run() as run:
        def work(number):
            for step in range(2000):
                run.log_metric(f"key {number}/{step % 50}", 0.5, step)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert linaje.flush(20)
    assert len(fake.points(run.run_id)) == 8000
    for number in range(4):
        assert steps(fake, run, f"key {number}/7") == list(range(7, 2000, 50))


def test_batches_with_very_many_long_keys_are_split(fake, fresh_sender):
    with linaje.start_run() as run:
        for number in range(3000):
            run.log_metric(f"{number:0200}", 0.5)
    assert linaje.flush(20)
    assert len(fake.points(run.run_id)) == 3000
    assert max(len(payload) for batches in fake.batches.values()
               for payload in batches.values()) < 130_000


def test_steps_count_up_when_they_are_not_given(fake, fresh_sender):
    with linaje.start_run() as run:
        for _ in range(3):
            run.log_metric("x", 1)
        run.log_metric("x", 1, step=10)
        run.log_metric("x", 1)
        run.log_metric("y", True)
    assert linaje.flush(20)
    assert steps(fake, run) == [0, 1, 2, 10, 11]
    assert steps(fake, run, "y") == [0]


def test_times_may_be_given(fake, fresh_sender):
    import datetime

    moment = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
    with linaje.start_run() as run:
        run.log_metric("x", 1.0, time=1700000000.25)
        run.log_metric("x", 1.0, time=moment)
    assert linaje.flush(20)
    assert [time for _, time, _ in fake.points(run.run_id)] == [1700000000250000,
                                                                1704067200000000]


@pytest.mark.parametrize("call", [
    lambda run: run.log_metric("", 1.0), lambda run: run.log_metric("a\nb", 1.0),
    lambda run: run.log_metric("k" * 251, 1.0), lambda run: run.log_metric(5, 1.0),
    lambda run: run.log_metric("x", "many"), lambda run: run.log_metric("x", None),
    lambda run: run.log_metric("x", 1.0, "first"), lambda run: run.log_metric("x", 1.0, 1.5),
    lambda run: run.log_metric("x", 1.0, time="now"), lambda run: run.log_metric([], 1.0),
    lambda run: run.log_param("p", "v" * 6001), lambda run: run.log_param("", 1),
    lambda run: run.set_tag("t", "v" * 100_001)])
def test_a_mistake_of_the_caller_is_a_value_error(home, fresh_sender, call):
    with linaje.start_run() as run:
        run.log_metric("x", 1.0)
        with pytest.raises(ValueError):
            call(run)


def test_a_point_that_does_not_fit_is_dropped_alone(fake, fresh_sender, caplog):
    with linaje.start_run() as run:
        run.log_metric("x", 1.0, 1)
        run.log_metric("x", 1.0, 1 << 63)
        run.log_metric("x", 1.0, 2)
    assert linaje.flush(20)
    assert steps(fake, run) == [1, 2]
    assert "1 metric points were dropped" in caplog.text


def test_logging_to_an_ended_run_is_an_error(fake, fresh_sender):
    with linaje.start_run() as run:
        run.log_metric("x", 1.0)
    for call in (lambda: run.log_metric("x", 1.0), lambda: run.log_param("p", 1)):
        with pytest.raises(linaje.LinajeError) as caught:
            call()
        assert caught.value.code == 114


def test_a_refused_change_is_a_warning_and_the_rest_goes_on(fake, fresh_sender, caplog):
    with linaje.start_run() as run:
        linaje.log_param("p", 1)
        linaje.log_param("p", 2)
        linaje.log_param("q", 3)
    assert linaje.flush(20)
    assert "LogRun was refused" in caplog.text
    assert {param["key"]: param["int_value"] for param in fake.run(run.run_id)["params"]} == {
        "p": 1, "q": 3}


def test_a_refused_stream_drops_its_points_and_says_so(fake, fresh_sender, caplog):
    from fake_daemon import Refused

    original = fake._run

    def refuse(run_id):
        raise Refused(108, "readers may not write")

    with linaje.start_run() as run:
        assert linaje.flush(20)
        fake._run = refuse
        log_numbers(run, 0, 100)
        assert linaje.flush(20)
        fake._run = original
        log_numbers(run, 100, 100)
    assert linaje.flush(20)
    assert steps(fake, run) == list(range(100, 200))
    assert "100 metric points were dropped" in caplog.text


def test_points_that_come_after_somebody_else_ended_the_run_are_kept(fake, fresh_sender):
    with linaje.start_run() as run:
        log_numbers(run, 0, 10)
        assert linaje.flush(20)
        fake.run(run.run_id)["status"] = 4
        fake.stop()
        log_numbers(run, 10, 10)
        fake.start()
        assert linaje.flush(20)
    assert steps(fake, run) == list(range(20))


def test_a_disk_that_takes_no_spool_costs_no_exception(home, fresh_sender, monkeypatch, caplog):
    (home / "state").write_text("a file where a folder should be")
    with linaje.start_run() as run:
        log_numbers(run, 0, 1000)
        linaje.log_param("p", 1)
        linaje.log_text("text", "a.txt")
        wait_for(lambda: "cannot be spooled" in caplog.text)
    from fake_daemon import FakeDaemon

    daemon = FakeDaemon(str(home / "linaje.sock")).start()
    assert linaje.flush(20)
    assert steps(daemon, run) == list(range(1000))
    daemon.stop()


def test_warnings_come_at_most_once_a_minute(caplog, monkeypatch):
    from linaje import _log

    monkeypatch.setattr(_log, "_last", {})
    clock = [1000.0]
    monkeypatch.setattr(_log.time, "monotonic", lambda: clock[0])
    for _ in range(5):
        _log.warn("kind", "something")
    clock[0] += 61
    _log.warn("kind", "something")
    assert [record.message for record in caplog.records] == [
        "something", "something (4 more like this were not shown)"]


def test_nested_runs_know_their_parent(fake, fresh_sender):
    with linaje.start_run(name="outer") as outer:
        with pytest.raises(linaje.LinajeError):
            linaje.start_run(name="forgot nested")
        with linaje.start_run(name="inner", nested=True) as inner:
            assert linaje.active_run() is inner
        assert linaje.active_run() is outer
    assert linaje.active_run() is None
    assert linaje.flush(20)
    assert fake.run(inner.run_id)["parent_id"].hex() == outer.run_id


def test_a_call_costs_microseconds(fake, capsys):
    out = run_python("""
        import time, linaje
        clock, log = time.perf_counter_ns, linaje.log_metric
        with linaje.start_run():
            for step in range(2000):
                log("warm", 0.5, step)
            linaje.flush(20)
            times, count = [], 200_000
            begin = time.perf_counter()
            for step in range(count):
                before = clock()
                log("x", 0.5, step)
                times.append(clock() - before)
            looped = time.perf_counter() - begin
            assert linaje.flush(60)
            rate = count / (time.perf_counter() - begin)
        times.sort()
        print(times[count // 2] / 1000, times[count * 99 // 100] / 1000, times[-1] / 1000, rate)
    """).stdout.split()
    p50, p99, longest, rate = map(float, out)
    with capsys.disabled():
        print(f"\n  log_metric: p50 {p50:.2f} us, p99 {p99:.2f} us, longest {longest:.0f} us; "
              f"{rate:,.0f} acknowledged points/s (fake daemon)")
    # Far from the target of 3 and 15: this machine may be busy; it still tells µs from ms.
    assert p50 < 30 and p99 < 1000
    assert fake.batches


def test_a_run_that_may_not_be_created_drops_what_is_logged_to_it(fake, fresh_sender, caplog):
    from fake_daemon import Refused

    fake.refuse["CreateRun"] = Refused(108, "readers may not write")
    with linaje.start_run() as run:
        log_numbers(run, 0, 100)
        assert linaje.flush(20)
        log_numbers(run, 100, 100)
    assert linaje.flush(20)
    assert fake.runs == {} and fresh_sender.queues == []
    assert "CreateRun was refused" in caplog.text and "metric points were dropped" in caplog.text


def test_an_offline_run_that_may_not_be_created_does_not_wait_for_ever(fake, home):
    from fake_daemon import Refused

    fake.stop()
    run_python("""
        import linaje
        with linaje.start_run():
            linaje.log_metric("x", 1.0)
    """)
    fake.refuse["CreateRun"] = Refused(108, "readers may not write")
    fake.start()
    assert linaje.sync() == (1, 0)
    assert os.listdir(_spool.spool_root()) == []


def test_a_process_may_have_more_runs_than_a_connection_has_streams(fake, fresh_sender):
    runs = []
    for number in range(150):
        with linaje.start_run(name=f"{number}") as run:
            run.log_metric("x", float(number))
        runs.append(run)
    assert linaje.flush(30)
    assert [fake.points(run.run_id)[0][2] for run in runs] == list(range(150))
    wait_for(lambda: not fresh_sender.queues)


def test_a_hanging_daemon_bounds_the_end_of_the_process(fake, home):
    fake.ack_delay = 30.0
    begin = time.monotonic()
    done = run_python("""
        import linaje, logging
        from linaje import _sender
        logging.basicConfig()
        _sender.EXIT_TIMEOUT = 1.0
        with linaje.start_run() as run:
            for step in range(1000):
                linaje.log_metric("x", 0.5, step)
        print(run.run_id)
    """)
    assert time.monotonic() - begin < 8
    assert "the rest is in the spool" in done.stderr
    run_id = done.stdout.strip()
    fake.ack_delay = 0.0
    assert linaje.sync() == (1, 0)
    assert [step for step, _, _ in fake.points(run_id)] == list(range(1000))
    assert fake.run(run_id)["status"] == 3


def test_more_than_the_memory_may_hold_goes_to_disk_and_arrives(fake, fresh_sender, monkeypatch):
    monkeypatch.setattr(_sender, "MEMORY_LIMIT", 100_000)
    fake.stream_credit, fake.ack_delay = 130_000, 0.005
    with linaje.start_run() as run:
        spooled = 0
        for part in range(20):
            log_numbers(run, part * 5000, 5000)
            time.sleep(0.01)
            spooled += fresh_sender.queues[-1].spool is not None
    assert linaje.flush(60)
    assert spooled, "nothing was spooled"
    assert steps(fake, run) == list(range(100_000))


def test_a_process_that_may_start_no_thread_spools_what_it_logs(fake, home):
    run_id = run_python("""
        import linaje
        from linaje import _background

        def refuse(*_):
            raise RuntimeError("can't start new thread")

        _background.start_new_thread = refuse
        with linaje.start_run() as run:
            for step in range(100):
                linaje.log_metric("x", 0.5, step)
            linaje.log_param("p", 1)
        print(run.run_id)
    """).stdout.strip()
    assert linaje.sync() == (1, 0)
    assert [step for step, _, _ in fake.points(run_id)] == list(range(100))
    assert fake.run(run_id)["status"] == 3


def test_an_interrupt_while_the_process_leaves_keeps_everything(fake, home):
    fake.ack_delay = 30.0
    script = """
        import linaje, os, signal, threading, time
        from linaje import _sender
        # Else a slow machine has the time to connect anew, and learns that all was durable.
        _sender.SILENT_AFTER = (60.0, 60.0)
        run = linaje.start_run()
        for step in range(100):
            linaje.log_metric("x", 0.5, step)

        def interrupt():
            while not linaje.sender._hurry:
                time.sleep(0.01)
            print(run.run_id, time.monotonic(), flush=True)
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=interrupt, daemon=True).start()
    """
    run_id, interrupted = run_python(script, check=False).stdout.split()
    assert time.monotonic() - float(interrupted) < 8
    fake.ack_delay = 0.0
    assert linaje.sync() == (1, 0)
    assert [step for step, _, _ in fake.points(run_id)] == list(range(100))
    assert fake.run(run_id)["status"] == 3
