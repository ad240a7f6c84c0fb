"""How the threads of this package share the interpreter with the training."""

import time

# A thread that computes keeps the interpreter for sys.getswitchinterval(), 5 ms, while others wait
# for it. Ours let go after this many seconds, for long enough that somebody else wakes up.
_SLICE = 0.0005
_PAUSE = 0.0001


class Pace:
    """Called between small pieces of work: pauses when a slice of time has been used up."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    def __call__(self) -> None:
        if time.perf_counter() - self._began > _SLICE:
            time.sleep(_PAUSE)
            self._began = time.perf_counter()
