"""One connection to the daemon: socket discovery, hello, streams, credit in both directions.

A connection belongs to one thread at a time and starts none: bytes are read when somebody waits
for an answer or calls `pump`. Its socket never blocks: each wait is made of short ones, between
which `while_waiting` may do something else on the same thread.
"""

import os
import select
import socket
import stat
import struct
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, Mapping, Optional

from . import _frames, _wire
from ._errors import BAD_FRAME, DEADLINE_EXCEEDED, UNAVAILABLE, LinajeError
from ._frames import Frame
from ._messages import METHODS
from ._version import __version__
from ._wire import Message

SYSTEM_SOCKET = "/run/linaje/linaje.sock"
FIRST_RECEIVE_CREDIT = 262_144
MINOR_VERSION = 0
WAIT_SLICE = 0.05
_LAST_STREAM = 0xFFFFFFFF


def find_socket(path: Optional[str] = None) -> str:
    """The daemon's socket by the table of PROTOCOL.md: `path`; LINAJE_SOCKET; the user's, if it
    is there; the system's."""
    if path:
        return os.fspath(path)
    named = os.environ.get("LINAJE_SOCKET")
    if named:
        return named
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = (os.path.join(runtime, "linaje") if runtime else
              os.path.join(os.environ.get("TMPDIR") or "/tmp", f"linaje-{os.getuid()}"))
    own = os.path.join(folder, "linaje.sock")
    if os.path.exists(own) and (runtime or _is_private(folder)):
        return own
    return SYSTEM_SOCKET


def _is_private(folder: str) -> bool:
    """Whether a folder under the shared temporary one is the user's alone."""
    try:
        found = os.lstat(folder)
    except OSError:
        return False
    return (stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
            and stat.S_IMODE(found.st_mode) == 0o700)


def _process_start() -> int:
    """Field 22 of /proc/self/stat; 0 where there is none."""
    try:
        with open("/proc/self/stat", "rb") as file:
            return int(file.read().rsplit(b")", 1)[1].split()[19])
    except (OSError, ValueError, IndexError):
        return 0


def failure_to_error(payload: bytes) -> LinajeError:
    """The error of an error frame."""
    failure = _wire.decode("Failure", payload)
    return LinajeError(failure.code, failure.message, name=failure.name or None,
                       retryable=failure.retryable, details=failure.details)


class Stream:
    """One call under way. Made by `Connection.open`."""

    def __init__(self, connection: "Connection", number: int, method: str, sends: bool) -> None:
        self.connection = connection
        self.number = number
        self.method = method
        self.credit = connection.limits_stream_credit if sends else 0
        self.sends = sends
        self.answer: Optional[bytes] = None
        self.inbox: Deque[bytes] = deque()
        self.ended = False
        self.failure: Optional[LinajeError] = None
        self._used = 0
        self._window = FIRST_RECEIVE_CREDIT

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.ended or self.failure is not None

    def check(self) -> None:
        """Raises what the server answered instead, if it did."""
        if self.failure is not None:
            raise self.failure

    def wait_answer(self, deadline: Optional[float] = None) -> Message:
        """The response's message."""
        while self.answer is None:
            self.check()
            self.connection.pump_until(deadline)
        return _wire.decode(METHODS[self.method][4], self.answer)

    def can_send(self, size: int) -> bool:
        """Whether `size` bytes of data are granted now, on the stream and the connection, and
        the socket has taken what was written before."""
        return (size <= self.credit and size <= self.connection.credit
                and not self.connection.unwritten)

    def send(self, data: bytes, deadline: Optional[float] = None) -> None:
        """Sends one data frame; waits for credit."""
        while not self.can_send(len(data)):
            if self.over or not self.sends:
                self.check()
                return
            self.connection.pump_until(deadline)
        self.credit -= len(data)
        self.connection.spend(len(data))
        self.connection.write(_frames.encode(_frames.DATA, self.number, data))

    def end(self) -> None:
        """Says that no more data follows."""
        if self.sends and not self.over:
            self.connection.write(_frames.encode(_frames.END, self.number))
        self.sends = False

    def cancel(self) -> None:
        """Says that the answer is no longer wanted; the stream is forgotten."""
        if not self.over:
            self.connection.write(_frames.encode(_frames.CANCEL, self.number))
        self.connection.streams.pop(self.number, None)

    def receive(self, deadline: Optional[float] = None) -> Optional[bytes]:
        """The next data frame's payload; None after the last."""
        while not self.inbox:
            if self.ended:
                return None
            self.check()
            self.connection.pump_until(deadline)
        data = self.inbox.popleft()
        self._used += len(data)
        if self._used >= FIRST_RECEIVE_CREDIT // 2 and not self.over:
            self._window += self._used
            self.connection.write(_frames.encode(
                _frames.CREDIT, self.number, _wire.encode("Credit", {"bytes": self._used})))
            self._used = 0
        return data

    def take(self, frame: Frame) -> None:
        """Takes a frame of this stream in."""
        if frame.type == _frames.RESPONSE:
            self.answer = frame.payload
            if frame.ends:
                self.ended = True
        elif frame.type == _frames.DATA:
            self._window -= len(frame.payload)
            if self._window < 0:
                raise LinajeError(BAD_FRAME, f"the daemon sent more on stream {self.number} than "
                                             f"was granted")
            self.inbox.append(frame.payload)
        elif frame.type == _frames.END:
            self.ended = True
        elif frame.type == _frames.ERROR:
            self.failure = failure_to_error(frame.payload)
        elif frame.type == _frames.CREDIT:
            self.credit += _wire.decode("Credit", frame.payload).bytes
        else:
            raise LinajeError(BAD_FRAME, f"a {_frames.NAMES[frame.type]} frame came on stream "
                                         f"{self.number}")


class Connection:
    """A connected socket after hello."""

    def __init__(self, path: Optional[str] = None, timeout: float = 10.0, *,
                 while_waiting: Optional[Callable[[], None]] = None,
                 patient: bool = True) -> None:
        """Connects and says hello.

        `timeout` bounds that, and each wait for a socket that takes no bytes. `while_waiting` is
        called about every WAIT_SLICE seconds of a wait; it must not use the connection. Writes of
        one that is not `patient` return at once: what the socket does not take goes with the next
        `pump`. Raises LinajeError 200 when nobody answers at the socket, or what the daemon said.
        """
        self.path = find_socket(path)
        self.unwritten = bytearray()
        self.heard_at = self.asked_at = time.monotonic()
        self._timeout = timeout
        self._while_waiting = while_waiting
        self._patient = True
        self.streams: Dict[int, Stream] = {}
        self.credit = 0
        self.limits_stream_credit = 0
        self.draining = False
        self.closed = False
        self._next = 1
        self._buffer = bytearray()
        self._hello: Optional[Message] = None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.setblocking(False)
            deadline = time.monotonic() + timeout
            self._connect(deadline)
            hello = {"minor_version": MINOR_VERSION, "agent": f"linaje-python/{__version__}",
                     "pid": os.getpid(), "process_start": _process_start()}
            self.write(_frames.PREFACE
                       + _frames.encode(_frames.HELLO, 0, _wire.encode("ClientHello", hello)))
            while self._hello is None:
                self.pump_until(deadline)
            self._patient = patient
        except BaseException:
            self.close()
            raise

    def _connect(self, deadline: float) -> None:
        while True:
            try:
                self._socket.connect(self.path)
                return
            except BlockingIOError as error:
                # The queue of those who wait to be accepted is full, or the daemon is stopped.
                if time.monotonic() < deadline:
                    time.sleep(0.01)
                    self._wait_a_little()
                    continue
                raise LinajeError(UNAVAILABLE, f"no daemon answers at {self.path}: {error}; try "
                                               f"again") from None
            except (OSError, ValueError) as error:
                raise LinajeError(
                    UNAVAILABLE, f"no daemon answers at {self.path}: {error}; start linajed or "
                                 f"set LINAJE_SOCKET", details={"unreachable": "true"}) from None

    def _wait_a_little(self) -> None:
        if self._while_waiting is not None:
            self._while_waiting()

    @property
    def hello(self) -> Message:
        """What the server said of itself."""
        assert self._hello is not None
        return self._hello

    def fileno(self) -> int:
        """The socket's descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Closes the socket; open streams fail."""
        self.closed = True
        self._socket.close()
        self._fail_streams(LinajeError(UNAVAILABLE, f"connection to {self.path} was closed"))

    # --- Calls ---

    def open(self, method: str, message: Mapping[str, Any], *, key: Optional[bytes] = None,
             deadline: Optional[float] = None, encoded: Optional[bytes] = None) -> Stream:
        """Sends a request and returns its stream. `deadline` is on the monotonic clock."""
        opcode, kind, _, request, _ = METHODS[method]
        if self.draining or self._next > _LAST_STREAM:
            raise LinajeError(UNAVAILABLE, "the daemon takes no new calls on this connection")
        header: Dict[str, Any] = {}
        if deadline is not None:
            header["deadline_ms"] = max(1, min(0xFFFFFFFF,
                                               int((deadline - time.monotonic()) * 1000)))
        if key is not None:
            header["idempotency_key"] = key
        head = _wire.encode("CallHeader", header)
        body = encoded if encoded is not None else _wire.encode(request, message)
        payload = struct.pack(">H", len(head)) + head + body
        limit = self.hello.limits.request_bytes if self.hello.limits else 0
        if limit and len(payload) > limit:
            raise LinajeError(103, f"request {method} of {len(payload)} bytes is too large; at "
                                   f"most {limit} are allowed: split it")
        while len(payload) > self.credit:
            self.pump_until(deadline)
        sends = kind in "CB"
        stream = Stream(self, self._next, method, sends)
        self.streams[self._next] = stream
        self.spend(len(payload))
        self.write(_frames.encode(_frames.REQUEST, self._next, payload,
                                  0 if sends else _frames.END_FLAG, opcode))
        self._next += 2
        return stream

    def call(self, method: str, message: Mapping[str, Any], *, key: Optional[bytes] = None,
             timeout: Optional[float] = None, encoded: Optional[bytes] = None) -> Message:
        """A unary call: the answer's message, or the LinajeError that came instead."""
        deadline = None if timeout is None else time.monotonic() + timeout
        stream = self.open(method, message, key=key, deadline=deadline, encoded=encoded)
        # The daemon's own word about a missed deadline is better than ours: wait a little longer.
        return stream.wait_answer(None if deadline is None else deadline + 2)

    def ping(self, timeout: float = 5.0) -> float:
        """Seconds until the daemon answered a ping."""
        begin = time.monotonic()
        self._pong = None
        number = self.ask()
        while self._pong != number:
            self.pump_until(begin + timeout)
        return time.monotonic() - begin

    def ask(self) -> int:
        """Sends a ping, whose pong says later that the daemon lives; its number."""
        self.asked_at = time.monotonic()
        number = int(self.asked_at * 1e6) & 0xFFFFFFFF
        self.write(_frames.encode(_frames.PING, 0, _wire.encode("Ping", {"number": number})))
        return number

    _pong: Optional[int] = None

    # --- Bytes ---

    def spend(self, size: int) -> None:
        """Counts bytes against the connection's credit."""
        self.credit -= size

    def write(self, data: bytes) -> None:
        """Sends bytes; a broken connection is LinajeError 200."""
        self.unwritten += data
        self._write_some()
        deadline = time.monotonic() + self._timeout
        while self.unwritten and self._patient:
            if not self._poll(select.POLLOUT, min(WAIT_SLICE, deadline - time.monotonic())):
                if time.monotonic() >= deadline:
                    raise self._lost("it takes no more bytes")
                self._wait_a_little()
            self._write_some()

    def _write_some(self) -> None:
        """Gives the socket what it takes now."""
        try:
            while self.unwritten:
                with memoryview(self.unwritten) as view:
                    sent = self._socket.send(view)
                del self.unwritten[:sent]
        except BlockingIOError:
            return
        except OSError as error:
            # What the daemon said before it hung up explains more than the broken pipe.
            self.unwritten.clear()
            self._read_last_words()
            raise self._lost(str(error)) from None

    def _poll(self, events: int, timeout: Optional[float]) -> int:
        """The events of the socket that have come within `timeout` seconds; None: for ever."""
        poller = select.poll()
        poller.register(self._socket, events)
        found = poller.poll(None if timeout is None else max(0.0, timeout) * 1000)
        return found[0][1] if found else 0

    def pump_until(self, deadline: Optional[float]) -> None:
        """Waits for the next bytes; LinajeError 111 when the deadline passes before."""
        while True:
            remaining = WAIT_SLICE if deadline is None else deadline - time.monotonic()
            if remaining <= 0:
                raise LinajeError(DEADLINE_EXCEEDED, f"the daemon at {self.path} did not answer in "
                                                     f"time; try again")
            if self.pump(min(remaining, WAIT_SLICE)):
                return
            self._wait_a_little()

    def pump(self, timeout: float = 0.0) -> bool:
        """Takes in what has come, waiting up to `timeout` seconds for something.

        False when nothing came. A lost connection is LinajeError 200.
        """
        if self.closed:
            raise LinajeError(UNAVAILABLE, f"connection to {self.path} is closed")
        wanted = select.POLLIN | (select.POLLOUT if self.unwritten else 0)
        events = self._poll(wanted, timeout)
        if events & select.POLLOUT:
            self._write_some()
        if not events & ~select.POLLOUT:
            return False
        try:
            data = self._socket.recv(262_144)
        except BlockingIOError:
            return False
        except OSError as error:
            raise self._lost(str(error)) from None
        if not data:
            raise self._lost("the daemon closed it")
        self.heard_at = time.monotonic()
        self._buffer += data
        self._dispatch()
        return True

    def _dispatch(self) -> None:
        try:
            while True:
                parsed = _frames.parse(self._buffer)
                if parsed is None:
                    return
                frame, size = parsed
                del self._buffer[:size]
                self._take(frame)
        except LinajeError as error:
            # Whatever is wrong with a frame, the bytes after it cannot be trusted either.
            self.closed = True
            self._socket.close()
            self._fail_streams(error)
            raise

    def _take(self, frame: Frame) -> None:
        if self._hello is None and frame.type not in (_frames.HELLO, _frames.ERROR):
            raise LinajeError(BAD_FRAME, f"a {_frames.NAMES[frame.type]} frame came before the "
                                         f"daemon's hello")
        if frame.stream:
            self._take_on_stream(frame)
        elif frame.type == _frames.HELLO and self._hello is None:
            self._hello = _wire.decode("ServerHello", frame.payload)
            self.credit += self._hello.connection_credit
            self.limits_stream_credit = self._hello.stream_credit
        elif frame.type == _frames.CREDIT:
            self.credit += _wire.decode("Credit", frame.payload).bytes
        elif frame.type == _frames.PING:
            self.write(_frames.encode(_frames.PONG, 0, frame.payload))
        elif frame.type == _frames.PONG:
            self._pong = _wire.decode("Ping", frame.payload).number
        elif frame.type == _frames.GOAWAY:
            self.draining = True
            last = _wire.decode("GoAway", frame.payload).last_stream
            for number, stream in list(self.streams.items()):
                if number > last:
                    stream.failure = LinajeError(UNAVAILABLE, "the daemon is going away; try again")
                    del self.streams[number]
        elif frame.type == _frames.ERROR:
            error = failure_to_error(frame.payload)
            self.closed = True
            self._socket.close()
            self._fail_streams(error)
            raise error
        else:
            raise LinajeError(BAD_FRAME, f"a {_frames.NAMES[frame.type]} frame came on stream 0")

    def _take_on_stream(self, frame: Frame) -> None:
        stream = self.streams.get(frame.stream)
        if stream is None:
            if frame.stream % 2 == 0 or frame.stream >= self._next:
                raise LinajeError(BAD_FRAME, f"a frame came for stream {frame.stream}, which was "
                                             f"never opened")
            return
        stream.take(frame)
        if stream.over:
            del self.streams[frame.stream]

    def _read_last_words(self) -> None:
        try:
            while self.pump(0.0):
                pass
        except LinajeError as error:
            if error.code != UNAVAILABLE:
                raise

    def _lost(self, why: str) -> LinajeError:
        error = LinajeError(UNAVAILABLE, f"connection to the daemon at {self.path} broke: {why}")
        self.closed = True
        self._socket.close()
        self._fail_streams(error)
        return error

    def _fail_streams(self, error: LinajeError) -> None:
        for stream in self.streams.values():
            stream.failure = stream.failure or error
        self.streams.clear()
