"""A client in a process of its own, which may be stopped at any moment, while garbage is collected.

    gc_client.py SOCKET SEED SECONDS

It puts trees, reads them, deletes most of them again, one while it reads it, and goes on until its
time is over. It prints one JSON object: what it did, and everything that was not as it must be.
"""

import json
import random
import sys
import time

from support import Client, new_run, put_tree, read

SOCKET, SEED, END = sys.argv[1], int(sys.argv[2]), time.monotonic() + float(sys.argv[3])
# Few contents at a time, so that everybody finds what others have just let go; others after a
# while, so that they are let go, and some of them again later, when they are being collected.
SHARED, SHARED_BYTES, TURN_SECONDS = 4, 30_000, 3
LARGE_BYTES = 1_500_000
dice = random.Random(SEED)
done = {"commits": 0, "reads": 0, "cut_loose": 0, "wrong": []}


def files():
    """A few shared contents and one of its own; now and then a large one."""
    # What is read is kept for an hour, with all that is in the same tree.
    if dice.random() < 0.25:
        return {"own": dice.randbytes(20_000), "large": dice.randbytes(LARGE_BYTES)}
    turn = int(time.time() / TURN_SECONDS) - dice.choice([0, 0, 1, 3])
    out = {f"shared/{index}": random.Random(turn * SHARED + index).randbytes(SHARED_BYTES)
           for index in dice.sample(range(SHARED), 3)}
    out["own"] = dice.randbytes(20_000)
    return out


def purge(client, run):
    list(client.stream("PurgeRuns", {"run_ids": [run], "also_active": True}))


def compare(what, got, wanted):
    if got != wanted:
        done["wrong"].append(f"seed {SEED}: {what}: {len(got)} of {len(wanted)} bytes")


def turn(client, other):
    run, wanted = new_run(client), files()
    # From the first byte to the commit everything may have been collected before.
    tree = put_tree(client, wanted, run=run, path="m").digest
    done["commits"] += 1
    if dice.random() < 0.1:
        path = dice.choice(list(wanted))
        compare(path, read(client, tree, path), wanted[path])
        done["reads"] += 1
    if "large" in wanted:
        # Its last reference goes in the middle of the download.
        parts = client.read_artifact(tree, "large")
        got = next(parts)
        purge(other, run)
        time.sleep(dice.choice([0, 0.05, 0.5]))
        compare("a download", got + b"".join(parts), wanted["large"])
        done["cut_loose"] += 1
    elif dice.random() < 0.85:
        purge(client, run)
    else:
        return run, tree, wanted
    return None


def main():
    kept = []
    with Client(SOCKET, 120, patience=0) as client, Client(SOCKET, 120, patience=0) as other:
        while time.monotonic() < END:
            if (left := turn(client, other)) is not None:
                kept.append(left)
            if len(kept) > 1:
                run, tree, wanted = kept.pop(dice.randrange(len(kept)))
                for path, content in wanted.items():
                    compare(f"{path}, kept", read(client, tree, path), content)
                    done["reads"] += 1
                purge(client, run)
        for _, tree, wanted in kept:
            for path, content in wanted.items():
                compare(f"{path}, at the end", read(client, tree, path), content)


try:
    main()
except Exception as error:  # pylint: disable=broad-except
    done["wrong"].append(f"seed {SEED}: {error!r}")
print(json.dumps(done))
