"""The log of a run: every byte that a command wrote, once, whatever becomes of the daemon."""

import json
import os
import pty
import re
import select
import sqlite3
import subprocess
import sys
import time

import pytest
from support import (SECONDS, LinajeError, Raw, _frames, _wire, eventually, may_trace, new_run,
                     request)
from test_run_command import LINAJE, Shell

pytestmark = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")
OUT, ERR = 1, 2


@pytest.fixture
def shell(daemon):
    return Shell(daemon)


def linaje(shell, *words, check=True, **more):
    """Standard output of the command line."""
    done = subprocess.run([LINAJE, *words], env=shell.environment, capture_output=True,
                          timeout=SECONDS, check=False, **more)
    assert not check or done.returncode == 0, done
    return done.stdout if check else done


def log(shell, run, *options):
    return linaje(shell, "run", "log", run.hex() if isinstance(run, bytes) else run, *options)


def append(client, run, writer, offset, *records):
    return client.call("AppendRunLog", run_id=run, writer_id=writer, offset=offset, records=[
        {"time_us": 1, "stream": stream, "data": data} for stream, data in records])


def content(client, run, **fields):
    """What ReadRunLog gives: [(stream, bytes or how many are missing)], joined."""
    out = []
    for payload in client.stream("ReadRunLog", {"run_id": run, **fields}):
        for record in _wire.decode("RunLogPiece", payload).records:
            if record.missing:
                out.append((0, record.missing))
            elif out and out[-1][0] == record.stream:
                out[-1] = (record.stream, out[-1][1] + record.data)
            else:
                out.append((record.stream, record.data))
    return out


# --- The command and its log ---


def test_a_command_writes_as_it_would_alone_and_all_of_it_is_in_the_log(shell):
    got = shell.run("sh", "-c", "echo out; sleep 0.2; echo err >&2; sleep 0.2; printf 'no end'")
    assert got == (0, b"out\nno end", b"err\n")
    run, = shell.found()
    assert log(shell, run.id) == b"out\nerr\nno end"
    assert log(shell, run.id, "--stream", "stderr") == b"err\n"
    assert log(shell, run.id, "--tail", "2") == b"err\nno end"
    assert log(shell, run.id, "--line", "2") == b"err\nno end"
    lines = [json.loads(line) for line in log(shell, run.id, "--json").splitlines()]
    assert [(line["line"], line["stream"], line["text"]) for line in lines] == [
        (1, "stdout", "out"), (2, "stderr", "err"), (3, "stdout", "no end")]
    assert all(abs(line["time_us"] / 1e6 - time.time()) < 60 for line in lines)
    stamped = log(shell, run.id, "--timestamps").decode().splitlines()
    assert [line.split("  ")[1] for line in stamped] == ["out", "err", "no end"]
    assert shell.kept == []


def test_bytes_of_any_kind_and_a_flood_are_kept_as_they_are(shell):
    script = "import os, sys\nos.write(1, bytes(range(256)) * 4)\nfor i in range(60):\n" \
             " os.write(1 + i % 2, (b'%06d' % i) * 11000 + b'\\n')"
    code, output, errors = shell.run(sys.executable, "-c", script)
    assert code == 0 and len(output) + len(errors) == 1024 + 60 * 66001
    run, = shell.found()
    assert log(shell, run.id, "--stream", "stdout") == output
    assert log(shell, run.id, "--stream", "stderr") == errors


def test_no_log_leaves_the_output_alone(shell):
    code, output, _ = shell.run(sys.executable, "-c", "import os; print(os.readlink('/proc/self/fd/1'))",
                                options=["--no-log"])
    assert code == 0 and output.startswith(b"pipe:")
    run, = shell.found()
    assert log(shell, run.id) == b""


@pytest.mark.parametrize("terminal", [True, False])
def test_a_command_finds_a_terminal_where_it_would_alone(shell, terminal):
    controller, end = pty.openpty() if terminal else os.pipe()
    process = shell.start(sys.executable, "-c", "import sys; print(sys.stdout.isatty(), flush=True)",
                          stdout=end)
    os.close(end)
    seen = b""
    while select.select([controller], [], [], SECONDS)[0]:
        try:
            part = os.read(controller, 4096)
        except OSError:
            break
        if not part:
            break
        seen += part
    assert process.wait(SECONDS) == 0
    os.close(controller)
    assert seen.strip() == str(terminal).encode()
    run, = shell.found()
    assert log(shell, run.id).strip() == str(terminal).encode()


def test_a_reader_that_leaves_ends_the_command_as_it_would_alone(shell):
    process = shell.start("sh", "-c", "yes; echo $? >&2")
    assert process.stdout.read(4) == b"y\ny\n"
    process.stdout.close()
    assert process.stderr.read().strip() in (b"141", b"1")
    assert process.wait(SECONDS) == 0


def test_a_daemon_killed_in_the_middle_of_the_output_costs_no_byte(shell, daemon):
    script = "import sys, time\nfor i in range(400):\n print(i, flush=True); time.sleep(0.005)"
    process = shell.start(sys.executable, "-c", script)
    for _ in range(3):
        time.sleep(0.4)
        daemon.kill()
        time.sleep(0.1)
        daemon.start()
    output, _ = process.communicate(timeout=60)
    want = b"".join(b"%d\n" % i for i in range(400))
    assert output == want
    run, = shell.found()
    assert log(shell, run.id) == want
    assert shell.kept == []


def test_a_daemon_that_is_away_harms_nobody_and_learns_all_later(shell, daemon):
    daemon.stop()
    begin = time.monotonic()
    code, output, errors = shell.run("sh", "-c", "for i in 1 2 3; do echo $i; sleep 1.2; done")
    assert (code, output) == (0, b"1\n2\n3\n") and time.monotonic() - begin < 3.6 + 5
    assert b"linaje run sync" in errors
    folder = os.path.join(shell.home, "linaje/runs", shell.kept[0])
    assert os.stat(os.path.join(folder, "output.log")).st_mode & 0o777 == 0o600
    daemon.start()
    for _ in range(2):
        linaje(shell, "run", "sync")
        run, = shell.found()
        assert log(shell, run.id) == b"1\n2\n3\n"
    assert shell.kept == []


def kept_log(shell, daemon, *lines):
    """What a command wrote while the daemon was away, each line in a frame of its own: the file."""
    daemon.stop()
    script = "".join(f"echo {line}; sleep 2.3; " for line in lines[:-1]) + f"echo {lines[-1]}"
    code, _, errors = shell.run("sh", "-c", script)
    assert code == 0 and b"linaje run sync" in errors
    return os.path.join(shell.home, "linaje/runs", shell.kept[0], "output.log")


def test_a_kept_log_that_is_damaged_costs_what_is_damaged_and_shows_where(shell, daemon):
    path = kept_log(shell, daemon, "one", "two", "three")
    with open(path, "r+b") as file:
        data = bytearray(file.read())
        place = data.index(b"two\n")
        data[place] ^= 1
        file.seek(0)
        file.write(data)
    daemon.start()
    done = linaje(shell, "run", "sync", check=False)
    assert done.returncode == 0 and b"are damaged and were left out" in done.stderr
    run, = shell.found()
    with daemon.client() as client:
        assert content(client, run.id) == [(1, b"one\n"), (0, 4), (1, b"three\n")]
    assert shell.kept == []


def test_a_kept_log_that_cannot_be_read_waits_and_is_named(shell, daemon):
    path = kept_log(shell, daemon, "one")
    with open(path, "rb") as file:
        whole = file.read()
    with open(path, "r+b") as file:
        file.write(b"another file")
    daemon.start()
    for _ in range(2):
        done = linaje(shell, "run", "sync", check=False)
        assert done.returncode == 75 and path.encode() in done.stderr, done
        assert len(shell.kept) == 1 and os.path.exists(path)
    with open(path, "wb") as file:
        # Being written when the machine stopped: the end of a frame is not there.
        file.write(whole + whole[24:-3])
    linaje(shell, "run", "sync")
    run, = shell.found()
    assert log(shell, run.id) == b"one\n" and shell.kept == []


def test_what_a_daemon_lost_of_a_log_is_shown_as_missing_by_sync(shell, daemon):
    process = shell.start("sh", "-c", "echo one; sleep 1.5; echo two")
    run, = eventually(lambda: daemon.client().search_runs())
    eventually(lambda: log(shell, run.id) == b"one\n")
    assert daemon.stop() == 0
    # It is restored from a copy of a moment before.
    database = sqlite3.connect(f"{daemon.state}/metrics.db")
    for table in ["run_log_chunks", "run_log_writers", "run_logs"]:
        database.execute(f"DELETE FROM {table}")
    database.commit()
    database.close()
    process.communicate(timeout=SECONDS)
    daemon.start()
    linaje(shell, "run", "sync")
    with daemon.client() as client:
        assert content(client, run.id) == [(0, 4), (1, b"two\n")]
    assert shell.kept == []


@pytest.mark.skipif(not may_trace(), reason="strace is not here or may not trace")
def test_a_log_is_kept_while_the_disk_of_the_daemon_is_ill(shell, daemon):
    tracer = subprocess.Popen(
        ["strace", "-f", "-qq", "-o", os.devnull, "-p", str(daemon.pid), "-P",
         f"{daemon.state}/metrics.db-wal", "-e", "trace=fdatasync,fsync", "-e",
         "inject=fdatasync,fsync:error=EIO"], stderr=subprocess.DEVNULL)
    try:
        def is_traced():
            with open(f"/proc/{daemon.pid}/status", encoding="ascii") as status:
                return "TracerPid:\t0" not in status.read()
        eventually(is_traced)
        code, output, errors = shell.run("sh", "-c", "echo precious")
        assert (code, output) == (0, b"precious\n") and b"linaje run sync" in errors
        assert linaje(shell, "run", "sync", check=False).returncode == 75
        assert len(shell.kept) == 1
    finally:
        tracer.kill()
        tracer.wait()
    daemon.kill()
    daemon.start()
    linaje(shell, "run", "sync")
    run, = shell.found()
    assert log(shell, run.id) == b"precious\n" and shell.kept == []


@pytest.mark.skipif(not may_trace(), reason="strace is not here or may not trace")
@pytest.mark.parametrize("disk", ["good", "ill"])
def test_what_is_kept_is_synced_with_its_folders_and_a_disk_that_does_not_is_told(
        shell, daemon, disk):
    assert daemon.stop() == 0
    trace = os.path.join(daemon.folder, "trace")
    ill = ["-e", "inject=fdatasync:error=EIO"] if disk == "ill" else []
    done = subprocess.run(
        ["strace", "-f", "-qq", "-y", "-o", trace, "-e", "trace=fsync,fdatasync", *ill, LINAJE,
         "run", "--", "sh", "-c", "echo kept"], env=shell.environment, cwd=shell.home,
        capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, b"kept\n")
    assert (b"could not be kept as a whole" in done.stderr) == (disk == "ill"), done.stderr
    kept, = shell.kept
    with open(trace, encoding="utf-8") as file:
        calls = file.read()
    folder = os.path.join(shell.home, "linaje/runs")
    for call, path in [("fsync", folder), ("fsync", f"{folder}/{kept}"),
                       ("fdatasync", f"{folder}/{kept}/output.log")]:
        assert re.search(rf"{call}\(\d+<{re.escape(path)}/?>", calls), (call, path, calls)
    # What the disk has after all is not given away.
    daemon.start()
    linaje(shell, "run", "sync")
    run, = shell.found()
    assert log(shell, run.id) == b"kept\n"


def test_a_linaje_that_is_killed_leaves_the_command_its_outputs(shell, daemon):
    process = shell.start("sh", "-c", "echo one; sleep 0.2; echo two >&2; sleep 1; echo three; exec sleep 0.1")
    assert process.stdout.readline() == b"one\n"
    time.sleep(0.7)
    process.kill()
    assert process.stdout.read() == b"three\n"
    run, = shell.found()
    assert log(shell, run.id) == b"one\ntwo\n"
    with daemon.client() as client:
        eventually(lambda: client.get_run(run.id).status == 4)


def test_a_secret_that_a_command_prints_is_in_no_log_of_the_daemon(shell, daemon):
    secret = "hunter2-" + os.urandom(8).hex()
    shell.run("sh", "-c", f"echo {secret}; echo {secret} >&2")
    run, = shell.found()
    assert log(shell, run.id).decode().count(secret) == 2
    assert secret not in daemon.log


# --- Following ---


def test_a_follower_sees_lines_as_they_come_over_restarts_until_the_run_ends(shell, daemon):
    go = os.path.join(shell.home, "go")
    os.mkfifo(go)
    process = shell.start("sh", "-c", f"for i in 1 2 3 4; do read _; echo line $i; done < {go}")
    with open(go, "w", encoding="ascii") as orders:
        run = eventually(lambda: shell.daemon.client().search_runs())[0]
        follower = subprocess.Popen(
            [LINAJE, "run", "log", run.id.hex(), "--follow"], env=shell.environment,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for number in range(1, 5):
            orders.write("\n")
            orders.flush()
            begin = time.monotonic()
            assert follower.stdout.readline() == b"line %d\n" % number
            if number in (1, 4):
                assert time.monotonic() - begin < 2
            if number == 2:
                daemon.restart()
            if number == 3:
                daemon.kill()
                daemon.start()
    assert process.wait(SECONDS) == 0
    assert follower.wait(SECONDS) == 0
    assert follower.stdout.read() == b""


def test_a_slow_follower_misses_nothing(daemon):
    with daemon.client() as client:
        run, writer = new_run(client), os.urandom(16)
        with Raw(daemon) as raw:
            raw.send(request("ReadRunLog", {"run_id": run, "follow": True}))
            raw.wait(_frames.RESPONSE)
            want = b""
            for _ in range(40):
                data = os.urandom(64 << 10)
                append(client, run, writer, len(want), (OUT, data))
                want += data
            client.call("UpdateRun", id=run, status=3)
            got = b""
            while (frame := raw.receive()).type != _frames.END:
                if frame.type == _frames.DATA:
                    credit = _wire.encode("Credit", {"bytes": len(frame.payload)})
                    raw.send(b"".join([_frame(_frames.CREDIT, 1, credit)]))
                    got += b"".join(
                        r.data for r in _wire.decode("RunLogPiece", frame.payload).records)
            assert got == want


def _frame(type, stream, payload):
    from support import frame
    return frame(type, stream, payload)


# --- Search ---


def test_lines_are_found_by_text(shell):
    shell.run("sh", "-c", "for i in 1 2 3 4 5; do echo epoch $i; done; echo 'Loss is NaN'")
    run, = shell.found()
    assert log(shell, run.id, "--grep", "epoch 3") == b"3:epoch 3\n"
    assert log(shell, run.id, "--grep", "epoch 3", "--context", "1") == \
        b"2-epoch 2\n3:epoch 3\n4-epoch 4\n"
    assert log(shell, run.id, "--grep", "NAN", "--ignore-case") == b"6:Loss is NaN\n"
    assert log(shell, run.id, "--grep", "epoch", "--limit", "2") == b"1:epoch 1\n2:epoch 2\n"
    found, = [json.loads(line) for line in log(shell, run.id, "--grep", "NaN", "--json").splitlines()]
    assert (found["line"], found["text"], found["matches"]) == (6, "Loss is NaN", True)
    assert linaje(shell, "run", "log", run.id.hex(), "--grep", "nothing", check=False).returncode == 1


# --- The protocol ---


def test_appends_that_are_made_again_are_stored_once_and_gaps_are_told(daemon):
    with daemon.client() as client:
        run, writer = new_run(client), os.urandom(16)
        assert append(client, run, writer, 0, (OUT, b"abc"), (ERR, b"de")).durable_offset == 5
        assert append(client, run, writer, 0, (OUT, b"abc"), (ERR, b"defg")).durable_offset == 7
        assert append(client, run, writer, 2, (OUT, b"c")).durable_offset == 7
        client.call("AppendRunLog", run_id=run, writer_id=writer, offset=7,
                    records=[{"missing": 1000}, {"stream": OUT, "data": b"h"}])
        with pytest.raises(LinajeError) as caught:
            append(client, run, writer, 1010, (OUT, b"x"))
        assert caught.value.code == 107 and caught.value.details["durable_offset"] == "1008"
        assert content(client, run) == [(OUT, b"abc"), (ERR, b"defg"), (0, 1000), (OUT, b"h")]
        assert content(client, run, from_offset=6) == [(ERR, b"g"), (0, 1000), (OUT, b"h")]
        assert content(client, run, streams=[ERR]) == [(ERR, b"defg"), (0, 1000)]


@pytest.mark.parametrize("code,method,fields", [
    (104, "AppendRunLog", {"run_id": bytes(16), "writer_id": bytes(16)}),
    (102, "AppendRunLog", {"writer_id": bytes(15)}),
    (102, "AppendRunLog", {"writer_id": bytes(16), "records": [{"data": b"x"}]}),
    (102, "AppendRunLog", {"writer_id": bytes(16), "records": [{"stream": 1}]}),
    (102, "AppendRunLog", {"writer_id": bytes(16), "records": [{"stream": 9, "data": b"x"}]}),
    (102, "AppendRunLog", {"writer_id": bytes(16),
                           "records": [{"stream": 1, "data": b"x", "missing": 2}]}),
    (103, "AppendRunLog", {"writer_id": bytes(16),
                           "records": [{"stream": 1, "data": bytes((512 << 10) + 1)}]}),
    (103, "AppendRunLog", {"writer_id": bytes(16),
                           "records": [{"stream": 1, "data": b"x"}] * 16_385}),
    (103, "AppendRunLog", {"writer_id": bytes(16), "records": [{"missing": (1 << 64) - 1}] * 2}),
    (107, "AppendRunLog", {"writer_id": bytes(16), "offset": 1,
                           "records": [{"stream": 1, "data": b"x"}]}),
    (104, "ReadRunLog", {"run_id": bytes(16)}),
    (102, "ReadRunLog", {"streams": [3]}),
    (103, "ReadRunLog", {"last_lines": 100_001}),
    (102, "SearchRunLog", {"text": ""}),
    (102, "SearchRunLog", {"text": "a\nb"}),
    (103, "SearchRunLog", {"text": "x" * 1_025}),
    (103, "SearchRunLog", {"text": "x", "context": 101}),
    (103, "SearchRunLog", {"text": "x", "limit": 100_001}),
])
def test_bad_calls_are_refused(shared_daemon, code, method, fields):
    with shared_daemon.client() as client:
        fields = {"run_id": new_run(client), **fields}
        with pytest.raises(LinajeError) as caught:
            if method == "AppendRunLog":
                client.call(method, **fields)
            else:
                list(client.stream(method, fields))
        assert caught.value.code == code


def test_a_deleted_run_takes_no_log(daemon):
    with daemon.client() as client:
        run = new_run(client)
        client.call("UpdateRun", id=run, lifecycle=2)
        with pytest.raises(LinajeError) as caught:
            append(client, run, os.urandom(16), 0, (OUT, b"x"))
        assert caught.value.code == 114


def test_a_log_that_is_full_says_so_and_the_command_goes_on(shell, daemon):
    daemon.stop()
    path = os.path.join(daemon.folder, "linaje.toml")
    with open(path, "w", encoding="ascii") as file:
        file.write("[runs]\nlog_bytes = 10\n")
    daemon.arguments = ["--config", path]
    daemon.start()
    assert shell.run("sh", "-c", "printf 0123456789ab; sleep 0.5; echo more") == \
        (0, b"0123456789abmore\n", b"")
    run, = shell.found()
    done = linaje(shell, "run", "log", run.id.hex(), check=False)
    assert done.stdout == b"0123456789"
    assert b"7 bytes of the log are missing here" in done.stderr


def test_control_characters_do_no_harm_on_a_terminal(shell):
    shell.run("printf", "\\033[31mred\\033[0m \\033]0;title\\007 \\033[2J end\\n")
    run, = shell.found()
    controller, end = pty.openpty()
    done = subprocess.run([LINAJE, "run", "log", run.id.hex()], env=shell.environment, stdout=end,
                          timeout=SECONDS, check=True)
    os.close(end)
    seen = os.read(controller, 4096)
    os.close(controller)
    assert done.returncode == 0
    assert b"\x1b[31mred\x1b[0m" in seen and b"\x1b]" not in seen and b"\x1b[2J" not in seen
    assert log(shell, run.id).startswith(b"\x1b[31mred\x1b[0m \x1b]0;title\x07")
