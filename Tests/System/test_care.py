"""Looking after the stores: maintenance and migrations while serving, and stores that are newer."""

import hashlib
import json
import os
import pathlib
import random
import signal
import sqlite3
import struct
import subprocess
import time

import pytest
from support import ROOT, SECONDS, SEED, Writer, eventually, history, new_run

LINAJE = os.environ.get("LINAJE", str(ROOT / ".build/debug/linaje"))
with_command = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")


def linaje(daemon, *arguments, **options):
    return subprocess.run([LINAJE, *arguments, "--socket", daemon.socket], capture_output=True,
                          text=True, timeout=SECONDS, check=False, **options)


def snapshot(daemon):
    """Every file of the state directory: its bytes' digest, mode and time of change."""
    found = {}
    for path in sorted(pathlib.Path(daemon.state).rglob("*")):
        status = path.lstat()
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path)] = (digest, status.st_mode, status.st_mtime_ns)
    return found


def sql(daemon, name, *statements):
    """Runs statements on a database behind the daemon's back; the rows of the last."""
    database = sqlite3.connect(os.path.join(daemon.state, name))
    try:
        for statement in statements:
            rows = database.execute(statement).fetchall()
        database.commit()
        return rows
    finally:
        database.close()


# --- Stores that are newer ---

NEWER = {
    "the directory": lambda daemon: pathlib.Path(daemon.state, "format").write_text(
        "linaje state 2\nlinajed 9.8.7\nmore to come\n", encoding="ascii"),
    "the catalog": lambda daemon: sql(
        daemon, "catalog.db", "INSERT INTO linaje_migrations SELECT 'catalog', '99 future', "
        "MAX(position) + 1 FROM linaje_migrations WHERE namespace = 'catalog'"),
    "the chunk index": lambda daemon: sql(
        daemon, "catalog.db", "INSERT INTO linaje_migrations SELECT 'artifacts', '99 future', "
        "MAX(position) + 1 FROM linaje_migrations WHERE namespace = 'artifacts'"),
    "the metrics": lambda daemon: sql(
        daemon, "metrics.db", "INSERT INTO linaje_migrations SELECT 'metrics', '99 future', "
        "MAX(position) + 1 FROM linaje_migrations WHERE namespace = 'metrics'"),
    "something unknown": lambda daemon: sql(
        daemon, "metrics.db", "INSERT INTO linaje_migrations VALUES ('wonders', '1', 0)"),
}


@pytest.mark.parametrize("what", NEWER)
def test_a_newer_store_is_refused_by_name_and_left_untouched(daemon, what):
    with daemon.client() as client:
        new_run(client)
    assert daemon.stop() == 0
    NEWER[what](daemon)
    before = snapshot(daemon)
    status, said = daemon.refuses_to_start()
    assert status == 1 and "store_too_new" in said, said
    assert "linajed 0.1.0" in said, f"its own version is not named: {said}"
    assert "9.8.7" in said if what == "the directory" else "99 future" in said or "wonders" in said
    assert "update linajed" in said, f"it does not say what to do: {said}"
    assert snapshot(daemon) == before
    assert not os.path.exists(daemon.socket)


def test_a_newer_store_whose_log_was_left_behind_is_refused_and_left_untouched(daemon):
    path = os.path.join(daemon.state, "metrics.db")
    database = sqlite3.connect(path)
    database.execute("INSERT INTO linaje_migrations SELECT 'metrics', '99 future', "
                     "MAX(position) + 1 FROM linaje_migrations WHERE namespace = 'metrics'")
    database.commit()
    daemon.kill()
    assert os.path.getsize(path + "-wal") > 0
    before = snapshot(daemon)
    status, said = daemon.refuses_to_start()
    after = snapshot(daemon)
    # Only now: the last connection that closes moves the log into the file.
    database.close()
    assert status == 1 and "99 future" in said, said
    # Beside a log there is memory that readers share: no store.
    for facts in (before, after):
        for name in [name for name in facts if name.endswith("-shm")]:
            del facts[name]
    assert after == before


def test_the_stamp_is_written_and_follows_an_update(daemon):
    stamp = pathlib.Path(daemon.state, "format")
    assert stamp.read_text(encoding="ascii") == "linaje state 1\nlinajed 0.1.0\n"
    assert daemon.stop() == 0
    stamp.write_text("linaje state 1\nlinajed 0.0.9\n", encoding="ascii")
    daemon.start()
    assert stamp.read_text(encoding="ascii") == "linaje state 1\nlinajed 0.1.0\n"
    assert daemon.stop() == 0
    stamp.unlink()
    daemon.start()
    assert stamp.exists(), "a directory from before stamps got none"


def test_a_stamp_that_is_damaged_is_refused(daemon):
    assert daemon.stop() == 0
    pathlib.Path(daemon.state, "format").write_bytes(b"linaje\x00state")
    status, said = daemon.refuses_to_start()
    assert status == 1 and "corrupt" in said and "format" in said and "--recover" in said, said


# --- Maintenance ---

@with_command
def test_maintain_shrinks_and_tidies_while_points_are_written(daemon):
    assert daemon.stop() == 0
    sql(daemon, "metrics.db", "CREATE TABLE ballast (bytes BLOB)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
        "INSERT INTO ballast SELECT zeroblob(4000) FROM n", "DROP TABLE ballast")
    large = os.path.getsize(os.path.join(daemon.state, "metrics.db"))
    daemon.start()
    client = daemon.client()
    run = new_run(client)
    writer = Writer(daemon.connection(), run, os.urandom(16), points=10)
    process = subprocess.Popen([LINAJE, "maintain", "--json", "--socket", daemon.socket],
                               stdout=subprocess.PIPE, text=True)
    while process.poll() is None:
        writer.send()
        writer.wait()
    said = [json.loads(line) for line in process.stdout.read().splitlines()]
    assert process.returncode == 0, said
    last = [(each["task"], each["database"]) for each in said if each["finished"]]
    assert last == [("compact", "metrics")] + [
                    (task, name) for task in ("vacuum", "analyze", "checkpoint")
                    for name in ("catalog", "metrics")]
    freed = next(each["freed_bytes"] for each in said
                 if each["finished"] and each["task"] == "vacuum" and each["database"] == "metrics")
    assert freed > 2_500 * 4_096, said
    assert not any(each["failure"] for each in said)
    # The turns of the vacuum: many, and none of them large.
    steps = [each["done"] for each in said
             if each["task"] == "vacuum" and each["database"] == "metrics"]
    assert len(steps) > 10 and all(b - a <= 256 for a, b in zip([0] + steps, steps)), steps
    assert os.path.getsize(os.path.join(daemon.state, "metrics.db")) < large - freed // 2
    writer.end()
    assert len(history(client, run)) == writer.acked * 10
    client.close()


@with_command
def test_maintain_says_what_an_old_database_needs(daemon):
    assert daemon.stop() == 0
    database = sqlite3.connect(os.path.join(daemon.state, "metrics.db"), isolation_level=None)
    database.executescript("PRAGMA journal_mode=DELETE; PRAGMA auto_vacuum=NONE; VACUUM;"
                           "CREATE TABLE b (x BLOB); INSERT INTO b VALUES (zeroblob(4000000));"
                           "DROP TABLE b; PRAGMA journal_mode=WAL;")
    database.close()
    daemon.start()
    done = linaje(daemon, "maintain", "vacuum")
    assert done.returncode == 1 and "--recover --vacuum" in done.stderr, done.stderr
    assert linaje(daemon, "maintain", "checkpoint").returncode == 0


@with_command
def test_who_asked_for_maintain_may_leave_in_the_middle(daemon):
    assert daemon.stop() == 0
    sql(daemon, "catalog.db", "CREATE TABLE ballast (bytes BLOB)",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) "
        "INSERT INTO ballast SELECT zeroblob(4000) FROM n", "DROP TABLE ballast")
    daemon.start()
    process = subprocess.Popen([LINAJE, "maintain", "vacuum", "--json", "--socket", daemon.socket],
                               stdout=subprocess.PIPE, text=True)
    assert json.loads(process.stdout.readline())["done"] <= 256
    process.send_signal(signal.SIGKILL)
    process.wait()
    with daemon.client() as client:
        new_run(client)
        eventually(lambda: client.status().connections == 1)
        assert not client.status().failure


# --- Migrations that go on while serving ---

EVENTS = 6_000


def old_ledger(daemon, number=EVENTS):
    """Makes the ledger that a version before the times of events would have left."""
    database = sqlite3.connect(os.path.join(daemon.state, "catalog.db"))
    previous, rows = bytes(32), []
    for sequence in range(1, number + 1):
        canonical = (f'{{"at":{sequence * 1_000_000},"door":"socket","model":"m",'
                     f'"op":"model.update","principal":"uid:0"}}').encode()
        digest = hashlib.sha256(b"linaje event 1\n" + previous + struct.pack(">Q", sequence) +
                                canonical).digest()
        rows.append((sequence, canonical, previous, digest))
        previous = digest
    database.executemany("INSERT INTO events (sequence, canonical, previous_hash, hash, model, "
                         "version) VALUES (?, ?, ?, ?, 'm', 0)", rows)
    database.execute("INSERT OR REPLACE INTO ledger_head VALUES (1, ?, ?)", (number, previous))
    database.execute("UPDATE linaje_backfills SET place = '', done = 0, total = ?, finished = 0 "
                     "WHERE namespace = 'catalog'", (number,))
    database.commit()
    database.close()


def place(daemon):
    """How far the backfill is: (place, events entered, finished)."""
    (number, finished), = sql(daemon, "catalog.db", "SELECT done, finished FROM linaje_backfills "
                              "WHERE namespace = 'catalog'")
    (entered,), = sql(daemon, "catalog.db", "SELECT COUNT(*) FROM event_times")
    return number, entered, finished


def test_a_migration_killed_at_any_moment_goes_on_and_answers_stay_right(daemon):
    assert daemon.stop() == 0
    old_ledger(daemon)
    dice, last = random.Random(SEED), 0
    for number in range(8):
        daemon.spawn()
        # A batch more than last time, then some time into the next ones.
        eventually(lambda: place(daemon)[0] > last or place(daemon)[2])
        time.sleep(dice.uniform(0, 0.05))
        daemon.kill()
        done, entered, finished = place(daemon)
        assert done >= last, f"seed {SEED}, round {number}: it went back"
        assert entered == min(done, EVENTS), f"seed {SEED}, round {number}: {entered} of {done}"
        last = done
    daemon.start()
    with daemon.client() as client:
        while True:
            migrations = client.status().migrations
            found = client.call("ListEvents", since_us=2_001_000_000, until_us=2_011_000_000,
                                page={"limit": 100})
            assert [event.sequence for event in found.events] == list(range(2_001, 2_011))
            if not migrations:
                break
        assert client.call("VerifyLedger").first_bad == 0
    assert "migrating catalog \"9 event times\": 100 %" in daemon.log
    assert place(daemon) == (EVENTS, EVENTS, 1)


@with_command
def test_a_migration_that_cannot_go_on_is_shown_and_finishes_later(daemon):
    assert daemon.stop() == 0
    old_ledger(daemon, 1_000)
    sql(daemon, "catalog.db", "ALTER TABLE event_times RENAME TO hidden")
    daemon.start()
    with daemon.client() as client:
        waiting, = client.status().migrations
        assert (waiting.namespace, waiting.name) == ("catalog", "9 event times")
        assert (waiting.done, waiting.total) == (0, 1_000)
        said = linaje(daemon, "status")
        assert "migrating" in said.stdout and "0 %" in said.stdout, said
        said = linaje(daemon, "ledger", "list", "--since", "1970-01-01T00:16:39Z", "--json")
        assert [event["sequence"] for event in json.loads(said.stdout)] == [999, 1_000], said
        new_run(client)
        sql(daemon, "catalog.db", "ALTER TABLE hidden RENAME TO event_times")
        eventually(lambda: not client.status().migrations)
    assert place(daemon) == (1_000, 1_000, 1)
