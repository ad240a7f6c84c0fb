"""`linaje metric export` and `import`: the same points, exactly, each once."""

import json
import os
import signal
import struct
import subprocess
import time

import pytest
from support import ROOT, SECONDS, Writer, _wire, eventually, history, new_run

LINAJE = os.environ.get("LINAJE", str(ROOT / ".build/debug/linaje"))
pytestmark = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")


def linaje(daemon, *arguments, check=True, **more):
    done = subprocess.run([LINAJE, "metric", *arguments, "--socket", daemon.socket],
                          capture_output=True, timeout=SECONDS, check=False, **more)
    assert not check or done.returncode == 0, done.stderr
    return done


def exact(client, run):
    """All points with their series, the values as bits; NaN is NaN."""
    found = []
    for part in client.metric_history(run):
        series = part.series
        for step, at, value in zip(part.step, part.time_us, part.value):
            bits = "NaN" if value != value else struct.pack(">d", value).hex()
            found.append((series.key, series.model_id, series.dataset_name, series.dataset_digest,
                          step, at, bits))
    return found


def strange(daemon, client):
    """A run with every kind of value, several series, and duplicates at one step."""
    run = new_run(client, name="strange")
    stream = daemon.connection().open("StreamMetrics", {"run_id": run, "writer_id": os.urandom(16)})
    stream.wait_answer(time.monotonic() + SECONDS)
    values = [float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 5e-324, -2.2e-310, 0.1,
              1.7976931348623157e308, 1 / 3, 1e21, 123456789012345678.0]
    about = {"model_id": os.urandom(16), "dataset_name": "mnist, \"x\"", "dataset_digest": "d"}
    for number, series in enumerate([{"key": "loss"}, {"key": "a,\"b\" ö"}, {"key": "loss", **about}], 1):
        steps = [-2**63, -1, 0, 0, 0, 0, 7, 7, 8, 9, 10, 2**63 - 1]
        stream.send(_wire.encode("MetricBatch", {
            "sequence": number, "series": [series], "step": steps,
            "time_us": [1700000000000000 + (step == 7) for step in steps],
            "value": values[number:] + values[:number]}), time.monotonic() + SECONDS)
        stream.receive(time.monotonic() + SECONDS)
    return run


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize("through", ["file", "pipe"])
def test_what_is_exported_is_imported_bit_for_bit(daemon, form, through):
    path = os.path.join(daemon.folder, f"points.{form}")
    with daemon.client() as client:
        run, other = strange(daemon, client), new_run(client)
        writer = Writer(daemon.connection(), other, os.urandom(16), points=5_000)
        writer.send()
        writer.end()
        runs = [run.hex(), other.hex()]
        if through == "file":
            linaje(daemon, "export", *runs, "-o", path)
            assert not os.path.exists(path + ".part")
            done = linaje(daemon, "import", path, "--json")
        else:
            content = linaje(daemon, "export", *runs, "--format", form).stdout
            done = linaje(daemon, "import", "-", "--json", input=content)
        told = json.loads(done.stdout)
        assert told["points"] == 5_036 and told["already_there"] == 0
        made = {each["from"]: bytes.fromhex(each["run_id"]) for each in told["runs"]}
        assert set(made) == set(runs)
        for old in (run, other):
            new = client.get_run(made[old.hex()])
            assert exact(client, new.id) == exact(client, old) and exact(client, old)
            assert new.status == 3 and [(tag.key, tag.value) for tag in new.tags] == [
                ("linaje.imported_from", old.hex())]
        # Only some metrics, into a run of one's own.
        target = new_run(client)
        content = linaje(daemon, "export", other.hex(), "--key", "bench/metric").stdout
        linaje(daemon, "import", "-", "--run", target.hex(), input=content)
        assert exact(client, target) == exact(client, other)
        assert client.get_run(target).status == 1


def test_a_file_that_is_wrong_somewhere_stores_nothing_and_is_told_where(daemon):
    with daemon.client() as client:
        target = new_run(client)
        good = "key,step,timestamp,value\n" + "".join(f"loss,{i},{i},1\n" for i in range(9_000))
        done = linaje(daemon, "import", "-", "--run", target.hex(), check=False,
                      input=(good + "loss,1,1,much\n").encode())
        assert done.returncode == 1 and b"line 9002, column 10:" in done.stderr
        two = "run_id,key,step,timestamp,value\n" + "".join(
            f"{i:032x},loss,1,1,1\n" for i in range(2))
        done = linaje(daemon, "import", "-", "--run", target.hex(), check=False, input=two.encode())
        assert done.returncode == 1 and b"2 runs" in done.stderr
        assert history(client, target) == [] and len(client.call("SearchRuns").runs) == 1
        done = linaje(daemon, "import", "/nowhere.csv", check=False)
        assert done.returncode == 1 and b"/nowhere.csv" in done.stderr
        assert linaje(daemon, "export", "0" * 32, check=False).returncode == 1
        done = linaje(daemon, "import", "-", "--run", target.hex(), "--experiment", "0",
                      check=False, input=b"")
        assert done.returncode == 64 or done.returncode == 2


@pytest.mark.parametrize("victim", ["import", "daemon"])
def test_an_import_that_is_interrupted_and_repeated_stores_each_point_once(daemon, victim):
    path = os.path.join(daemon.folder, "many.csv")
    runs = [os.urandom(16).hex() for _ in range(36)]
    with open(path, "w", encoding="ascii") as file:
        file.write("run_id,key,step,timestamp,value\n")
        # More runs than have their streams open at once, in turns.
        for turn in range(3):
            for run in runs:
                for i in range(turn * 250, (turn + 1) * 250):
                    file.write(f"{run},loss,{i},{1700000000000000 + i},{i / 7!r}\n")
    expected = [("loss", i, 1700000000000000 + i, i / 7) for i in range(750)]
    importing = subprocess.Popen(
        [LINAJE, "metric", "import", path, "--json", "--socket", daemon.socket],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def is_in_the_middle():
        with daemon.client() as client:
            return any(history(client, run.id) for run in client.call("SearchRuns").runs)

    eventually(is_in_the_middle, why="nothing is imported")
    if victim == "import":
        importing.send_signal(signal.SIGKILL)
    else:
        daemon.kill()
        daemon.start()
    importing.communicate(timeout=SECONDS)
    for again in range(2):
        told = json.loads(linaje(daemon, "import", path, "--json").stdout)
        assert told["points"] + told["already_there"] == 36 * 750
        assert not again or told["points"] == 0
    with daemon.client() as client:
        made = {each["from"]: bytes.fromhex(each["run_id"]) for each in told["runs"]}
        assert set(made) == set(runs) and len(client.call("SearchRuns", page={"limit": 1000}).runs) == 36
        for run in made.values():
            assert history(client, run) == expected
    # The runs of an import that were deleted for good can be imported again.
    subprocess.run([LINAJE, "run", "delete", "--permanent", made[runs[0]].hex(), "--socket",
                    daemon.socket], check=True, capture_output=True, timeout=SECONDS)
    told = json.loads(linaje(daemon, "import", path, "--json").stdout)
    assert told["points"] == 750
