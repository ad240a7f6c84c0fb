#!/usr/bin/env python3
"""A storage backend for Linaje in Python, written from proto-spec/ alone: packs on an SFTP server.

The address of a remote of it is

    plugin:sftp/USER@HOST/FOLDER?identity=/etc/linaje/sftp_key&known_hosts=/etc/linaje/known_hosts

with &port=N where it is not 22. FOLDER is an absolute path on the server, without its first "/". The
plugin reads the two files, so both must stand below a path of "read" in its manifest. Who the server
is must stand in known_hosts: a server with another key is refused.

Needs paramiko. Install it with `linaje plugin install Plugins/Examples/sftp-python`.
"""

import errno
import io
import logging
import os
import posixpath
import stat
import struct
import sys
import time

import paramiko

PREFACE = b"LNJE\r\n\x1a\x01"
HELLO, REQUEST, RESPONSE, ERROR, CREDIT, PING, PONG = 1, 2, 3, 6, 7, 8, 9
END = 1
DESCRIBE_PLUGIN = 0x0B01
OPEN, PUT, APPEND, COMMIT, ABORT, GET, STAT, LIST, REMOVE = range(0x0B21, 0x0B2A)
FRAME_BYTES, PIECE_BYTES, PAGE = 4 << 20, 1 << 20, 10_000
INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, UNAVAILABLE, STORAGE_FULL, READ_ONLY = (
    102, 104, 108, 200, 202, 206)
NAMES = {100: "unknown_method", 101: "bad_message", 102: "invalid_argument", 104: "not_found",
         108: "permission_denied", 200: "unavailable", 202: "storage_full", 206: "read_only"}
BY_ERRNO = {errno.ENOENT: NOT_FOUND, errno.EACCES: PERMISSION_DENIED, errno.EPERM: PERMISSION_DENIED,
            errno.ENOSPC: STORAGE_FULL, errno.EDQUOT: STORAGE_FULL, errno.EROFS: READ_ONLY}
TIMEOUT = 60
LEFT_SECONDS = 7 * 86_400


class Failed(Exception):
    """What the daemon is told: a number of proto-spec/ERRORS.md and a message."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


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
        os._exit(0)  # The daemon has hung up; paramiko's threads need not be waited for.
    return data


def receive():
    """The next frame: kind, stream, opcode, payload."""
    size, stream, kind, _flags, opcode = struct.unpack(">IIBBH", read(12))
    if size > FRAME_BYTES:
        sys.exit(f"a frame of {size} bytes is too large")
    return kind, stream, opcode, read(size)


def send(kind, stream=0, opcode=0, payload=b"", flags=0):
    OUTPUT.write(struct.pack(">IIBBH", len(payload), stream, kind, flags, opcode) + payload)
    OUTPUT.flush()


# --- The store ---

class Store:
    """Objects as files below a folder of a server.

    An object is written beside the others, below "incoming", and moved to its name when it is whole
    and on the disk of the server (fsync@openssh.com, where the server has it).
    """

    def __init__(self, place, options):
        unknown = set(options) - {"identity", "known_hosts", "port"}
        if unknown:
            raise Failed(INVALID_ARGUMENT, f"sftp has no option {sorted(unknown)[0]}")
        who, slash, folder = place.partition("/")
        user, at, host = who.partition("@")
        if not (slash and at and user and host and folder.strip("/")):
            raise Failed(INVALID_ARGUMENT, "the address must be plugin:sftp/USER@HOST/FOLDER?…")
        for needed in ("identity", "known_hosts"):
            if needed not in options:
                raise Failed(INVALID_ARGUMENT, f"the address names no {needed}")
        self.user, self.host, self.root = user, host, "/" + folder.strip("/")
        self.options = options
        self.sftp = self.listing = None
        self.uploads = {}
        self.folders = set()

    def connect(self):
        """The connection, made when it is first needed and again when it is lost."""
        if self.sftp and self.sftp.get_channel().get_transport().is_active():
            return self.sftp
        self.uploads, self.folders = {}, set()
        client = paramiko.SSHClient()
        client.load_host_keys(self.options["known_hosts"])
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        client.connect(
            self.host, port=int(self.options.get("port", 22)), username=self.user,
            key_filename=self.options["identity"], allow_agent=False, look_for_keys=False,
            timeout=TIMEOUT, banner_timeout=TIMEOUT, auth_timeout=TIMEOUT)
        self.client = client  # It closes the connection when nobody holds it.
        self.sftp = client.open_sftp()
        self.sftp.get_channel().settimeout(TIMEOUT)
        return self.sftp

    def path(self, key):
        return posixpath.join(self.root, key)

    def make_folder(self, folder):
        if folder in self.folders or folder in ("", "/"):
            return
        sftp = self.connect()
        try:
            sftp.stat(folder)
        except FileNotFoundError:
            self.make_folder(posixpath.dirname(folder))
            try:
                sftp.mkdir(folder)
            except OSError:
                sftp.stat(folder)  # Another process was faster, or the error is the answer.
        self.folders.add(folder)

    def put(self, upload, key):
        sftp = self.connect()
        incoming = f"{self.root}/incoming"
        if incoming not in self.folders:
            self.make_folder(incoming)
            for entry in sftp.listdir_attr(incoming):  # What a killed process has left.
                if entry.st_mtime < time.time() - LEFT_SECONDS:
                    sftp.remove(f"{incoming}/{entry.filename}")
        temporary = f"{incoming}/{key.replace('/', '-')}.{os.urandom(8).hex()}"
        # Not pipelined: paramiko drops the answers to writes that nobody waits for, failures too.
        file = sftp.open(temporary, "wb")
        self.uploads[upload] = (key, temporary, file)

    def upload(self, upload):
        self.connect()
        if upload not in self.uploads:
            raise Failed(NOT_FOUND, f"no object {upload} is on its way")
        return self.uploads[upload]

    def append(self, upload, data):
        key, _temporary, file = self.upload(upload)
        try:
            file.write(data)
        except OSError as error:
            if error.errno is not None:
                raise
            # The protocol has no word for a full disk.
            raise Failed(UNAVAILABLE, f"the server takes no more of {key} ({error}); its disk may be "
                         "full, or a quota reached") from error

    def commit(self, upload):
        key, temporary, file = self.upload(upload)
        sftp = self.connect()
        file.flush()
        try:
            # OpenSSH, PROTOCOL, 4.4: what is answered is on the disk.
            sftp._request(paramiko.sftp.CMD_EXTENDED, "fsync@openssh.com", file.handle)
        except OSError as error:
            if error.errno is not None or "unsupported" not in str(error).lower():
                raise
        file.close()
        target = self.path(key)
        self.make_folder(posixpath.dirname(target))
        sftp.posix_rename(temporary, target)
        del self.uploads[upload]

    def abort(self, upload):
        if upload in self.uploads:
            _key, temporary, file = self.uploads.pop(upload)
            file.close()
            self.connect().remove(temporary)

    def get(self, key, offset, length):
        sftp = self.connect()
        # A file is opened for each piece: paramiko reads ahead once per file only. Asked again, it may
        # take what the first time left over for the whole answer, and wait for the rest for ever.
        with sftp.open(self.path(key), "rb") as file:
            found = file.stat()
            if stat.S_ISDIR(found.st_mode):
                raise Failed(NOT_FOUND, f"there is no {key}")
            length = max(0, min(length, PIECE_BYTES, found.st_size - offset))
            return b"".join(file.readv([(offset, length)])) if length else b""

    def stat(self, key):
        try:
            found = self.connect().stat(self.path(key))
        except FileNotFoundError:
            return None
        return None if stat.S_ISDIR(found.st_mode) else found.st_size

    def walk(self, folder, prefix):
        try:
            entries = self.connect().listdir_attr(folder)
        except FileNotFoundError:
            return
        for entry in entries:
            key = posixpath.relpath(posixpath.join(folder, entry.filename), self.root)
            if stat.S_ISDIR(entry.st_mode):
                # Only what can hold keys that begin so.
                if key != "incoming" and (key.startswith(prefix) or prefix.startswith(key + "/")):
                    yield from self.walk(posixpath.join(folder, entry.filename), prefix)
            elif key.startswith(prefix):
                yield key, entry.st_size

    def list(self, prefix, after):
        if not after or not self.listing or self.listing[0] != prefix:
            self.listing = (prefix, sorted(self.walk(self.root, prefix)))
        rest = [each for each in self.listing[1] if each[0] > after]
        return rest[:PAGE], len(rest) <= PAGE

    def remove(self, key):
        try:
            self.connect().remove(self.path(key))
        except FileNotFoundError:
            pass


# --- Requests ---

STORE = None


def answer(opcode, message):
    global STORE
    members_of = list(members(message))
    given = dict(members_of)

    def text(number):
        return given.get(number, b"").decode()

    if opcode == DESCRIBE_PLUGIN:
        return field(1, "sftp") + field(2, "artifact backend") + field(3, "1.0.0")
    if opcode == OPEN:
        options = [dict(members(each)) for number, each in members_of if number == 2]
        STORE = Store(text(1), {each[1].decode(): each.get(2, b"").decode() for each in options})
    elif not PUT <= opcode <= REMOVE:
        raise Failed(100, f"there is no method {opcode:#06x}")
    elif opcode == PUT:
        STORE.put(given.get(1, 0), text(2))
    elif opcode == APPEND:
        STORE.append(given.get(1, 0), given.get(2, b""))
    elif opcode == COMMIT:
        STORE.commit(given.get(1, 0))
    elif opcode == ABORT:
        STORE.abort(given.get(1, 0))
    elif opcode == GET:
        return field(1, STORE.get(text(1), given.get(2, 0), given.get(3, 0)))
    elif opcode == STAT:
        size = STORE.stat(text(1))
        return b"" if size is None else field(1, size)
    elif opcode == LIST:
        objects, is_end = STORE.list(text(1), text(2))
        return b"".join(field(1, field(1, key) + field(2, size))
                        for key, size in objects) + field(2, int(is_end))
    elif opcode == REMOVE:
        STORE.remove(text(1))
    return b""


def reply(stream, opcode, payload):
    try:
        header, = struct.unpack(">H", payload[:2])
        if 2 + header > len(payload):
            raise Failed(101, "its header is longer than the request")
        send(RESPONSE, stream, opcode, answer(opcode, payload[2 + header:]), END)
    except Exception as error:
        if isinstance(error, Failed):
            code, said = error.code, str(error)
        elif isinstance(error, paramiko.AuthenticationException):
            code, said = PERMISSION_DENIED, "the server does not accept the key"
        elif isinstance(error, paramiko.BadHostKeyException):
            code, said = PERMISSION_DENIED, "the server has another key than known_hosts says"
        elif isinstance(error, OSError) and error.errno in BY_ERRNO:
            code, said = BY_ERRNO[error.errno], error.strerror or str(error)
        else:
            code, said = UNAVAILABLE, f"{type(error).__name__}: {error}"
        send(ERROR, stream, payload=field(1, code) + field(2, NAMES.get(code, "error"))
             + field(3, said) + (field(4, 1) if code in (UNAVAILABLE, STORAGE_FULL) else b""))


def main():
    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    if read(len(PREFACE)) != PREFACE:
        sys.exit("this is not the protocol of Linaje, version 1")
    receive()
    send(HELLO, payload=field(2, "sftp/1.0.0") + field(5, 32768))
    send(CREDIT, payload=field(1, 4 << 20))
    while True:
        kind, stream, opcode, payload = receive()
        if kind == PING:
            send(PONG, payload=payload)
        if kind != REQUEST:
            continue
        send(CREDIT, payload=field(1, max(1, len(payload))))  # What the request took, given back.
        reply(stream, opcode, payload)


if __name__ == "__main__":
    # Standard output belongs to the protocol: what a library prints must not get into it.
    OUTPUT = io.BufferedWriter(io.FileIO(os.dup(1), "wb"))
    os.dup2(2, 1)
    main()
