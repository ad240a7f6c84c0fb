#!/usr/bin/env python3
"""A flavor for Linaje in plain Python, written from proto-spec/ alone: word vectors as text.

The format is that of fastText's and word2vec's .vec files: a line "COUNT DIMENSIONS", then a line for
each word with its numbers. Only the first lines are read, whatever the size of the file.

Install it with `linaje plugin install Plugins/Examples/wordvectors-python`.
"""

import struct
import sys

PREFACE = b"LNJE\r\n\x1a\x01"
HELLO, REQUEST, RESPONSE, ERROR, CREDIT, PING, PONG, CANCEL, GOAWAY = 1, 2, 3, 6, 7, 8, 9, 10, 11
END = 1
DESCRIBE_PLUGIN, DESCRIBE_MODEL, LIST_SOURCE, READ_SOURCE = 0x0B01, 0x0B02, 0x0B81, 0x0B82
FRAME_BYTES = 4 << 20
UNKNOWN_METHOD, BAD_MESSAGE, INVALID_ARGUMENT = 100, 101, 102  # proto-spec/ERRORS.md
MOST_LINE = 64 << 10


class Malformed(Exception):
    """The model is not what it should be; the message names the file."""


class UnknownMethod(Exception):
    """The daemon asks for something that came later than this program."""


# --- Protocol Buffers, as much as is needed (protobuf.dev/programming-guides/encoding) ---

def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number, value):
    """A member: a number as a varint, anything else with its length before it."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def members(data):
    """(number, value) of each member of a message."""
    position = 0

    def number():
        nonlocal position
        value = shift = 0
        while True:
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    while position < len(data):
        key = number()
        if key & 7 == 0:
            yield key >> 3, number()
        elif key & 7 == 2:
            size = number()
            yield key >> 3, data[position:position + size]
            position += size
        else:
            position += {1: 8, 5: 4}[key & 7]


# --- Frames (proto-spec/PROTOCOL.md) ---

def read(size):
    data = sys.stdin.buffer.read(size)
    if len(data) < size:
        sys.exit(0)  # The daemon has hung up.
    return data


def receive():
    """The next frame: kind, stream, opcode, payload."""
    size, stream, kind, _flags, opcode = struct.unpack(">IIBBH", read(12))
    if size > FRAME_BYTES:
        sys.exit(f"a frame of {size} bytes is too large")
    return kind, stream, opcode, read(size)


def send(kind, stream=0, opcode=0, payload=b"", flags=0):
    sys.stdout.buffer.write(
        struct.pack(">IIBBH", len(payload), stream, kind, flags, opcode) + payload)
    sys.stdout.buffer.flush()


def fail(stream, code, name, error):
    send(ERROR, stream, payload=field(1, code) + field(2, name) + field(3, str(error)))


class Source:
    """The files of the model that is asked about; each question is a request of ours."""

    stream = 0

    def __init__(self, number):
        self.number = number

    def ask(self, opcode, message):
        Source.stream += 2
        header = struct.pack(">H", 0)  # An empty CallHeader.
        send(REQUEST, Source.stream, opcode, header + message, END)
        while True:
            kind, stream, _opcode, payload = receive()
            if kind == PING:
                send(PONG, payload=payload)
            elif stream == Source.stream and kind == RESPONSE:
                return payload
            elif stream == Source.stream and kind == ERROR:
                raise Malformed(dict(members(payload)).get(3, b"").decode())

    def files(self):
        """(path, size) of each file."""
        answer = self.ask(LIST_SOURCE, field(1, self.number))
        for number, entry in members(answer):
            if number == 1:
                found = dict(members(entry))
                yield found[1].decode(), found.get(2, 0)

    def read(self, path, offset, length):
        message = field(1, self.number) + field(2, path) + field(3, offset) + field(4, length)
        return dict(members(self.ask(READ_SOURCE, message))).get(1, b"")


# --- The flavor ---

def describe(source):
    """A ModelDescription; empty when no file is of ours."""
    parts = []
    parameters = 0
    for path, size in source.files():
        if not path.endswith(".vec"):
            continue
        lines = source.read(path, 0, min(size, MOST_LINE)).split(b"\n")
        head = lines[0].split()
        if len(head) != 2 or not all(each.isdigit() and len(each) < 10 for each in head):
            raise Malformed(f'{path} does not begin with a line "COUNT DIMENSIONS"')
        count, dimensions = map(int, head)
        if len(lines) > 2 and len(lines[1].split()) != dimensions + 1:
            raise Malformed(f"{path} has {len(lines[1].split()) - 1} numbers a word, not {dimensions}")
        parameters += count * dimensions
        tensor = field(1, path) + field(2, "F32") + b"".join(
            field(3, each) for each in (count, dimensions))
        parts.append(field(4, tensor))
    if not parts:
        return b""
    flavor = field(1, field(1, "wordvectors"))
    return flavor + b"".join(parts) + field(5, min(parameters, (1 << 63) - 1))


def answer(opcode, message):
    if opcode == DESCRIBE_PLUGIN:
        return (field(1, "wordvectors") + field(2, "model flavor") + field(3, "1.0.0")
                + field(5, "wordvectors"))
    if opcode == DESCRIBE_MODEL:
        return field(1, describe(Source(dict(members(message)).get(1, 0))))
    raise UnknownMethod(f"there is no method {opcode:#06x}")


def main():
    if read(len(PREFACE)) != PREFACE:
        sys.exit("this is not the protocol of Linaje, version 1")
    receive()
    send(HELLO, payload=field(2, "wordvectors/1.0.0") + field(5, 32768))
    while True:
        kind, stream, opcode, payload = receive()
        if kind == PING:
            send(PONG, payload=payload)
        if kind != REQUEST:
            continue
        send(CREDIT, payload=field(1, max(1, len(payload))))  # What the request took, given back.
        header, = struct.unpack(">H", payload[:2])
        if 2 + header > len(payload):
            fail(stream, BAD_MESSAGE, "bad_message", "its header is longer than the request")
            continue
        try:
            send(RESPONSE, stream, opcode, answer(opcode, payload[2 + header:]), END)
        except Malformed as error:
            fail(stream, INVALID_ARGUMENT, "invalid_argument", error)
        except UnknownMethod as error:
            fail(stream, UNKNOWN_METHOD, "unknown_method", error)


if __name__ == "__main__":
    main()
