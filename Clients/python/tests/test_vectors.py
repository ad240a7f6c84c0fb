"""The codec reproduces the golden vectors."""

import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import linaje_vectors as vectors
from linaje import LinajeError, _frames, _upload, _wire

VECTORS = Path(__file__).resolve().parents[3] / "proto-spec" / "vectors"


def load(name):
    return json.loads((VECTORS / name).read_text())


FRAMES, MESSAGES, TREES = load("frames.json"), load("messages.json"), load("trees.json")


def named(entries):
    return [pytest.param(each, id=each["name"]) for each in entries]


def test_the_vectors_are_what_the_generator_writes():
    subprocess.run([sys.executable, str(VECTORS / "generate.py"), "--check"], check=True)


def test_the_preface_is_the_vectors():
    assert _frames.PREFACE.hex() == FRAMES["preface"]


@pytest.mark.parametrize("vector", named(FRAMES["frames"]))
def test_a_frame_is_read_and_written_as_the_vector_says(vector):
    data = bytes.fromhex(vector["hex"])
    frame, size = _frames.parse(bytearray(data))
    assert size == len(data)
    assert (frame.stream, _frames.NAMES[frame.type], frame.flags, frame.opcode) == (
        vector["stream"], vector["type"], vector["flags"], vector["opcode"])
    assert frame.payload.hex() == vector["payload"] and len(frame.payload) == vector["length"]
    assert _frames.encode(frame.type, frame.stream, frame.payload, frame.flags,
                          frame.opcode) == data


@pytest.mark.parametrize("vector", named(FRAMES["frames"]))
def test_a_frame_torn_anywhere_is_incomplete(vector):
    data = bytes.fromhex(vector["hex"])
    for size in range(len(data)):
        assert _frames.parse(bytearray(data[:size])) is None


@pytest.mark.parametrize("vector", named(FRAMES["malformed"]))
def test_a_malformed_header_is_refused_with_its_number(vector):
    with pytest.raises(LinajeError) as caught:
        _frames.parse(bytearray(bytes.fromhex(vector["hex"])))
    assert (caught.value.code, caught.value.name) == (vector["error"], vector["errorName"])


@pytest.mark.parametrize("vector", named(MESSAGES["messages"]))
def test_a_message_is_written_and_read_as_the_vector_says(vector):
    fields = vectors.from_json(vector["message"], vector["json"])
    data = bytes.fromhex(vector["hex"])
    assert _wire.encode(vector["message"], fields).hex() == vector["hex"]
    decoded = _wire.decode(vector["message"], data)
    assert vectors.to_json(vector["message"], decoded) == vectors.normal(vector["json"])
    assert _wire.encode(vector["message"], decoded) == data


@pytest.mark.parametrize("vector", named(MESSAGES["requestPayloads"]))
def test_a_request_payload_is_header_length_header_message(vector):
    data = bytes.fromhex(vector["hex"])
    (size,) = struct.unpack_from(">H", data)
    assert size == vector["headerLength"]
    header = _wire.decode("CallHeader", data[2:2 + size])
    message = _wire.decode(vector["message"], data[2 + size:])
    assert vectors.to_json("CallHeader", header) == vector["header"]
    assert vectors.to_json(vector["message"], message) == vectors.normal(vector["json"])


@pytest.mark.parametrize("vector", named(MESSAGES["tolerated"]))
def test_what_a_newer_peer_may_send_is_read(vector):
    decoded = _wire.decode(vector["message"], bytes.fromhex(vector["hex"]))
    assert vectors.to_json(vector["message"], decoded) == vector["json"]


@pytest.mark.parametrize("vector", named(MESSAGES["broken"]))
def test_what_is_no_message_is_error_101(vector):
    with pytest.raises(LinajeError) as caught:
        _wire.decode(vector["message"], bytes.fromhex(vector["hex"]))
    assert caught.value.code == 101


@pytest.mark.parametrize("vector", named(MESSAGES["messages"]))
def test_a_message_torn_or_flipped_anywhere_is_a_message_or_error_101(vector):
    data = bytes.fromhex(vector["hex"])
    torn = [data[:size] for size in range(len(data))]
    flipped = [data[:place] + bytes([data[place] ^ bit]) + data[place + 1:]
               for place in range(len(data)) for bit in (0x01, 0x07, 0x80, 0xFF)]
    for each in torn + flipped:
        try:
            _wire.decode(vector["message"], each)
        except LinajeError as error:
            assert error.code == 101


@pytest.mark.parametrize("vector", named(TREES["trees"]))
def test_a_tree_has_the_canonical_text_and_digest_of_the_vector(vector):
    files = [_upload.TreeFile(entry["path"], int(entry["mode"], 8), entry["size"],
                              bytes.fromhex(entry["sha256"])) for entry in vector["entries"]]
    assert _upload.tree_text(files).hex() == vector["canonical"]
    assert _upload.tree_digest(files).hex() == vector["digest"]


def test_encoding_refuses_what_does_not_fit():
    for name, fields in [("Ping", {"nubmer": 1}), ("Ping", {"number": 1 << 64}),
                         ("GoAway", {"reason": 5}), ("MetricBatch", {"step": [1 << 63]}),
                         ("Param", {"key": "a", "int_value": 1 << 63})]:
        with pytest.raises(ValueError):
            _wire.encode(name, fields)


def test_a_field_nested_in_itself_is_read_where_the_tables_end():
    payload = b""
    for _ in range(200):
        payload = _wire.delimited(14, payload)
    _wire.decode("LoggedModel", payload)
