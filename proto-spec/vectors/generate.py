#!/usr/bin/env python3
"""Writes the golden vectors of Linaje's protocol and storage formats.

An implementation of its own, from PROTOCOL.md, STORAGE.md, ERRORS.md and the .proto files alone,
with nothing but the standard library: a mistake in the daemon or in a client is then not repeated
here. `python3 generate.py` writes the files; `python3 generate.py --check` fails when they differ.
"""

import base64
import hashlib
import json
import pathlib
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
MASK64 = (1 << 64) - 1


def sha(data):
    return hashlib.sha256(data).digest()


# --- Protocol Buffers ---------------------------------------------------------------------------
# A message is a list of (field number, kind, value), in the order of the numbers. Values that are
# the default are written where the field is optional or of a oneof: kinds ending in "!" say so.

ENUMS = {
    "LeaseKind": ["LEASE_KIND_UNSPECIFIED", "LEASE_KIND_DETACHED", "LEASE_KIND_PROCESS",
                  "LEASE_KIND_HEARTBEAT"],
    "RunStatus": ["RUN_STATUS_UNSPECIFIED", "RUN_STATUS_RUNNING", "RUN_STATUS_SCHEDULED",
                  "RUN_STATUS_FINISHED", "RUN_STATUS_FAILED", "RUN_STATUS_KILLED",
                  "RUN_STATUS_STALLED"],
    "EndReason": ["END_REASON_UNSPECIFIED", "END_REASON_EXITED", "END_REASON_SIGNALED",
                  "END_REASON_OUT_OF_MEMORY", "END_REASON_MACHINE_RESTARTED",
                  "END_REASON_NOT_STARTED"],
    "EndSource": ["END_SOURCE_UNSPECIFIED", "END_SOURCE_PARENT", "END_SOURCE_KERNEL"],
}

# message: {json name: (number, kind)}; a kind in capitals is a message, "*" repeated, "%" a map of
# texts, "!" written even when it is the default, "#" an enum, "p" packed varints.
MESSAGES = {
    "ClientHello": {"minorVersion": (1, "uint"), "agent": (2, "string"), "pid": (3, "uint"),
                    "processStart": (4, "uint64"), "features": (5, "string*")},
    "Limits": {"frameBytes": (1, "uint"), "requestBytes": (2, "uint"),
               "concurrentStreams": (3, "uint"), "batchPoints": (4, "uint"),
               "keyBytes": (5, "uint"), "pathBytes": (6, "uint")},
    "ServerHello": {"minorVersion": (1, "uint"), "agent": (2, "string"), "instance": (3, "bytes"),
                    "limits": (4, "Limits"), "connectionCredit": (5, "uint"),
                    "streamCredit": (6, "uint"), "principal": (7, "string"), "role": (8, "string"),
                    "features": (9, "string*")},
    "CallHeader": {"deadlineMs": (1, "uint"), "idempotencyKey": (2, "bytes"),
                   "traceparent": (3, "string"), "token": (4, "string")},
    "Credit": {"bytes": (1, "uint")},
    "Ping": {"number": (1, "uint64")},
    "GoAway": {"lastStream": (1, "uint"), "reason": (2, "string")},
    "Failure": {"code": (1, "uint"), "name": (2, "string"), "message": (3, "string"),
                "retryable": (4, "bool"), "details": (5, "string%")},
    "Tag": {"key": (1, "string"), "value": (2, "string")},
    "Param": {"key": (1, "string"), "stringValue": (2, "string!"), "intValue": (3, "sint64!"),
              "doubleValue": (4, "double!"), "boolValue": (5, "bool!")},
    "Lease": {"kind": (1, "#LeaseKind"), "heartbeatTimeoutS": (2, "uint"), "pid": (3, "uint")},
    "GitState": {"commit": (1, "string"), "branch": (2, "string"), "remote": (3, "string"),
                 "dirty": (4, "bool"), "diffArtifact": (5, "string")},
    "Provenance": {"git": (1, "GitState"), "entryPoint": (2, "string"), "argv": (3, "string*")},
    "CreateRunRequest": {"id": (1, "bytes"), "experimentId": (2, "int64"), "name": (3, "string"),
                         "user": (4, "string"), "parentId": (5, "bytes"),
                         "startedAtUs": (6, "int64"), "tags": (7, "Tag*"),
                         "params": (8, "Param*"), "provenance": (9, "Provenance"),
                         "lease": (10, "Lease"), "status": (11, "#RunStatus")},
    "ProcessEnd": {"reason": (1, "#EndReason"), "source": (2, "#EndSource"),
                   "exitCode": (3, "uint!"), "signal": (4, "uint!"), "coreDumped": (5, "bool"),
                   "memoryLimitBytes": (6, "uint64!"), "peakMemoryBytes": (7, "uint64!"),
                   "durationUs": (8, "uint64!"), "userTimeUs": (9, "uint64!"),
                   "systemTimeUs": (10, "uint64!"), "lastErrors": (11, "string*")},
    "UpdateRunRequest": {"id": (1, "bytes"), "status": (2, "#RunStatus!"),
                         "processEnd": (7, "ProcessEnd"), "asWish": (8, "bool")},
    "Series": {"key": (1, "string"), "modelId": (2, "bytes"), "datasetName": (3, "string"),
               "datasetDigest": (4, "string")},
    "MetricBatch": {"sequence": (1, "uint64"), "series": (2, "Series*"),
                    "seriesIndex": (3, "fixed32*"), "step": (4, "sfixed64*"),
                    "timeUs": (5, "sfixed64*"), "value": (6, "fdouble*")},
    "MetricAck": {"durableThrough": (1, "uint64")},
    "StreamMetricsRequest": {"runId": (1, "bytes"), "writerId": (2, "bytes"),
                             "replay": (3, "bool")},
    "MetricPoints": {"series": (1, "Series"), "step": (2, "sfixed64*"), "timeUs": (3, "sfixed64*"),
                     "value": (4, "fdouble*"), "missed": (5, "uint64")},
    "MetricPoint": {"step": (1, "sint64"), "timeUs": (2, "int64"), "value": (3, "double")},
    "SetAliasRequest": {"name": (1, "string"), "alias": (2, "string"), "version": (3, "uint64"),
                        "expectedVersion": (4, "uint64!")},
    "Done": {},
    "GetStatusRequest": {},
    "LatencyHistogram": {"upperBoundUs": (1, "puint64*"), "cumulativeCount": (2, "puint64*"),
                         "count": (3, "uint64"), "sumUs": (4, "uint64")},
}


def varint(number):
    number &= MASK64
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def tag(number, wire):
    return varint(number << 3 | wire)


def delimited(number, data):
    return tag(number, 2) + varint(len(data)) + data


def real(value):
    return float({"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf"}.get(value, value))


def double_bytes(value):
    # The NaN of every vector is the quiet one without a payload.
    return bytes.fromhex("000000000000f87f") if value == "NaN" else struct.pack("<d", real(value))


def scalar(number, kind, value, present):
    if kind == "string":
        return delimited(number, value.encode()) if value or present else b""
    if kind == "bytes":
        data = base64.b64decode(value)
        return delimited(number, data) if data or present else b""
    if kind == "double":
        data = double_bytes(value)
        return tag(number, 1) + data if data != bytes(8) or present else b""
    if kind.startswith("#"):
        whole = ENUMS[kind[1:]].index(value)
    elif kind == "sint64":
        whole = int(value)
        whole = whole << 1 if whole >= 0 else (-whole << 1) - 1
    else:
        whole = int(value)
    return tag(number, 0) + varint(whole) if whole or present else b""


def encode(name, fields):
    """The bytes of a message from its proto3 JSON form: fields in the order of their numbers."""
    table = MESSAGES[name]
    out = b""
    for field in sorted(fields, key=lambda each: table[each][0]):
        number, kind = table[field]
        value = fields[field]
        if kind == "fixed32*":
            out += delimited(number, b"".join(struct.pack("<I", int(each)) for each in value))
        elif kind == "sfixed64*":
            out += delimited(number, b"".join(struct.pack("<q", int(each)) for each in value))
        elif kind == "fdouble*":
            out += delimited(number, b"".join(double_bytes(each) for each in value))
        elif kind == "puint64*":
            out += delimited(number, b"".join(varint(int(each)) for each in value))
        elif kind.endswith("%"):
            for key, text in sorted(value.items()):
                out += delimited(number, scalar(1, "string", key, True)
                                 + scalar(2, "string", text, True))
        elif kind.endswith("*"):
            kind = kind[:-1]
            for each in value:
                out += (delimited(number, encode(kind, each)) if kind in MESSAGES
                        else scalar(number, kind, each, True))
        elif kind in MESSAGES:
            out += delimited(number, encode(kind, value))
        else:
            out += scalar(number, kind.rstrip("!"), value, kind.endswith("!"))
    return out


def b64(data):
    return base64.b64encode(data).decode()


# --- Frames -------------------------------------------------------------------------------------

PREFACE = b"LNJE\r\n\x1a\x01"
TYPES = ["", "hello", "request", "response", "data", "end", "error", "credit", "ping", "pong",
         "cancel", "goaway"]
END = 1
RUN = bytes(range(16))
WRITER = bytes(range(16, 32))
KEY = bytes(range(32, 48))

HELLO = {"minorVersion": 0, "agent": "linaje-vectors/1", "pid": 4711, "processStart": "123456789",
         "features": ["zstd-data"]}
SERVER_HELLO = {
    "minorVersion": 0, "agent": "linajed/0.1.0", "instance": b64(bytes(range(48, 64))),
    "limits": {"frameBytes": 4194304, "requestBytes": 1048576, "concurrentStreams": 128,
               "batchPoints": 16384, "keyBytes": 250, "pathBytes": 1024},
    "connectionCredit": 32768, "streamCredit": 262144, "principal": "uid:1000", "role": "writer"}
CALL_HEADER = {"deadlineMs": 30000, "idempotencyKey": b64(KEY),
               "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
CREATE_RUN = {
    "id": b64(RUN), "experimentId": "0", "name": "café", "user": "ada",
    "startedAtUs": "1700000000000000",
    "tags": [{"key": "team", "value": "vision"}, {"key": "empty"}],
    "params": [{"key": "optimizer", "stringValue": "sgd"}, {"key": "layers", "intValue": "-3"},
               {"key": "zero", "intValue": "0"},
               {"key": "low", "intValue": "-9223372036854775808"},
               {"key": "rate", "doubleValue": 0.001}, {"key": "nan", "doubleValue": "NaN"},
               {"key": "resume", "boolValue": False}, {"key": "no text", "stringValue": ""}],
    "provenance": {"git": {"commit": "0123456789abcdef0123456789abcdef01234567", "branch": "main",
                           "dirty": True, "diffArtifact": "linaje/diff.patch"},
                   "entryPoint": "train.py", "argv": ["train.py", "--epochs", "3"]},
    "lease": {"kind": "LEASE_KIND_PROCESS"}, "status": "RUN_STATUS_RUNNING"}
BATCH_TWO = {
    "sequence": "2",
    "series": [{"key": "loss"},
               {"key": "accuracy", "modelId": b64(bytes(range(64, 80))), "datasetName": "test",
                "datasetDigest": "sha256:00"}],
    "seriesIndex": [0, 1, 0, 0, 1, 0],
    "step": ["-1", "0", "1", "9223372036854775807", "-9223372036854775808", "2"],
    "timeUs": ["1700000000000000", "1700000000000001", "1700000000000002", "-1", "0",
               "1700000000000003"],
    "value": [0.5, "NaN", "Infinity", "-Infinity", -0.0, 5e-324]}
BATCH_ONE = {"sequence": "1", "series": [{"key": "loss"}], "step": ["0", "1", "2"],
             "timeUs": ["1700000000000000", "1700000000001000", "1700000000002000"],
             "value": [1.0, 0.5, 0.25]}
FAILURE = {"code": 104, "name": "not_found",
           "message": "run 000102030405060708090a0b0c0d0e0f does not exist; check its id",
           "details": {"run_id": RUN.hex()}}


def frame(kind, stream=0, flags=0, opcode=0, payload=b"", length=None):
    size = len(payload) if length is None else length
    number = TYPES.index(kind) if isinstance(kind, str) else kind
    return struct.pack(">IIBBH", size, stream, number, flags, opcode) + payload


def request_payload(header, name, fields):
    head = encode("CallHeader", header)
    return struct.pack(">H", len(head)) + head + encode(name, fields)


def frames():
    good = []

    def add(name, kind, stream=0, flags=0, opcode=0, payload=b"", **meaning):
        good.append({"name": name, "hex": frame(kind, stream, flags, opcode, payload).hex(),
                     "length": len(payload), "stream": stream, "type": kind,
                     "typeNumber": TYPES.index(kind), "flags": flags, "opcode": opcode,
                     "payload": payload.hex(), **meaning})

    add("hello of a client", "hello", payload=encode("ClientHello", HELLO),
        message="ClientHello", json=HELLO)
    add("hello of a server", "hello", payload=encode("ServerHello", SERVER_HELLO),
        message="ServerHello", json=SERVER_HELLO)
    add("request CreateRun, with end", "request", 1, END, 0x0301,
        request_payload(CALL_HEADER, "CreateRunRequest", CREATE_RUN),
        header=CALL_HEADER, message="CreateRunRequest", json=CREATE_RUN)
    opening = {"runId": b64(RUN), "writerId": b64(WRITER)}
    add("request StreamMetrics, data follows", "request", 3, 0, 0x0401,
        request_payload({}, "StreamMetricsRequest", opening),
        header={}, message="StreamMetricsRequest", json=opening)
    add("request GetStatus: empty header, empty message", "request", 5, END, 0x0101, bytes(2),
        header={}, message="GetStatusRequest", json={})
    add("response, the stream goes on", "response", 3, 0, 0x0401, b"", message="Done", json={})
    add("response, the stream is over", "response", 4294967295, END, 0x0305, b"",
        message="Done", json={})
    add("data with a metric batch", "data", 3, payload=encode("MetricBatch", BATCH_ONE),
        message="MetricBatch", json=BATCH_ONE)
    add("data with raw bytes", "data", 7, payload=bytes([0, 255, 10, 13]))
    add("data without bytes", "data", 7)
    add("end", "end", 3)
    add("error of a stream", "error", 9, payload=encode("Failure", FAILURE),
        message="Failure", json=FAILURE)
    fatal = {"code": 2, "name": "bad_frame", "message": "frame type 12 is not known"}
    add("error of the connection", "error", payload=encode("Failure", fatal),
        message="Failure", json=fatal)
    add("credit of the connection", "credit", payload=encode("Credit", {"bytes": 4161536}),
        message="Credit", json={"bytes": 4161536})
    add("credit of a stream", "credit", 3, payload=encode("Credit", {"bytes": 2147483647}),
        message="Credit", json={"bytes": 2147483647})
    add("ping", "ping", payload=encode("Ping", {"number": "18446744073709551615"}),
        message="Ping", json={"number": "18446744073709551615"})
    add("pong", "pong", payload=encode("Ping", {"number": "18446744073709551615"}),
        message="Ping", json={"number": "18446744073709551615"})
    add("cancel", "cancel", 3)
    going = {"lastStream": 41, "reason": "the daemon is shutting down"}
    add("goaway", "goaway", payload=encode("GoAway", going), message="GoAway", json=going)

    bad = []

    def refuse(name, error, error_name, data):
        bad.append({"name": name, "hex": data.hex(), "error": error, "errorName": error_name})

    refuse("length over the limit", 3, "frame_too_large", frame("data", 1, length=4194305))
    refuse("length 2^32-1", 3, "frame_too_large", frame("data", 1, length=0xFFFFFFFF))
    refuse("type 0", 2, "bad_frame", frame(0))
    refuse("type 12", 2, "bad_frame", frame(12))
    refuse("type 255", 2, "bad_frame", frame(255))
    for kind in TYPES[1:]:
        allowed = END if kind in ("request", "response") else 0
        for bit in range(8):
            if not 1 << bit & allowed and bit in (0, 1, 7):
                refuse(f"{kind} with flag bit {bit}", 2, "bad_frame",
                       frame(kind, 0, 1 << bit))
        if not allowed:
            refuse(f"{kind} with an opcode", 2, "bad_frame", frame(kind, 0, 0, 0x0101))
    return {"preface": PREFACE.hex(), "frames": good, "malformed": bad,
            "conversations": conversations()}


def conversations():
    """Whole byte streams of a client, from the first byte on, and the error they end in."""
    out = []
    hello = PREFACE + frame("hello", payload=encode("ClientHello", HELLO))
    status = frame("request", 1, END, 0x0101, bytes(2))

    def case(name, data, error, error_name, scope, stream=0, otherwise=None):
        allowed = [error] + ([otherwise] if otherwise else [])
        out.append({"name": name, "hex": data.hex(), "error": error, "errorName": error_name,
                    "allowed": allowed, "ends": scope, "stream": stream})

    case("an HTTP request instead of the preface", b"GET / HTTP/1.1\r\n\r\n", 1, "bad_preface",
         "connection")
    case("line ends changed on the way", b"LNJE\n\n\x1a\x01", 1, "bad_preface", "connection")
    case("major version 2", b"LNJE\r\n\x1a\x02", 4, "version_unsupported", "connection")
    case("major version 0", b"LNJE\r\n\x1a\x00", 4, "version_unsupported", "connection")
    case("a request before hello", PREFACE + status, 2, "bad_frame", "connection")
    case("a second hello", hello + frame("hello", payload=encode("ClientHello", HELLO)), 2,
         "bad_frame", "connection")
    case("a frame type that is not known", hello + frame(12), 2, "bad_frame", "connection")
    case("a reserved flag", hello + frame("request", 1, END | 2, 0x0101, bytes(2)), 2, "bad_frame",
         "connection")
    case("a length over the limit", hello + frame("request", 1, END, 0x0101, length=4194305), 3,
         "frame_too_large", "connection")
    case("a response from a client", hello + frame("response", 1, END, 0x0101), 2, "bad_frame",
         "connection")
    case("an even stream", hello + frame("request", 2, END, 0x0101, bytes(2)), 6, "bad_stream",
         "connection")
    case("a request on stream 0", hello + frame("request", 0, END, 0x0101, bytes(2)), 6,
         "bad_stream", "connection")
    case("a stream used twice", hello + status + status, 6, "bad_stream", "connection")
    case("a stream lower than one before",
         hello + frame("request", 3, END, 0x0101, bytes(2)) + status, 6, "bad_stream",
         "connection")
    case("data for a stream that was never opened", hello + frame("data", 1, payload=b"x"), 6,
         "bad_stream", "connection")
    opening = request_payload({}, "StreamMetricsRequest",
                              {"runId": b64(RUN), "writerId": b64(WRITER)})
    case("data after request with end", hello + status + frame("data", 1, payload=b"x"), 2,
         "bad_frame", "connection", otherwise=6)
    put = hello + frame("request", 1, 0, 0x0502, bytes(2))
    case("data after end", put + frame("end", 1) + frame("data", 1, payload=b"x"), 2, "bad_frame",
         "connection", otherwise=6)
    case("an unknown opcode", hello + frame("request", 1, END, 0x7FFF, bytes(2)), 100,
         "unknown_method", "stream", 1)
    case("a request of one byte", hello + frame("request", 1, END, 0x0101, b"\0"), 101,
         "bad_message", "stream", 1)
    case("a header longer than the payload",
         hello + frame("request", 1, END, 0x0101, b"\0\x05\x08\x01"), 101, "bad_message",
         "stream", 1)
    case("a header that is no CallHeader",
         hello + frame("request", 1, END, 0x0101, b"\0\x02\x0a\x05"), 101, "bad_message",
         "stream", 1)
    case("a message that is no GetRunRequest",
         hello + frame("request", 1, END, 0x0302, b"\0\0\x0a\xff"), 101, "bad_message",
         "stream", 1)
    case("a run that does not exist", hello + frame("request", 1, 0, 0x0401, opening), 104,
         "not_found", "stream", 1)
    case("a change without an idempotency key",
         hello + frame("request", 1, END, 0x0301,
                       request_payload({}, "CreateRunRequest", CREATE_RUN)), 102,
         "invalid_argument", "stream", 1)
    return out


def messages():
    out = []

    def add(name, message, fields):
        out.append({"name": name, "message": message, "hex": encode(message, fields).hex(),
                    "json": fields})

    add("client hello", "ClientHello", HELLO)
    add("client hello that says nothing", "ClientHello", {})
    add("server hello", "ServerHello", SERVER_HELLO)
    add("call header", "CallHeader", CALL_HEADER)
    add("call header with a token", "CallHeader", {"token": "t0k€n"})
    add("create run", "CreateRunRequest", CREATE_RUN)
    add("create run in experiment -1 (refused by the daemon, legal on the wire)",
        "CreateRunRequest", {"experimentId": "-1"})
    add("end a run whose process ran out of memory", "UpdateRunRequest",
        {"id": b64(RUN), "status": "RUN_STATUS_FAILED", "processEnd": {
            "reason": "END_REASON_OUT_OF_MEMORY", "source": "END_SOURCE_PARENT", "signal": 9,
            "memoryLimitBytes": "67108864", "peakMemoryBytes": "66060288", "userTimeUs": "0",
            "lastErrors": ["", "Killed"]}})
    add("open a metric stream", "StreamMetricsRequest",
        {"runId": b64(RUN), "writerId": b64(WRITER), "replay": True})
    add("metric batch of one series", "MetricBatch", BATCH_ONE)
    add("metric batch of two series with NaN, infinities, extreme steps", "MetricBatch", BATCH_TWO)
    add("metric ack", "MetricAck", {"durableThrough": "18446744073709551615"})
    add("metric ack of nothing", "MetricAck", {})
    add("metric points", "MetricPoints",
        {"series": {"key": "loss"}, "step": ["0", "1"], "timeUs": ["5", "6"],
         "value": [0.25, "NaN"]})
    add("metric point with a negative step", "MetricPoint",
        {"step": "-5", "timeUs": "-7", "value": 1.5})
    add("latency histogram, packed varints", "LatencyHistogram",
        {"upperBoundUs": ["10", "150", "100000000"],
         "cumulativeCount": ["1", "300", "18446744073709551614"],
         "count": "18446744073709551615", "sumUs": "1"})
    add("failure", "Failure", FAILURE)
    add("failure of a number nobody knows", "Failure",
        {"code": 4000000000, "name": "from_the_future", "message": "?", "retryable": True})
    add("credit", "Credit", {"bytes": 32768})
    add("ping", "Ping", {"number": "1"})
    add("goaway", "GoAway", {"lastStream": 41, "reason": "the daemon is shutting down"})
    add("alias only if it does not exist", "SetAliasRequest",
        {"name": "iris", "alias": "champion", "version": "2", "expectedVersion": "0"})
    add("alias in any case", "SetAliasRequest",
        {"name": "iris", "alias": "champion", "version": "2"})
    call = request_payload(CALL_HEADER, "CreateRunRequest", CREATE_RUN)
    ping = encode("Ping", {"number": "7"})
    return {
        "messages": out,
        "requestPayloads": [
            {"name": "create run", "hex": call.hex(),
             "headerLength": struct.unpack(">H", call[:2])[0], "header": CALL_HEADER,
             "message": "CreateRunRequest", "json": CREATE_RUN},
            {"name": "nothing at all", "hex": "0000", "headerLength": 0, "header": {},
             "message": "GetStatusRequest", "json": {}}],
        "tolerated": [
            {"name": "an unknown field of each wire type is ignored", "message": "Ping",
             "hex": (tag(1000, 0) + varint(5) + ping + tag(1001, 1) + bytes(8)
                     + delimited(1002, b"later") + tag(1003, 5) + bytes(4)).hex(),
             "json": {"number": "7"}},
            {"name": "the last value of a field counts", "message": "Ping",
             "hex": (encode("Ping", {"number": "3"}) + ping).hex(), "json": {"number": "7"}},
            {"name": "a repeated number that is not packed", "message": "MetricPoints",
             "hex": (tag(2, 1) + struct.pack("<q", 5) + tag(2, 1) + struct.pack("<q", -6)).hex(),
             "json": {"step": ["5", "-6"]}}],
        "broken": [
            {"name": "a varint without end", "message": "Ping", "hex": "08ff"},
            {"name": "a varint of 11 bytes", "message": "Ping", "hex": "08" + "ff" * 10 + "01"},
            {"name": "a length past the end", "message": "GoAway", "hex": "12057465"},
            {"name": "text that is not UTF-8", "message": "GoAway", "hex": "1202c328"},
            {"name": "field number 0", "message": "Ping", "hex": "0001"},
            {"name": "wire type 7", "message": "Ping", "hex": "0f"},
            {"name": "packed doubles of 7 bytes", "message": "MetricPoints",
             "hex": "2207" + "00" * 7}],
    }


# --- Trees --------------------------------------------------------------------------------------

TREE_HEADER = b"linaje tree 1\n"


def tree_text(entries):
    out = TREE_HEADER
    for mode, content, path in sorted(entries, key=lambda entry: entry[2].encode()):
        out += (f"{mode} {sha(content).hex()} {len(content)} ".encode() + path.encode() + b"\0")
    return out


def trees():
    good = []

    def add(name, entries):
        text = tree_text(entries)
        good.append({
            "name": name, "canonical": text.hex(), "digest": sha(text).hex(),
            "entries": [{"mode": mode, "path": path, "size": len(content),
                         "sha256": sha(content).hex(), "content": content.hex()}
                        for mode, content, path in entries]})

    add("no files", [])
    add("one file", [("100644", b"hello\n", "hello.txt")])
    add("an empty file", [("100644", b"", "empty")])
    add("all three modes", [("100755", b"#!/bin/sh\n", "run.sh"),
                            ("120000", b"weights/model.bin", "latest"),
                            ("100644", bytes(range(256)), "weights/model.bin")])
    add("order is by bytes, not by parts",
        [("100644", b"1", "a/b"), ("100644", b"2", "a-b"), ("100644", b"3", "a.b"),
         ("100644", b"4", "a0"), ("100644", b"5", "A"), ("100644", b"6", "a/b.c"),
         ("100644", b"7", "é"), ("100644", b"8", "z"), ("100644", b"9", "\U0001f600"),
         ("100644", b"0", "\uff21")])
    add("paths need no escapes",
        [("100644", b"x", "with space"), ("100644", b"y", "with\nnewline"),
         ("100644", b"z", "...")])
    add("composed and decomposed letters are two files",
        [("100644", b"1", "\u00e9"), ("100644", b"2", "e\u0301")])
    one = ("100644 " + sha(b"x").hex() + " 1 ").encode()
    bad = []

    def refuse(name, text):
        bad.append({"name": name, "canonical": text.hex()})

    refuse("no header", one + b"a\0")
    refuse("another version", b"linaje tree 2\n" + one + b"a\0")
    refuse("no NUL at the end", TREE_HEADER + one + b"a")
    refuse("an upper-case digest", TREE_HEADER + one.upper() + b"a\0")
    refuse("a size with a leading zero", TREE_HEADER + one.replace(b" 1 ", b" 01 ") + b"a\0")
    refuse("a size with a sign", TREE_HEADER + one.replace(b" 1 ", b" +1 ") + b"a\0")
    refuse("a mode that does not exist", TREE_HEADER + one.replace(b"100644", b"100600") + b"a\0")
    refuse("out of order", TREE_HEADER + one + b"b\0" + one + b"a\0")
    refuse("the same path twice", TREE_HEADER + one + b"a\0" + one + b"a\0")
    refuse("below a file", TREE_HEADER + one + b"a\0" + one + b"a/b\0")
    refuse("below a file, with another between them",
           TREE_HEADER + one + b"a\0" + one + b"a.b\0" + one + b"a/b\0")
    for path in (b"", b"/a", b"a/", b"a//b", b".", b"..", b"a/../b", b"./a", b"\xc3\x28",
                 b"a" * 1025):
        refuse(f"path {path[:8]!r}{'…' if len(path) > 8 else ''}", TREE_HEADER + one + path + b"\0")
    return {"trees": good, "malformed": bad}


# --- Chunks -------------------------------------------------------------------------------------

GEAR = [int.from_bytes(sha(b"linaje gear 1\n" + bytes([byte]))[:8], "big") for byte in range(256)]
CHUNK_MIN, CHUNK_NORMAL, CHUNK_MAX = 16 << 10, 64 << 10, 256 << 10
EARLY_MASK = (1 << 18) - 1 << 46
LATE_MASK = (1 << 14) - 1 << 50


def splitmix64(seed):
    state = seed & MASK64
    while True:
        state = state + 0x9E3779B97F4A7C15 & MASK64
        z = state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK64
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK64
        yield z ^ z >> 31


def random_bytes(seed, length):
    source = splitmix64(seed)
    return b"".join(struct.pack("<Q", next(source)) for _ in range((length + 7) // 8))[:length]


def cut(data):
    """Lengths of the chunks of `data`."""
    lengths, start = [], 0
    while start < len(data):
        end = min(start + CHUNK_MAX, len(data))
        value, stop = 0, end
        for index in range(start + CHUNK_MIN, end):
            value = (value << 1) + GEAR[data[index]] & MASK64
            length = index + 1 - start
            if value & (EARLY_MASK if length <= CHUNK_NORMAL else LATE_MASK) == 0:
                stop = index + 1
                break
        lengths.append(stop - start)
        start = stop
    return lengths


def crafted(before, count, wanted):
    """The first `count` bytes, counted up, after which the hash, that is `before` ahead of them,
    satisfies `wanted`; no cut comes before the last of them."""
    number = 0
    while True:
        tail, value, early = number.to_bytes(count, "big"), before, False
        for index, byte in enumerate(tail):
            value = (value << 1) + GEAR[byte] & MASK64
            early = early or (index < count - 1 and value & LATE_MASK == 0)
        if not early and wanted(value):
            return {"kind": "hex", "hex": tail.hex()}
        number += 1


def make(parts):
    data = b""
    for part in parts:
        if part["kind"] == "splitmix64":
            data += random_bytes(int(part["seed"]), part["length"])
        elif part["kind"] == "byte":
            data += bytes([part["byte"]]) * part["length"]
        else:
            data += bytes.fromhex(part["hex"])
    return data


def chunks():
    def random_part(seed, length):
        return {"kind": "splitmix64", "seed": str(seed), "length": length}

    def zeros(length):
        return {"kind": "byte", "byte": 0, "length": length}

    def only_late(value):
        return value & LATE_MASK == 0 and value & EARLY_MASK != 0

    # After 64 zero bytes the hash stands still: GEAR[0] * (2^64 - 1).
    still = -GEAR[0] & MASK64
    from_minimum = crafted(0, 3, lambda value: value & EARLY_MASK == 0)
    at_normal = crafted(still, 4, only_late)

    inputs = [
        ("nothing", []),
        ("one byte", [{"kind": "hex", "hex": "2a"}]),
        ("shorter than the minimum", [random_part(1, 16383)]),
        ("exactly the minimum", [random_part(1, 16384)]),
        ("one byte over the minimum", [random_part(1, 16385)]),
        ("1 MiB of zeros", [{"kind": "byte", "byte": 0, "length": 1 << 20}]),
        ("the hash starts at 0 with byte 16,385: a cut after byte 16,387",
         [zeros(16384), from_minimum, zeros(100)]),
        ("the early mask still holds for byte 65,536: no cut there",
         [zeros(65532), at_normal, zeros(5)]),
        ("the late mask holds from byte 65,537 on: a cut after it",
         [zeros(65533), at_normal, zeros(5)]),
        ("300,000 bytes of 255", [{"kind": "byte", "byte": 255, "length": 300000}]),
        ("1,000,000 random bytes", [random_part(42, 1000000)]),
        ("the same after one byte more in front",
         [{"kind": "hex", "hex": "00"}, random_part(42, 1000000)]),
        ("a random megabyte, a hole, the same megabyte",
         [random_part(7, 1 << 20), {"kind": "byte", "byte": 0, "length": 12345},
          random_part(7, 1 << 20)]),
        ("a seed past 2^63", [random_part(MASK64, 200001)]),
    ]
    out = []
    for name, parts in inputs:
        data = make(parts)
        lengths = cut(data)
        assert sum(lengths) == len(data)
        out.append({
            "name": name, "parts": parts, "size": len(data), "sha256": sha(data).hex(),
            "lengths": lengths,
            "firstChunk": sha(data[:lengths[0]]).hex() if lengths else None,
            "lastChunk": sha(data[len(data) - lengths[-1]:]).hex() if lengths else None})
    return {"splitmix64": {"seed": "0", "outputs": [str(value) for value, _ in
                                                    zip(splitmix64(0), range(4))]},
            "gear": {"first": [f"{value:016x}" for value in GEAR[:4]], "last": f"{GEAR[255]:016x}",
                     "sha256OfTableBigEndian": sha(b"".join(value.to_bytes(8, "big")
                                                            for value in GEAR)).hex()},
            "minimum": CHUNK_MIN, "normal": CHUNK_NORMAL, "maximum": CHUNK_MAX,
            "earlyMask": f"{EARLY_MASK:016x}", "lateMask": f"{LATE_MASK:016x}", "inputs": out}


# --- Events -------------------------------------------------------------------------------------

def canonical_json(facts):
    def text(value):
        out = b'"'
        for byte in value.encode():
            if byte in b'"\\':
                out += b"\\" + bytes([byte])
            elif byte < 0x20:
                out += b"\\u00%02x" % byte
            else:
                out += bytes([byte])
        return out + b'"'

    return b"{" + b",".join(
        text(key) + b":" + (text(value) if isinstance(value, str) else str(value).encode())
        for key, value in sorted(facts.items(), key=lambda fact: fact[0].encode())) + b"}"


def events():
    facts = [
        {"at": 1700000000000000, "op": "model.create", "principal": "uid:1000", "door": "socket",
         "model": "iris"},
        {"at": 1700000000000001, "op": "version.create", "principal": "uid:1000",
         "door": "socket", "model": "iris", "version": 1, "tree": sha(TREE_HEADER).hex(),
         "source": f"runs:/{RUN.hex()}/model", "run": RUN.hex()},
        {"at": -2, "op": "version.stage", "principal": "uid:0", "door": "gateway",
         "model": "iris", "version": 1, "from": "None", "to": "Production",
         "comment": "says \"é\",\n\ttab \\ slash / DEL \x7f nul \x00 \U0001f600"}]
    previous, out = bytes(32), []
    for sequence, fact in enumerate(facts, 1):
        canonical = canonical_json(fact)
        digest = sha(b"linaje event 1\n" + previous + struct.pack(">Q", sequence) + canonical)
        out.append({"sequence": sequence, "facts": fact, "canonical": canonical.hex(),
                    "previousHash": previous.hex(), "hash": digest.hex()})
        previous = digest
    return {"events": out, "head": previous.hex()}


# --- Metric segments ----------------------------------------------------------------------------

def integer_column(values):
    base = min(values)
    spread = max(values) - base
    width = next(width for width in (0, 1, 2, 4, 8) if spread < 1 << 8 * width)
    return bytes([width]) + struct.pack("<q", base) + b"".join(
        (value - base).to_bytes(width, "little") for value in values)


def float32_exact(data):
    """The four bytes of a double when it survives the conversion bit for bit, else None."""
    try:
        short = struct.pack("<f", struct.unpack("<d", data)[0])
    except OverflowError:
        return None
    return short if struct.pack("<d", struct.unpack("<f", short)[0]) == data else None


def segment(series, points):
    out = b"LNJS" + bytes([1, 0]) + struct.pack("<HI", len(series), len(points))
    for each in series:
        key = each["key"].encode()
        model = bytes.fromhex(each.get("modelId", ""))
        name = each.get("datasetName", "").encode()
        digest = each.get("datasetDigest", "").encode()
        out += struct.pack("<H", len(key)) + key + bytes([len(model)]) + model
        out += struct.pack("<H", len(name)) + name + struct.pack("<H", len(digest)) + digest
    if len(series) > 1:
        wide = len(series) > 256
        out += b"".join(struct.pack("<H" if wide else "<B", index) for index, *_ in points)
    out += integer_column([step for _, step, _, _ in points])
    out += integer_column([time for _, _, time, _ in points])
    doubles = [double_bytes(value) for *_, value in points]
    shorts = [float32_exact(data) for data in doubles]
    if all(short is not None for short in shorts):
        out += b"\x04" + b"".join(shorts)
    else:
        out += b"\x08" + b"".join(doubles)
    return out + sha(out)[:8]


def segments():
    start = 1700000000000000
    low, high = -(1 << 63), (1 << 63) - 1
    loss = [{"key": "loss"}]
    two = [{"key": "loss"}, {"key": "acc", "modelId": bytes(range(64, 80)).hex(),
                             "datasetName": "test", "datasetDigest": "sha256:00"}]
    many = [{"key": f"m{index:03}"} for index in range(257)]
    cases = [
        ("one point: widths 0 and 0, value in 4 bytes", loss, [(0, 7, start, 0.5)]),
        ("value that needs 8 bytes", loss, [(0, 7, start, 0.1)]),
        ("widths 1 (steps 0, 255) and 2 (times 0, 256)", loss,
         [(0, 0, start, 1.0), (0, 255, start + 256, 2.0)]),
        ("widths 2 (steps 0, 65535) and 4 (times 0, 65536)", loss,
         [(0, 65535, start + 65536, 1.0), (0, 0, start, -2.5)]),
        ("widths 4 (steps) and 8 (times)", loss,
         [(0, (1 << 32) - 1, 0, 1.0), (0, 0, 1 << 32, 1.0)]),
        ("widest spread: the difference wraps around", loss,
         [(0, low, high, 1.0), (0, high, low, 1.0), (0, -1, 0, 1.0)]),
        ("NaN, infinities and minus zero survive in 4 bytes", loss,
         [(0, index, start, value) for index, value in
          enumerate(["NaN", "Infinity", "-Infinity", -0.0])]),
        ("the smallest double needs 8 bytes, NaN beside it", loss,
         [(0, 0, start, 5e-324), (0, 1, start, "NaN")]),
        ("a double too large for 4 bytes", loss, [(0, 0, start, 1e300), (0, 1, start, 1.0)]),
        ("two series, points in the order of arrival", two,
         [(0, 1, start, 0.5), (1, 1, start + 1, 0.75), (0, 0, start + 2, 0.25)]),
        ("257 series: the index has 2 bytes", many,
         [(0, 1, start, 1.0), (256, 1, start, 2.0), (1, 1, start, 3.0)]),
    ]
    return {"segments": [
        {"name": name, "hex": segment(series, points).hex(),
         "series": series,
         "points": [{"series": index, "step": str(step), "timeUs": str(time), "value": value,
                     "valueBits": double_bytes(value)[::-1].hex()}
                    for index, step, time, value in points]}
        for name, series, points in cases]}


# --- Metric chunks ------------------------------------------------------------------------------

def zigzag(number):
    return varint(number << 1 if number >= 0 else (-number << 1) - 1)


def zstd_frame(plane):
    """A zstd frame of one segment, with a block for each run of one byte (RFC 8878, 3.1.1)."""
    size = len(plane)
    out = struct.pack("<I", 0xFD2FB528)
    out += bytes([0x20, size]) if size < 256 else bytes([0x60]) + struct.pack("<H", size - 256)
    start = 0
    while start < size:
        end = start
        while end < size and plane[end] == plane[start]:
            end += 1
        block = end - start << 3 | 1 << 1 | (end == size)
        out += struct.pack("<I", block)[:3] + plane[start:start + 1]
        start = end
    return out


def planes(numbers, width, forms):
    """Byte planes, each in the form that `forms` names for it."""
    out = b""
    for place in range(width):
        plane = bytes(number >> 8 * place & 0xFF for number in numbers)
        form = forms[place % len(forms)]
        if form == "repeated":
            assert len(set(plane)) == 1, "a plane that is to repeat one byte does not"
            out += b"\x02" + plane[:1]
        elif form == "zstd":
            frame = zstd_frame(plane)
            assert len(frame) <= len(plane), "a frame must not be longer than what is in it"
            out += b"\x01" + varint(len(frame)) + frame
        else:
            out += b"\x00" + plane
    return out


def chunk_integers(values, form="offsets", scale=1, width=None, forms=("plain",)):
    """A column of whole numbers; the differences wrap around at 2^64."""
    def signed(number):
        number &= MASK64
        return number - (1 << 64) if number >> 63 else number

    out = bytes([0 if form == "offsets" else 1])
    if form == "differences":
        out += zigzag(values[0])
        values = [signed(after - before) for before, after in zip(values, values[1:])]
    base = min(values, default=0)
    numbers = [(value - base & MASK64) // scale for value in values]
    assert all((base + number * scale - value) & MASK64 == 0
               for number, value in zip(numbers, values))
    if width is None:
        width = (max(numbers, default=0).bit_length() + 7) // 8
    return out + zigzag(base) + varint(scale) + bytes([width]) + planes(numbers, width, forms)


def ordered(bits, width):
    """IEEE 754 bits as a signed number, a negative one with all but its sign turned over."""
    return bits if not bits >> width - 1 else (bits ^ (1 << width - 1) - 1) - (1 << width)


def metric_chunk(steps, times, values, count):
    out = b"LNJC" + bytes([1, 0]) + varint(count) + steps + times + values
    return out + sha(out)[:8]


def metric_chunks():
    start = 1700000000000000

    def bits(value):
        return int.from_bytes(double_bytes(value), "little")

    def doubles(values, **how):
        return b"\x00" + chunk_integers([ordered(bits(each), 64) for each in values], **how)

    def floats(values, **how):
        shorts = [int.from_bytes(float32_exact(double_bytes(each)), "little") for each in values]
        return b"\x01" + chunk_integers([ordered(each, 32) for each in shorts], **how)

    def decimals(values, exponent, exceptions=(), **how):
        out = b"\x02" + bytes([exponent]) + varint(len(exceptions))
        numbers, before = [], 0
        for place, value in enumerate(values):
            if place in exceptions:
                out += varint(place - before) + double_bytes(value)
                before = place
                numbers.append(numbers[-1] if numbers else 0)
            else:
                numbers.append(round(value * 10 ** exponent))
                assert numbers[-1] / 10 ** exponent == value
        return out + chunk_integers(numbers, **how)

    low, high = -(1 << 63), (1 << 63) - 1
    counting = list(range(40))
    jitter = [start + 137000 * each + 1000 * (each * each % 5) for each in counting]
    cases = [
        ("one point", [7], [start], [0.1], chunk_integers([7]), chunk_integers([start]),
         doubles([0.1])),
        ("steps that count up are differences of no planes", counting, jitter, [2.5] * 40,
         chunk_integers(counting, "differences"),
         chunk_integers(jitter, "differences", scale=1000), floats([2.5] * 40)),
        ("widest spread: offsets and differences wrap around", [low, -1, high], [high, 0, low],
         [-1.5, 0.0, 1e300], chunk_integers([low, -1, high]),
         chunk_integers([high, 0, low], "differences"), doubles([-1.5, 0.0, 1e300])),
        ("32 bits: minus zero, infinities and NaN", [0, 1, 2, 3], [start] * 4,
         [-0.0, "Infinity", "-Infinity", "NaN"], chunk_integers([0, 1, 2, 3]),
         chunk_integers([start] * 4),
         floats([-0.0, "Infinity", "-Infinity", "NaN"])),
        ("decimals with exceptions", [0, 1, 2, 3, 4], [start] * 5, [12.5, "NaN", 0.1, -0.0, 99.9],
         chunk_integers([0, 1, 2, 3, 4]), chunk_integers([start] * 5),
         decimals([12.5, "NaN", 0.1, -0.0, 99.9], 1, exceptions=(1, 3))),
        ("an exception at the first place", [0, 1], [start] * 2, ["Infinity", 0.25],
         chunk_integers([0, 1]), chunk_integers([start] * 2),
         decimals(["Infinity", 0.25], 9, exceptions=(0,))),
        ("planes of all three forms", [each * 256 for each in counting], [start] * 40,
         [float(each // 20) for each in counting],
         chunk_integers([each * 256 for each in counting], width=3,
                        forms=("repeated", "plain", "zstd")),
         chunk_integers([start] * 40, width=1, forms=("zstd",)),
         decimals([float(each // 20) for each in counting], 0, forms=("zstd",))),
        ("300 points: frames of several blocks", [each // 100 for each in range(300)],
         [start + each for each in range(300)], [0.5] * 300,
         chunk_integers([each // 100 for each in range(300)], forms=("zstd",)),
         chunk_integers([start + each for each in range(300)], forms=("plain", "zstd")),
         doubles([0.5] * 300)),
        ("one step twice, in the order of arrival", [1, 1, 1], [start, start, start + 1],
         [3.0, 1.0, 2.0], chunk_integers([1, 1, 1]),
         chunk_integers([start, start, start + 1]), floats([3.0, 1.0, 2.0])),
    ]
    whole = metric_chunk(chunk_integers([1, 2]), chunk_integers([1, 2]), doubles([1.0, 2.0]), 2)

    def forged(body):
        return (body + sha(body)[:8]).hex()

    def with_steps(steps):
        return forged(b"LNJC" + bytes([1, 0]) + varint(2) + steps + chunk_integers([1, 2])
                      + doubles([1.0, 2.0]))

    return {"chunks": [
        {"name": name, "hex": metric_chunk(*columns, len(steps)).hex(),
         "points": [{"step": str(step), "timeUs": str(time), "value": value,
                     "valueBits": double_bytes(value)[::-1].hex()}
                    for step, time, value in zip(steps, times, values)]}
        for name, steps, times, values, *columns in cases],
        "malformed": [
        {"name": "a version that is not known", "hex": forged(b"LNJC\x02" + whole[5:-8])},
        {"name": "no points", "hex": forged(b"LNJC" + bytes([1, 0, 0]))},
        {"name": "16,385 points", "hex": forged(b"LNJC" + bytes([1, 0]) + varint(16385))},
        {"name": "bytes after the values", "hex": forged(whole[:-8] + b"\x00")},
        {"name": "a column of form 2", "hex": with_steps(b"\x02" + chunk_integers([1, 2])[1:])},
        {"name": "a width of 9", "hex": with_steps(b"\x00" + zigzag(0) + varint(1) + b"\x09")},
        {"name": "a plane of form 3",
         "hex": with_steps(b"\x00" + zigzag(0) + varint(1) + b"\x01\x03\x00\x00")},
        {"name": "a frame that is longer than its points",
         "hex": with_steps(b"\x00" + zigzag(0) + varint(1) + b"\x01\x01"
                           + varint(len(zstd_frame(b"ab"))) + zstd_frame(b"ab"))},
        {"name": "a varint of 65 bits",
         "hex": with_steps(b"\x00" + b"\xff" * 9 + b"\x03" + varint(1) + b"\x00")},
        {"name": "values of form 3",
         "hex": forged(b"LNJC" + bytes([1, 0]) + varint(2) + chunk_integers([1, 2]) * 2
                       + b"\x03")},
        {"name": "decimals of exponent 10",
         "hex": forged(b"LNJC" + bytes([1, 0]) + varint(2) + chunk_integers([1, 2]) * 2
                       + b"\x02\x0a\x00" + chunk_integers([1, 2]))},
        {"name": "an exception past the last point",
         "hex": forged(b"LNJC" + bytes([1, 0]) + varint(2) + chunk_integers([1, 2]) * 2
                       + b"\x02\x00\x01\x02" + double_bytes(1.0) + chunk_integers([1, 2]))},
        {"name": "a flipped bit", "hex": (whole[:8] + bytes([whole[8] ^ 1]) + whole[9:]).hex()},
    ]}


# --- Packs --------------------------------------------------------------------------------------

def recipe(size, parts):
    out = b"LNJR" + struct.pack("<IQI", 1, size, len(parts))
    for part in parts:
        out += sha(part) + struct.pack("<I", len(part))
    return out + sha(out)


def packs():
    first = b"the first chunk of a small file\n" * 3
    second = bytes(range(100))
    # Forty numbers of four bytes and two bytes more, in planes of runs.
    words, planes = bytes([1, 2, 3, 4] * 40 + [9, 9]), b"".join(
        bytes([each] * 40) for each in (1, 2, 3, 4)) + b"\x09\x09"
    content = first + second
    listing = recipe(len(content), [first, second])
    tree = tree_text([("100644", content, "model/data.bin"), ("100644", first, "notes.txt")])
    blobs = [(1, sha(first), first), (1, sha(second), second), (2, sha(content), listing),
             (3, sha(tree), tree)]
    body, header, entries = b"LNJPACK1", b"", []
    names = {1: "chunk", 2: "recipe", 3: "tree"}
    for kind, key, blob in blobs:
        header += struct.pack("<BBHIIQ", kind, 0, 0, len(blob), len(blob), len(body))
        header += sha(blob)[:8] + key
        entries.append({"kind": kind, "kindName": names[kind], "codec": 0, "stored": len(blob),
                        "content": len(blob), "offset": len(body), "check": sha(blob)[:8].hex(),
                        "key": key.hex()})
        body += blob
    trailer = struct.pack("<II", len(blobs), len(header)) + sha(header) + b"LNJPEND1"
    pack = body + header + trailer
    name = sha(header).hex()
    empty = recipe(0, [])
    frame = zstd_frame(planes)
    return {"packs": [{"name": "two chunks, a recipe and a tree, all stored", "hex": pack.hex(),
                       "file": f"packs/{name[:2]}/{name}.pack", "entries": entries,
                       "content": content.hex()}],
            "planes": [
                {"name": "elements of four bytes and two bytes left over", "codec": 3,
                 "hex": frame.hex(), "content": words.hex(), "key": sha(words).hex()}],
            "recipes": [
                {"name": "two chunks", "hex": listing.hex(), "size": len(content),
                 "file": sha(content).hex(),
                 "chunks": [{"sha256": sha(part).hex(), "length": len(part)}
                            for part in (first, second)]},
                {"name": "an empty file", "hex": empty.hex(), "size": 0, "file": sha(b"").hex(),
                 "chunks": []}]}


# --- Bench --------------------------------------------------------------------------------------

def bench():
    def point(seed, agent, index):
        x = next(splitmix64(seed * 1000003 + agent * 7919 + index))
        value = (x >> 11) * 2.0 ** -53
        return {"agent": agent, "index": index, "step": str(index),
                "timeUs": str(1700000000000000 + index * 1000), "value": value,
                "valueBits": struct.pack(">d", value).hex()}

    return {"key": "bench/metric",
            "seeds": [{"seed": str(seed),
                       "points": [point(seed, agent, index)
                                  for agent in (0, 1, 7) for index in (0, 1, 2, 999999)]}
                      for seed in (0, 42, MASK64)]}


FILES = {"frames.json": frames, "messages.json": messages, "trees.json": trees,
         "chunks.json": chunks, "events.json": events, "segments.json": segments,
         "metric_chunks.json": metric_chunks, "packs.json": packs, "bench.json": bench}


def main():
    stale = []
    for name, build in FILES.items():
        text = json.dumps(build(), indent=1, ensure_ascii=True) + "\n"
        path = HERE / name
        if "--check" in sys.argv[1:]:
            if not path.exists() or path.read_text() != text:
                stale.append(name)
        else:
            path.write_text(text)
    if stale:
        sys.exit(f"differ from what generate.py writes: {', '.join(stale)}")


if __name__ == "__main__":
    main()
