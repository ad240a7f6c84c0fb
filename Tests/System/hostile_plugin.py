#!/usr/bin/env python3
"""A flavor that tries to get out, and tells what became of each try as a fact of its description.

Stands in a plugin folder beside the example plugin, whose protocol it speaks. Its settings.json names
what is worth having outside. A try that works is told as "ESCAPED"; the tests want none.
"""

import ctypes
import json
import os
import resource
import signal
import socket
import sys

import wordvectors

HERE = os.path.dirname(os.path.abspath(__file__))
LIBC = ctypes.CDLL(None, use_errno=True)
PARENT = os.getppid()


def settings():
    with open(os.path.join(HERE, "settings.json"), encoding="utf-8") as file:
        return json.load(file)


def call(number, *arguments):
    """A system call by its number on x86-64 and whether it worked."""
    result = LIBC.syscall(ctypes.c_long(number), *[
        each if isinstance(each, (bytes, ctypes.Array)) else ctypes.c_long(each)
        for each in arguments])
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def read(path):
    with open(path, "rb") as file:
        return file.read(1)


def connect(path):
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(path)


def memory():
    kept = bytearray(8 << 30)
    return kept[-1]


def descriptors():
    kept = []
    try:
        for _ in range(1000):
            kept.append(os.dup(0))
    finally:
        for each in kept:
            os.close(each)


def processor():
    """Longer than the 600 seconds that docs/writing-a-flavor.md promises: the kernel counts."""
    if resource.getrlimit(resource.RLIMIT_CPU) == (600, 600):
        resource.setrlimit(resource.RLIMIT_CPU, (6_000, 6_000))


TRIES = {
    "read /etc/passwd": lambda s: read("/etc/passwd"),
    "read /etc/shadow": lambda s: read("/etc/shadow"),
    "read the catalog": lambda s: read(s["catalog"]),
    "read a secret of the user": lambda s: read(s["secret"]),
    "read through a link beside it": lambda s: read(os.path.join(HERE, "link")),
    "read the daemon's environment": lambda s: read(f"/proc/{PARENT}/environ"),
    "read the daemon's memory": lambda s: read(f"/proc/{PARENT}/mem"),
    "read the kernel's memory": lambda s: read("/dev/mem"),
    "list the root": lambda s: os.listdir("/"),
    "list processes": lambda s: os.listdir("/proc"),
    "list the state": lambda s: os.listdir(os.path.dirname(s["catalog"])),
    "write to /tmp": lambda s: open("/tmp/linaje-hostile", "wb").close(),
    "write shared memory": lambda s: open("/dev/shm/linaje-hostile", "wb").close(),
    "write beside itself": lambda s: open(os.path.join(HERE, "new"), "wb").close(),
    "change itself": lambda s: open(os.path.abspath(__file__), "ab").close(),
    "cut itself": lambda s: os.truncate(os.path.abspath(__file__), 0),
    "remove itself": lambda s: os.unlink(os.path.abspath(__file__)),
    "rename itself": lambda s: os.rename(os.path.abspath(__file__), os.path.join(HERE, "gone")),
    "make a folder": lambda s: os.mkdir(os.path.join(HERE, "folder")),
    "make a link": lambda s: os.symlink("/etc/passwd", os.path.join(HERE, "made")),
    "make a hard link": lambda s: os.link("/etc/passwd", os.path.join(HERE, "made")),
    "make a device": lambda s: os.mknod(os.path.join(HERE, "device"), 0o600),
    "change a mode": lambda s: os.chmod(os.path.abspath(__file__), 0o777),
    "change an owner": lambda s: os.chown(os.path.abspath(__file__), 65534, 65534),
    "make a file in memory": lambda s: os.memfd_create("hostile"),
    "speak TCP": lambda s: socket.socket(socket.AF_INET),
    "speak to a name server": lambda s: socket.getaddrinfo("example.org", 80),
    "speak to the kernel": lambda s: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "make a pair of sockets": lambda s: socket.socketpair(),
    "connect to the daemon": lambda s: connect(s["socket"]),
    "fork": lambda s: os.fork() or os._exit(0),
    "vfork": lambda s: call(58),
    "clone3": lambda s: call(435, ctypes.create_string_buffer(88), 88),
    "run a shell": lambda s: os.system("true") and 1 / 0,
    "become a shell": lambda s: os.execv("/bin/sh", ["sh", "-c", "true"]),
    "signal the daemon": lambda s: os.kill(PARENT, 0),
    "signal everybody": lambda s: os.kill(-1, 0),
    "signal by thread": lambda s: call(200, PARENT, 0),
    "signal by descriptor": lambda s: os.pidfd_open(PARENT),
    "trace the daemon": lambda s: call(101, 16, PARENT, 0, 0),
    "read another's memory": lambda s: call(310, PARENT, 0, 0, 0, 0, 0),
    "take another's descriptors": lambda s: call(438, 0, 0, 0),
    "limit the daemon": lambda s: resource.prlimit(PARENT, resource.RLIMIT_NOFILE, (64, 64)),
    "slow the daemon": lambda s: os.sched_setaffinity(PARENT, {0}),
    "leave the limits": lambda s: resource.setrlimit(
        resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)),
    "compute for ever": lambda s: processor(),
    "take 8 GiB": lambda s: memory(),
    "take 1,000 descriptors": lambda s: descriptors(),
    "make a user namespace": lambda s: call(272, 0x10000000),
    "enter a namespace": lambda s: call(308, 0, 0),
    "mount": lambda s: call(165, b"none", b"/", b"tmpfs", 0, 0),
    "change the root": lambda s: os.chroot(HERE),
    "become root": lambda s: os.setuid(0),
    "take capabilities": lambda s: call(126, ctypes.create_string_buffer(8),
                                        ctypes.create_string_buffer(24)),
    "use io_uring": lambda s: call(425, 1, ctypes.create_string_buffer(120)),
    "load a BPF program": lambda s: call(321, 5, ctypes.create_string_buffer(120), 120),
    "watch performance": lambda s: call(298, ctypes.create_string_buffer(120), 0, -1, -1, 0),
    "handle page faults": lambda s: call(323, 0),
    "use keys": lambda s: call(250, 0, -3, 1),
    "open by handle": lambda s: call(304, -100, ctypes.create_string_buffer(64), 0),
    "watch files": lambda s: call(254),
    "watch all files": lambda s: call(300, 0, 0),
    "type into a terminal": lambda s: call(16, 0, 0x5412, b"x"),
    "use shared memory": lambda s: call(29, 0, 4096, 0o1666),
    "use message queues": lambda s: call(68, 0, 0o1666),
    "use semaphores": lambda s: call(64, 0, 1, 0o1666),
    "set the clock": lambda s: call(227, 0, ctypes.create_string_buffer(16)),
    "set the host's name": lambda s: socket.sethostname("hostile"),
    "load a module": lambda s: call(175, b"", 0, b""),
    "restart the machine": lambda s: call(169, 0, 0, 0, 0),
    "change personality": lambda s: call(135, 0x0040000),
    "stop being confined": lambda s: call(317, 1, 0, ctypes.create_string_buffer(16)),
    "send a signal with data": lambda s: call(129, PARENT, 0, ctypes.create_string_buffer(128)),
}


def describe(source):
    if not any(path.endswith(".hostile") for path, _ in source.files()):
        return b""
    given = settings()
    parts = [wordvectors.field(1, "hostile")]
    for name, attempt in TRIES.items():
        if name == "become a shell" and not given["executes"]:
            continue
        try:
            attempt(given)
            outcome = "ESCAPED"
        except (OSError, MemoryError, ValueError, ZeroDivisionError) as error:
            outcome = f"denied: {type(error).__name__} {error}"[:200]
        fact = wordvectors.field(1, name) + wordvectors.field(2, outcome)
        parts.append(wordvectors.field(3, fact))
    return wordvectors.field(1, b"".join(parts))


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if any(name.endswith(".spin") for name in os.listdir(HERE)):
        while True:
            pass
    sys.setrecursionlimit(2000)
    wordvectors.describe = describe
    wordvectors.main()
