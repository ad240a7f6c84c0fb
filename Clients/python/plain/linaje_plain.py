"""A Linaje client in one file, from proto-spec alone: hello, a run, a batch, and back again.

    linaje_plain.py demo   --socket S [--points 1000]
    linaje_plain.py verify --socket S --seed N --agents A --run HEX … [--acked N …]

`verify` reads what `linaje bench metrics --verify` wrote. The runs stand in the agents' order:
each must hold the points 0 … n-1 of its agent exactly once, for some n of at least its `--acked`.
"""
import argparse
import io
import os
import socket
import struct
import sys

PREFACE = b"LNJE\r\n\x1a\x01"
FRAMES = {"hello": 1, "request": 2, "response": 3, "data": 4, "end": 5, "error": 6, "credit": 7,
          "ping": 8, "pong": 9, "goaway": 11}
OPCODES = {"CreateRun": 0x0301, "StreamMetrics": 0x0401, "GetMetricHistory": 0x0402}
FIELDS = {  # message: {field: (number, kind)}
    "ClientHello": {"agent": (2, "string"), "pid": (3, "int32")},
    "ServerHello": {"connection_credit": (5, "uint32"), "stream_credit": (6, "uint32")},
    "CallHeader": {"idempotency_key": (2, "bytes")},
    "Credit": {"bytes": (1, "uint32")},
    "Failure": {"code": (1, "uint32"), "name": (2, "string"), "message": (3, "string")},
    "CreateRunRequest": {"id": (1, "bytes"), "name": (3, "string")},
    "StreamMetricsRequest": {"run_id": (1, "bytes"), "writer_id": (2, "bytes")},
    "MetricStreamOpened": {"durable_through": (1, "uint64")},
    "Series": {"key": (1, "string")},
    "MetricBatch": {"sequence": (1, "uint64"), "series": (2, "Series"), "step": (4, "sfixed64"),
                    "time_us": (5, "sfixed64"), "value": (6, "double")},
    "MetricAck": {"durable_through": (1, "uint64")},
    "GetMetricHistoryRequest": {"run_id": (1, "bytes"), "keys": (2, "string")},
    "MetricPoints": {"series": (1, "Series"), "step": (2, "sfixed64"), "time_us": (3, "sfixed64"),
                     "value": (4, "double")}}
COLUMNS = {"sfixed64": "q", "double": "d"}


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes(out + bytes([number]))


def encode(message, **values):
    out = b""
    for field, (number, kind) in FIELDS[message].items():
        value = values.get(field, b"")
        if kind in COLUMNS:
            value = struct.pack(f"<{len(value)}{COLUMNS[kind]}", *value)
        elif kind == "string" and value:
            value = value.encode()
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        elif value:
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def number(file):
    value = shift = 0
    while True:
        byte = file.read(1)[0]
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value


def decode(message, data):
    names = {entry[0]: (field, entry[1]) for field, entry in FIELDS[message].items()}
    out, file = {}, io.BytesIO(data)
    while file.tell() < len(data):
        key = number(file)
        value = number(file) if key & 7 in (0, 2) else {1: 8, 5: 4}[key & 7]
        value = value if key & 7 == 0 else file.read(value)
        field, kind = names.get(key >> 3, (None, None))
        if kind in COLUMNS:
            value = struct.unpack(f"<{len(value) // 8}{COLUMNS[kind]}", value)
        elif kind == "string":
            value = value.decode()
        out[field] = decode(kind, value) if kind in FIELDS else value
    return out


class Connection:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")
        self.stream, self.credit = 1, {}
        self.socket.sendall(PREFACE)
        self.frame("hello", 0, encode("ClientHello", agent="linaje-plain/1", pid=os.getpid()))
        self.hello = decode("ServerHello", self.receive(0, "hello"))
        self.credit = {0: self.hello["connection_credit"]}

    def frame(self, kind, stream, payload=b"", flags=0, opcode=0):
        header = struct.pack(">IIBBH", len(payload), stream, FRAMES[kind], flags, opcode)
        self.socket.sendall(header + payload)

    def receive(self, stream, *wanted):
        """The payload of the next wanted frame of the stream; None for its end."""
        while True:
            header = self.file.read(12) or sys.exit("linaje_plain: the daemon hung up")
            size, number, kind, _, _ = struct.unpack(">IIBBH", header)
            payload = self.file.read(size)
            if kind == FRAMES["error"]:
                sys.exit(f"linaje_plain: the daemon answered {decode('Failure', payload)}")
            if kind == FRAMES["credit"]:
                self.credit[number] += decode("Credit", payload)["bytes"]
            if kind == FRAMES["ping"]:
                self.frame("pong", 0, payload)
            if kind in [FRAMES[each] for each in (*wanted, "end")] and number in (0, stream):
                return None if kind == FRAMES["end"] else payload

    def request(self, method, message, data_follows=False):
        header = encode("CallHeader", idempotency_key=os.urandom(16))
        payload = struct.pack(">H", len(header)) + header + message
        self.spend(0, len(payload))
        stream, self.stream = self.stream, self.stream + 2
        self.credit[stream] = self.hello["stream_credit"]
        self.frame("request", stream, payload, 0 if data_follows else 1, OPCODES[method])
        return stream, self.receive(stream, "response")

    def spend(self, stream, size):
        while self.credit[stream] < size:
            self.receive(stream, "credit")
        self.credit[stream] -= size

    def history(self, run):
        """All points of a run as (key, step, time_us, value)."""
        request = encode("GetMetricHistoryRequest", run_id=run)
        stream, _ = self.request("GetMetricHistory", request)
        while (payload := self.receive(stream, "data")) is not None:
            part = decode("MetricPoints", payload)
            self.frame("credit", stream, encode("Credit", bytes=max(1, len(payload))))
            for point in zip(part["step"], part["time_us"], part["value"]):
                yield part["series"]["key"], *point


def expected(seed, agent, i):
    """Point i of an agent, as `linaje bench metrics --verify` makes it."""
    z = (seed * 1000003 + agent * 7919 + i + 0x9E3779B97F4A7C15) % 2**64
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ z >> 27) * 0x94D049BB133111EB % 2**64
    return "bench/metric", i, 1_700_000_000_000_000 + i * 1000, ((z ^ z >> 31) >> 11) * 2.0**-53


def demo(arguments):
    connection, run = Connection(arguments.socket), os.urandom(16)
    connection.request("CreateRun", encode("CreateRunRequest", id=run, name="plain"))
    points = [expected(1, 0, i) for i in range(arguments.points)]
    opening = encode("StreamMetricsRequest", run_id=run, writer_id=os.urandom(16))
    stream, answer = connection.request("StreamMetrics", opening, data_follows=True)
    durable = decode("MetricStreamOpened", answer).get("durable_through", 0)
    batch = encode("MetricBatch", sequence=durable + 1, series=encode("Series", key=points[0][0]),
                   step=[p[1] for p in points], time_us=[p[2] for p in points],
                   value=[p[3] for p in points])
    connection.spend(0, len(batch))
    connection.spend(stream, len(batch))
    connection.frame("data", stream, batch)
    connection.frame("end", stream)
    acked = 0
    while (payload := connection.receive(stream, "data")) is not None:
        acked = decode("MetricAck", payload)["durable_through"]
    back = list(connection.history(run))
    if acked != durable + 1 or back != points:
        sys.exit(f"linaje_plain: read {len(back)} points back, not the {len(points)} sent")
    print(f"run {run.hex()}: {acked} batch of {len(points)} points durable and read back")


def verify(arguments):
    connection, total = Connection(arguments.socket), 0
    assert len(arguments.run) == arguments.agents, "give one --run for each agent"
    for agent, run in enumerate(arguments.run):
        count, acked = 0, dict(enumerate(arguments.acked)).get(agent, 0)
        for point in connection.history(bytes.fromhex(run)):
            if point != expected(arguments.seed, agent, count):
                sys.exit(f"linaje_plain: run {run}: point {count} is {point}, which is not what "
                         f"agent {agent} wrote under seed {arguments.seed}")
            count += 1
        if count < acked:
            sys.exit(f"linaje_plain: run {run}: {count} points, {acked} were acknowledged")
        total += count
    print(f"{len(arguments.run)} runs, {total} points: each exactly once, all values equal")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mode", choices=["demo", "verify"])
    parser.add_argument("--socket", required=True)
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--agents", type=int, default=1)
    parser.add_argument("--run", action="append", default=[])
    parser.add_argument("--acked", action="append", type=int, default=[])
    chosen = parser.parse_args()
    demo(chosen) if chosen.mode == "demo" else verify(chosen)
