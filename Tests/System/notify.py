"""The other end of NOTIFY_SOCKET and of the watchdog: what systemd would have been told."""

import os
import socket
import time

from support import SECONDS


class Notify:
    """Collects the assignments of each datagram, in order."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.seen = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def environment(self, watchdog=None):
        """What the daemon is started with; `watchdog` in seconds."""
        out = {"NOTIFY_SOCKET": self.path}
        if watchdog is not None:
            out["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        return out

    def next(self, seconds=SECONDS):
        """The assignments of the next datagram as a dict; None when none comes in time."""
        self.socket.settimeout(max(0.001, seconds))
        try:
            data = self.socket.recv(65_536)
        except (TimeoutError, BlockingIOError):
            return None
        message = dict(line.split("=", 1) for line in data.decode().split("\n"))
        self.seen.append(message)
        return message

    def until(self, key, seconds=SECONDS):
        """The next message that assigns `key`."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            message = self.next(left)
            if message is not None and key in message:
                return message
        raise AssertionError(f"systemd was not told {key} within {seconds} s; it heard {self.seen}")

    def drain(self):
        """Forgets what has come."""
        while self.next(0) is not None:
            pass
