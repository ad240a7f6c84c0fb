"""`linaje backup` and `linaje restore`: hot, consistent, incremental, checked."""

import glob
import json
import os
import random
import signal
import stat
import subprocess
import threading
import time

import pytest
from support import (
    ROOT, SECONDS, Daemon, LinajeError, Writer, _wire, eventually, history, new_run, put_tree, read,
)

LINAJE = os.environ.get("LINAJE", str(ROOT / ".build/debug/linaje"))
pytestmark = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")


def linaje(*arguments, code=0):
    done = subprocess.run([LINAJE, *arguments], capture_output=True, text=True, timeout=SECONDS,
                          check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stderr if code else done.stdout


def backup(daemon, place, *arguments, code=0):
    said = linaje("backup", place, "--socket", daemon.socket, "--json", *arguments, code=code)
    return said if code else json.loads(said)


def verified(place):
    return json.loads(linaje("backup", place, "--verify", "--json"))


def restore(place, state, *arguments, code=0):
    return linaje("restore", place, "--state-directory", state, *arguments, code=code)


def content(seed, size=300_000):
    dice = random.Random(seed)
    return {"model.bin": dice.randbytes(size), "notes.txt": f"seed {seed}\n".encode()}


def names(place):
    return {os.path.relpath(path, place) for path in glob.glob(f"{place}/packs/*/*.pack")}


@pytest.fixture
def place(folder):
    return os.path.join(folder, "backup")


@pytest.fixture
def restored(folder, place):
    """Starts a daemon on what `restore` makes of the backup."""
    started = []

    def start(*arguments):
        other = os.path.join(folder, f"r{len(started)}")
        os.mkdir(other)
        daemon = Daemon(other)
        restore(place, daemon.state, *arguments)
        started.append(daemon.start())
        return daemon

    yield start
    for daemon in started:
        daemon.finish()


def test_a_backup_made_under_load_has_all_that_was_acknowledged_before_it(daemon, place, restored):
    stop = threading.Event()
    failures, later = [], []

    def train():
        try:
            with daemon.client() as client:
                run = new_run(client)
                writer = Writer(daemon.connection(), run, os.urandom(16), points=500)
                number = 0
                while not stop.is_set():
                    writer.send()
                    writer.poll()
                    number += 1
                    later.append(put_tree(client, content(1_000 + number, 90_000), run=run,
                                          path=f"step{number}").digest)
                writer.end()
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    with daemon.client() as client:
        run = new_run(client, name="before")
        writer = Writer(daemon.connection(), run, os.urandom(16), points=2_000)
        for _ in range(10):
            writer.send()
        writer.end()
        tree = put_tree(client, content(1), run=run, path="model")
        wanted = history(client, run)
        load = threading.Thread(target=train)
        load.start()
        eventually(lambda: len(later) > 2 or failures)
        done = backup(daemon, place)
        stop.set()
        load.join()
        assert not failures, failures
        assert done["packs"] == done["new_packs"] > 0 and done["lost"] == []
        assert verified(place)["findings"] == []
    daemon.kill()
    other = restored()
    with other.client() as client:
        assert history(client, run) == wanted
        assert read(client, tree.digest, "model.bin") == content(1)["model.bin"]
        whole = json.loads(linaje("fsck", "--read-data", "--json", "--socket", other.socket)
                           .splitlines()[-1])
        assert whole["findings"] == 0
        # The trees that the copied catalog has of the run under load are whole; it goes on.
        put_tree(client, content(5), run=run, path="after")
    for path in (place, other.state):
        for root, folders, files in os.walk(path):
            for name in [*folders, *files]:
                mode = os.lstat(os.path.join(root, name)).st_mode
                assert stat.S_ISSOCK(mode) or mode & 0o077 == 0, (root, name, oct(mode))


def test_a_second_backup_copies_only_what_is_new_and_old_generations_go(daemon, place, restored):
    with daemon.client() as client:
        run = new_run(client)
        first = put_tree(client, content(1), run=run, path="a")
        one = backup(daemon, place)
        before = {path: os.stat(f"{place}/{path}").st_ino for path in names(place)}
        assert one["new_packs"] == one["packs"] == len(before)
        put_tree(client, content(2), run=run, path="b")
        two = backup(daemon, place)
        assert two["packs"] > two["new_packs"] > 0
        assert all(os.stat(f"{place}/{path}").st_ino == inode for path, inode in before.items())

        # What only the oldest generations have goes with them.
        linaje("run", "delete", "--permanent", run.hex(), "--socket", daemon.socket)
        assert daemon.stop() == 0
    daemon.start()
    for _ in range(2):
        linaje("gc", "--grace", "0s", "--socket", daemon.socket)
    third = backup(daemon, place, "--keep", "2")
    assert third["packs"] == 0 and third["removed_generations"] == [one["generation"]]
    listed = json.loads(linaje("backup", place, "--list", "--json"))
    assert [each["generation"] for each in listed] == [two["generation"], third["generation"]]
    assert verified(place)["findings"] == []
    old = restored("--generation", "2")
    with old.client() as client:
        assert read(client, first.digest, "model.bin") == content(1)["model.bin"]
    last = backup(daemon, place, "--keep", "1")
    assert last["removed_packs"] == two["packs"] and names(place) == set()


def test_collections_and_repairs_wait_until_the_backup_is_over_and_say_so(daemon, place):
    with daemon.client() as client:
        run = new_run(client)
        put_tree(client, content(1), run=run)
        linaje("run", "delete", "--permanent", run.hex(), "--socket", daemon.socket)
    assert daemon.restart()
    linaje("gc", "--grace", "0s", "--socket", daemon.socket)
    before = names(daemon.state)
    assert before
    connection = daemon.connection()
    stream = connection.open("OpenBackup", {})
    opened = stream.wait_answer(time.monotonic() + SECONDS)
    files = []
    while True:
        news = _wire.decode("BackupNews", stream.receive(time.monotonic() + SECONDS))
        files += [each.name for each in news.files]
        if news.complete:
            break
    assert {"format", "catalog.db", "metrics.db", *before} == set(files)
    assert "another backup is under way" in backup(daemon, place, code=1)

    def waiting(*words):
        """A command that waits, and for what."""
        process = subprocess.Popen([LINAJE, *words, "--json", "--socket", daemon.socket], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wanted = json.loads(process.stdout.readline())["waiting_for"]
        assert process.stderr.readline() == f"linaje: waiting for {wanted}\n"
        return process, wanted

    collection, wanted = waiting("gc", "--grace", "0s")
    assert wanted.startswith("a backup that began at 20"), wanted
    check, then = waiting("fsck", "--rebuild-index")
    assert then == f"{wanted}, then a collection", then
    with daemon.client() as client:
        with pytest.raises(LinajeError):
            client.call("ListArtifacts", root={"tree": b"x" * 32})
    time.sleep(0.3)
    assert names(daemon.state) == before
    assert collection.poll() is None and check.poll() is None
    upkeep = json.loads(linaje("status", "--json", "--socket", daemon.socket))["upkeep"]
    open_one, = [each for each in upkeep if each["task"] == "backup"]
    assert open_one["ended_at_us"] is None and open_one["total_bytes"] > 0
    assert "collections and repairs wait" in linaje("status", "--socket", daemon.socket)
    assert len(opened.backup_id) == 16
    connection.close()
    said, _ = collection.communicate(timeout=SECONDS)
    assert collection.returncode == 0 and json.loads(said.splitlines()[-1])["waiting_for"] is None
    check.communicate(timeout=SECONDS)
    assert check.returncode == 0
    assert names(daemon.state) == set()
    status = json.loads(linaje("status", "--json", "--socket", daemon.socket))
    assert "backup" not in [each["task"] for each in status["upkeep"]]
    assert glob.glob(f"{daemon.state}/tmp/.backup-*") == []
    assert backup(daemon, place)["packs"] == 0


def test_an_interrupted_backup_leaves_the_last_one_whole_and_the_next_goes_on(daemon, place):
    with daemon.client() as client:
        run = new_run(client)
        put_tree(client, content(1), run=run, path="a")
        first = backup(daemon, place)
        for number in range(2, 14):
            put_tree(client, content(number), run=run, path=f"a{number}")
    dice = random.Random(7)
    killed = 0
    for _ in range(8):
        process = subprocess.Popen([LINAJE, "backup", place, "--socket", daemon.socket],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(dice.uniform(0.02, 0.12))
        process.send_signal(signal.SIGKILL)
        killed += process.wait(SECONDS) == -signal.SIGKILL
        assert verified(place)["findings"] == []
    assert killed > 0
    listed = json.loads(linaje("backup", place, "--list", "--json"))
    assert listed[0]["generation"] == first["generation"] and all(each["whole"] for each in listed)
    done = backup(daemon, place)
    assert done["packs"] >= 13 and names(place) == names(daemon.state)
    assert verified(place)["packs"] == done["packs"]
    assert os.listdir(f"{place}/tmp") == []


def test_every_damage_of_a_backup_is_named_and_never_restored(daemon, place, folder):
    with daemon.client() as client:
        put_tree(client, content(1), run=new_run(client))
    generation = f"{place}/generations/" + backup(daemon, place)["generation"]
    state = os.path.join(folder, "other")
    pack, = glob.glob(f"{place}/packs/*/*.pack")
    dice = random.Random(3)
    for path in [pack, *glob.glob(f"{generation}/*")]:
        whole = open(path, "rb").read()
        for _ in range(4):
            flipped = bytearray(whole)
            flipped[dice.randrange(len(whole))] ^= 1 << dice.randrange(8)
            open(path, "wb").write(flipped)
            linaje("backup", place, "--verify", code=1)
            restore(place, state, code=1)
            assert not os.path.exists(state), path
        open(path, "wb").write(whole[:-1])
        linaje("backup", place, "--verify", code=1)
        restore(place, state, code=1)
        os.rename(path, path + ".away")
        linaje("backup", place, "--verify", code=1)
        restore(place, state, code=1)
        os.remove(path + ".away")
        open(path, "wb").write(whole)
    assert verified(place)["findings"] == []
    # What the last attempt left is taken up.
    restore(place, state)
    assert not os.path.exists(state + ".restoring")


def test_a_restore_touches_no_directory_that_holds_something(daemon, place, folder):
    backup(daemon, place)
    state = os.path.join(folder, "other")
    os.mkdir(state)
    open(f"{state}/letter", "w").close()
    assert "not empty" in restore(place, state, code=1)
    assert os.listdir(state) == ["letter"]
    assert "not empty" in restore(place, daemon.state, code=1)
    assert "no backup" in restore(folder, f"{folder}/new", code=1)
    assert "no generation" in restore(place, f"{folder}/new", "--generation", "9", code=1)
    assert "no backup of linaje" in backup(daemon, daemon.state, code=1)
    os.remove(f"{state}/letter")
    restore(place, state)
    assert stat.S_IMODE(os.stat(state).st_mode) == 0o700
    os.mkdir(f"{folder}/third.restoring")
    open(f"{folder}/third.restoring/letter", "w").close()
    assert "in the way" in restore(place, f"{folder}/third", code=1)


def test_a_pack_that_is_damaged_in_the_store_is_said_and_the_rest_can_be_kept(daemon, place, restored):
    with daemon.client() as client:
        run = new_run(client)
        put_tree(client, content(1), run=run, path="a")
        bad, = glob.glob(f"{daemon.state}/packs/*/*.pack")
        good = put_tree(client, content(2), run=run, path="b")
        with open(bad, "r+b") as file:
            file.seek(5_000)
            byte = file.read(1)
            file.seek(5_000)
            file.write(bytes([byte[0] ^ 1]))
        said = backup(daemon, place, code=1)
        assert os.path.basename(bad) in said and "fsck" in said
        assert "no generation" in linaje("backup", place, "--verify", code=1)
        backup(daemon, place, "--despite-damage", code=1)
        listed, = json.loads(linaje("backup", place, "--list", "--json"))
        assert listed["lost"] == 1
        assert verified(place)["findings"] == []
    other = restored()
    with other.client() as client:
        assert read(client, good.digest, "notes.txt") == content(2)["notes.txt"]
