"""Frames: 12 bytes of header before each payload (PROTOCOL.md, "Frame")."""

import struct
from typing import NamedTuple, Optional, Tuple

from ._errors import BAD_FRAME, FRAME_TOO_LARGE, LinajeError

PREFACE = b"LNJE\r\n\x1a\x01"
HEADER = struct.Struct(">IIBBH")
MAX_PAYLOAD = 4 << 20
END_FLAG = 0x01

(HELLO, REQUEST, RESPONSE, DATA, END, ERROR, CREDIT, PING, PONG, CANCEL, GOAWAY) = range(1, 12)
NAMES = ("", "hello", "request", "response", "data", "end", "error", "credit", "ping", "pong",
         "cancel", "goaway")


class Frame(NamedTuple):
    """One frame as it came."""

    type: int
    stream: int
    flags: int
    opcode: int
    payload: bytes

    @property
    def ends(self) -> bool:
        """Whether a request or response says that nothing follows."""
        return bool(self.flags & END_FLAG)


def encode(type: int, stream: int = 0, payload: bytes = b"", flags: int = 0,
           opcode: int = 0) -> bytes:
    """The frame as it travels."""
    return HEADER.pack(len(payload), stream, type, flags, opcode) + payload


def parse(buffer: bytearray) -> Optional[Tuple[Frame, int]]:
    """The first frame of `buffer` and how many bytes it takes; None while it is incomplete.

    A header that cannot be right raises LinajeError 2 or 3, before its payload is waited for.
    """
    if len(buffer) < HEADER.size:
        return None
    length, stream, type, flags, opcode = HEADER.unpack_from(buffer)
    if length > MAX_PAYLOAD:
        raise LinajeError(FRAME_TOO_LARGE, f"frame of {length} bytes is too large; at most "
                                           f"{MAX_PAYLOAD} are allowed")
    if not HELLO <= type <= GOAWAY:
        raise LinajeError(BAD_FRAME, f"frame type {type} is not known")
    if flags & ~(END_FLAG if type in (REQUEST, RESPONSE) else 0):
        raise LinajeError(BAD_FRAME, f"flags {flags} of a {NAMES[type]} frame have a reserved "
                                     f"bit set")
    if opcode and type not in (REQUEST, RESPONSE):
        raise LinajeError(BAD_FRAME, f"a {NAMES[type]} frame carries opcode {opcode}; it must be 0")
    end = HEADER.size + length
    if len(buffer) < end:
        return None
    return Frame(type, stream, flags, opcode, bytes(buffer[HEADER.size:end])), end
