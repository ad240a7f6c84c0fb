"""Bad input: one row per thing a client can get wrong, with the error it must get.

After each row the same daemon answers a good request, and its memory has not grown.
"""

import hashlib
import os
import struct
import time
from typing import Callable, NamedTuple, Optional

import pytest
from support import (METHODS, SECONDS, LinajeError, Raw, _frames, _wire, batch, frame,
                     linaje_plain, new_run, put_tree, request)

MIB = 1 << 20
HELLO = _frames.PREFACE + frame(_frames.HELLO)
POINT = linaje_plain.expected(1, 0, 0)


class World:
    """What the rows need to exist."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.client = client = daemon.client()
        self.run = new_run(client)
        self.ended = new_run(client)
        client.call("UpdateRun", id=self.ended, status=3)
        client.call("LogRun", id=self.run, params=[{"key": "depth", "int_value": 3}])
        self.tree = put_tree(client, {"MLmodel": b"flavors: {}\n"}).digest
        for _ in range(2):
            client.create_model_version("forest", f"tree:sha256:{self.tree.hex()}")
        client.call("SetAlias", name="forest", alias="champion", version=1)
        self.pending = client.call("CreateLoggedModel", experiment_id=0, run_id=self.run,
                                   name="pending").id

    def raw(self):
        return Raw(self.daemon)

    def ingest(self):
        return self.client.call("BeginIngest").ingest_id


class Row(NamedTuple):
    """A name, what is done, and the error that must come; None: it must be harmless."""

    name: str
    act: Callable[[World], object]
    code: Optional[int] = None
    error: Optional[str] = None


def first(name, data, code, error):
    """Bytes that a connection begins with."""
    def act(world):
        with Raw(world.daemon, hello=False) as raw:
            raw.send(data).failure()
    return Row(name, act, code, error)


def after_hello(name, data, code, error):
    """Bytes that come after a good hello."""
    def act(world):
        with world.raw() as raw:
            raw.send(data if isinstance(data, bytes) else data(world)).failure()
    return Row(name, act, code, error)


def call(name, method, code, error, /, **fields):
    """A unary call; a field may be a function of the world."""
    def act(world):
        known = {key: value(world) if callable(value) else value for key, value in fields.items()}
        world.client.call(method, known)
    return Row(name, act, code, error)


def data_on_stream(name, payload, code, error, run="run"):
    """A metric stream and one data frame on it."""
    def act(world):
        with world.raw() as raw:
            opening = {"run_id": getattr(world, run), "writer_id": os.urandom(16)}
            raw.send(request("StreamMetrics", opening), frame(_frames.DATA, 1, payload)).failure()
    return Row(name, act, code, error)


def put(name, code, error, /, parts=(b"x",), **fields):
    """One file put into a new ingest session."""
    def act(world):
        stream = world.client.connection.open(
            "PutFile", {"ingest_id": world.ingest(), "path": "f", "mode": 0o100644, **fields})
        for part in parts:
            stream.send(part)
        stream.end()
        stream.wait_answer(time.monotonic() + SECONDS)
    return Row(name, act, code, error)


FRAMES = [
    first("garbage instead of the preface", b"GET / HTTP/1.1\r\n\r\n", 1, "bad_preface"),
    first("a preface with one wrong byte", b"LNJE\r\n\x1b\x01", 1, "bad_preface"),
    first("another major version", b"LNJE\r\n\x1a\x02", 4, "version_unsupported"),
    first("a request before hello", _frames.PREFACE + request("GetStatus"), 2, "bad_frame"),
    first("a ping before hello", _frames.PREFACE + frame(_frames.PING), 2, "bad_frame"),
    first("a hello that doesn't parse", _frames.PREFACE + frame(_frames.HELLO, 0, b"\x12\x7f"),
          2, "bad_frame"),
    after_hello("a second hello", frame(_frames.HELLO), 2, "bad_frame"),
    *[after_hello(f"length {length:#x} of {_frames.NAMES[type]}", frame(type, 1, length=length), 3,
                  "frame_too_large")
      for length in ((4 << 20) + 1, 0xFFFFFFFF) for type in (_frames.REQUEST, _frames.DATA)],
    first("length 2^32-1 before hello",
          _frames.PREFACE + frame(_frames.HELLO, length=0xFFFFFFFF), 3, "frame_too_large"),
    after_hello("a request of more than 1 MiB", frame(_frames.REQUEST, 1, length=MIB + 1), 3,
                "frame_too_large"),
    *[after_hello(f"frame type {type}", frame(type, 1), 2, "bad_frame") for type in (0, 12, 255)],
    *[after_hello(f"flag {1 << bit:#04x} on {_frames.NAMES[type]}",
                  frame(type, 1, flags=1 << bit), 2, "bad_frame")
      for type in range(1, 12) for bit in range(8)
      if bit or type not in (_frames.REQUEST, _frames.RESPONSE)],
    *[after_hello(f"an opcode on {_frames.NAMES[type]}", frame(type, 0, opcode=0x0101), 2,
                  "bad_frame")
      for type in range(1, 12) if type not in (_frames.REQUEST, _frames.RESPONSE)],
    *[after_hello(f"a {_frames.NAMES[type]} frame from a client", frame(type, 1), 2, "bad_frame")
      for type in (_frames.RESPONSE, _frames.ERROR)],
    *[after_hello(f"a {_frames.NAMES[type]} frame on a stream", frame(type, 1), 2, "bad_frame")
      for type in (_frames.PING, _frames.PONG, _frames.GOAWAY)],
    after_hello("data after end", lambda world: b"".join((
        request("StreamMetrics", {"run_id": world.run, "writer_id": os.urandom(16)}),
        frame(_frames.END, 1), frame(_frames.DATA, 1, b"x"))), 2, "bad_frame"),
    after_hello("data after a request with END",
                request("GetStatus") + frame(_frames.DATA, 1, b"x"), 2, "bad_frame"),
    after_hello("end twice", lambda world: b"".join((
        request("StreamMetrics", {"run_id": world.run, "writer_id": os.urandom(16)}),
        frame(_frames.END, 1), frame(_frames.END, 1))), 2, "bad_frame"),
    after_hello("a stream id reused", request("GetStatus") * 2, 6, "bad_stream"),
    after_hello("an even stream id", request("GetStatus", stream=2), 6, "bad_stream"),
    after_hello("a request on stream 0", request("GetStatus", stream=0), 6, "bad_stream"),
    after_hello("a lower stream id",
                request("GetStatus", stream=5) + request("GetStatus", stream=3), 6, "bad_stream"),
    *[after_hello(f"{_frames.NAMES[type]} on a stream never opened", frame(type, 99, payload), 6,
                  "bad_stream")
      for type, payload in ((_frames.DATA, b"x"), (_frames.END, b""), (_frames.CANCEL, b""),
                            (_frames.CREDIT, b"\x08\x01"))],
    *[after_hello(name, frame(_frames.CREDIT, 0, payload), 2, "bad_frame")
      for name, payload in (("a credit of 0", b""), ("a credit of 2^31", b"\x08" + _wire.varint(
          1 << 31)), ("a credit that doesn't parse", b"\x08\xff"))],
    *[after_hello(f"{_frames.NAMES[type]} with a payload", frame(type, 1, b"x"), 2, "bad_frame")
      for type in (_frames.END, _frames.CANCEL)],
    after_hello("a ping of 1 MiB", frame(_frames.PING, 0, length=MIB), 3, "frame_too_large"),
    after_hello("more data than the stream was granted", lambda world: request(
        "StreamMetrics", {"run_id": world.run, "writer_id": os.urandom(16)})
        + frame(_frames.DATA, 1, length=(512 << 10) + 1), 5, "flow_control"),
]

MESSAGES = [
    *[after_hello(f"opcode {opcode:#06x}", request(opcode), 100, "unknown_method")
      for opcode in (0, 0x01FF, 0x0FFF, 0xFFFF, 0x0B01, 0x0B81)],
    *[after_hello(f"a message {name}", request("GetRun", data), 101, "bad_message")
      for name, data in (("of garbage", b"\xff\xff\xff"), ("cut off", b"\x0a\x10abc"),
                         ("with field 0", b"\x02\x00"))],
    after_hello("a call header that doesn't parse", request("GetStatus", header=b"\xff\xff"), 101,
                "bad_message"),
    after_hello("a header length beyond the payload",
                frame(_frames.REQUEST, 1, struct.pack(">H", 9) + b"12345678", 1, 0x0101), 101,
                "bad_message"),
    *[after_hello(f"a request payload of {size} bytes",
                  frame(_frames.REQUEST, 1, bytes(size), 1, 0x0101), 101, "bad_message")
      for size in (0, 1)],
    after_hello("a unary request that announces data", request("GetStatus", end=False), 101,
                "bad_message"),
    after_hello("garbage that asks for the daemon's metrics",
                request("GetDaemonMetrics", b"\xff\xff"), 101, "bad_message"),
    after_hello("text that is not UTF-8",
                request("CreateExperiment", _wire.delimited(1, b"caf\xe9")), 101, "bad_message"),
    after_hello("a change without idempotency key",
                request("CreateExperiment", {"name": "e"}, key=None), 102, "invalid_argument"),
    *[after_hello(f"an idempotency key of {size} bytes",
                  request("CreateExperiment", {"name": "e"}, key=bytes(size)), 102,
                  "invalid_argument") for size in (15, 17)],
    *[call(f"an unknown {name}", method, 102, "invalid_argument", **fields)
      for name, method, fields in (
          ("run status", "UpdateRun", {"id": lambda w: w.run, "status": 99}),
          ("reason of an end", "UpdateRun",
           {"id": lambda w: w.run, "status": 4, "process_end": {"reason": 99}}),
          ("lifecycle", "SearchRuns", {"lifecycle": 9}),
          ("lease kind", "CreateRun", {"lease": {"kind": 9}}),
          ("stage number", "SearchModelVersions", {"stages": [9]}),
          ("status of a new run", "CreateRun", {"status": 77}))],
]

TRACKING = [
    call("a run that doesn't exist", "GetRun", 104, "not_found", id=bytes(16)),
    call("a run id of 15 bytes", "GetRun", 102, "invalid_argument", id=bytes(15)),
    call("an experiment that doesn't exist", "CreateRun", 104, "not_found", experiment_id=10**9),
    call("a negative experiment", "GetExperiment", 104, "not_found", id=-1),
    call("a taken experiment name", "CreateExperiment", 106, "already_exists", name="Default"),
    *[call(f"a {noun} key of 251 bytes", "LogRun", 103, "limit_exceeded", id=lambda w: w.run,
           **fields)
      for noun, fields in (("param", {"params": [{"key": "k" * 251, "int_value": 1}]}),
                           ("tag", {"tags": {"set": [{"key": "k" * 251, "value": "v"}]}}))],
    call("an end with 65 last lines", "UpdateRun", 103, "limit_exceeded", id=lambda w: w.run,
         status=4, process_end={"last_errors": ["x"] * 65}),
    call("a wish that is no end", "UpdateRun", 102, "invalid_argument", id=lambda w: w.run,
         status=1, as_wish=True),
    call("an empty param key", "LogRun", 102, "invalid_argument", id=lambda w: w.run,
         params=[{"key": "", "int_value": 1}]),
    call("a control character in a key", "LogRun", 102, "invalid_argument", id=lambda w: w.run,
         params=[{"key": "a\nb", "int_value": 1}]),
    call("a param without a value", "LogRun", 102, "invalid_argument", id=lambda w: w.run,
         params=[{"key": "novalue"}]),
    call("a param value of 6,001 bytes", "LogRun", 103, "limit_exceeded", id=lambda w: w.run,
         params=[{"key": "long", "string_value": "v" * 6001}]),
    call("a param with another value", "LogRun", 113, "conflict", id=lambda w: w.run,
         params=[{"key": "depth", "int_value": 4}]),
    call("10,001 params in one call", "LogRun", 103, "limit_exceeded", id=lambda w: w.run,
         params=[{"key": f"k{i}", "int_value": 1} for i in range(10_001)]),
    call("a page token of garbage", "SearchRuns", 102, "invalid_argument",
         page={"token": "garbage"}),
    call("a page of 1,001", "SearchRuns", 103, "limit_exceeded", page={"limit": 1001}),
    data_on_stream("a metric on a run that has ended", b"", 114, "run_not_active", run="ended"),
    data_on_stream("a metric batch that doesn't parse", b"\xff\xff", 101, "bad_message"),
    data_on_stream("batch number 0", batch(0, [POINT]), 102, "invalid_argument"),
    data_on_stream("a gap in the batch numbers", batch(2, [POINT]), 107, "failed_precondition"),
    data_on_stream("the last batch number of all", batch(2**64 - 1, [POINT]), 103,
                   "limit_exceeded"),
    *[data_on_stream(f"columns of different length: {column}", _wire.encode("MetricBatch", {
        "sequence": 1, "series": [{"key": "a"}, {"key": "b"}], "series_index": [0, 1],
        "step": [1, 2], "time_us": [1, 2], "value": [1, 2], column: [1]}), 102,
        "invalid_argument") for column in ("series_index", "step", "time_us", "value")],
    data_on_stream("a series index beyond the series", _wire.encode("MetricBatch", {
        "sequence": 1, "series": [{"key": "a"}, {"key": "b"}], "series_index": [2],
        "step": [1], "time_us": [1], "value": [1]}), 102, "invalid_argument"),
    data_on_stream("a batch without points", _wire.encode("MetricBatch", {
        "sequence": 1, "series": [{"key": "a"}]}), 103, "limit_exceeded"),
    data_on_stream("a batch without series", _wire.encode("MetricBatch", {
        "sequence": 1, "step": [1], "time_us": [1], "value": [1]}), 103, "limit_exceeded"),
    data_on_stream("16,385 points in a batch", batch(1, [POINT] * 16_385), 103, "limit_exceeded"),
    data_on_stream("a metric key of 251 bytes", batch(1, [POINT], key="k" * 251), 103,
                   "limit_exceeded"),
    data_on_stream("a control character in a metric key", batch(1, [POINT], key="a\x07b"), 102,
                   "invalid_argument"),
    after_hello("a metric stream of a run that doesn't exist", request(
        "StreamMetrics", {"run_id": bytes(16), "writer_id": bytes(16)}), 104, "not_found"),
    after_hello("a writer id of 3 bytes", lambda world: request(
        "StreamMetrics", {"run_id": world.run, "writer_id": b"abc"}), 102, "invalid_argument"),
]


def one_name(world):
    return f"e-{os.urandom(8).hex()}"


def key_with_another_request(world):
    key = os.urandom(16)
    world.client.call("CreateExperiment", name=one_name(world), key=key)
    world.client.call("CreateExperiment", name=one_name(world), key=key)


def key_with_the_same_request(world):
    key, name = os.urandom(16), one_name(world)
    answers = [world.client.call("CreateExperiment", name=name, key=key) for _ in range(2)]
    assert answers[0] == answers[1]


def commit_twice(world):
    ingest, key = world.ingest(), os.urandom(16)
    world.client._put(ingest, "f", 0o100644, lambda: [b"twice"], None, None)
    trees = [world.client.call("CommitIngest", ingest_id=ingest, key=key) for _ in range(2)]
    assert trees[0] == trees[1] and trees[0].files == 1


def commit_again_with_another_key(world):
    ingest = world.ingest()
    world.client._put(ingest, "f", 0o100644, lambda: [b"again"], None, None)
    for _ in range(2):
        world.client.call("CommitIngest", ingest_id=ingest)


def torn(world):
    """A frame torn at every byte, then the connection closed."""
    data = HELLO + request("StreamMetrics", {"run_id": world.run, "writer_id": os.urandom(16)}) \
        + frame(_frames.DATA, 1, batch(1, [POINT]))
    for size in range(len(data)):
        with Raw(world.daemon, hello=False) as raw:
            raw.send(data[:size])


def too_many_streams(world):
    tail = {"run_id": world.run}
    with world.raw() as raw:
        raw.send(*(request("TailMetrics", tail, stream=1 + 2 * i) for i in range(129))).failure()


def streams_again_after_too_many(world):
    """Once there were too many streams, ending one makes room for one."""
    tail = {"run_id": world.run}
    with world.raw() as raw:
        raw.send(*(request("TailMetrics", tail, stream=1 + 2 * i) for i in range(128)))
        raw.send(frame(_frames.CANCEL, 1), request("GetStatus", stream=257))
        while (got := raw.receive()).stream != 257:
            pass
        assert got.type == _frames.RESPONSE


def cancel_of_a_finished_stream(world):
    with world.raw() as raw:
        raw.send(request("GetStatus")).wait(_frames.RESPONSE)
        raw.send(frame(_frames.CANCEL, 1), frame(_frames.CREDIT, 1, b"\x08\x01"),
                 request("GetStatus", stream=3)).wait(_frames.RESPONSE)


def cancel(world):
    with world.raw() as raw:
        raw.send(request("TailMetrics", {"run_id": world.run})).wait(_frames.RESPONSE)
        raw.send(frame(_frames.CANCEL, 1)).failure()


def late_data(world):
    """Data for a stream that the daemon has ended already is dropped."""
    with world.raw() as raw:
        raw.send(request("StreamMetrics", {"run_id": bytes(16), "writer_id": bytes(16)}))
        with pytest.raises(LinajeError):
            raw.failure()
        raw.send(frame(_frames.DATA, 1, b"late"), frame(_frames.END, 1),
                 request("GetStatus", stream=3)).wait(_frames.RESPONSE)


def ping(world):
    with world.raw() as raw:
        number = _wire.encode("Ping", {"number": 2**64 - 1})
        assert raw.send(frame(_frames.PING, 0, number)).wait(_frames.PONG).payload == number


def unknown_field(world):
    with world.raw() as raw:
        raw.send(request("GetStatus", _wire.delimited(999, b"new"))).wait(_frames.RESPONSE)


def deadline(world):
    tail = _wire.encode("CallHeader", {"deadline_ms": 50})
    with world.raw() as raw:
        raw.send(request("TailMetrics", {"run_id": world.run}, header=tail)).failure()


def maintain(*tasks):
    """Maintenance tasks by number, sent as they are."""
    def act(world):
        with world.raw() as raw:
            raw.send(request("Maintain", {"tasks": list(tasks)})).failure()
    return act


def purge(**fields):
    """A deletion for good, sent as it is."""
    def act(world):
        with world.raw() as raw:
            raw.send(request("PurgeRuns", fields)).failure()
    return act


def retention(method, **fields):
    """A plan or an application of a policy, sent as it is."""
    def act(world):
        with world.raw() as raw:
            raw.send(request(method, fields)).failure()
    return act


def exchange(**fields):
    """An exchange with a remote, sent as it is."""
    def act(world):
        with world.raw() as raw:
            raw.send(request("ExchangeWithRemote", fields)).failure()
    return act


def pending_source(world):
    world.client.create_model_version("forest", f"models:/m-{world.pending.hex()}")


BAD_PATHS = {"..": "..", "a ..": "a/../b", "an absolute one": "/etc/passwd", "NUL": "a\0b",
             "4 KiB": "p" * 4096, "an empty part": "a//b", "nothing": "", "a dot": "./a",
             "a slash at its end": "a/"}
ARTIFACTS = [
    *[put(f"an artifact path with {name}", 117, "invalid_path", path=path)
      for name, path in BAD_PATHS.items()],
    *[put(f"mode {name}", 102, "invalid_argument", mode=mode)
      for name, mode in (("of a FIFO", 0o010644), ("of a device", 0o020644),
                         ("of a block device", 0o060644), ("of a socket", 0o140644),
                         ("of a folder", 0o040000), ("0", 0), ("setuid", 0o104755))],
    put("fewer bytes than announced", 116, "incomplete", size=2),
    put("more bytes than announced", 116, "incomplete", size=0),
    put("another SHA-256 than announced", 204, "corrupt", sha256=hashlib.sha256(b"y").digest()),
    put("a SHA-256 of 3 bytes", 102, "invalid_argument", sha256=b"abc"),
    put("a file for an unknown ingest", 104, "not_found", ingest_id=bytes(16)),
    put("a link whose target is 5 KiB", 103, "limit_exceeded", parts=(b"t" * 5000,),
        mode=0o120000),
    call("a commit of an unknown ingest", "CommitIngest", 104, "not_found", ingest_id=bytes(16)),
    call("an ingest id of 15 bytes", "CommitIngest", 102, "invalid_argument",
         ingest_id=bytes(15)),
    Row("a commit again with another key", commit_again_with_another_key, 104, "not_found"),
    Row("a commit twice with one key", commit_twice),
    call("a commit into a run that doesn't exist", "CommitIngest", 104, "not_found",
         ingest_id=World.ingest, run_id=bytes(16)),
    call("a tree that doesn't exist", "ListArtifacts", 104, "not_found", root={"tree": bytes(32)}),
    call("a listing of nothing", "ListArtifacts", 102, "invalid_argument"),
    call("a tree digest of 31 bytes", "ListArtifacts", 102, "invalid_argument",
         root={"tree": bytes(31)}),
    after_hello("a file that doesn't exist", lambda world: request(
        "ReadArtifact", {"root": {"tree": world.tree}, "path": "nope"}), 104, "not_found"),
    after_hello("an offset past the end", lambda world: request(
        "ReadArtifact", {"root": {"tree": world.tree}, "path": "MLmodel", "offset": 2**63}), 102,
        "invalid_argument"),
    after_hello("a folder read as a file", lambda world: request(
        "ReadArtifact", {"root": {"tree": world.tree}}), 102, "invalid_argument"),
]

BAD_URIS = ("", "forest", "models:", "models:/", "models://forest/1", "models:/forest",
            "models:/forest/0", "models:/forest/99999999999999999999", "models:/forest/1/2",
            "models:/forest@", "models:/@champion", "models:/a:b/1", "models:/forest/Nowhere",
            "models:/m-123", "runs:/abc/model", "models:/forest/-1", "models:/forest/1 ",
            "models:/\x00/1", "m" * 10_000)
REGISTRY = [
    *[call(f"the URI {uri[:40]!r}", "ResolveModel", 102, "invalid_argument", uri=uri)
      for uri in BAD_URIS],
    *[call(f"{uri} that doesn't exist", "ResolveModel", 104, "not_found", uri=uri)
      for uri in ("models:/forest/3", "models:/wood/1", "models:/forest@nobody",
                  "models:/forest/Production", f"models:/m-{'0' * 32}")],
    call("a version that doesn't exist", "GetModelVersion", 104, "not_found", name="forest",
         version=99),
    call("version 2^64-1", "GetModelVersion", 104, "not_found", name="forest", version=2**64 - 1),
    call("a model that doesn't exist", "GetRegisteredModel", 104, "not_found", name="wood"),
    call("a taken model name", "CreateRegisteredModel", 106, "already_exists", name="forest"),
    *[call(f"the model name {name[:12]!r}", "CreateRegisteredModel", code, error, name=name)
      for name, code, error in (("a/b", 102, "invalid_argument"), ("a:b", 102, "invalid_argument"),
                                ("", 102, "invalid_argument"), (" a", 102, "invalid_argument"),
                                ("..", 102, "invalid_argument"),
                                ("n" * 501, 103, "limit_exceeded"))],
    call("a source that is missing", "CreateModelVersion", 104, "not_found", name="forest",
         source=f"tree:sha256:{'0' * 64}"),
    call("a run without artifacts as source", "CreateModelVersion", 104, "not_found",
         name="forest", source=lambda w: f"runs:/{w.run.hex()}/model"),
    call("a source that is no URI", "CreateModelVersion", 102, "invalid_argument", name="forest",
         source="/etc/passwd"),
    call("a source with ..", "CreateModelVersion", 117, "invalid_path", name="forest",
         source=lambda w: f"runs:/{w.run.hex()}/../model"),
    Row("a logged model that is pending", pending_source, 116, "incomplete"),
    call("a logged model READY without a tree", "UpdateLoggedModel", 107, "failed_precondition",
         id=lambda w: w.pending, status=2),
    call("a logged model that somebody releases", "UpdateLoggedModel", 102, "invalid_argument",
         id=lambda w: w.pending, status=4),
    call("a retention policy of nothing", "SetRetention", 102, "invalid_argument",
         rules={"last": 1}),
    call("a retention policy without a rule", "SetRetention", 102, "invalid_argument",
         subject={"experiment_id": 0}),
    call("a retention policy that keeps the best by nothing", "SetRetention", 102,
         "invalid_argument", subject={"experiment_id": 0}, rules={"best": 3}),
    call("a retention policy of no age there is", "SetRetention", 102, "invalid_argument",
         subject={"experiment_id": 0}, rules={"max_age_s": 2**64 - 1}),
    call("a retention policy of a model that is not there", "SetRetention", 104, "not_found",
         subject={"model": "none"}, rules={"last": 1}),
    Row("a retention plan of an experiment without a policy",
        retention("PlanRetention", subject={"experiment_id": 0}), 104, "not_found"),
    Row("a retention plan that is no digest",
        retention("ApplyRetention", subject={"experiment_id": 0}, plan=b"x"), 102,
        "invalid_argument"),
    Row("a maintenance task that is not known", maintain(1, 99), 102, "invalid_argument"),
    Row("a purge of nothing", purge(), 102, "invalid_argument"),
    Row("a purge by name and by age", purge(run_ids=[bytes(16)], deleted_for_s=1), 102,
        "invalid_argument"),
    Row("a purge of a run with 3 bytes", purge(run_ids=[b"abc"]), 102, "invalid_argument"),
    Row("a purge of too many runs", purge(run_ids=[bytes(16)] * 1_001), 103, "limit_exceeded"),
    call("a remote whose name is none", "AddRemote", 102, "invalid_argument", name="../x",
         address="s3://models/"),
    call("a remote at no address", "AddRemote", 102, "invalid_argument", name="x", address="\0"),
    call("a remote that is a folder", "AddRemote", 108, "permission_denied", name="x",
         address="file:///etc"),
    Row("an exchange with nobody", exchange(remote="nobody", action=1), 104, "not_found"),
    Row("an exchange of no kind", exchange(remote="nobody"), 102, "invalid_argument"),
    Row("an exchange of a kind to come", exchange(remote="nobody", action=99), 102,
        "invalid_argument"),
    call("an unknown stage", "TransitionStage", 102, "invalid_argument", name="forest",
         version=1, stage="Limbo"),
    call("a stage for a version that doesn't exist", "TransitionStage", 104, "not_found",
         name="forest", version=99, stage="Production"),
    *[call(f"the alias {alias[:9]!r}", "SetAlias", code, error, name="forest", alias=alias,
           version=1)
      for alias, code, error in (("latest", 102, "invalid_argument"),
                                 ("v1", 102, "invalid_argument"),
                                 ("a b", 102, "invalid_argument"), ("", 102, "invalid_argument"),
                                 ("a" * 256, 103, "limit_exceeded"))],
    call("an alias for a version that doesn't exist", "SetAlias", 104, "not_found",
         name="forest", alias="new", version=99),
    *[call(f"an alias expected at {expected}", "SetAlias", 113, "conflict", name="forest",
           alias="champion", version=2, expected_version=expected) for expected in (0, 2)],
    call("a policy that says nothing", "SetScanPolicy", 102, "invalid_argument", name="forest"),
    call("a policy of a verdict that is none", "SetScanPolicy", 102, "invalid_argument",
         name="forest", reset=["harmless"]),
    call("a policy that sets and resets a verdict", "SetScanPolicy", 102, "invalid_argument",
         name="forest", set={"safe": {"loading": True}}, reset=["safe"]),
    call("a policy of a model that doesn't exist", "SetScanPolicy", 104, "not_found",
         name="tree", reset=["safe"]),
    call("a risk accepted without a reason", "AcceptRisk", 102, "invalid_argument", name="forest",
         version=1),
    call("the risk of a version that doesn't exist", "AcceptRisk", 104, "not_found",
         name="forest", version=99, reason="read"),
    call("an acceptance withdrawn that nobody gave", "AcceptRisk", 104, "not_found",
         name="forest", version=1, withdraw=True),
    call("a lineage of nothing", "GetLineage", 102, "invalid_argument", uri="nothing"),
]

OTHER = [
    Row("an idempotency key with another request", key_with_another_request, 110,
        "idempotency_conflict"),
    Row("an idempotency key with the same request", key_with_the_same_request),
    Row("a frame torn at every byte", torn),
    Row("too many open streams", too_many_streams, 201, "overloaded"),
    Row("room again after too many streams", streams_again_after_too_many),
    Row("a cancel of a finished stream", cancel_of_a_finished_stream),
    Row("a cancel of an open stream", cancel, 112, "cancelled"),
    Row("data for a stream that has failed", late_data),
    Row("a ping", ping),
    Row("a field that nobody knows", unknown_field),
    Row("a deadline that passes", deadline, 111, "deadline_exceeded"),
]

ROWS = FRAMES + MESSAGES + TRACKING + ARTIFACTS + REGISTRY + OTHER


def perform(world, row):
    """Does what the row says and checks the answer."""
    if row.code is None:
        row.act(world)
        return
    with pytest.raises(LinajeError) as caught:
        row.act(world)
    error = caught.value
    assert (error.code, error.name) == (row.code, row.error), str(error)
    first_word = error.message.split()[0]
    assert not first_word[0].isupper() or first_word in METHODS, error.message


@pytest.fixture(scope="module")
def world(shared_daemon):
    """The rows' daemon, warmed up: allocators and code that is loaded late have grown already."""
    world = World(shared_daemon)
    for _ in range(2):
        for row in ROWS:
            try:
                row.act(world)
            except (LinajeError, AssertionError):
                pass
    return world


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name.replace("\0", "NUL"))
def test_bad_input(world, row):
    pid, grown = world.client.status().pid, MIB
    # An allocator may take a page run now and then; what leaks grows each time.
    for _ in range(4):
        before = world.daemon.rss()
        for _ in range(2):
            perform(world, row)
            assert world.client.status().pid == pid
        grown = world.daemon.rss() - before
        if grown < MIB:
            break
    assert grown < MIB


def test_row_names_are_unique():
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_every_mutation_needs_an_idempotency_key(shared_daemon):
    for method, (_, kind, mutation, _, _) in METHODS.items():
        if mutation and kind == "U":
            with Raw(shared_daemon) as raw, pytest.raises(LinajeError) as caught:
                raw.send(request(method, key=None)).failure()
            assert caught.value.code == 102, f"{method}: {caught.value}"


def test_a_hello_that_never_comes_is_refused_after_10_seconds(shared_daemon):
    with Raw(shared_daemon, hello=False) as raw, pytest.raises(LinajeError) as caught:
        begin = time.monotonic()
        raw.send(_frames.PREFACE[:4]).failure()
    assert caught.value.code == 7
    assert 9 < time.monotonic() - begin < 12
