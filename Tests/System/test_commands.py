"""The command line against the real daemon, where it stands in somebody's pipeline."""

import json
import os
import pwd
import subprocess
import time

import pytest

from support import LINAJE, SECONDS, Writer, batch, history, new_run

pytestmark = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")

LINES = 'Epoch 1/3: done\nloss=0.5 step=1\n{"broken\n{"loss": 0.25, "step": 2}\n'


def stream(daemon, run, *arguments):
    return subprocess.run(
        [LINAJE, "metric", "stream", run.hex(), "--socket", daemon.socket, *arguments],
        input=LINES, capture_output=True, text=True, timeout=SECONDS)


def test_a_line_that_is_no_measurement_is_reported_and_passed_over(daemon):
    with daemon.client() as client:
        run = new_run(client)
        done = stream(daemon, run)
        assert done.returncode == 0, done.stderr
        assert "line 1:" in done.stderr and "line 3:" in done.stderr
        assert "2 lines passed over" in done.stderr
        assert [point[1] for point in history(client, run)] == [1, 2]


def test_strict_ends_at_the_first_such_line(daemon):
    with daemon.client() as client:
        run = new_run(client)
        done = stream(daemon, run, "--strict")
        assert done.returncode == 1
        assert "line 1:" in done.stderr
        assert history(client, run) == []


def linaje(daemon, *arguments, code=0, **more):
    """Runs a command: (its output, what it says of errors)."""
    done = subprocess.run([LINAJE, *arguments, "--socket", daemon.socket], capture_output=True,
                          text=True, timeout=SECONDS, check=False, **more)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


def test_a_run_is_named_by_the_first_digits_of_its_id_when_they_are_no_others(daemon):
    with daemon.client() as client:
        runs = [bytes.fromhex(digits) for digits in (
            "abcdef01" + "0" * 24, "abcdef02" + "f" * 24, "fedcba" + "f" * 26)]
        for run in runs:
            client.call("CreateRun", id=run, experiment_id=0)
    for text, run in [("abcdef01", runs[0]), ("ABCDEF02", runs[1]), ("runs:/fedcba", runs[2]),
                      (runs[0].hex(), runs[0])]:
        shown = json.loads(linaje(daemon, "run", "show", text, "--json")[0])
        assert shown["id"] == run.hex()
    said = linaje(daemon, "run", "show", "abcdef", code=1)[1]
    assert "several runs' ids begin with abcdef" in said
    assert runs[0].hex() in said and runs[1].hex() in said
    assert "no run's id begins with abcdef03" in linaje(
        daemon, "run", "show", "abcdef03", code=1)[1]
    said = linaje(daemon, "run", "show", "fedcb", code=1)[1]
    assert "at least the first 6" in said
    said = linaje(daemon, "run", "finish", "baseline", code=1)[1]
    assert "linaje run list --filter \"name = 'baseline'\"" in said


def test_what_is_put_into_a_run_says_where_it_is(daemon, tmp_path):
    (tmp_path / "a.bin").write_bytes(b"content")
    with daemon.client() as client:
        run = new_run(client).hex()
    for path, options, uri in [
            ("a.bin", [], f"runs:/{run}/a.bin"), (".", [], f"runs:/{run}"),
            ("a.bin", ["--path", "model"], f"runs:/{run}/model")]:
        said = linaje(daemon, "artifact", "put", str(tmp_path / path), "--run", run, *options)[0]
        assert said == uri + "\n"
        linaje(daemon, "artifact", "ls", uri)
    assert linaje(daemon, "artifact", "cat", f"runs:/{run}/a.bin")[0] == "content"


def test_a_metric_that_a_run_has_not_is_said(daemon):
    with daemon.client() as client:
        run, empty = new_run(client), new_run(client).hex()
    writer = Writer(daemon.connection(), run, os.urandom(16))
    writer.stream.send(batch(1, [("loss", 1, 1, 0.5)], "loss"), time.monotonic() + SECONDS)
    writer.sent = 1
    writer.end()
    run = run.hex()
    for options in ([], ["--buckets", "3"], ["--json"]):
        said = linaje(daemon, "metric", "history", run, "--key", "los", *options)[1]
        assert said == f'linaje: run {run} has no metric "los"; did you mean loss?\n'
        assert linaje(daemon, "metric", "history", run, "--key", "loss", *options)[1] == ""
    said = linaje(daemon, "metric", "history", run, "--key", "accuracy", "--key", "loss")
    assert said[0] and 'no metric "accuracy"; it has loss' in said[1]
    # A metric that has no points in a range is there all the same.
    assert linaje(daemon, "metric", "history", run, "--key", "loss",
                  "--first-step", "9") == ("", "")
    assert "nor any other" in linaje(daemon, "metric", "history", empty, "--key", "loss")[1]


def test_a_run_without_a_user_in_the_environment_is_of_who_makes_it(daemon):
    environment = {"PATH": os.environ["PATH"]}
    made = json.loads(linaje(daemon, "run", "create", "--json", env=environment)[0])
    assert made["user"] == pwd.getpwuid(os.getuid()).pw_name


def test_mistakes_are_named_with_what_may_be_meant(daemon, tmp_path):
    def said(*words, code=2):
        done = subprocess.run([LINAJE, *words], capture_output=True, text=True, timeout=SECONDS,
                              check=False, env={**os.environ, "LINAJE_SOCKET": daemon.socket})
        assert done.returncode == code, done.stdout + done.stderr
        return done.stderr
    assert 'did you mean "linaje model"?' in said("modle", "list")
    assert 'did you mean "linaje model list"?' in said("model", "lits")
    assert 'did you mean "linaje run list"?' in said("run", "lits")
    assert 'no command "linaje nope"' in said("nope")
    assert 'no command "linaje nope"' in said("help", "nope")
    assert 'no command "linaje model nope"' in said("help", "model", "nope")
    said("help", code=0)
    said("help", "model", "list", code=0)
    for words in (("run", "list"), ("ledger", "list"), ("model", "list")):
        assert "--limit must be at least 1" in said(*words, "--limit", "0")
    assert "names no version" in said("model", "show", "models:/iris", code=1)
    assert "--create-experiment" in said("run", "create", "--experiment", "nope", code=1)
    points = tmp_path / "p.csv"
    points.write_text("run_id,key,step,timestamp,value\n" * 20)
    error = said("import", str(points), code=1)
    assert "is no bundle of linaje" in error and "linaje metric import" in error
