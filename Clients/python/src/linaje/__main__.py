"""`python -m linaje sync`: sends what waits in the spools of processes that are gone."""

import logging
import sys

from . import LinajeError, sync as replay


def sync() -> int:
    """Replays the spools; 1 when some still wait."""
    done, waiting = replay()
    print(f"{done} spools sent, {waiting} still wait")
    return 1 if waiting else 0


def main() -> int:
    """The command line."""
    # What still waits, and why, and what was refused.
    logging.basicConfig(format="linaje: %(message)s", level=logging.WARNING)
    if sys.argv[1:] != ["sync"]:
        print("usage: python -m linaje sync", file=sys.stderr)
        return 2
    try:
        return sync()
    except LinajeError as error:
        print(f"linaje: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
