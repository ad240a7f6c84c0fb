"""Threads that begin without anybody waiting for them."""

import threading
from _thread import start_new_thread
from typing import Callable, Optional


class Background:
    """A daemon thread. `threading.Thread.start` waits until the thread runs, which takes
    milliseconds where the processors are busy; this returns at once."""

    def __init__(self, name: str, body: Callable[[], None]) -> None:
        """Starts it. RuntimeError when there may be no more threads."""
        self.name = name
        self._body = body
        self._over = threading.Event()
        start_new_thread(self._run, ())

    def _run(self) -> None:
        threading.current_thread().name = self.name
        try:
            self._body()
        finally:
            self._over.set()

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return not self._over.is_set()

    def join(self, timeout: Optional[float] = None) -> None:
        """Waits until it has ended, for at most `timeout` seconds."""
        self._over.wait(timeout)
