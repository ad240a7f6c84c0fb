"""Collecting garbage, checking and repairing the artifact store, under its users."""

import glob
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import pytest
from support import ROOT, SECONDS, SEED, SOAK, LinajeError, new_run, put_tree, read

LINAJE = os.environ.get("LINAJE", str(ROOT / ".build/debug/linaje"))
pytestmark = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")


def linaje(daemon, *arguments, code=0):
    done = subprocess.run([LINAJE, *arguments, "--socket", daemon.socket], capture_output=True,
                          text=True, timeout=SECONDS, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def told(daemon, *arguments, code=0):
    return [json.loads(line) for line in
            linaje(daemon, *arguments, "--json", code=code).splitlines()]


def content(seed, size=200_000):
    dice = random.Random(seed)
    return {"model.bin": dice.randbytes(size), "notes.txt": f"seed {seed}\n".encode()}


def packs(daemon):
    return sorted(glob.glob(f"{daemon.state}/packs/*/*.pack"))


def test_a_run_that_is_deleted_for_good_gives_its_bytes_back_after_the_grace_time(daemon):
    with daemon.client() as client:
        run, other = new_run(client), new_run(client)
        doomed = put_tree(client, content(1), run=run, path="model")
        kept = put_tree(client, content(2), run=other)
        before = packs(daemon)
        linaje(daemon, "gc", "--grace", "0s")
        linaje(daemon, "gc", "--grace", "0s")
        assert packs(daemon) == before, "what runs have stays"
        linaje(daemon, "run", "delete", run.hex())
        linaje(daemon, "gc", "--grace", "0s")
        linaje(daemon, "gc", "--grace", "0s")
        assert packs(daemon) == before, "a run that is marked as deleted can be restored"
        linaje(daemon, "run", "delete", "--permanent", run.hex())

        *trees, last = told(daemon, "gc", "--dry-run", "--explain")
        verdicts = {each["tree"]: each for each in trees if "tree" in each}
        assert verdicts[kept.digest.hex()]["kept"]
        assert verdicts[kept.digest.hex()]["reasons"] == [f"run {other.hex()}"]
        gone = verdicts[doomed.digest.hex()]
        assert not gone["kept"] and gone["reasons"] == ["nothing refers to it"]
        assert gone["freed_bytes"] > 200_000 and last["condemned_bytes"] == gone["freed_bytes"]
        assert packs(daemon) == before

        assert told(daemon, "gc")[-1]["condemned_bytes"] == last["condemned_bytes"]
        assert told(daemon, "gc")[-1]["removed_packs"] == 0, "the grace time is not over"
        done = told(daemon, "gc", "--grace", "0s")[-1]
        assert done["removed_packs"] == 1 and done["freed_bytes"] > 200_000
        assert len(packs(daemon)) == 1
        for path, wanted in content(2).items():
            assert read(client, kept.digest, path) == wanted
        with pytest.raises(LinajeError):
            read(client, doomed.digest, "notes.txt")
        assert told(daemon, "fsck", "--read-data")[-1]["findings"] == 0
        upkeep = {each["task"]: each for each in json.loads(
            linaje(daemon, "status", "--json"))["upkeep"]}
        assert upkeep["collection"]["bytes"] > 200_000
        assert upkeep["check"]["message"] == "nothing is wrong"


def test_a_hold_keeps_content_until_it_is_lifted(daemon):
    with daemon.client() as client:
        run = new_run(client)
        tree = put_tree(client, content(3), run=run)
        held = json.loads(linaje(daemon, "artifact", "hold", "add", f"runs:/{run.hex()}",
                                 "--reason", "case 4711", "--json"))
        assert held["tree"] == tree.digest.hex()
        linaje(daemon, "run", "delete", "--permanent", run.hex())
        # What is kept in memory for whoever looked at it is gone.
        assert daemon.stop() == 0
    daemon.start()
    with daemon.client() as client:
        for _ in range(2):
            linaje(daemon, "gc", "--grace", "0s")
        kept, = [each for each in told(daemon, "gc", "--dry-run", "--explain") if "tree" in each]
        assert kept["kept"] and kept["reasons"] == ["hold: case 4711"]
        listed, = json.loads(linaje(daemon, "artifact", "hold", "list", "--json"))
        assert listed["reason"] == "case 4711" and listed["tree"] == tree.digest.hex()
        name = f"tree:sha256:{tree.digest.hex()}"
        linaje(daemon, "artifact", "hold", "remove", name)
        linaje(daemon, "artifact", "hold", "remove", name, code=1)
        assert told(daemon, "gc")[-1]["condemned_bytes"] > 200_000
        # Holding it again saves it.
        linaje(daemon, "artifact", "hold", "add", name, "--reason", "again")
        for _ in range(2):
            linaje(daemon, "gc", "--grace", "0s")
        assert read(client, tree.digest, "model.bin") == content(3)["model.bin"]
        operations = [json.loads(event.canonical)["op"]
                      for event in client.call("ListEvents").events]
        assert operations == ["hold.place", "run.delete", "hold.lift", "hold.place"]


def test_undo_gives_back_what_was_condemned(daemon):
    with daemon.client() as client:
        run = new_run(client)
        tree = put_tree(client, content(7), run=run)
        linaje(daemon, "run", "delete", "--permanent", run.hex())
        assert told(daemon, "gc")[-1]["condemned_bytes"] > 200_000
        assert told(daemon, "gc", "--undo")[-1]["rescued"] > 2
        for _ in range(2):
            linaje(daemon, "gc", "--grace", "0s")
        assert read(client, tree.digest, "model.bin") == content(7)["model.bin"]


def test_a_tree_that_somebody_looks_at_is_kept_for_an_hour(daemon):
    with daemon.client() as client:
        run = new_run(client)
        tree = put_tree(client, content(6), run=run)
        client.call("ListArtifacts", root={"tree": tree.digest})
        linaje(daemon, "run", "delete", "--permanent", run.hex())
        for _ in range(3):
            linaje(daemon, "gc", "--grace", "0s")
        assert read(client, tree.digest, "model.bin") == content(6)["model.bin"]


def test_what_was_put_without_a_run_has_a_day_to_be_used(daemon):
    with daemon.client() as client:
        tree = put_tree(client, content(4))
        for _ in range(2):
            linaje(daemon, "gc", "--grace", "0s")
        assert read(client, tree.digest, "model.bin") == content(4)["model.bin"]


def test_a_flipped_byte_is_found_repaired_and_named(daemon):
    with daemon.client() as client:
        run = new_run(client)
        put_tree(client, content(5), run=run)
    pack, = packs(daemon)
    with open(pack, "r+b") as file:
        file.seek(1_000)
        byte = file.read(1)[0]
        file.seek(1_000)
        file.write(bytes([byte ^ 4]))
    assert told(daemon, "fsck")[-1]["findings"] == 0, "the quick check reads no content"
    name = os.path.relpath(pack, daemon.state)
    found = told(daemon, "fsck", "--read-data", code=1)
    assert [each["object"] for each in found if "object" in each] == [name]
    found = [each for each in told(daemon, "fsck", "--read-data", "--repair", code=1)
             if "object" in each]
    assert f"run {run.hex()}" in found[-1]["affected"]
    assert os.path.exists(f"{daemon.state}/quarantine/{name.removeprefix('packs/')}")
    with daemon.client() as client:
        again = put_tree(client, content(5))
        assert read(client, again.digest, "model.bin") == content(5)["model.bin"]
    assert told(daemon, "fsck", "--read-data")[-1]["findings"] == 0


def test_writers_and_collector_together_with_clients_that_are_paused(daemon):
    """No committed tree ever lacks a chunk, whatever is collected beside; nor does a download."""
    seconds = 600 if SOAK else 60
    end = time.monotonic() + seconds
    dice = random.Random(SEED)
    clients = [subprocess.Popen(
        [sys.executable, str(ROOT / "Tests/System/gc_client.py"), daemon.socket,
         str(SEED * 10 + number), str(seconds)], stdout=subprocess.PIPE, text=True)
        for number in range(4)]
    daemon.processes += clients
    pauses = []

    def pause(client):
        """Stops it again and again, wherever it is: for a moment, or for many collections."""
        own = random.Random(client.args[-2])
        while time.monotonic() < end:
            time.sleep(own.uniform(0.01, 0.6))
            long = own.uniform(2, 8) if own.random() < 0.2 else own.uniform(0.01, 0.5)
            client.send_signal(signal.SIGSTOP)
            pauses.append(long)
            time.sleep(long)
            client.send_signal(signal.SIGCONT)

    # One of them is never stopped.
    threads = [threading.Thread(target=pause, args=(each,)) for each in clients[1:]]
    for thread in threads:
        thread.start()
    sums, collections = Counter(), 0
    while time.monotonic() < end:
        last = told(daemon, "gc", "--grace", "0s")[-1]
        collections += 1
        sums.update({name: last.get(name, 0) for name in (
            "condemned", "rescued", "removed_packs", "rewritten_packs")})
        time.sleep(dice.uniform(0, 0.05))
    for thread in threads:
        thread.join(SECONDS)
    done = [json.loads(each.communicate(timeout=120)[0]) for each in clients]
    wrong = [each for one in done for each in one["wrong"]]
    assert not wrong, wrong[:10]
    commits, reads, loose = (sum(one[name] for one in done)
                             for name in ("commits", "reads", "cut_loose"))
    print(f"{commits} commits, {reads} reads, {loose} downloads of what was deleted meanwhile, "
          f"{len(pauses)} pauses ({sum(each >= 2 for each in pauses)} of 2 s and more), "
          f"{collections} collections: {dict(sums)}")
    assert commits > seconds and loose > seconds / 10, "too little happened"
    # A collection takes longer the more is kept.
    assert sums["removed_packs"] > seconds / 2 and collections > (seconds / 5 if SOAK else seconds)
    assert told(daemon, "fsck", "--read-data")[-1]["findings"] == 0
