"""`linaje export` and `linaje import`: the same things on a machine that cannot be reached."""

import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time

import pytest
from support import ROOT, SECONDS, Daemon, LinajeError, Writer, history, new_run, put_tree, read

LINAJE = os.environ.get("LINAJE", str(ROOT / ".build/debug/linaje"))
pytestmark = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")

FINISHED = 3


def linaje(daemon, *arguments, code=0):
    command = [LINAJE, *arguments]
    if daemon:
        command += ["--socket", daemon.socket]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stderr if code else done.stdout


def imported(daemon, path, *arguments):
    said = json.loads(linaje(daemon, "import", path, "--json", *arguments))
    return {each["name"]: each["outcome"] for each in said["objects"]}, said["points"]


@pytest.fixture
def other():
    """A daemon that the first one cannot reach."""
    path = tempfile.mkdtemp(prefix="lnj-")
    daemon = Daemon(path).start()
    yield daemon
    try:
        daemon.finish()
    finally:
        shutil.rmtree(path, ignore_errors=True)


def content(seed, size=300_000):
    dice = random.Random(seed)
    return {"weights.bin": dice.randbytes(size), "code/train.py": b"print(1)\n", "empty": b"",
            "notes.txt": f"seed {seed}\n".encode() * 20}


def trained(daemon, client, *, name="night", files=None, points=3):
    """A run that has ended, with everything that a run may have."""
    experiment = client.call("CreateExperiment", name="vision", get_existing=True).id
    parent = new_run(client, experiment_id=experiment, name="parent")
    run = new_run(client, experiment_id=experiment, name=name, parent_id=parent, user="ada",
                  params=[{"key": "lr", "double_value": 0.1}],
                  tags=[{"key": "team", "value": "vis"}])
    data = put_tree(client, {"rows.csv": b"1,2\n" * 1_000})
    client.call("LogRun", id=run, datasets=[{
        "name": "mnist", "digests": [{"algorithm": "sha256", "value": data.digest}],
        "context": "training", "source": "s3://x"}],
        model_inputs=[{"uri": "models:/base/1", "role": "derived_from"}])
    writer = Writer(daemon.connection(), run, os.urandom(16), points=5_000)
    for _ in range(points):
        writer.send()
    writer.end()
    tree = put_tree(client, files or content(1), run=run, path="model")
    logged = client.call("CreateLoggedModel", id=os.urandom(16), experiment_id=experiment,
                         run_id=run, name="net", tree=tree.digest, step=7).id
    for each in (run, parent):
        client.call("UpdateRun", id=each, status=FINISHED)
    return run, parent, logged, tree.digest, data.digest


def test_a_run_arrives_elsewhere_as_it_was_and_only_once(daemon, other, folder):
    path = os.path.join(folder, "run.lnj")
    with daemon.client() as client, other.client() as there:
        run, parent, logged, tree, data = trained(daemon, client)
        said = json.loads(linaje(daemon, "export", "run", run.hex(), parent.hex(), "-o", path,
                                 "--json"))
        assert said["runs"] == 2 and said["points"] == 15_000 and said["logged_models"] == 1
        outcomes, points = imported(other, path)
        assert set(outcomes.values()) == {"created"} and points == 15_000
        before, after = client.call("GetRun", id=run), there.call("GetRun", id=run)
        for field in ("name", "status", "user", "started_at_us", "ended_at_us", "ended_cause",
                      "parent_id", "params", "datasets", "model_inputs"):
            assert getattr(after, field) == getattr(before, field), field
        tags = {each.key: each.value for each in after.tags}
        assert tags["team"] == "vis" and tags["linaje.import.bundle"] == said["digest"]
        assert there.call("GetExperiment", id=after.experiment_id).name == "vision"
        assert history(there, run) == history(client, run)
        for name, wanted in content(1).items():
            assert read(there, tree, name) == wanted
        assert read(there, data, "rows.csv") == b"1,2\n" * 1_000
        model = there.call("GetLoggedModel", id=logged)
        assert model.tree == tree and model.run_id == run and model.step == 7

        # Again, and by another bundle of the same, also back where it came from.
        outcomes, points = imported(other, path)
        assert set(outcomes.values()) == {"known"} and points == 0
        back = os.path.join(folder, "back.lnj")
        linaje(other, "export", "run", run.hex(), "-o", back)
        for each in (other, daemon):
            outcomes, points = imported(each, back)
            assert set(outcomes.values()) == {"known"} and points == 0, each
        assert history(client, run) == history(there, run)
        # What differs is told and stays.
        client.call("LogRun", id=run, params=[{"key": "new", "int_value": 1}])
        linaje(daemon, "export", "run", run.hex(), "-o", path)
        outcomes, _ = imported(other, path)
        assert outcomes[f"run {run.hex()}"] == "different"
        assert [each.key for each in there.call("GetRun", id=run).params] == ["lr"]
        # Nothing of it goes as long as it is needed.
        for _ in range(2):
            linaje(other, "gc", "--grace", "0s")
        assert read(there, data, "rows.csv") == b"1,2\n" * 1_000


def test_versions_keep_their_numbers_where_they_can(daemon, other, folder):
    path = os.path.join(folder, "iris.lnj")
    with daemon.client() as client, other.client() as there:
        run, _, logged, tree, _ = trained(daemon, client)
        client.call("CreateModelVersion", name="iris", source=f"runs:/{run.hex()}/model",
                    create_model=True)
        second = put_tree(client, content(2)).digest
        for source in (f"tree:sha256:{second.hex()}", f"models:/m-{logged.hex()}"):
            client.call("CreateModelVersion", name="iris", source=source,
                        tags=[{"key": "quality", "value": "good"}], description="the net")
        client.call("TransitionStage", name="iris", version=2, stage="production")
        client.call("SetAlias", name="iris", alias="champion", version=2)

        # One alone keeps its number; what comes later fills no gap with something else.
        linaje(daemon, "export", "model", "iris/2", "-o", path)
        outcomes, _ = imported(other, path)
        assert outcomes == {"models:/iris": "created", "models:/iris/2": "created"}
        version = there.call("GetModelVersion", name="iris", version=2)
        tags = {each.key: each.value for each in version.tags}
        assert version.tree == second and version.stage == 1 and not version.aliases
        assert tags["linaje.import.stage"] == "Production" and tags["quality"] == "good"
        assert tags["linaje.import.aliases"] == "champion" and version.description == "the net"
        # A number that stands for other content here.
        here = put_tree(there, content(9)).digest
        third = there.call("CreateModelVersion", name="iris",
                           source=f"tree:sha256:{here.hex()}").version
        assert third == 3
        linaje(daemon, "export", "model", "iris", "-o", path)
        for expected in ({"created", "known", "renumbered"}, {"known"}):
            outcomes, _ = imported(other, path)
            assert set(outcomes.values()) == expected, outcomes
        versions = {each.version: each for each in
                    there.call("SearchModelVersions", name="iris").versions}
        assert set(versions) == {2, 3, 4, 5}, "1 was passed over when 2 came, and is not used"
        names = {number: {tag.key: tag.value for tag in each.tags}.get("linaje.import.version")
                 for number, each in versions.items()}
        assert names == {2: "iris/2", 3: None, 4: "iris/1", 5: "iris/3"}
        assert versions[5].logged_model_id == logged and versions[4].run_id == run
        assert versions[3].tree == here
        linaje(other, "ledger", "verify")


def test_a_file_that_several_have_is_in_the_bundle_once(daemon, other, folder):
    path = os.path.join(folder, "runs.lnj")
    base = bytearray(random.Random(5).randbytes(2 << 20))
    with daemon.client() as client, other.client() as there:
        runs, trees = [], []
        for number in range(5):
            base[number * 400_000] ^= 1
            runs.append(new_run(client))
            trees.append(put_tree(client, {"w.bin": bytes(base)}, run=runs[-1]).digest)
            client.call("UpdateRun", id=runs[-1], status=FINISHED)
        said = json.loads(linaje(daemon, "export", "run", *[each.hex() for each in runs], "-o",
                                 path, "--json"))
        assert said["content_bytes"] == 5 * (2 << 20)
        assert os.path.getsize(path) < (2 << 20) + 5 * 400_000
        imported(other, path)
        assert read(there, trees[4], "w.bin") == bytes(base)


def test_no_bundle_that_is_not_as_it_was_written_leaves_anything(daemon, other, folder):
    path = os.path.join(folder, "run.lnj")
    with daemon.client() as client, other.client() as there:
        run, *_ = trained(daemon, client, files={"a": b"x" * 3_000}, points=1)
        linaje(daemon, "export", "run", run.hex(), "-o", path)
        whole = open(path, "rb").read()
        dice = random.Random(11)
        places = [0, 8, 9, 12, 16, len(whole) - 1, len(whole) - 153, len(whole) - 100]
        places += [dice.randrange(len(whole)) for _ in range(25)]
        for place in places:
            flipped = bytearray(whole)
            flipped[place] ^= 1 << dice.randrange(8)
            open(path, "wb").write(flipped)
            assert "nothing was imported" in linaje(other, "import", path, code=1), place
        for cut in (0, 7, 100, len(whole) // 2, len(whole) - 153, len(whole) - 1):
            open(path, "wb").write(whole[:cut])
            linaje(other, "import", path, code=1)
        for more in (b"\0", whole[-153:]):
            open(path, "wb").write(whole + more)
            linaje(other, "import", path, code=1)
        with pytest.raises(LinajeError):
            there.call("GetRun", id=run)
        assert len(there.call("SearchExperiments").experiments) == 1
        open(path, "wb").write(whole)
        listed = json.loads(linaje(None, "import", path, "--dry-run", "--json"))
        assert listed["points"] == 5_000 and listed["signed_by"] is None
        assert set(imported(other, path)[0].values()) == {"created"}


def test_only_who_is_trusted_signs(daemon, other, folder):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not here")
    keys = {}
    for name in ("mine", "theirs"):
        key = os.path.join(folder, f"{name}.pem")
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True)
        subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", key + ".pub"], check=True)
        keys[name] = key
    path = os.path.join(folder, "run.lnj")
    with daemon.client() as client:
        run = new_run(client)
        client.call("UpdateRun", id=run, status=FINISHED)
    linaje(daemon, "export", "run", run.hex(), "-o", path)
    assert "not signed" in linaje(other, "import", path, "--trust", keys["mine"] + ".pub", code=1)
    linaje(daemon, "export", "run", run.hex(), "-o", path, "--sign-key", keys["mine"])
    assert "not among those" in linaje(other, "import", path, "--trust", keys["theirs"] + ".pub",
                                       code=1)
    whole = bytearray(open(path, "rb").read())
    for place in (len(whole) - 104, len(whole) - 20):
        flipped = bytearray(whole)
        flipped[place] ^= 4
        open(path, "wb").write(flipped)
        linaje(other, "import", path, code=1)
    open(path, "wb").write(whole)
    assert imported(other, path, "--trust", keys["mine"] + ".pub")[0] == {
        f"run {run.hex()}": "created"}


def test_an_import_that_was_interrupted_is_finished_by_the_same_command(daemon, other, folder):
    path = os.path.join(folder, "run.lnj")
    with daemon.client() as client, other.client() as there:
        run, *_ = trained(daemon, client, points=20)
        linaje(daemon, "export", "run", run.hex(), "-o", path)
        dice = random.Random(2)
        for _ in range(6):
            process = subprocess.Popen([LINAJE, "import", path, "--socket", other.socket],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(dice.uniform(0.05, 0.4))
            process.send_signal(signal.SIGKILL)
            process.wait(SECONDS)
        imported(other, path)
        assert history(there, run) == history(client, run)


def test_what_cannot_be_exported_is_said(daemon, folder):
    path = os.path.join(folder, "run.lnj")
    with daemon.client() as client:
        run = new_run(client)
        assert "has ended" in linaje(daemon, "export", "run", run.hex(), "-o", path, code=1)
        client.call("UpdateRun", id=run, status=FINISHED)
        linaje(daemon, "run", "delete", run.hex())
        assert "deleted" in linaje(daemon, "export", "run", run.hex(), "-o", path, code=1)
        linaje(daemon, "export", "model", "nothing", "-o", path, code=1)
        linaje(daemon, "export", "dataset", "nothing", "-o", path, code=1)
        assert not [name for name in os.listdir(folder) if "lnj" in name and name != "s"]
        run, *_ = trained(daemon, client)
        linaje(daemon, "export", "dataset", "mnist", "-o", path)
        listed = json.loads(linaje(None, "import", path, "--dry-run", "--json"))
        assert f"run {run.hex()}" in [each["name"] for each in listed["objects"]]
