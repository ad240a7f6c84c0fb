"""linajed --recover: real damage, what is repaired, what is named as lost; a second run is quiet."""

import json
import os
import pathlib
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile

import pytest
from recovery import assert_quiet, findings, recover, rows
from support import (LINAJED, SECONDS, SEED, SOAK, Daemon, Writer, history, may_trace,
                     may_unshare, new_run, put_tree, read)

with_mounts = pytest.mark.skipif(not may_unshare(), reason="may not make a mount namespace")
with_strace = pytest.mark.skipif(not may_trace(), reason="strace may not trace")
PAGE = 4_096
RUNS = 300


def fill(daemon):
    """A store with everything in it, stopped in order; what was put into it. Made once, copied."""
    daemon.start()
    with daemon.client() as client:
        kept = {"runs": [], "files": {"model/a": random.Random(SEED).randbytes(200_000),
                                      "model/b": b"small"}}
        for number in range(RUNS):
            run = new_run(client)
            kept["runs"].append(run)
            client.call("LogRun", id=run, params=[{"key": f"p{i}", "string_value": "x" * 200}
                                                  for i in range(3)])
        kept["tree"] = put_tree(client, kept["files"], run=kept["runs"][0]).digest
        for _ in range(3):
            client.create_model_version("forest", f"tree:sha256:{kept['tree'].hex()}")
        connection = daemon.connection()
        kept["points"] = {}
        for run in kept["runs"][:20]:
            writer = Writer(connection, run, os.urandom(16), points=50)
            for _ in range(10):
                writer.send()
                writer.wait()
            writer.end()
            kept["points"][run] = history(client, run)
        connection.close()
    assert daemon.stop() == 0
    return kept


@pytest.fixture(scope="module")
def original():
    """A filled state directory that tests copy."""
    folder = tempfile.mkdtemp(prefix="lnj-")
    daemon = Daemon(folder)
    kept = fill(daemon)
    yield daemon.state, kept
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def store(original, folder):
    """(a daemon that does not run, on a copy of the store; what is in it)."""
    state, kept = original
    daemon = Daemon(folder)
    shutil.copytree(state, daemon.state)
    os.chmod(daemon.state, 0o700)
    yield daemon, kept
    if daemon.process and daemon.process.poll() is None:
        daemon.finish()


def damage_pages(path, pages, dice):
    """Overwrites the middle of pages (from 1) with noise."""
    with open(path, "r+b") as file:
        for page in pages:
            file.seek((page - 1) * PAGE)
            file.write(dice.randbytes(64))


def leaves(daemon, name, table):
    """The pages that hold rows of a table, in order."""
    path = os.path.join(daemon.state, name)
    root, = rows(daemon, name, f"SELECT rootpage FROM sqlite_schema WHERE name = '{table}'")[0]
    data = pathlib.Path(path).read_bytes()
    found, todo = [], [root]
    while todo:
        number = todo.pop(0)
        page = data[(number - 1) * PAGE:number * PAGE]
        start = 100 if number == 1 else 0
        if page[start] == 13:
            found.append(number)
        elif page[start] == 5:
            count = int.from_bytes(page[start + 3:start + 5], "big")
            cells = [int.from_bytes(page[start + 12 + 2 * i:start + 14 + 2 * i], "big")
                     for i in range(count)]
            todo += [int.from_bytes(page[cell:cell + 4], "big") for cell in cells]
            todo.append(int.from_bytes(page[start + 8:start + 12], "big"))
    return found


def test_a_store_that_is_well_is_left_alone(store):
    daemon, _ = store
    before = {path: path.read_bytes() for path in pathlib.Path(daemon.state).rglob("*")
              if path.is_file()}
    for arguments in (["--dry-run"], []):
        _, said = recover(daemon, *arguments, status=0)
        assert said["well"] and not findings(said, "repaired") and not findings(said, "lost"), said
    for path, content in before.items():
        # Of a log there is only the readers' memory left.
        if path.suffix not in (".db", ".db-shm"):
            assert path.read_bytes() == content, path
    assert not os.path.exists(f"{daemon.state}/recovered")


def test_recovery_is_refused_while_a_daemon_runs(daemon):
    done = subprocess.run([LINAJED, "--recover", "--state-directory", daemon.state],
                          capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 1 and "already_running" in done.stderr, done.stderr


def test_a_directory_that_is_not_there_is_not_made(folder):
    done = subprocess.run([LINAJED, "--recover", "--state-directory", f"{folder}/none"],
                          capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 1 and "not_found" in done.stderr, done.stderr
    assert not os.path.exists(f"{folder}/none")


def test_a_log_that_a_killed_daemon_left_is_taken_in(daemon):
    with daemon.client() as client:
        run = new_run(client)
        writer = Writer(daemon.connection(), run, os.urandom(16), points=10)
        writer.send()
        writer.wait()
    daemon.kill()
    _, said = recover(daemon, status=0)
    assert findings(said, "repaired", "catalog.db", "log"), said
    log = pathlib.Path(daemon.state, "catalog.db-wal")
    assert not log.exists() or log.stat().st_size == 0
    assert_quiet(daemon)
    daemon.start()
    with daemon.client() as client:
        assert len(history(client, run)) == 10
    daemon.finish()
    daemon.killed = True


def test_a_damaged_index_is_made_anew_without_loss(store):
    daemon, kept = store
    root, = rows(daemon, "catalog.db",
                 "SELECT rootpage FROM sqlite_schema WHERE name = 'runs_by_start'")[0]
    database = sqlite3.connect(f"{daemon.state}/catalog.db", isolation_level=None)
    database.executescript("PRAGMA writable_schema=ON;"
                           "DELETE FROM sqlite_schema WHERE name = 'runs_by_start';")
    database.close()
    database = sqlite3.connect(f"{daemon.state}/catalog.db", isolation_level=None)
    # The index misses one row and has the place of another.
    database.execute("DELETE FROM runs WHERE rowid = 7")
    database.execute("UPDATE runs SET started_at_us = 5 WHERE rowid = 9")
    database.executescript(
        "PRAGMA writable_schema=ON; INSERT INTO sqlite_schema VALUES ('index', 'runs_by_start', "
        f"'runs', {root}, 'CREATE INDEX runs_by_start ON runs (started_at_us, id)');")
    database.close()
    _, said = recover(daemon, "--dry-run", status=0)
    assert findings(said, "repaired", "index did not fit"), said
    assert rows(daemon, "catalog.db", "PRAGMA integrity_check") != [("ok",)]
    _, said = recover(daemon, status=0)
    assert findings(said, "repaired", "index did not fit"), said
    assert rows(daemon, "catalog.db", "PRAGMA integrity_check") == [("ok",)]
    assert rows(daemon, "catalog.db", "SELECT COUNT(*) FROM runs") == [(RUNS - 1,)]
    assert list(pathlib.Path(daemon.state, "recovered").glob("*/catalog.db")), "no copy was kept"
    assert_quiet(daemon)


@pytest.mark.parametrize("where", ["first", "middle", "last", "two"])
def test_damaged_pages_of_runs_cost_those_runs_and_name_them(store, where):
    daemon, kept = store
    path, dice = f"{daemon.state}/catalog.db", random.Random(SEED)
    pages = leaves(daemon, "catalog.db", "runs")
    assert len(pages) > 7
    chosen = {"first": pages[:1], "middle": [pages[5]], "last": pages[-1:],
              "two": [pages[3], pages[6]]}[where]
    before = {run for run, in rows(daemon, "catalog.db", "SELECT id FROM runs")}
    damage_pages(path, chosen, dice)
    _, said = recover(daemon, status=1)
    assert findings(said, "repaired", "pages are damaged"), said
    lost, = findings(said, "lost", "table runs")
    after = {run for run, in rows(daemon, "catalog.db", "SELECT id FROM runs")}
    gone = before - after
    assert 0 < len(gone) <= 60 * len(chosen), len(gone)
    assert sorted(lost["affected"]) == sorted(f"runs id={run.hex()}" for run in gone)
    assert f"lost {len(gone)} rows" in lost["problem"]
    assert rows(daemon, "catalog.db", "SELECT COUNT(*) FROM run_params") == [(3 * RUNS,)]
    assert_quiet(daemon)
    daemon.start()
    with daemon.client() as client:
        assert client.call("GetRun", id=max(after)).id
        assert read(client, kept["tree"], "model/a") == kept["files"]["model/a"]
        assert client.call("VerifyLedger").first_bad == 0
        new_run(client)


def test_damaged_pages_of_metrics_cost_those_batches_and_name_their_runs(store):
    daemon, kept = store
    pages = leaves(daemon, "metrics.db", "metric_segments")
    damage_pages(f"{daemon.state}/metrics.db", [pages[len(pages) // 2]], random.Random(SEED))
    _, said = recover(daemon, status=1)
    assert findings(said, "repaired", "metrics.db", "pages are damaged"), said
    lost, = findings(said, "lost", "parts of metrics")
    affected = {line.split()[1].rstrip(":") for line in lost["affected"]}
    assert_quiet(daemon)
    daemon.start()
    with daemon.client() as client:
        for run, points in kept["points"].items():
            found = history(client, run)
            assert set(found) <= set(points)
            assert (len(found) < len(points)) == (run.hex() in affected), run.hex()
            summary, = client.call("GetMetricSummaries", run_id=run).summaries
            assert summary.count == len(found)


def test_a_segment_with_a_flipped_byte_is_put_aside_and_named(store):
    daemon, kept = store
    database = sqlite3.connect(f"{daemon.state}/metrics.db")
    number, run, data = database.execute(
        "SELECT id, run, data FROM metric_segments ORDER BY id LIMIT 1 OFFSET 30").fetchone()
    data = bytearray(data)
    data[len(data) // 2] ^= 4
    database.execute("UPDATE metric_segments SET data = ? WHERE id = ?", (bytes(data), number))
    database.commit()
    database.close()
    _, said = recover(daemon, status=1)
    lost, = findings(said, "lost", "parts of metrics")
    assert lost["affected"] == [f"run {run.hex()}: segment {number} does not match its check"]
    kept_data, = rows(daemon, "metrics.db", "SELECT data FROM metric_quarantine")[0]
    assert kept_data == bytes(data), "what was found is not kept"
    assert_quiet(daemon)
    daemon.start()
    with daemon.client() as client:
        assert len(history(client, run)) == len(kept["points"][run]) - 50


def test_a_catalog_that_is_gone_is_made_anew_with_the_index_of_the_packs(store):
    daemon, kept = store
    os.unlink(f"{daemon.state}/catalog.db")
    _, said = recover(daemon, status=1)
    assert findings(said, "lost", "catalog.db", "missing"), said
    assert findings(said, "repaired", "packs that the index does not know"), said
    assert_quiet(daemon)
    daemon.start()
    with daemon.client() as client:
        assert read(client, kept["tree"], "model/a") == kept["files"]["model/a"]
        client.create_model_version("again", f"tree:sha256:{kept['tree'].hex()}")


def packs(daemon):
    return sorted(pathlib.Path(daemon.state, "packs").rglob("*.pack"))


@pytest.mark.parametrize("damage", ["truncated", "gone"])
def test_a_pack_that_is_lost_names_what_needs_it_and_can_be_uploaded_again(store, damage):
    daemon, kept = store
    for pack in packs(daemon):
        if damage == "gone":
            pack.unlink()
        else:
            with open(pack, "r+b") as file:
                file.truncate(pack.stat().st_size - 10)
    _, said = recover(daemon, status=1)
    lost, = findings(said, "lost", "trees are incomplete")
    assert {"model version forest/1", "model version forest/2", "model version forest/3",
            f"run {kept['runs'][0].hex()}"} <= set(lost["affected"]), lost
    assert not packs(daemon)
    # Nothing is left to repair, but what is lost is said again until it is there.
    _, said = recover(daemon, status=1)
    assert not findings(said, "repaired") and findings(said, "lost", "incomplete"), said
    daemon.start()
    with daemon.client() as client:
        assert put_tree(client, kept["files"]).digest == kept["tree"]
        assert read(client, "models:/forest/2", "model/a") == kept["files"]["model/a"]
    assert daemon.stop() == 0
    assert_quiet(daemon)


def test_a_pack_that_comes_back_is_entered_again(store):
    daemon, kept = store
    pack = packs(daemon)[0]
    content = pack.read_bytes()
    pack.unlink()
    recover(daemon, status=1)
    pack.write_bytes(content)
    _, said = recover(daemon, status=0)
    assert findings(said, "repaired", "does not know", pack.name), said
    assert_quiet(daemon)


def test_a_ledger_that_was_changed_is_named_and_left_as_it_is(store):
    daemon, _ = store
    database = sqlite3.connect(f"{daemon.state}/catalog.db")
    database.execute("UPDATE events SET canonical = replace(canonical, 'forest', 'desert') "
                     "WHERE sequence = 2")
    database.commit()
    database.close()
    before = rows(daemon, "catalog.db", "SELECT * FROM events")
    for _ in range(2):
        _, said = recover(daemon, status=1)
        assert findings(said, "lost", "ledger", "event 2"), said
    assert rows(daemon, "catalog.db", "SELECT * FROM events") == before


def test_leftovers_and_modes_are_put_right(store):
    daemon, _ = store
    pathlib.Path(daemon.state, "tmp", ".tmp-1-1").write_bytes(b"half a pack")
    os.chmod(f"{daemon.state}/metrics.db", 0o644)
    os.chmod(daemon.state, 0o777)
    pathlib.Path(daemon.state, "format").write_bytes(b"?")
    _, said = recover(daemon, "--dry-run", status=0)
    assert len(findings(said, "repaired")) == 3, said
    assert os.stat(daemon.state).st_mode & 0o777 == 0o777
    _, said = recover(daemon, status=0)
    assert findings(said, "repaired", "tmp") and findings(said, "repaired", "modes")
    assert findings(said, "repaired", "format")
    assert_quiet(daemon)
    assert not os.listdir(f"{daemon.state}/tmp")
    daemon.start()


def test_a_newer_store_is_not_touched_by_recovery(store):
    daemon, _ = store
    pathlib.Path(daemon.state, "format").write_text("linaje state 7\nlinajed 9.9.9\n",
                                                    encoding="ascii")
    status, said = recover(daemon)
    assert status == 1 and "layout 7" in said["failure"] and "9.9.9" in said["failure"], said


def test_vacuum_makes_an_old_database_shrink_in_steps(store):
    daemon, _ = store
    database = sqlite3.connect(f"{daemon.state}/metrics.db", isolation_level=None)
    database.executescript("PRAGMA journal_mode=DELETE; PRAGMA auto_vacuum=NONE; VACUUM;")
    database.close()
    _, said = recover(daemon, "--vacuum", status=0)
    assert findings(said, "repaired", "metrics.db", "rewritten"), said
    assert rows(daemon, "metrics.db", "PRAGMA auto_vacuum") == [(2,)]
    _, said = recover(daemon, "--vacuum", status=0)
    assert not findings(said, "repaired"), said


@with_mounts
def test_a_full_disk_stops_the_repair_and_changes_nothing(store):
    daemon, _ = store
    damage_pages(f"{daemon.state}/catalog.db", leaves(daemon, "catalog.db", "runs")[3:4],
                 random.Random(SEED))
    total = sum(path.stat().st_size for path in pathlib.Path(daemon.state).rglob("*"))
    # A file system with room for the copy that is kept, and not for the new database.
    size = total + os.path.getsize(f"{daemon.state}/catalog.db") + 700_000
    script = (f"mkdir {daemon.folder}/t && mount -t tmpfs -o size={size},mode=0700 t "
              f"{daemon.folder}/t && cp -a {daemon.state}/. {daemon.folder}/t && "
              f"{LINAJED} --recover --json --state-directory {daemon.folder}/t; echo; "
              f"cmp {daemon.state}/catalog.db {daemon.folder}/t/catalog.db && echo same; "
              f"mount -o remount,size=100m {daemon.folder}/t; "
              f"{LINAJED} --recover --json --state-directory {daemon.folder}/t; echo; "
              f"{LINAJED} --recover --json --state-directory {daemon.folder}/t")
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True,
                          timeout=60, check=False)
    first, same, second, third = [line for line in done.stdout.splitlines() if line]
    assert "no room" in json.loads(first)["failure"], done.stdout
    assert same == "same"
    assert findings(json.loads(second), "lost", "table runs"), second
    assert not findings(json.loads(third), "lost") and json.loads(third)["well"], third


@with_strace
def test_a_repair_that_is_killed_anywhere_is_finished_by_the_next(store):
    daemon, _ = store
    damage_pages(f"{daemon.state}/catalog.db", leaves(daemon, "catalog.db", "runs")[4:5],
                 random.Random(SEED))
    pristine = daemon.folder + "/pristine"
    shutil.copytree(daemon.state, pristine)

    def restored():
        shutil.rmtree(daemon.state)
        shutil.copytree(pristine, daemon.state)

    recover(daemon, status=1)
    wanted = rows(daemon, "catalog.db", "SELECT id FROM runs ORDER BY id")
    dice = random.Random(SEED)
    moments = [("rename", 2), ("rename", 3), ("rename", 4), ("unlink", 3), ("fsync", 3),
               ("pwrite64", dice.randrange(400))]
    if SOAK:
        moments = [(call, number) for call in ("rename", "unlink", "fsync", "ftruncate")
                   for number in range(1, 9)] + [("pwrite64", n) for n in range(1, 400, 13)]
    killed = set()
    for call, number in moments:
        restored()
        done = subprocess.run(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
             f"inject={call}:signal=KILL:when={number}", LINAJED, "--recover",
             "--state-directory", daemon.state], capture_output=True, timeout=60, check=False)
        if done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL):
            killed.add(call)
        recover(daemon)
        assert rows(daemon, "catalog.db", "PRAGMA integrity_check") == [("ok",)], (call, number)
        assert rows(daemon, "catalog.db", "SELECT id FROM runs ORDER BY id") == wanted, \
            f"killed at {call} {number}"
        assert_quiet(daemon)
    assert len(killed) >= 3, f"only killed at {killed}: the moments do not fit the repair any more"


def test_a_daemon_does_not_start_in_the_middle_of_a_repair(store):
    daemon, _ = store
    shutil.copy(f"{daemon.state}/catalog.db", f"{daemon.state}/catalog.db.recovered")
    os.unlink(f"{daemon.state}/catalog.db")
    status, said = daemon.refuses_to_start()
    assert status == 1 and "--recover" in said, said
    _, said = recover(daemon, status=0)
    assert findings(said, "repaired", "interrupted"), said
    daemon.start()
