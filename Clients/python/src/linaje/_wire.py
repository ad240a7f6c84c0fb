"""Protocol Buffers (proto3) by field tables: what the client needs of it, and no more.

Messages are given as mappings from field name to value and come back as `Message`. Fields that a
table does not know are ignored. Encoding is canonical: fields in the order of their numbers,
numbers packed, defaults left out.
"""

import struct
import sys
from array import array
from typing import Any, Dict, Iterable, List, Mapping, Tuple, Union

from ._errors import BAD_MESSAGE, LinajeError
from ._messages import ENUMS, FIELDS

Bytes = Union[bytes, bytearray, memoryview]
_MASK64 = (1 << 64) - 1
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_WIRE = {"double": _FIXED64, "sfixed64": _FIXED64, "fixed32": _FIXED32, "string": _LENGTH,
         "bytes": _LENGTH, "map": _LENGTH}
_ARRAYS = {"double": "d", "sfixed64": "q", "fixed32": "I"}
_VARINTS = {"uint32", "uint64", "int32", "int64", "sint64", "bool", "enum"}
_DEFAULTS: Dict[str, Any] = {"double": 0.0, "string": "", "bytes": b"", "bool": False}
_DEPTH = 32


class Message(Dict[str, Any]):
    """A decoded message: its fields by name, also as attributes.

    A scalar that did not come has its default, a list is empty, an optional field, a field of a
    oneof and a message that did not come are None.
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def varint(number: int) -> bytes:
    """An unsigned number (a negative one: its 64 bits) as a varint."""
    number &= _MASK64
    if number < 0x80:
        return bytes((number,))
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def delimited(number: int, data: Bytes) -> bytes:
    """A field of bytes: tag, length, bytes."""
    return varint(number << 3 | _LENGTH) + varint(len(data)) + bytes(data)


def packed(number: int, column: "array[Any]") -> bytes:
    """A packed column of fixed width; empty for an empty column."""
    if not column:
        return b""
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return delimited(number, column.tobytes())


def encode(name: str, fields: Mapping[str, Any]) -> bytes:
    """The bytes of message `name`.

    Raises ValueError for a field that the message does not have or a value that does not fit it.
    """
    out: List[bytes] = []
    table = FIELDS[name]
    seen = 0
    for number, field, kind, label in table:
        value = fields.get(field)
        if field in fields:
            seen += 1
        if value is None:
            continue
        try:
            out.append(_encode_field(number, kind, label, value))
        except (TypeError, AttributeError, struct.error, OverflowError) as error:
            raise ValueError(f"field {field} of {name} cannot hold {value!r}: {error}") from None
    if seen != len(fields):
        unknown = sorted(set(fields) - {entry[1] for entry in table})
        raise ValueError(f"{name} has no field {', '.join(unknown)}")
    return b"".join(out)


def _encode_field(number: int, kind: str, label: str, value: Any) -> bytes:
    if kind == "map":
        return b"".join(
            delimited(number, delimited(1, str(key).encode()) + delimited(2, str(text).encode()))
            for key, text in sorted(value.items()))
    if label == "repeated":
        if kind in _ARRAYS:
            return packed(number, value if isinstance(value, array) else
                          array(_ARRAYS[kind], value))
        if kind in _VARINTS:
            body = b"".join(varint(_as_varint(kind, each)) for each in value)
            return delimited(number, body) if body else b""
        return b"".join(_encode_scalar(number, kind, each, True) for each in value)
    return _encode_scalar(number, kind, value, label in ("optional", "oneof"))


def _as_varint(kind: str, value: Any) -> int:
    whole = int(value)
    if not -(1 << 63) <= whole <= _MASK64:
        raise OverflowError("more than 64 bits")
    if kind == "sint64":
        if whole >= 1 << 63:
            raise OverflowError("more than 63 bits and a sign")
        return whole << 1 if whole >= 0 else (-whole << 1) - 1
    return whole


def _encode_scalar(number: int, kind: str, value: Any, always: bool) -> bytes:
    if kind in _VARINTS:
        whole = _as_varint(kind, value)
        return varint(number << 3) + varint(whole) if whole or always else b""
    if kind == "string":
        data = value.encode("utf-8")
        return delimited(number, data) if data or always else b""
    if kind == "bytes":
        return delimited(number, value) if value or always else b""
    if kind == "double":
        data = struct.pack("<d", value)
        return varint(number << 3 | _FIXED64) + data if always or data != bytes(8) else b""
    return delimited(number, encode(kind, value))


# --- Decoding -----------------------------------------------------------------------------------

_BY_NUMBER: Dict[str, Dict[int, Tuple[str, str, str]]] = {
    name: {number: (field, kind, label) for number, field, kind, label in table}
    for name, table in FIELDS.items()}


def _broken(name: str, why: str) -> LinajeError:
    return LinajeError(BAD_MESSAGE, f"payload is no {name}: {why}")


def decode(name: str, data: Bytes) -> Message:
    """Reads message `name`; any bytes that are none raise LinajeError 101."""
    return _decode(name, memoryview(data), _DEPTH)


def _empty(name: str) -> Message:
    message = Message()
    for _, field, kind, label in FIELDS[name]:
        if kind == "map":
            message[field] = {}
        elif label == "repeated":
            message[field] = []
        elif label or kind in FIELDS:
            message[field] = None
        else:
            message[field] = _DEFAULTS.get(kind, 0)
    return message


def read_varint(data: memoryview, position: int, name: str = "message") -> Tuple[int, int]:
    """(number, position after it)."""
    result = shift = 0
    while True:
        if position >= len(data):
            raise _broken(name, "it ends inside a number")
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & _MASK64, position
        shift += 7
        if shift > 63:
            raise _broken(name, "a number has more than 10 bytes")


def _decode(name: str, data: memoryview, depth: int) -> Message:
    if depth == 0:
        raise _broken(name, "messages are nested too deeply")
    message = _empty(name)
    fields = _BY_NUMBER[name]
    position, size = 0, len(data)
    while position < size:
        key, position = read_varint(data, position, name)
        number, wire = key >> 3, key & 7
        if not 0 < number < 1 << 29:
            raise _broken(name, f"field number {number}")
        value: Any
        if wire == _VARINT:
            value, position = read_varint(data, position, name)
        else:
            if wire == _LENGTH:
                length, position = read_varint(data, position, name)
            elif wire == _FIXED64:
                length = 8
            elif wire == _FIXED32:
                length = 4
            else:
                raise _broken(name, f"wire type {wire}")
            if length > size - position:
                raise _broken(name, f"field {number} is longer than what is left")
            value = data[position:position + length]
            position += length
        if number in fields:
            _take(name, message, fields[number], wire, value, depth)
    return message


def _take(name: str, message: Message, entry: Tuple[str, str, str], wire: int, value: Any,
          depth: int) -> None:
    field, kind, label = entry
    own = _WIRE.get(kind, _VARINT if kind in _VARINTS else _LENGTH)
    if label == "repeated" and wire == _LENGTH and own != _LENGTH:
        message[field] += _unpack(name, field, kind, value)
        return
    if wire != own:
        raise _broken(name, f"field {field} has wire type {wire}")
    if kind == "map":
        pair = _decode("Tag", value, depth - 1)
        message[field][pair["key"]] = pair["value"]
        return
    decoded = _scalar(name, field, kind, value, depth)
    if label == "repeated":
        message[field].append(decoded)
        return
    if label == "oneof":
        for _, other, _, other_label in FIELDS[name]:
            if other_label == "oneof":
                message[other] = None
    message[field] = decoded


def _unpack(name: str, field: str, kind: str, value: memoryview) -> List[Any]:
    if kind in _ARRAYS:
        column: "array[Any]" = array(_ARRAYS[kind])
        if len(value) % column.itemsize:
            raise _broken(name, f"column {field} has {len(value)} bytes")
        column.frombytes(value)
        if sys.byteorder == "big":
            column.byteswap()
        return column.tolist()
    out, position = [], 0
    while position < len(value):
        whole, position = read_varint(value, position, name)
        out.append(_from_varint(kind, whole))
    return out


def _from_varint(kind: str, whole: int) -> Any:
    if kind == "bool":
        return whole != 0
    if kind == "sint64":
        return whole >> 1 ^ -(whole & 1)
    if kind == "uint32":
        return whole & 0xFFFFFFFF
    if kind == "int64":
        return whole - (1 << 64) if whole >> 63 else whole
    if kind in ("int32", "enum"):
        whole &= 0xFFFFFFFF
        return whole - (1 << 32) if whole >> 31 else whole
    return whole


def _scalar(name: str, field: str, kind: str, value: Any, depth: int) -> Any:
    if kind in _VARINTS:
        return _from_varint(kind, value)
    if kind == "bytes":
        return bytes(value)
    if kind == "string":
        try:
            return str(value, "utf-8")
        except UnicodeDecodeError:
            raise _broken(name, f"field {field} is not UTF-8") from None
    if kind == "double":
        return struct.unpack("<d", value)[0]
    if kind == "sfixed64":
        return struct.unpack("<q", value)[0]
    if kind == "fixed32":
        return struct.unpack("<I", value)[0]
    return _decode(kind, value, depth - 1)


def enum_name(enum: str, number: int) -> str:
    """The name of an enum's value: ("RunStatus", 3) is "FINISHED"; an unknown number in decimal."""
    for label, value in ENUMS[enum].items():
        if value == number:
            return label
    return str(number)


def enum_number(enum: str, label: str) -> int:
    """The number of an enum's value by its name, in any case; ValueError lists the names."""
    try:
        return ENUMS[enum][label.upper()]
    except (KeyError, AttributeError):
        allowed: Iterable[str] = (each for each in ENUMS[enum] if each != "UNSPECIFIED")
        raise ValueError(f"{label!r} is no {enum}; use {', '.join(allowed)}") from None
