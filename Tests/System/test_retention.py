"""Retention policies, under their users: set, shown, applied, and the bytes given back."""

import glob
import json
import os
import random
import subprocess
import time

import pytest
from support import LINAJE, SECONDS, LinajeError, Writer, batch, new_run, put_tree, read

FINISHED = 3
pytestmark = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")


def linaje(daemon, *arguments, code=0):
    done = subprocess.run([LINAJE, *arguments, "--socket", daemon.socket], capture_output=True,
                          text=True, timeout=SECONDS, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def retention(daemon, *arguments, code=0):
    return [json.loads(line) for line in
            linaje(daemon, "retention", *arguments, "--json", code=code).splitlines()]


def content(seed, size=100_000):
    return {"model.bin": random.Random(seed).randbytes(size)}


def stored(daemon):
    return sum(os.path.getsize(pack) for pack in glob.glob(f"{daemon.state}/packs/*/*.pack"))


def operations(client):
    return [json.loads(event.canonical) for event in client.call("ListEvents").events]


def training(daemon, client, steps, values=(), end=True, **fields):
    """A run with a checkpoint at each step, a plot, and the metric "loss" at each step."""
    run = new_run(client, **fields)
    client.call("LogRun", id=run, params=[{"key": "lr", "string_value": "0.1"}])
    for step in steps:
        put_tree(client, content(f"{run} {step}"), run=run, path=f"checkpoint-{step}")
    put_tree(client, {"loss.png": b"a plot"}, run=run, path="plots")
    if values:
        writer = Writer(daemon.connection(), run, os.urandom(16))
        writer.stream.send(batch(1, [("loss", step, step, value)
                                     for step, value in zip(steps, values)], "loss"),
                           time.monotonic() + SECONDS)
        writer.sent = 1
        writer.end()
    if end:
        client.call("UpdateRun", id=run, status=FINISHED)
    return run


def test_what_was_shown_goes_and_its_bytes_come_back_after_the_grace_time(daemon):
    with daemon.client() as client:
        run = training(daemon, client, [100, 200, 300, 400], [0.4, 0.1, 0.3, 0.2])
        about = ("--experiment", "0")
        assert "has no retention policy" in linaje(daemon, "retention", "plan", *about, code=1)
        policy, = retention(daemon, "set", *about, "--best", "1", "--metric", "loss", "--last", "1")
        assert policy["rules"]["best"] == 1 and not policy["automatic"]
        before = stored(daemon)

        *items, plan = retention(daemon, "plan", *about)
        name = f"runs:/{run.hex()}/checkpoint-"
        assert [(each["item"], each["kept"]) for each in items] == [
            (f"{name}{step}", step in (400, 200)) for step in (400, 300, 200, 100)]
        assert [each["value"] for each in items] == [0.2, 0.3, 0.1, 0.4]
        assert items[0]["reasons"] == ["among the last 1"]
        assert items[1]["reasons"] == ["no rule keeps it"]
        assert items[2]["reasons"] == ["number 1 by loss"]
        assert items[1]["freed_bytes"] == 100_000 and plan["freed_bytes"] == 200_000
        assert plan["freed"] == 2 and plan["kept"] == 2 and not plan["applied"]
        assert plan["plan"] in linaje(daemon, "retention", "plan", *about)
        assert stored(daemon) == before, "a plan changes nothing"

        # What would be done has changed: it is refused, and nothing is done.
        tree = items[3]["trees"][0]
        linaje(daemon, "artifact", "hold", "add", f"tree:sha256:{tree}", "--reason", "case 4711")
        said = linaje(daemon, "retention", "apply", *about, "--plan", plan["plan"], code=1)
        assert "would do something else now" in said
        assert len(client.call("ListArtifacts", root={"uri": f"runs:/{run.hex()}"}).entries) == 5
        *items, plan = retention(daemon, "plan", *about)
        assert items[3]["kept"] and items[3]["reasons"] == ["held: case 4711"]
        assert plan["freed"] == 1

        *gone, done = retention(daemon, "apply", *about, "--plan", plan["plan"])
        assert [each["item"] for each in gone] == [f"{name}300"] and done["applied"]
        lost = bytes.fromhex(gone[0]["trees"][0])
        linaje(daemon, "retention", "apply", *about, "--plan", plan["plan"], code=1)
        events = operations(client)
        assert [each["op"] for each in events] == [
            "retention.set", "hold.place", "retention.free", "retention.apply"]
        assert events[2]["item"] == f"{name}300" and events[2]["tree"] == lost.hex()
        assert events[3]["items"] == 1 and events[3]["bytes"] == 100_000
        assert events[3]["plan"] == plan["plan"] and events[3]["experiment"] == 0

        # The rest of the run is there: params, metrics, other files, other checkpoints.
        shown = json.loads(linaje(daemon, "run", "show", run.hex(), "--json"))
        assert shown["params"]["lr"] == "0.1" and shown["status"] == "FINISHED"
        assert len(list(client.metric_history(run, ["loss"]))[0].value) == 4
        assert read(client, {"uri": f"runs:/{run.hex()}"}, "plots/loss.png") == b"a plot"
        with pytest.raises(LinajeError):
            client.call("ListArtifacts", root={"uri": f"{name}300"})

        # A collection condemns it, undo has it back, and then it goes.
        linaje(daemon, "gc")
        assert read(client, lost, "model.bin") == content(f"{run} 300")["model.bin"]
        # What somebody looks at is kept for an hour, until the daemon starts again.
        assert daemon.stop() == 0
    daemon.start()
    for _ in range(2):
        linaje(daemon, "gc", "--grace", "0s")
    assert before - 200_000 < stored(daemon) < before - 90_000
    shown, = retention(daemon, "show", *about)
    assert shown["rules"] == policy["rules"], "a restart keeps the policy"
    assert shown["last_application"]["items"] == 1
    assert json.loads(linaje(daemon, "ledger", "verify", "--json"))["first_bad"] == 0
    with daemon.client() as client:
        with pytest.raises(LinajeError):
            read(client, lost, "model.bin")
        assert read(client, bytes.fromhex(tree), "model.bin") == content(f"{run} 100")["model.bin"]
    assert json.loads(linaje(daemon, "fsck", "--read-data", "--json").splitlines()[-1])[
        "findings"] == 0


def test_a_run_that_goes_on_and_one_with_the_tag_lose_nothing(daemon):
    with daemon.client() as client:
        open_run = training(daemon, client, [1, 2], end=False)
        tagged = training(daemon, client, [1, 2], tags=[{"key": "linaje.keep", "value": "yes"}])
        other = training(daemon, client, [1, 2])
        retention(daemon, "set", "--experiment", "0", "--last", "1", "--per-run")
        *items, plan = retention(daemon, "plan", "--experiment", "Default")
        gone = [each["item"] for each in items if not each["kept"]]
        assert gone == [f"runs:/{other.hex()}/checkpoint-1"]
        reasons = {each["item"]: each["reasons"][0] for each in items}
        assert reasons[f"runs:/{open_run.hex()}/checkpoint-1"] == "its run is RUNNING"
        assert reasons[f"runs:/{tagged.hex()}/checkpoint-1"] == "tag linaje.keep"
        assert plan["freed"] == 1 and plan["kept"] == 5


def test_versions_go_with_their_content_but_for_those_with_an_alias_or_a_stage(daemon):
    with daemon.client() as client:
        trees = []
        for number in range(5):
            run = new_run(client)
            trees.append(put_tree(client, content(number), run=run, path="model").digest)
            client.call("UpdateRun", id=run, status=FINISHED)
            client.call("CreateModelVersion", name="iris", create_model=True,
                        source=f"runs:/{run.hex()}/model")
        linaje(daemon, "model", "alias", "iris", "champion", "1")
        linaje(daemon, "model", "stage", "iris", "2", "Production")
        about = ("--model", "iris")
        retention(daemon, "set", *about, "--last", "1")
        *items, plan = retention(daemon, "plan", *about)
        assert [(each["item"], each["kept"]) for each in items] == [
            (f"models:/iris/{number}", number in (1, 2, 5)) for number in (5, 4, 3, 2, 1)]
        assert plan["freed_bytes"] == 200_000, "the runs' copies go with them"
        # An alias that is set meanwhile is another plan.
        linaje(daemon, "model", "alias", "iris", "candidate", "3")
        linaje(daemon, "retention", "apply", *about, "--plan", plan["plan"], code=1)
        *_, plan = retention(daemon, "plan", *about)
        retention(daemon, "apply", *about, "--plan", plan["plan"])
        versions = json.loads(linaje(daemon, "model", "versions", "iris", "--json"))
        assert sorted(each["version"] for each in versions) == [1, 2, 3, 5]
        assert "retention.free" in linaje(daemon, "model", "history", "iris")
    # What was looked at is kept for an hour, until the daemon starts again.
    daemon.restart()
    with daemon.client() as client:
        for _ in range(2):
            linaje(daemon, "gc", "--grace", "0s")
        for number, tree in enumerate(trees):
            if number == 3:
                with pytest.raises(LinajeError):
                    read(client, tree, "model.bin")
            else:
                assert read(client, tree, "model.bin") == content(number)["model.bin"]


def test_a_policy_is_replaced_listed_and_removed_and_its_mistakes_are_named(daemon):
    assert retention(daemon, "list") == [[]]
    retention(daemon, "set", "--experiment", "Default", "--younger-than", "30d", "--automatic")
    retention(daemon, "set", "--experiment", "0", "--max-bytes", "20GiB", "--every-step", "500")
    (policy,), = retention(daemon, "list")
    assert policy["experiment_id"] == 0 and not policy["automatic"]
    assert policy["rules"]["max_bytes"] == 20 << 30 and policy["rules"]["younger_than_s"] == 0
    assert "20.0 GiB together" in linaje(daemon, "retention", "list")
    assert "nothing let go of yet" in linaje(daemon, "retention", "show", "--experiment", "0")
    *_, plan = retention(daemon, "plan", "--experiment", "0")
    *done, = retention(daemon, "apply", "--experiment", "0", "--plan", plan["plan"])
    assert done[-1]["freed"] == 0 and done[-1]["applied"]
    retention(daemon, "remove", "--experiment", "0")
    assert retention(daemon, "list") == [[]]
    about = ("--experiment", "0")
    for arguments, code, words in [
            (("set", *about), 2, "at least one of"),
            (("set", *about, "--best", "3"), 2, "belong together"),
            (("set", "--last", "3"), 2, "--experiment NAME or --model NAME"),
            (("set", *about, "--max-bytes", "many"), 1, "is not understood"),
            (("set", "--model", "none", "--last", "3"), 1, "does not exist"),
            (("remove", *about), 1, "has no retention policy"),
            (("show", *about), 1, "has no retention policy"),
            (("apply", *about, "--plan", "abc"), 1, "is no digest")]:
        said = linaje(daemon, "retention", *arguments, code=code)
        assert words in said, said
    with daemon.client() as client:
        assert [each["op"] for each in operations(client)] == [
            "retention.set", "retention.set", "retention.remove"]
