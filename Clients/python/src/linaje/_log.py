"""Warnings that never flood: each kind at most once a minute, then with a count of the others."""

import logging
import threading
import time
from typing import Dict, Tuple

logger = logging.getLogger("linaje")
logger.addHandler(logging.NullHandler())
_INTERVAL = 60.0
# A signal handler may warn while its thread does.
_lock = threading.RLock()
_last: Dict[str, Tuple[float, int]] = {}


def warn(kind: str, message: str) -> None:
    """Logs a warning unless one of this kind was logged within the last minute."""
    now = time.monotonic()
    with _lock:
        when, held = _last.get(kind, (-_INTERVAL, 0))
        if now - when < _INTERVAL:
            _last[kind] = (when, held + 1)
            return
        _last[kind] = (now, 0)
    logger.warning("%s%s", message, f" ({held} more like this were not shown)" if held else "")


def after_fork() -> None:
    """Makes the module usable in a forked child, whose lock may have been held."""
    global _lock
    _lock = threading.RLock()
