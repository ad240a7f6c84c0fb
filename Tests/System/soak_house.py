"""The soak's daemon: its listening socket outlives it, faults happen to it, it is measured."""

import contextlib
import os
import signal
import threading
import time

from support import held_socket, inheriting
from zero_harm import full


class House:
    """A daemon behind a socket that stays open while it is restarted."""

    def __init__(self, folder):
        self.folder = folder
        self.listening = held_socket(folder)
        self.daemon = inheriting(folder, self.listening)
        self.faults = {}
        self.lives = []
        self.disturbed_until = 0.0
        self._watching = threading.Event()
        self._watch = threading.Thread(target=self._sample, name="sampler", daemon=True)

    @property
    def socket(self):
        return self.daemon.socket

    def client(self, timeout=20.0):
        return self.daemon.client(timeout)

    def open(self):
        """Starts the daemon and the measuring."""
        self._start()
        self._watch.start()

    def _start(self):
        self.daemon.start()
        self.lives.append(Life(self.daemon.pid))

    def close(self):
        """Stops both; the daemon must stop when told."""
        self._watching.set()
        self._watch.join()
        assert self.daemon.stop(20) == 0, f"linajed stopped with an error:\n{self.daemon.log}"
        self.listening.close()

    # --- Faults ---

    @contextlib.contextmanager
    def _fault(self, name):
        self.faults[name] = self.faults.get(name, 0) + 1
        self.disturbed_until = float("inf")
        try:
            yield
        finally:
            self.disturbed_until = time.monotonic() + 2.0

    @property
    def disturbed(self):
        """Whether a fault is under way, or has just been."""
        return time.monotonic() < self.disturbed_until

    def killed(self, _dice):
        """kill -9 and a new start."""
        with self._fault("kill -9"):
            self.daemon.kill()
            self._start()

    def restarted(self, _dice):
        """SIGTERM and a new start."""
        with self._fault("SIGTERM and restart"):
            assert self.daemon.stop(20) == 0, self.daemon.log
            self._start()

    def paused(self, dice):
        """SIGSTOP for some seconds."""
        with self._fault("SIGSTOP"):
            self.daemon.process.send_signal(signal.SIGSTOP)
            try:
                time.sleep(dice.choice([0.2, 1.0, 3.0, 7.0]))
            finally:
                self.daemon.process.send_signal(signal.SIGCONT)

    def full(self, dice):
        """No space left for some seconds; what an operator does when the storage has failed."""
        with self._fault("no space left"):
            with full(self.daemon.state):
                time.sleep(dice.choice([0.5, 2.0]))
            with self.client() as client:
                failed = client.status().failure
            if failed:
                self.daemon.kill()
                self._start()

    # --- Measuring ---

    def _sample(self):
        while not self._watching.wait(0.5):
            with contextlib.suppress(OSError, IndexError, ValueError):
                self.lives[-1].sample()


class Life:
    """What was measured of one process of the daemon, from start to end."""

    WARM_UP = 30.0

    def __init__(self, pid):
        self.pid, self.began = pid, time.monotonic()
        self.samples, self.descriptors, self.threads = [], 0, 0

    def sample(self):
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as file:
            rss = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        if rss:
            self.samples.append((time.monotonic() - self.began, rss))
            self.descriptors = max(self.descriptors, len(os.listdir(f"/proc/{self.pid}/fd")))
            self.threads = max(self.threads, len(os.listdir(f"/proc/{self.pid}/task")))

    @property
    def warm(self):
        """(seconds, bytes) after the warm-up."""
        return [sample for sample in self.samples if sample[0] >= self.WARM_UP]

    @property
    def slope(self):
        """Growth after the warm-up in bytes a minute, by least squares; None for a short life."""
        points = self.warm
        if len(points) < 60:
            return None
        middle = sum(at for at, _ in points) / len(points)
        mean = sum(rss for _, rss in points) / len(points)
        spread = sum((at - middle) ** 2 for at, _ in points)
        return 60 * sum((at - middle) * (rss - mean) for at, rss in points) / spread


def bytes_below(folder):
    """Bytes of all files below a folder."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(root, name)).st_size
    return total
