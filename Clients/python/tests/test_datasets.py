"""Inputs are named by digests of their whole content."""

import hashlib
import json
import os

import pytest

import linaje
from linaje import _datasets


@pytest.fixture(autouse=True)
def no_capture(monkeypatch):
    monkeypatch.setattr(linaje.Run, "_capture_provenance", lambda self, purpose: None)


def digests(dataset):
    return {each["algorithm"]: each["value"].hex() for each in dataset.fields["digests"]}


def test_a_file_is_named_by_its_sha256(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"x" * 3_000_000)
    found = _datasets.describe(path)
    assert digests(found) == {"sha256": hashlib.sha256(b"x" * 3_000_000).hexdigest()}
    assert found.name == "a.csv" and found.fields["size"] == 3_000_000
    assert found.fields["source"] == str(path) and found.digest.startswith("sha256:")


def test_a_folder_is_named_by_its_tree(tmp_path):
    (tmp_path / "d" / "sub").mkdir(parents=True)
    (tmp_path / "d" / "sub" / "b").write_text("b")
    (tmp_path / "d" / "a").write_text("a")
    text = b"linaje tree 1\n" + b"".join(
        f"100644 {hashlib.sha256(content).hexdigest()} 1 {name}".encode() + b"\0"
        for name, content in (("a", b"a"), ("sub/b", b"b")))
    assert digests(_datasets.describe(str(tmp_path / "d"))) == {
        "sha256": hashlib.sha256(text).hexdigest()}


def test_a_dvc_pointer_adds_md5_and_its_text(tmp_path):
    content = b"1,2\n"
    (tmp_path / "raw.csv").write_bytes(content)
    md5 = hashlib.md5(content).hexdigest()
    pointer = f"outs:\n- md5: {md5}\n  size: 4\n  hash: md5\n  path: raw.csv\n"
    (tmp_path / "raw.csv.dvc").write_text(pointer)
    found = _datasets.describe(str(tmp_path / "raw.csv"))
    assert digests(found)["md5"] == md5 and found.fields["dvc_pointer"] == pointer
    assert found.fields["tags"] == [{"key": "dvc.state", "value": "match"}]
    (tmp_path / "raw.csv").write_bytes(b"changed")
    assert _datasets.describe(str(tmp_path / "raw.csv")).fields["tags"][0]["value"] == "modified"


def test_a_folders_md5_is_dvcs(tmp_path):
    (tmp_path / "d" / "a").mkdir(parents=True)
    (tmp_path / "d" / "a" / "1.txt").write_text("one")
    (tmp_path / "d" / "2.txt").write_text("two")
    listing = json.dumps([
        {"md5": hashlib.md5(b"two").hexdigest(), "relpath": "2.txt"},
        {"md5": hashlib.md5(b"one").hexdigest(), "relpath": "a/1.txt"}])
    (tmp_path / "d.dvc").write_text("outs:\n- md5: " + hashlib.md5(
        listing.encode()).hexdigest() + ".dir\n  path: d\n")
    found = _datasets.describe(str(tmp_path / "d"))
    assert digests(found)["md5"] == hashlib.md5(listing.encode()).hexdigest()
    assert found.fields["tags"][0]["value"] == "match"


def test_arrays_and_frames_are_named_by_every_value():
    numpy = pytest.importorskip("numpy")
    pandas = pytest.importorskip("pandas")
    array = numpy.arange(12.0).reshape(3, 4)
    seen = {_datasets.describe(array).digest}
    changed = array.copy()
    changed[2, 3] += 1e-9
    for other in (changed, array.astype("float32"), array.reshape(4, 3), array.T,
                  numpy.array(["a", None], dtype=object), array[:0],
                  array.astype("datetime64[s]")):
        seen.add(_datasets.describe(other).digest)
    assert len(seen) == 8
    assert _datasets.describe(array).digest == _datasets.describe(numpy.asfortranarray(
        array)).digest
    frame = pandas.DataFrame({"a": [1, 2], "t": ["x", "y"], "d": pandas.to_datetime(
        ["2024-01-01", None]), "c": pandas.Categorical(["u", "v"])})
    seen = {_datasets.describe(each).digest for each in (
        frame, frame.rename(columns={"a": "b"}), frame.iloc[::-1], frame.iloc[:, ::-1],
        frame.assign(t=["x", "z"]), frame.set_index("t"))}
    assert len(seen) == 6
    assert _datasets.describe(frame, "mine").name == "mine"
    assert _datasets.describe(frame.copy()).digest == _datasets.describe(frame).digest


def test_what_is_no_data_set_is_refused(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for data in (tmp_path / "missing", tmp_path / "fifo", 5, object()):
        with pytest.raises(linaje.LinajeError) as caught:
            _datasets.describe(data)
        assert caught.value.code == 102


def test_an_input_and_metrics_on_it_arrive(fake, fresh_sender, tmp_path):
    (tmp_path / "t.csv").write_text("1")
    with linaje.start_run() as run:
        data = linaje.log_input(tmp_path / "t.csv", context="evaluation", tags={"split": "a"})
        linaje.log_input_model("models:/base/1")
        linaje.log_metric("acc", 0.5, dataset=data, model_id="m-" + "ab" * 16)
        linaje.log_metric("acc", 0.6)
    assert linaje.flush(20)
    stored = fake.run(run.run_id)
    (entry,) = stored["datasets"]
    assert entry.context == "evaluation" and entry.digests[0].value == hashlib.sha256(b"1").digest()
    assert entry.tags == [{"key": "split", "value": "a"}]
    assert stored["model_inputs"][0].uri == "models:/base/1"
    from linaje import _wire

    (payload,) = [payload for batches in fake.batches.values() for payload in batches.values()]
    series = _wire.decode("MetricBatch", payload).series
    assert series[0] == {"key": "acc", "model_id": bytes.fromhex("ab" * 16),
                         "dataset_name": "t.csv", "dataset_digest": data.digest}
    assert series[1].dataset_name == "" and len(fake.points(run.run_id)) == 2

