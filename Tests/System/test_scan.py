"""`linaje model scan`: models on disk, looked at without a daemon."""

import json
import os
import pickle
import subprocess

import pytest
from support import LINAJE

pytestmark = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")


class Evil:
    def __reduce__(self):
        return os.system, ("true",)


class Own:
    """Of no library: nobody knows what loading it runs."""


def scan(folder, *words, code=0):
    """What it says, as JSON where that is asked for."""
    done = subprocess.run([LINAJE, "model", "scan", *words], cwd=folder, capture_output=True,
                          text=True, timeout=60, check=False,
                          env={"HOME": str(folder), "LINAJE_SOCKET": str(folder) + "/nothing"})
    assert done.returncode == code, done.stdout + done.stderr
    if "--json" in words:
        return [json.loads(line) for line in done.stdout.splitlines()]
    return done.stdout + done.stderr


@pytest.fixture
def models(tmp_path):
    for name, value in (("safe.pkl", {"a": [1, 2.5, None]}), ("evil.pkl", Evil()),
                        ("own.pkl", Own())):
        (tmp_path / name).write_bytes(pickle.dumps(value))
    (tmp_path / "notes.txt").write_text("nothing")
    return tmp_path


def test_the_worst_verdict_decides_how_it_ends(models):
    found = scan(models, "safe.pkl", "evil.pkl", "own.pkl", "notes.txt", "--json", code=3)
    assert [each["path"] for each in found] == ["safe.pkl", "evil.pkl", "own.pkl", "notes.txt"]
    assert [each["model"]["verdict"] for each in found] == ["safe", "dangerous", "unknown", None]
    assert any("system" in finding["message"] for finding in found[1]["model"]["findings"])
    scan(models, "evil.pkl", "--fail-on", "never")
    scan(models, "own.pkl")
    scan(models, "own.pkl", "--fail-on", "unknown", code=3)
    said = scan(models, "safe.pkl", "notes.txt", "--fail-on", "unknown")
    assert ["verdict", "safe"] in [line.split() for line in said.splitlines()]
    assert "nothing in it is run when it is loaded" in said


def test_a_folder_is_one_model_and_its_links_are_followed(models):
    # As caches keep models: names that are links to contents elsewhere.
    folder = models / "snapshot"
    folder.mkdir()
    (folder / "model.pkl").symlink_to("../safe.pkl")
    (folder / "config.json").write_text('{"architectures": ["BertModel"], "model_type": "bert"}')
    shown = scan(models, "snapshot", "--json")[0]["model"]
    assert shown["verdict"] == "safe" and "transformers" in {
        each["name"] for each in shown["flavors"]}
    (folder / "more.pkl").symlink_to("../evil.pkl")
    assert scan(models, "snapshot/", "--json", code=3)[0]["model"]["verdict"] == "dangerous"
    (models / "latest").symlink_to("snapshot")
    assert scan(models, "latest", "--json", code=3)[0]["model"]["verdict"] == "dangerous"


def test_what_was_not_looked_at_is_not_called_safe(models):
    folder = models / "model"
    folder.mkdir()
    (models / "elsewhere").mkdir()
    (folder / "model.pkl").write_bytes(pickle.dumps([1]))
    (folder / "code").symlink_to("../elsewhere")
    (folder / "gone.pkl").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.pkl")
    shown = scan(models, "model", "--json", "--fail-on", "unknown", code=3)[0]["model"]
    assert shown["verdict"] == "unknown"
    assert {finding["path"] for finding in shown["findings"]} == {"code", "gone.pkl", "pipe.pkl"}


def test_what_cannot_be_looked_at_is_said_by_name(models):
    assert "nowhere.pkl" in scan(models, "nowhere.pkl", code=1)
    os.mkfifo(models / "pipe")
    assert "pipe is neither a file nor a folder" in scan(models, "pipe", code=1)
    assert "--fail-on" in scan(models, "safe.pkl", "--fail-on", "no", code=2)
