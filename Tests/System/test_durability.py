"""Durable means fsynced before the acknowledgement: watched and broken from the kernel's side."""

import os
import re
import struct
import time

import pytest
from support import (SECONDS, SEED, Daemon, LinajeError, Writer, _frames, _wire, eventually,
                     linaje_plain, may_trace, new_run, verify)

pytestmark = pytest.mark.skipif(not may_trace(), reason="strace is not here or may not trace")

BATCHES = 200
WAL = "metrics.db-wal"
CALL = re.compile(r"^(\d+) +(\d+\.\d+) (\w+)\((.*)$")
HEX = re.compile(r"\\x([0-9a-f]{2})")
RESUMED = re.compile(r"^(\d+) +(\d+\.\d+) <\.\.\. (\w+) resumed>(.*)$")


class Call:
    """One system call: when it began and ended, what it was given."""

    def __init__(self, name, text, begin):
        self.name, self.text, self.begin, self.end = name, text, begin, None

    @property
    def descriptor(self):
        """The descriptor with what it is: "7</tmp/x/metrics.db-wal>"."""
        return HEX.sub(lambda found: chr(int(found[1], 16)), self.text.split(">", 1)[0])

    @property
    def data(self):
        """The bytes that were written, of all parts."""
        _, _, rest = self.text.partition("]>" if "UNIX" in self.descriptor else ">")
        return b"".join(bytes.fromhex(each.replace("\\x", ""))
                        for each in re.findall(r'"((?:\\x[0-9a-f]{2})*)"', rest))


def parse(path):
    """The calls of an strace log (-f -ttt -xx), in the order in which they began."""
    calls, open_calls = [], {}
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            if found := CALL.match(line):
                thread, at, name, text = found.groups()
                call = Call(name, text, float(at))
                calls.append(call)
                if text.rstrip().endswith("<unfinished ...>"):
                    open_calls[thread] = call
                else:
                    took = re.search(r"<(\d+\.\d+)>$", text.rstrip())
                    call.end = call.begin + float(took[1]) if took else call.begin
            elif found := RESUMED.match(line):
                thread, at, name, text = found.groups()
                if (call := open_calls.pop(thread, None)) is not None and call.name == name:
                    call.text += text
                    call.end = float(at)
    return calls


def traced(folder, *options):
    """A daemon under strace, which follows as a grandchild so that signals reach the daemon."""
    log = os.path.join(folder, "trace")
    return Daemon(folder, wrapper=["strace", "-D", "-f", "-qq", "-o", log, *options]), log


def acknowledgements(calls, stream):
    """(when it began to leave, number) of each MetricAck in what the daemon wrote to sockets."""
    buffers, found = {}, []
    for call in calls:
        descriptor = call.descriptor
        if call.name == "pwrite64" or "UNIX" not in descriptor:
            continue
        buffer = buffers.setdefault(descriptor, bytearray())
        buffer += call.data
        while (parsed := _frames.parse(buffer)) is not None:
            frame, size = parsed
            del buffer[:size]
            if frame.type == _frames.DATA and frame.stream == stream:
                found.append((call.begin, _wire.decode("MetricAck", frame.payload)
                              .durable_through))
    return found


def test_no_acknowledgement_leaves_before_its_fsync(folder):
    daemon, log = traced(
        folder, "-ttt", "-T", "-yy", "-xx", "-s", "200000",
        "-e", "trace=pwrite64,fdatasync,fsync,sendmsg,sendto,write,writev")
    daemon.start()
    with daemon.client(60) as client:
        run = new_run(client)
    writer = Writer(daemon.connection(), run, os.urandom(16))
    for _ in range(BATCHES // 2):
        writer.send()
        writer.wait()
    for _ in range(BATCHES // 2):
        writer.send()
    writer.end()
    writer.connection.close()
    assert daemon.stop(20) == 0
    calls = eventually(lambda: parse(log), why="strace wrote nothing")
    acks = acknowledgements(calls, writer.stream.number)
    assert [n for _, n in acks] == sorted(n for _, n in acks), "acknowledgements go back"
    assert acks and acks[-1][1] == BATCHES
    writes = [call for call in calls if call.name == "pwrite64" and WAL in call.descriptor]
    assert writes, "nothing was written to the WAL"
    syncs = [call for call in calls
             if call.name in ("fdatasync", "fsync") and WAL in call.descriptor
             and call.end is not None]
    contents = [call.data for call in writes]
    covered, next_write = 0, 0
    for left, number in acks:
        for batch in range(covered + 1, number + 1):
            value = struct.pack("<d", linaje_plain.expected(SEED, 0, batch - 1)[3])
            place = next(i for i in range(next_write, len(writes)) if value in contents[i])
            # Its transaction ends with the first commit frame from there on: a header of 24
            # bytes whose second word is not 0, and a page (sqlite.org, "WAL File Format").
            header = next(i for i in range(max(0, place - 1), len(writes))
                          if len(contents[i]) >= 24 and _is_commit(contents[i]))
            last = header if len(contents[header]) > 24 else header + 1
            written = max(call.end for call in writes[place:last + 1])
            assert any(sync.begin >= written and sync.end <= left for sync in syncs), (
                f"batch {batch} was acknowledged at {left:.6f}; its pages were written until "
                f"{written:.6f}, and no fsync of the WAL lies between")
            next_write = max(0, place - 1)
        covered = number


def _is_commit(data):
    """Whether WAL bytes hold the header of a commit frame."""
    start = 32 if data[:4] in (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83") else 0
    return len(data) >= start + 24 and (len(data) - start) in (24, 24 + 4096) and \
        struct.unpack_from(">I", data, start + 4)[0] != 0


@pytest.mark.parametrize("nth", range(1, 51))
def test_nothing_is_acknowledged_after_a_failed_fsync(folder, nth):
    plain = Daemon(folder).start()
    with plain.client() as client:
        run = new_run(client)
    plain.finish()
    wal = os.path.join(plain.state, WAL)
    daemon, log = traced(
        folder, "-ttt", "-T", "-yy", "-P", wal, "-e", "trace=fdatasync,fsync",
        "-e", f"inject=fdatasync,fsync:error=EIO:when={nth}")
    try:
        daemon.start()
    except AssertionError:
        # The disk failed while the daemon was starting: it must say so and not serve.
        assert daemon.process.wait(5) != 0
        assert re.search("storage_failed|I/O error|fsync", daemon.log), daemon.log
        acked = 0
    else:
        acked = _until_it_fails(daemon, run)
        # No matter what is asked afterwards, nothing is accepted.
        with daemon.client() as client:
            status = client.status()
            assert status.failure, "GetStatus does not say that the storage failed"
        error = _refused(daemon, run)
        assert error.code == 203, str(error)
        assert re.search("a write failed|storage_failed|fsync", daemon.log), daemon.log
        syncs = [call for call in parse(log) if call.end is not None]
        assert len([call for call in syncs if "EIO" in call.text]) == 1
        good = next(i for i, call in enumerate(syncs) if "EIO" in call.text)
        assert acked <= good, f"{acked} batches acknowledged after {good} good fsyncs"
        daemon.stop()
    restarted = Daemon(folder).start()
    verify(restarted, SEED, [run], [acked])
    with restarted.client() as client:
        assert not client.status().failure
    restarted.finish()


def _until_it_fails(daemon, run):
    """Sends one batch after the other; how many were acknowledged before the error 203."""
    writer = Writer(daemon.connection(), run, os.urandom(16))
    with pytest.raises(LinajeError) as caught:
        # strace counts the calls of each thread on its own: a few more may be needed.
        for _ in range(5_000):
            writer.send()
            writer.wait()
    assert caught.value.code == 203, str(caught.value)
    time.sleep(0.05)
    acked = writer.acked
    try:
        writer.poll()
    except LinajeError:
        pass
    assert writer.acked == acked, "an acknowledgement came after the failure"
    return acked


def _refused(daemon, run):
    """What a new writer is told."""
    with pytest.raises(LinajeError) as caught:
        writer = Writer(daemon.connection(), run, os.urandom(16))
        writer.send()
        writer.wait()
    return caught.value


def test_a_read_sees_the_points_that_were_sent_before_it_and_wait_for_their_commit(folder):
    daemon, _ = traced(
        folder, "-e", "trace=fdatasync", "-e", "inject=fdatasync:delay_enter=60000")
    daemon.start()
    try:
        with daemon.client(60) as client:
            run = new_run(client)
        writer = Writer(daemon.connection(), run, os.urandom(16), points=3)
        # On the stream's own connection: what was sent before a request was taken in before it.
        asking = writer.connection
        for number, method in enumerate(
                ["GetMetricHistory", "GetMetricSummaries", "GetMetricBuckets"] * 2, 1):
            writer.send()
            assert writer.acked < writer.sent
            stream = asking.open(method, {"run_id": run, **(
                {"buckets": 1} if method == "GetMetricBuckets" else {})})
            answer = stream.wait_answer(time.monotonic() + SECONDS)
            if method == "GetMetricSummaries":
                seen = answer.summaries[0].count
            else:
                kind = "MetricPoints" if method == "GetMetricHistory" else "MetricBuckets"
                seen = 0
                while (payload := stream.receive(time.monotonic() + SECONDS)) is not None:
                    part = _wire.decode(kind, payload)
                    seen += (len(part.step) if kind == "MetricPoints"
                             else sum(bucket.count for bucket in part.buckets))
            assert seen == 3 * number, method
        writer.end()
    finally:
        daemon.kill()
