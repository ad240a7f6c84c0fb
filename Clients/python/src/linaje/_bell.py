"""How a thread that waits is woken by one that must not wait."""

import contextlib
import queue


class Bell:
    """Ringing costs a microsecond and takes no lock that another thread may hold: also in a signal
    handler that interrupts somebody who rings. One thread waits."""

    def __init__(self) -> None:
        self._rings: "queue.SimpleQueue[None]" = queue.SimpleQueue()

    def ring(self) -> None:
        """Wakes the thread that waits, or the next time it would."""
        self._rings.put(None)

    def wait(self, seconds: float) -> bool:
        """Waits for a ring, for at most some seconds; whether there was one."""
        try:
            self._rings.get(timeout=seconds)
        except queue.Empty:
            return False
        with contextlib.suppress(queue.Empty):
            while True:
                self._rings.get_nowait()
        return True
