"""MLmodel directories, logging, registering and loading models, autolog."""

import json
import os
import pickle

import pytest
from conftest import run_python

import linaje
from linaje import _mlmodel, _models, _upload, _yaml

sklearn = pytest.importorskip("sklearn")
numpy = pytest.importorskip("numpy")


@pytest.fixture(autouse=True)
def no_capture(monkeypatch):
    monkeypatch.setattr(linaje.Run, "_capture_provenance", lambda self, purpose: None)


class Doubler:
    """A model of no framework."""

    def predict(self, data):
        return [2 * each for each in data]


def forest():
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.datasets import load_breast_cancer

    data = load_breast_cancer()
    model = RandomForestClassifier(n_estimators=5, random_state=0).fit(data.data, data.target)
    return model, data.data


def write(tmp_path, model, **options):
    folder = tmp_path / "model"
    folder.mkdir()
    _mlmodel.write_model(model, str(folder), name="model", model_id="m-" + "0" * 32,
                         run_id="1" * 32, **options)
    return folder


# --- MLmodel ---

def test_the_yaml_that_is_written_is_read_back_by_a_yaml_library():
    yaml = pytest.importorskip("yaml")
    value = {
        "plain": "text", "empty": "", "list": ["a", 1, {"b": [1, 2]}, []], "none": None,
        "true": True, "yes text": "yes", "number text": "1.5", "float": 1e-07, "big": 1e300,
        "int": -3, "date": "2024-01-01 00:00:00.000001", "quote": "it's \"so\"", "nl": "a\nb\tc",
        "json": '[{"type": "long", "name": "é: #x"}]', "colon": "a: b", "dash": "- a",
        "map": {"empty": {}, "deep": {"er": ["x: y", {"k": "v", "l": None}]}}, "tilde": "~",
        "null text": "null", "inf": float("inf"), "odd": "\x7f\u2028", "smile": "\U0001f600"}
    assert yaml.safe_load(_yaml.dump(value)) == value


def test_a_sklearn_model_directory_is_complete_and_is_yaml(tmp_path):
    yaml = pytest.importorskip("yaml")
    pandas = pytest.importorskip("pandas")
    model, data = forest()
    frame = pandas.DataFrame(data[:3], columns=[f"c{place}" for place in range(data.shape[1])])
    folder = write(tmp_path, model, input_example=frame, metadata={"owner": "ada"})
    assert sorted(os.listdir(folder)) == [
        "MLmodel", "conda.yaml", "input_example.json", "model.pkl", "output_example.json",
        "python_env.yaml", "requirements.txt", "serving_input_example.json"]
    described = yaml.safe_load((folder / "MLmodel").read_text())
    flavors = described["flavors"]
    assert flavors["sklearn"]["pickled_model"] == "model.pkl"
    assert flavors["sklearn"]["sklearn_version"] == sklearn.__version__
    assert flavors["sklearn"]["serialization_format"] in ("cloudpickle", "pickle")
    generic = flavors["python_function"]
    assert generic["loader_module"] == "mlflow.sklearn" and generic["model_path"] == "model.pkl"
    assert generic["env"] == {"conda": "conda.yaml", "virtualenv": "python_env.yaml"}
    inputs = json.loads(described["signature"]["inputs"])
    assert inputs[0] == {"type": "double", "name": "c0", "required": True} and len(inputs) == 30
    assert json.loads(described["signature"]["outputs"]) == [{"type": "long", "required": True}]
    assert described["signature"]["params"] is None
    assert described["saved_input_example_info"]["pandas_orient"] == "split"
    assert described["model_id"] == "m-" + "0" * 32 and described["run_id"] == "1" * 32
    example = json.loads((folder / "input_example.json").read_text())
    assert example["columns"][0] == "c0" and example["data"][0][0] == data[0][0]
    assert json.loads((folder / "serving_input_example.json").read_text()) == {
        "dataframe_split": example}
    needs = (folder / "requirements.txt").read_text().split()
    assert f"scikit-learn=={sklearn.__version__}" in needs
    conda = yaml.safe_load((folder / "conda.yaml").read_text())
    assert conda["dependencies"][-1] == {"pip": needs}
    python = yaml.safe_load((folder / "python_env.yaml").read_text())
    assert python["dependencies"] == ["-r requirements.txt"]
    assert isinstance(python["python"], str)


def test_an_object_with_predict_gets_the_generic_flavor(tmp_path):
    folder = write(tmp_path, Doubler(), requirements=["numpy==1.0"])
    text = (folder / "MLmodel").read_text()
    assert "loader_module: linaje.pyfunc" in text and "sklearn" not in text
    assert (folder / "requirements.txt").read_text() == "numpy==1.0\n"
    from linaje import pyfunc

    assert pyfunc._load_pyfunc(str(folder / "model.pkl")).predict([1]) == [2]


def test_what_cannot_predict_or_be_pickled_is_refused(tmp_path, home, fresh_sender):
    with linaje.start_run():
        for model in (object(), 5):
            with pytest.raises(linaje.LinajeError) as caught:
                linaje.log_model(model)
            assert caught.value.code == 102
        with pytest.raises(linaje.LinajeError):
            linaje.log_model(Doubler(), "a/b")


# --- Logging and loading ---

def test_log_register_stage_and_load(fake, fresh_sender):
    model, data = forest()
    with linaje.start_run(experiment="cancer") as run:
        info = linaje.log_model(model, "forest", input_example=data[:2], params={"trees": 5})
    version = linaje.register_model(info, "cancer")
    assert version.version == 1 and version.source == info.uri
    linaje.transition_stage("cancer", 1, "Production")
    for uri in ("models:/cancer/1", "models:/cancer/Production", info.uri):
        loaded = linaje.load_model(uri)
        assert (loaded.predict(data) == model.predict(data)).all()
    stored = fake.models[bytes.fromhex(info.model_id[2:])]
    assert stored["tree"].hex() == info.tree and stored["run_id"].hex() == run.run_id
    assert stored["experiment_id"] == fake.experiments["cancer"]
    assert "forest/MLmodel" in fake.run(run.run_id)["_artifacts"]
    outputs = fake.run(run.run_id)["model_outputs"]
    assert [output["uri"] for output in outputs] == [info.uri]
    assert os.stat(_models.cache_root()).st_mode & 0o777 == 0o700
    assert os.listdir(_models.cache_root()) == [info.tree]


def test_a_registered_name_registers_when_the_files_have_arrived(fake, fresh_sender):
    with linaje.start_run():
        first = linaje.log_model(Doubler(), registered_model_name="doubler")
        second = linaje.log_model(Doubler(), registered_model_name="doubler")
    assert linaje.flush(20)
    assert (first.registered_model_version, second.registered_model_version) == (1, 2)
    assert linaje.load_model("models:/doubler/2").predict([4]) == [8]


def test_bytes_that_do_not_match_are_never_unpickled(fake, fresh_sender):
    with linaje.start_run():
        info = linaje.log_model(Doubler())
    assert linaje.flush(20)
    fake.corrupt_reads = True
    with pytest.raises(linaje.LinajeError) as caught:
        linaje.load_model(info.uri)
    assert caught.value.code == 204
    assert os.listdir(_models.cache_root()) == []
    fake.corrupt_reads = False
    assert linaje.load_model(info.uri).predict([1]) == [2]


def test_a_list_of_files_that_is_not_the_pinned_tree_is_refused(fake, fresh_sender):
    with linaje.start_run():
        info = linaje.log_model(Doubler())
    assert linaje.flush(20)
    files = fake.trees[bytes.fromhex(info.tree)]
    files["extra.py"] = (0o100644, 0, bytes.fromhex(
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"))
    with pytest.raises(linaje.LinajeError) as caught:
        linaje.load_model(info.uri)
    assert caught.value.code == 204


@pytest.mark.parametrize("path", ["../out", "/abs", "a/../../out", "", "a//b", "nul\0"])
def test_a_path_that_leads_out_is_refused(fake, fresh_sender, home, path):
    with linaje.start_run():
        info = linaje.log_model(Doubler())
    assert linaje.flush(20)
    files = fake.trees[bytes.fromhex(info.tree)]
    files[path] = next(iter(files.values()))
    with pytest.raises(linaje.LinajeError) as caught:
        linaje.load_model(info.uri)
    assert caught.value.code == 117
    assert not (home / "out").exists()


def test_a_changed_cache_is_noticed_and_fetched_again(fake, fresh_sender):
    with linaje.start_run():
        info = linaje.log_model(Doubler())
    assert linaje.flush(20)
    folder = linaje.download_model(info.uri)
    with open(os.path.join(folder, "model.pkl"), "wb") as file:
        pickle.dump("evil", file)
    assert linaje.load_model(info.uri).predict([3]) == [6]


def test_links_are_kept_inside_the_model_and_refused_outside(fake, fresh_sender, tmp_path):
    source = tmp_path / "files"
    (source / "sub").mkdir(parents=True)
    (source / "weights").write_text("w")
    (source / "run.sh").write_text("#!/bin/sh\n")
    os.chmod(source / "run.sh", 0o755)
    os.symlink("../weights", source / "sub" / "latest")
    with linaje.start_run():
        linaje.log_artifacts(source, "bundle")
        assert linaje.flush(20)
        tree = _upload.tree_digest(_upload.describe_tree(str(source)))
        assert tree in fake.trees
        target = tmp_path / "out"
        target.mkdir()
        _models.fetch_tree(_models.client(), tree, str(target))
        assert os.readlink(target / "sub" / "latest") == "../weights"
        assert os.access(target / "run.sh", os.X_OK)
        os.symlink("/etc/passwd", source / "evil")
        linaje.log_artifacts(source, "bundle2")
        assert linaje.flush(20)
        tree = _upload.tree_digest(_upload.describe_tree(str(source)))
        (tmp_path / "out2").mkdir()
        with pytest.raises(linaje.LinajeError) as caught:
            _models.fetch_tree(_models.client(), tree, str(tmp_path / "out2"))
        assert caught.value.code == 102


def test_registering_without_a_daemon_is_an_error_and_logging_is_not(home, fresh_sender):
    with linaje.start_run():
        info = linaje.log_model(Doubler())
        with pytest.raises(linaje.LinajeError) as caught:
            linaje.register_model(info, "doubler", timeout=0.2)
        assert caught.value.code == 200 and caught.value.retryable
    with pytest.raises(linaje.LinajeError) as caught:
        linaje.load_model("models:/doubler/1")
    assert caught.value.code == 200 and "start linajed" in str(caught.value)


# --- Artifacts ---

def test_what_a_file_held_when_it_was_logged_is_stored(fake, fresh_sender, tmp_path):
    path = tmp_path / "a.txt"
    with linaje.start_run() as run:
        fake.stop()
        for number in range(3):
            path.write_text(f"content {number}")
            linaje.log_artifact(path, f"v{number}")
        path.unlink()
        fake.start()
    assert linaje.flush(20)
    artifacts = fake.run(run.run_id)["_artifacts"]
    assert [fake.files[artifacts[f"v{number}/a.txt"][2]] for number in range(3)] == [
        b"content 0", b"content 1", b"content 2"]
    assert os.listdir(fresh_sender.folder.path("files")) == []


def test_an_upload_interrupted_anywhere_is_stored_once(fake, fresh_sender, tmp_path, monkeypatch):
    from linaje import _sender

    monkeypatch.setattr(_sender, "_BACKOFF", (0.005, 0.02))
    (tmp_path / "big").write_bytes(os.urandom(400_000))
    for number in range(2, 16):
        fake.drop_after = {fake.frames + number}
        with linaje.start_run() as run:
            linaje.log_artifact(tmp_path / "big", "x")
        assert linaje.flush(20), number
        (entry,) = fake.run(run.run_id)["_artifacts"].values()
        assert fake.files[entry[2]] == (tmp_path / "big").read_bytes()


def test_small_files_go_together_and_large_ones_alone(fake, fresh_sender, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(40):
        (folder / f"small{number}").write_bytes(os.urandom(10_000))
    (folder / "large").write_bytes(os.urandom(200_000))
    (folder / "empty").touch()
    (folder / "link").symlink_to("large")
    put, calls = fake.put_file, []
    fake.put_file = lambda request, content: calls.append(request.path) or put(request, content)
    with linaje.start_run() as run:
        linaje.log_artifacts(folder, "x")
    assert linaje.flush(20)
    artifacts = fake.run(run.run_id)["_artifacts"]
    assert len(artifacts) == 43 and calls == ["large"]
    for path in folder.iterdir():
        content = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()
        assert fake.files[artifacts[f"x/{path.name}"][2]] == content
    assert artifacts["x/link"][0] == 0o120000


def test_a_small_file_that_grew_before_its_turn_is_stored_whole(fake, fresh_sender, tmp_path):
    from linaje import _upload

    path = tmp_path / "f"
    path.write_bytes(b"small")
    entry = {"path": "f", "mode": 0o100644, "size": 5, "source": str(path)}
    path.write_bytes(os.urandom(300_000))
    with linaje.start_run() as run:
        body = _upload.upload_body([entry], bytes.fromhex(run.run_id), "")
        assert linaje.flush(20), "the run is not known before"
        with linaje.Client() as client:
            _upload.upload(client, body)
    assert linaje.flush(20)
    (found,) = fake.run(run.run_id)["_artifacts"].values()
    assert fake.files[found[2]] == path.read_bytes()


def test_a_session_the_daemon_forgot_is_begun_again(fake, fresh_sender, tmp_path):
    (tmp_path / "f").write_text("text")
    begin = fake.do_BeginIngest

    def forgetful(request):
        answer = begin(request)
        fake.ingests.clear()
        fake.do_BeginIngest = begin
        return answer

    fake.do_BeginIngest = forgetful
    with linaje.start_run() as run:
        linaje.log_artifact(tmp_path / "f")
    assert linaje.flush(20)
    assert list(fake.run(run.run_id)["_artifacts"]) == ["f"]


def test_what_is_no_file_is_refused(home, fresh_sender, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with linaje.start_run():
        for call in (lambda: linaje.log_artifact(tmp_path / "missing"),
                     lambda: linaje.log_artifact(tmp_path),
                     lambda: linaje.log_artifact(tmp_path / "fifo"),
                     lambda: linaje.log_artifacts(tmp_path),
                     lambda: linaje.log_artifacts(tmp_path / "missing"),
                     lambda: linaje.log_text("x", "../x"), lambda: linaje.log_text("x", "/x")):
            with pytest.raises(linaje.LinajeError):
                call()


# --- autolog ---

def autolog(code):
    return run_python(f"""
        import linaje, numpy, json
        linaje.autolog(log_models=MODELS)
        from sklearn.linear_model import LogisticRegression, LinearRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.model_selection import GridSearchCV
        from sklearn.ensemble import BaggingClassifier
        rng = numpy.random.default_rng(0)
        X = rng.normal(size=(60, 3)); y = (X[:, 0] > 0).astype(int)
        {code}
    """.replace("MODELS", "True"))


def metric_keys(fake, run_id):
    from linaje import _wire

    return {series.key for (run, _), batches in fake.batches.items() if run.hex() == run_id
            for payload in batches.values()
            for series in _wire.decode("MetricBatch", payload).series}


def test_autolog_logs_params_scores_and_the_model_of_a_fit(fake):
    autolog("LogisticRegression(C=0.5).fit(X, y)")
    (run,) = fake.runs.values()
    params = {param["key"]: param for param in run["params"]}
    assert params["C"]["double_value"] == 0.5 and run["status"] == 3
    assert run["name"] == "LogisticRegression"
    keys = metric_keys(fake, run["id"].hex())
    assert {"training_score", "training_accuracy_score", "training_f1_score",
            "training_roc_auc", "training_log_loss"} <= keys
    assert len(fake.models) == 1


@pytest.mark.parametrize("code", [
    "make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)",
    "GridSearchCV(LogisticRegression(), {'C': [0.1, 1.0]}, cv=2).fit(X, y)",
    "GridSearchCV(LogisticRegression(), {'C': [0.1, 1.0]}, cv=2, n_jobs=2).fit(X, y)",
    "BaggingClassifier(LogisticRegression(), n_estimators=3).fit(X, y)"])
def test_a_fit_inside_a_fit_is_logged_once(fake, code):
    autolog(code)
    assert len(fake.runs) == 1 and len(fake.models) == 1


def test_fits_inside_a_run_belong_to_it_and_do_not_end_it(fake):
    autolog("""with linaje.start_run(name="mine"):
            LogisticRegression().fit(X, y)
            LinearRegression().fit(X, X[:, 1])
            linaje.log_metric("own", 1.0)""")
    (run,) = fake.runs.values()
    assert run["name"] == "mine" and run["status"] == 3
    keys = metric_keys(fake, run["id"].hex())
    assert {"own", "training_score", "LinearRegression-2.training_r2_score"} <= keys
    assert len(fake.models) == 2


def test_a_failing_fit_raises_its_own_error_and_the_run_fails(fake):
    done = autolog("""try:
            LogisticRegression().fit(X, None)
        except ValueError as error:
            print("raised")""")
    assert done.stdout.strip() == "raised"
    assert [run["status"] for run in fake.runs.values()] == [4]


def test_autolog_never_raises_and_patches_classes_made_later(fake):
    done = autolog("""from sklearn.base import BaseEstimator

        class Odd(BaseEstimator):
            def __init__(self, a=1):
                self.a = a

            def fit(self, X, y=None, *, extra=0):
                "doc"
                self.fitted_ = X.shape
                return self

            def get_params(self, deep=True):
                raise RuntimeError("no params here")

        odd = Odd()
        assert odd.fit(X, extra=3) is odd and odd.fitted_ == (60, 3)
        import inspect, pickle
        assert "extra" in inspect.signature(Odd.fit).parameters and Odd.fit.__doc__ == "doc"
        linaje.autolog(disable=True)
        LogisticRegression().fit(X, y)
        print("done")""")
    assert done.stdout.strip() == "done"
    assert len(fake.runs) == 1


def test_autolog_costs_no_exception_without_a_daemon(fake):
    fake.stop()
    assert autolog("print(LogisticRegression().fit(X, y).coef_.shape)").stdout == "(1, 3)\n"
    fake.start()
    assert linaje.sync() == (1, 0)
    assert len(fake.models) == 1
