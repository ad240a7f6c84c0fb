"""Models through the real store and registry, loaded by another process."""

import os

import pytest
from conftest import run_python

import linaje
from linaje import _models, _upload

pytest.importorskip("sklearn")


def test_log_register_stage_load_in_another_process_and_lineage(daemon, tmp_path):
    made = run_python("""
        import sys, numpy, linaje
        from sklearn.datasets import load_breast_cancer
        from sklearn.ensemble import RandomForestClassifier
        data = load_breast_cancer(as_frame=True)
        for trees in (5, 10):
            with linaje.start_run(name=f"forest {trees}", experiment="cancer"):
                linaje.log_input(data.data, name="breast cancer")
                linaje.log_param("trees", trees)
                model = RandomForestClassifier(n_estimators=trees, random_state=0)
                model.fit(data.data, data.target)
                linaje.log_metric("accuracy", model.score(data.data, data.target))
                info = linaje.log_model(model, "forest", input_example=data.data[:3])
            version = linaje.register_model(info, "cancer")
            assert version.version == (1 if trees == 5 else 2), version
            numpy.save(f"{sys.argv[1]}/{version.version}.npy", model.predict_proba(data.data))
        linaje.transition_stage("cancer", 2, "Production")
        linaje.transition_stage("cancer", 1, "Production", archive_existing=True,
                                comment="back")
        linaje.set_alias("cancer", "challenger", 2)
        print(info.uri)
    """, tmp_path, timeout=120)
    run_python("""
        import sys, numpy, linaje
        from sklearn.datasets import load_breast_cancer
        data = load_breast_cancer(as_frame=True)
        for uri, version in (("models:/cancer/1", 1), ("models:/cancer/Production", 1),
                             ("models:/cancer/latest", 2), ("models:/cancer@challenger", 2),
                             (sys.argv[2], 2)):
            model = linaje.load_model(uri)
            expected = numpy.load(f"{sys.argv[1]}/{version}.npy")
            assert (model.predict_proba(data.data) == expected).all(), uri
        model = linaje.pyfunc.load_model("models:/cancer/Production")
        shuffled = data.data[data.data.columns[::-1]]
        straight = linaje.load_model("models:/cancer/1").predict(data.data)
        assert (model.predict(shuffled) == straight).all()
        try:
            model.predict(data.data.drop(columns="mean area"))
        except linaje.LinajeError as error:
            assert "'mean area' of the model's signature are missing" in str(error)
        else:
            raise AssertionError("a missing column was not noticed")
    """, tmp_path, made.stdout.strip(), timeout=120)
    with linaje.Client() as client:
        kind, version = client.resolve_model("models:/cancer/Production")
        assert kind == "version" and version.version == 1 and version.stage == 3
        assert client.resolve_model("models:/cancer/2")[1].stage == 4
        graph = client.lineage("models:/cancer/1")
        kinds = {node.kind for node in graph.nodes}
        assert {"model_version", "run", "dataset"} <= kinds
        operations = b"".join(event.canonical for event in client.events("cancer"))
        assert operations.count(b"version.stage") >= 2 and b'"comment":"back"' in operations
        assert client.call("VerifyLedger").first_bad == 0


def test_autolog_needs_nothing_but_fit(daemon):
    run_python("""
        import linaje
        linaje.autolog()
        from sklearn.datasets import load_iris
        from sklearn.linear_model import LogisticRegression
        data = load_iris()
        LogisticRegression(C=0.5, max_iter=500).fit(data.data, data.target)
    """, timeout=120)
    with linaje.Client() as client:
        (run,) = client.search_runs([0])
        assert run.name == "LogisticRegression" and run.status == 3
        assert {param.key: param for param in run.params}["C"].double_value == 0.5
        (model,) = client.pages("SearchLoggedModels", "models", run_id=run.id)
        assert model.status == 2
        loaded = linaje.load_model(f"models:/m-{model.id.hex()}", using=client)
        assert loaded.predict([[5.0, 3.4, 1.5, 0.2]])[0] == 0


def test_files_of_many_sizes_come_back_whole(daemon, fresh_sender, tmp_path):
    source = tmp_path / "files"
    (source / "deep" / "er").mkdir(parents=True)
    sizes = [0, 1, 16383, 16384, 65536, 262144, 262145, 3_000_000]
    for size in sizes:
        (source / f"{size}.bin").write_bytes(os.urandom(size))
    (source / "deep" / "er" / "é b.txt").write_text("text")
    (source / "run.sh").write_text("#!/bin/sh\n")
    (source / "run.sh").chmod(0o755)
    os.symlink("0.bin", source / "link")
    with linaje.start_run() as run:
        linaje.log_artifacts(source, "bundle")
    assert linaje.flush(60), daemon.output()
    tree = _upload.tree_digest(_upload.describe_tree(str(source)))
    with linaje.Client() as client:
        listed = client.list_artifacts(f"runs:/{run.run_id}/bundle", recursive=True)
        assert len([entry for entry in listed if entry.mode != 0o040000]) == len(sizes) + 3
        (tmp_path / "back").mkdir()
        _models.fetch_tree(client, tree, str(tmp_path / "back"))
        back = tmp_path / "back"
        for path, full in _upload.walk(str(source)):
            assert _upload.describe_file(path, full) == _upload.describe_file(
                path, str(back / path))
        content = (source / "3000000.bin").read_bytes()
        part = b"".join(client.read_artifact(tree, "3000000.bin", 1_234_567, 100_000))
        assert part == content[1_234_567:1_334_567]


def test_what_does_not_exist_is_named(daemon, fresh_sender):
    for call in (lambda: linaje.load_model("models:/nobody/1"),
                 lambda: linaje.register_model("models:/m-" + "00" * 16, "x"),
                 lambda: linaje.get_run("00" * 16), lambda: linaje.lineage("models:/nobody/1")):
        with pytest.raises(linaje.LinajeError) as caught:
            call()
        assert caught.value.code == 104, caught.value
    with pytest.raises(linaje.LinajeError) as caught:
        linaje.load_model("models:/a/b/c")
    assert caught.value.code == 102
