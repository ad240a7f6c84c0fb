"""Flipped bits: detected, named, never served."""

import glob
import os
import random
import re
import sqlite3
import struct
from collections import Counter

import pytest
from support import SEED, SOAK, LinajeError, put_tree, read

STEP = 1 if SOAK else 3
TRAILER, ENTRY = 48, 60
KINDS = {1: "chunk", 2: "recipe", 3: "tree"}


def parts(pack):
    """(name, first, last + 1) of each part of a pack (STORAGE.md, "Packs")."""
    count, size = struct.unpack_from("<II", pack, len(pack) - TRAILER)
    header = len(pack) - TRAILER - size
    yield "magic", 0, 8
    for index in range(count):
        at = header + index * ENTRY
        kind, _, _, stored, _, offset = struct.unpack_from("<BBHIIQ", pack, at)
        yield KINDS[kind], offset, offset + stored
        yield "header", at, at + ENTRY
    yield "trailer", len(pack) - TRAILER, len(pack)


def flip(path, offset, bit):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1 << bit]))


def test_every_flipped_byte_of_a_pack_is_noticed_and_named(daemon):
    """One pack for each byte, all alike but for their content; each has another byte flipped."""
    dice = random.Random(SEED)

    def content(index):
        return {"a.bin": random.Random(SEED + index).randbytes(90),
                "b/text.txt": (f"{index:08d} and some text that compresses " * 6).encode()}

    def commit(client, index):
        before = set(glob.glob(f"{daemon.state}/packs/*/*.pack"))
        tree = put_tree(client, content(index))
        after = set(glob.glob(f"{daemon.state}/packs/*/*.pack")) - before
        assert len(after) == 1, "one commit is expected to write one pack"
        return tree.digest, after.pop()

    with daemon.client() as client:
        stored = [commit(client, 0)]
        # Some packs are longer than the first; those beyond its size reach their last bytes.
        size = os.path.getsize(stored[0][1])
        stored += [commit(client, index) for index in range(1, -(-size // STEP) + 16)]
    assert daemon.stop() == 0
    flipped, covered = [], Counter()
    for index, (_, path) in enumerate(stored):
        with open(path, "rb") as file:
            pack = file.read()
        offset = (index - 1) * STEP + SEED % STEP
        if index == 0 or offset >= len(pack):
            flipped.append((None, None))
            continue
        part = next(name for name, first, end in parts(pack) if first <= offset < end)
        covered[part] += 1
        flip(path, offset, dice.randrange(8))
        flipped.append((part, offset))
    assert set(covered) == {"magic", "chunk", "recipe", "tree", "header", "trailer"}, covered
    daemon.start()
    found = Counter()
    with daemon.client() as client:
        for index, (digest, file) in enumerate(stored):
            part, offset = flipped[index]
            what = f"seed {SEED}, pack {index}: byte {offset} of the {part}"
            failed = False
            for path, wanted in content(index).items():
                try:
                    assert read(client, digest, path) == wanted, f"{what}: wrong bytes of {path}"
                except LinajeError as error:
                    assert error.code == 204, f"{what}: {error}"
                    pack = os.path.relpath(file, daemon.state)
                    assert pack in error.message, f"{what}: {error} does not name the pack"
                    if part in KINDS.values():
                        assert re.search(rf"\b{part} [0-9a-f]{{64}}\b", error.message), \
                            f"{what}: {error} does not name the blob"
                    failed = True
            if part is None:
                assert not failed, f"{what}: an untouched pack is refused"
            found[part, failed] += 1
    unnoticed = {part: count for (part, failed), count in found.items() if part and not failed}
    assert not unnoticed, f"seed {SEED}: {unnoticed} flips were not noticed; {found}"
    assert sum(found[part, True] for part in covered) == sum(covered.values())


def test_a_damaged_file_is_refused_in_ranges_too(daemon):
    files = {"f": random.Random(SEED).randbytes(300_000)}
    with daemon.client() as client:
        tree = put_tree(client, files).digest
    assert daemon.stop() == 0
    (path,) = glob.glob(f"{daemon.state}/packs/*/*.pack")
    with open(path, "rb") as file:
        pack = file.read()
    flip(path, pack.index(files["f"][150_000:150_032]), 0)
    daemon.start()
    with daemon.client() as client:
        got = b""
        with pytest.raises(LinajeError) as caught:
            for each in client.read_artifact(tree, "f"):
                got += each
        assert caught.value.code == 204
        assert files["f"].startswith(got), "wrong bytes were served before the error"
        for offset in range(0, 300_000, 20_000):
            try:
                part = b"".join(client.read_artifact(tree, "f", offset, 20_000))
                assert part == files["f"][offset:offset + 20_000]
                assert not offset <= 150_000 < offset + 20_000
            except LinajeError as error:
                assert error.code == 204


def test_a_missing_pack_is_an_error_and_not_an_outage(daemon):
    with daemon.client() as client:
        tree = put_tree(client, {"f": b"gone"}).digest
    assert daemon.stop() == 0
    for path in glob.glob(f"{daemon.state}/packs/*/*.pack"):
        os.unlink(path)
    daemon.start()
    with daemon.client() as client:
        with pytest.raises(LinajeError) as caught:
            read(client, tree, "f")
        assert caught.value.code in (116, 204) and "pack" in caught.value.message
        again = put_tree(client, {"f": b"other"}).digest
        assert read(client, again, "f") == b"other"


def ledger(daemon):
    """A model with a history, and the events in order."""
    with daemon.client() as client:
        tree = put_tree(client, {"MLmodel": b"flavors: {}\n"}).digest.hex()
        client.create_model_version("forest", f"tree:sha256:{tree}", description="first")
        client.call("TransitionStage", name="forest", version=1, stage="Production")
        client.call("SetAlias", name="forest", alias="champion", version=1)
        checked = client.call("VerifyLedger")
    assert checked.first_bad == 0 and checked.events >= 4
    return checked.events


def test_a_flipped_byte_of_an_event_is_named(daemon):
    events = ledger(daemon)
    database = sqlite3.connect(f"{daemon.state}/catalog.db", isolation_level=None)
    victim = events - 1
    columns = [row[1] for row in database.execute("PRAGMA table_info(events)")]
    row = dict(zip(columns, database.execute(
        "SELECT * FROM events WHERE sequence = ?", (victim,)).fetchone()))
    checked = {name for name, value in row.items() if isinstance(value, bytes)}
    assert {"canonical", "previous_hash", "hash"} <= checked
    with daemon.client() as client:
        for column in sorted(checked):
            for offset in range(0, len(row[column]), 1 if len(row[column]) <= 32 else STEP):
                damaged = bytearray(row[column])
                damaged[offset] ^= 1 << offset % 8
                _change(database, column, bytes(damaged), victim)
                answer = client.call("VerifyLedger")
                assert answer.first_bad == victim, f"{column}[{offset}]: {answer}"
                assert answer.finding, f"{column}[{offset}]"
            _change(database, column, row[column], victim)
        assert client.call("VerifyLedger").first_bad == 0
    database.close()


def _change(database, column, value, sequence):
    database.execute(f"UPDATE events SET {column} = ? WHERE sequence = ?", (value, sequence))


def test_a_missing_event_is_named(daemon):
    events = ledger(daemon)
    database = sqlite3.connect(f"{daemon.state}/catalog.db", isolation_level=None)
    with daemon.client() as client:
        for sequence in range(events, 0, -1):
            database.execute("DELETE FROM events WHERE sequence = ?", (sequence,))
            answer = client.call("VerifyLedger")
            assert 0 < answer.first_bad <= max(1, sequence), f"without {sequence}: {answer}"
            assert answer.finding
    database.close()


@pytest.mark.parametrize("name", ["catalog.db", "metrics.db"])
def test_a_database_of_garbage_is_refused(daemon, name):
    assert daemon.stop() == 0
    with open(f"{daemon.state}/{name}", "r+b") as file:
        file.write(b"this is no database, whatever its name says".ljust(4096, b"."))
    status, said = daemon.refuses_to_start()
    assert status == 1
    assert name in said and "corrupt" in said, said
