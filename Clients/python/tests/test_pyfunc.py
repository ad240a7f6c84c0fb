"""Models that predict on what fits their signature, and the test of a model on its own example."""

import json
import os
import pickle
import random

import pytest
from conftest import run_python

import linaje
from linaje import _log, _mlmodel, _selftest, _yaml, _yaml_read, pyfunc

numpy = pytest.importorskip("numpy")
pandas = pytest.importorskip("pandas")
pytest.importorskip("sklearn")


@pytest.fixture(autouse=True)
def no_capture(monkeypatch):
    monkeypatch.setattr(linaje.Run, "_capture_provenance", lambda self, purpose: None)


@pytest.fixture
def warnings(caplog):
    """The texts of the warnings of a test."""
    _log._last.clear()
    return lambda: [record.getMessage() for record in caplog.records if record.name == "linaje"]


FRAME = pandas.DataFrame({"a": [0.5, 1.5, -2.0, 3.0], "b": numpy.array([1, 0, 1, 1], "int32")})


def classifier():
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit(FRAME, [0, 1, 0, 1])


class Scaler:
    """A model of no framework, with a param."""

    def predict(self, data, params=None):
        return [each * params["factor"] for each in data]


class Greeter:
    """A model that wants a mapping."""

    def predict(self, data):
        return {"hello": data["name"].upper()}


class Shape:
    """A model that says what it was given."""

    def predict(self, data):
        return [type(data).__name__]


class Unkind:
    """A model that cannot predict once it was loaded back."""

    def __getstate__(self):
        return {"lost": True}

    def predict(self, data):
        if getattr(self, "lost", False):
            raise ValueError("the weights\nare lost")
        return data * 2


def saved(tmp_path, model, *arguments, **options):
    folder = str(tmp_path / "model")
    linaje.save_model(model, folder, *arguments, **options)
    return folder


def refused(call, *arguments):
    with pytest.raises(linaje.LinajeError) as caught:
        call(*arguments)
    assert caught.value.code == 102
    return caught.value.message


# --- Signature, example and test ---

def test_an_example_gives_the_signature_the_files_and_the_test(tmp_path, warnings):
    model = classifier()
    folder = saved(tmp_path, model, input_example=FRAME)
    metadata = pyfunc.read_metadata(folder)
    assert metadata["signature"] == {
        "inputs": '[{"type": "double", "name": "a", "required": true}, {"type": "integer", "name": '
                  '"b", "required": true}]',
        "outputs": '[{"type": "long", "required": true}]', "params": None}
    assert metadata["is_signature_from_type_hint"] is False
    assert metadata["type_hint_from_example"] is False
    assert metadata["saved_input_example_info"] == {
        "artifact_path": "input_example.json", "serving_input_path": "serving_input_example.json",
        "type": "dataframe", "pandas_orient": "split"}
    assert metadata["model_size_bytes"] == sum(
        os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)
        if name != "MLmodel")
    with open(os.path.join(folder, "output_example.json"), encoding="utf-8") as file:
        assert json.load(file) == {"predictions": model.predict(FRAME).tolist()}
    loaded = pyfunc.load_model(folder)
    assert loaded.input_example.equals(FRAME)
    assert loaded.signature == linaje.infer_signature(FRAME, pandas.Series(model.predict(FRAME)))
    assert not [text for text in warnings() if "does not predict" in text]


def test_a_model_that_fails_after_it_is_loaded_back_is_a_warning(tmp_path, warnings):
    folder = saved(tmp_path, Unkind(), input_example=numpy.ones((2, 2)))
    assert [text for text in warnings() if "loaded back" in text] == [
        "model model, loaded back, does not predict on its input example: ValueError: the weights "
        "are lost"]
    assert "output_example.json" not in os.listdir(folder)
    assert pyfunc.read_metadata(folder)["signature"]["inputs"] is not None


def test_a_model_of_a_script_that_no_other_process_can_load_is_a_warning(tmp_path):
    done = run_python("""
        import logging, sys
        sys.modules["cloudpickle"] = None
        logging.basicConfig(format="%(message)s")
        import linaje
        class Local:
            def predict(self, data):
                return data
        linaje.save_model(Local(), sys.argv[1], input_example="text")
    """, tmp_path / "model")
    assert "does not predict on its input example" in done.stderr and "Local" in done.stderr


def test_a_test_that_hangs_or_cannot_start_is_a_warning(tmp_path, monkeypatch):
    folder = saved(tmp_path, Scaler(), input_example=([1.5], {"factor": 2}), self_test=False)
    assert "output_example.json" not in os.listdir(folder)
    with monkeypatch.context() as patch:
        patch.setattr(_selftest, "TIMEOUT", 0.01)
        assert "longer than 0.01 s" in _selftest.self_test(folder)
    with monkeypatch.context() as patch:
        patch.setattr(_selftest.sys, "executable", str(tmp_path / "nothing"))
        assert "no process could be started" in _selftest.self_test(folder)
    with monkeypatch.context() as patch:
        patch.setattr(_selftest, "_START", "pass")
        assert "ended with 0" in _selftest.self_test(folder)
    with open(os.path.join(folder, "model.pkl"), "wb") as file:
        file.write(pickle.dumps("no model"))
    assert "has no predict" in _selftest.self_test(folder)


def test_an_example_that_the_model_cannot_take_costs_the_signature_only(tmp_path, warnings):
    folder = saved(tmp_path, Greeter(), input_example={"nam": "x"}, self_test=False)
    assert "signature" not in pyfunc.read_metadata(folder)
    assert warnings() == ["model model has no signature: it does not predict on its input example: "
                          "KeyError: 'name'"]


def test_an_example_that_cannot_be_written_is_a_warning(tmp_path, warnings):
    for place, odd in enumerate((range(3), (each for each in "ab"), {1j: 2}, [object()])):
        folder = str(tmp_path / str(place))
        linaje.save_model(Shape(), folder, input_example=odd)
        assert f"the input example of model {place} is not kept: " in warnings()[-1]
        assert "saved_input_example_info" not in pyfunc.read_metadata(folder)


def test_a_model_does_not_change_its_example(tmp_path):
    class Greedy:
        def predict(self, data):
            data.clear()
            return "x"

    example = {"a": ["x", "y"]}
    folder = saved(tmp_path, Greedy(), input_example=example, self_test=False)
    assert example == {"a": ["x", "y"]}
    with open(os.path.join(folder, "input_example.json"), encoding="utf-8") as file:
        assert json.load(file) == example


def test_a_given_signature_is_written_as_it_is(tmp_path):
    class Others:
        """A signature of another library."""

        def to_dict(self):
            return {"inputs": '[{"type": "double", "required": true}]', "outputs": None,
                    "params": None}

    mine = linaje.ModelSignature(linaje.Schema([linaje.ColSpec("double")]))
    for place, given in enumerate((mine, Others(), Others().to_dict(), {
            "inputs": [{"type": "double", "required": True}]})):
        folder = str(tmp_path / str(place))
        linaje.save_model(Shape(), folder, given)
        assert pyfunc.read_metadata(folder)["signature"] == Others().to_dict()
    linaje.save_model(Shape(), str(tmp_path / "none"), False, [1.5], self_test=False)
    assert "signature" not in pyfunc.read_metadata(str(tmp_path / "none"))
    for bad in ("text", {"inputs": "["}, {"inputs": [{"type": "x"}]}, {}):
        refused(lambda bad=bad: linaje.save_model(Shape(), str(tmp_path / repr(bad)[:9]), bad))


def test_estimators_take_rows_of_numbers_as_an_array_and_texts_as_a_list(tmp_path):
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LinearRegression
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline

    rows = [[1.0, 2.0], [3.0, 5.0], [4, 4]]
    line = LinearRegression().fit(rows, [1, 2, 3])
    linaje.save_model(line, str(tmp_path / "line"), input_example=rows, self_test=False)
    loaded = pyfunc.load_model(str(tmp_path / "line"))
    assert loaded.signature.inputs.to_dict()[0]["tensor-spec"] == {
        "dtype": "float64", "shape": [-1, 2]}
    assert loaded.predict(rows).tolist() == line.predict(rows).tolist()
    texts = ["good film", "bad film", "good", "bad"]
    words = make_pipeline(CountVectorizer(), MultinomialNB()).fit(texts, [1, 0, 1, 0])
    linaje.save_model(words, str(tmp_path / "words"), input_example=texts[:2], self_test=False)
    loaded = pyfunc.load_model(str(tmp_path / "words"))
    assert loaded.predict(["good good", "bad film"]).tolist() == [1, 0]


def test_an_estimator_without_predict_keeps_its_inputs(tmp_path):
    from sklearn.preprocessing import StandardScaler

    folder = saved(tmp_path, StandardScaler().fit(FRAME), input_example=FRAME)
    signature = pyfunc.read_metadata(folder)["signature"]
    assert signature["inputs"] is not None and signature["outputs"] is None
    assert "has no predict" in refused(pyfunc.load_model, folder)


# --- Predicting ---

def test_predict_holds_data_against_the_signature(tmp_path, warnings):
    model = classifier()
    loaded = pyfunc.load_model(saved(tmp_path, model, linaje.infer_signature(FRAME)))
    given = FRAME[["b", "a"]].assign(more=1)
    assert loaded.predict(given).tolist() == model.predict(FRAME).tolist()
    assert "'more'" in warnings()[-1]
    assert loaded.get_raw_model().predict(FRAME).tolist() == model.predict(FRAME).tolist()
    message = refused(loaded.predict, FRAME.assign(b=0.5))
    assert "column 'b': the model wants integer (int32), found float64" in message
    assert "'a' of the model's signature are missing" in refused(loaded.predict, FRAME[["b"]])
    assert "signature" in str(loaded.metadata) and "LogisticRegression" in repr(loaded)


def test_predict_gives_params_with_their_defaults(tmp_path, warnings):
    folder = saved(tmp_path, Scaler(), input_example=([1.5, 2.5], {"factor": 2}), self_test=False)
    loaded = pyfunc.load_model(folder)
    assert loaded.predict([1.5]) == [3.0]
    assert loaded.predict([1.5], {"factor": 3, "odd": 1}) == [4.5]
    assert "'odd'" in warnings()[-1]
    assert "'factor' must be long, not 'x'" in refused(loaded.predict, [1.5], {"factor": "x"})
    folder = str(tmp_path / "other")
    linaje.save_model(Shape(), folder, linaje.infer_signature([1.5], params={"k": 1}))
    pyfunc.load_model(folder).predict([2.5], {"k": 2})
    assert "takes no params" in warnings()[-1]


def test_models_get_data_in_the_form_of_their_example(tmp_path):
    forms = {"list": [1.5, 2.5], "dict": {"a": 1.5, "b": "x"}, "str": "text", "float64": 2.5,
             "DataFrame": FRAME, "ndarray": numpy.ones((2, 2))}
    for kind, example in forms.items():
        folder = str(tmp_path / kind)
        linaje.save_model(Shape(), folder, input_example=example, self_test=False)
        (found,) = pyfunc.load_model(folder).predict(example)
        assert found in (kind, kind.replace("64", ""))
    folder = str(tmp_path / "rows")
    linaje.save_model(Shape(), folder, input_example=[{"a": 1.5}], self_test=False)
    assert pyfunc.load_model(folder).predict([{"a": 2.5}]) == ["list"]
    linaje.save_model(Shape(), str(tmp_path / "none"), linaje.infer_signature([1.5]))
    assert pyfunc.load_model(str(tmp_path / "none")).predict([2.5]) == ["DataFrame"]


def test_a_model_without_a_signature_gets_what_is_given(tmp_path):
    loaded = pyfunc.load_model(saved(tmp_path, Shape()))
    assert loaded.signature is None and loaded.input_example is None
    assert loaded.predict({1: object()}) == ["dict"]


def test_predict_fn_of_mlmodel_is_what_predicts(tmp_path):
    model = classifier()
    folder = saved(tmp_path, model)
    path = os.path.join(folder, "MLmodel")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace("predict_fn: predict", "predict_fn: predict_proba"))
    assert pyfunc.load_model(folder).predict(FRAME).shape == (4, 2)


def test_what_is_no_model_is_refused_before_anything_is_unpickled(tmp_path):
    assert "cannot be read" in refused(pyfunc.load_model, str(tmp_path))
    folder = saved(tmp_path, Shape())
    path = os.path.join(folder, "MLmodel")
    os.remove(os.path.join(folder, "model.pkl"))
    for text, words in (
            ("a: [", "MLmodel"), ("text", "describes no model"), ("flavors: {}", "python_function"),
            ("flavors:\n  python_function:\n    loader_module: mlflow.catboost",
             "mlflow.pyfunc.load_model("),
            ("signature:\n  inputs: '[{}]'", "signature in MLmodel is malformed"),
            ("signature: text", "no mapping")):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        assert words in refused(pyfunc.load_model, folder), text
    assert "not there yet" in refused(linaje.save_model, Shape(), folder)


def test_a_logged_model_is_loaded_with_its_signature(fake, fresh_sender):
    with linaje.start_run():
        info = linaje.log_model(classifier(), "m", input_example=FRAME)
    assert info.signature.inputs.input_names() == ["a", "b"]
    assert linaje.flush(20)
    loaded = pyfunc.load_model(info.uri)
    assert loaded.signature == info.signature
    assert loaded.predict(FRAME).shape == (4,)
    assert "column 'a'" in refused(loaded.predict, FRAME.assign(a="x"))
    (stored,) = [artifacts for artifacts in [run["_artifacts"] for run in fake.runs.values()]]
    assert {"m/input_example.json", "m/serving_input_example.json",
            "m/output_example.json"} <= set(stored)


def test_a_failing_test_never_ends_the_training(fake, fresh_sender, warnings, monkeypatch):
    monkeypatch.setattr(_selftest, "_START", "import os; os.abort()")
    with linaje.start_run() as run:
        info = linaje.log_model(Shape(), "m", input_example="x")
    assert run.status == "FINISHED" and linaje.flush(20)
    assert "ended with -6" in warnings()[-1]
    assert linaje.load_model(info.uri).predict("x") == ["str"]


def test_autolog_waits_for_no_test(fake):
    run_python("""
        import linaje
        from linaje import _mlmodel
        def never(folder):
            raise AssertionError("tested")
        _mlmodel.self_test = never
        linaje.autolog()
        from sklearn.linear_model import LinearRegression
        LinearRegression().fit([[1.0], [2.0]], [1, 2])
    """)
    (model,) = fake.models.values()
    (run,) = fake.runs.values()
    assert "model/input_example.json" in run["_artifacts"]
    assert "model/output_example.json" not in run["_artifacts"]


# --- YAML without a library ---

WORDS = ["a", "yes", "null", "1.5", "it's", '"q"', "é", "\n", "\t", "  ", "# x", ": ", "- ", "'",
         "{", "[", "long text " * 6, "x: y", "~", "", "\\", "\\n", "1e5", "2024-01-01", "\u2028",
         "!t", "&a", "*b", "%", "@", "|", ">", "?", "\x07", "end ", "\U0001f600"]


def made_up(draw, depth=0):
    def text():
        return "".join(draw.choice(WORDS) for _ in range(draw.randrange(6)))

    form = draw.random()
    if depth < 4 and form < 0.25:
        return {(text() or "k")[:100]: made_up(draw, depth + 1) for _ in range(draw.randrange(4))}
    if depth < 4 and form < 0.45:
        return [made_up(draw, depth + 1) for _ in range(draw.randrange(4))]
    return draw.choice([text(), text(), text(), draw.randrange(-10**6, 10**6), True, False, None,
                        draw.random() * 10.0 ** draw.randrange(-12, 12), float("inf"), ""])


def test_what_yaml_libraries_write_is_read_alike_without_one():
    yaml = pytest.importorskip("yaml")
    draw = random.Random(7)
    compared = left_out = 0
    for _ in range(600):
        value = {"k": made_up(draw), "signature": {"inputs": str(made_up(draw)) * 3}}
        for text in (yaml.safe_dump(value, default_flow_style=False), _yaml.dump(value)):
            try:
                expected = yaml.safe_load(text)
            except yaml.YAMLError:
                continue
            try:
                found = _yaml_read.load_plainly(text)
            except linaje.LinajeError as error:
                # Keys that are written with a question mark are left to libraries.
                assert "? " in text and "PyYAML" in str(error)
                left_out += 1
                continue
            assert found == expected, text
            compared += 1
    assert compared > 1_000 and left_out < 60


def test_torn_and_changed_yaml_raises_nothing_else():
    text = _yaml.dump({"a": {"b": [1, {"c": "it's: x  \ny"}], "é": [["x", None]]}, "z": '\\"'})
    draw = random.Random(8)
    read = 0

    def attempt(text):
        try:
            return _yaml_read.load_plainly(text) is not None
        except linaje.LinajeError as error:
            assert error.code == 102
            return False

    for end in range(len(text)):
        read += attempt(text[:end])
    for _ in range(5_000):
        letters = list(text)
        for _ in range(draw.randint(1, 4)):
            letters[draw.randrange(len(letters))] = draw.choice(" \n-:'\"\\{}[]?#&x0é\t")
        read += attempt("".join(letters))
    assert read > 500
    for hostile in ("- " * 100_000, "".join(" " * depth + "a:\n" for depth in range(500)),
                    "a: '" + " " * 1_000_000, '"' + "\\" * 1_000_000, "9" * 100_000):
        attempt(hostile)


def test_a_model_of_mlflow_is_read_with_and_without_a_yaml_library(tmp_path, monkeypatch):
    folder = tmp_path / "model"
    linaje.save_model(classifier(), str(folder))
    (folder / "MLmodel").write_text("""\
flavors:
  python_function:
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.sklearn
    model_path: model.pkl
    predict_fn: predict
    python_version: 3.11.7
  sklearn:
    code: null
    pickled_model: model.pkl
    serialization_format: pickle
    sklearn_version: 1.9.1
    skops_trusted_types: null
is_signature_from_type_hint: false
mlflow_version: 3.17.2
model_id: null
prompts: null
signature:
  inputs: '[{"type": "double", "name": "a", "required": true}, {"type": "integer",
    "name": "b", "required": true}, {"type": "string", "name": "it''s \\u00e9", "required":
    false}]'
  outputs: '[{"type": "long", "required": true}]'
  params: null
type_hint_from_example: false
utc_time_created: '2026-11-27 02:07:17.110452'
""")
    signature = pyfunc.load_model(str(folder)).signature
    assert signature.inputs.input_names() == ["a", "b", "it's é"]
    monkeypatch.setattr(_yaml_read, "load", _yaml_read.load_plainly)
    loaded = pyfunc.load_model(str(folder))
    assert loaded.signature == signature
    assert loaded.predict(FRAME).shape == (4,)


def test_mlflow_and_this_client_load_each_others_models(tmp_path):
    mlflow = pytest.importorskip("mlflow")
    model = classifier()
    words = {"text": "ada", "n": 3}
    for name, each, example in (("frame", model, FRAME), ("dict", Shape(), words),
                                ("list", Shape(), ["a", "b"]), ("array", Shape(), numpy.eye(2)),
                                ("params", Scaler(), ([1.5, 2.5], {"factor": 2}))):
        folder = str(tmp_path / name)
        linaje.save_model(each, folder, input_example=example, self_test=False)
        theirs, ours = mlflow.pyfunc.load_model(folder), pyfunc.load_model(folder)
        found, expected = theirs.predict(theirs.input_example), ours.predict(ours.input_example)
        assert list(found) == list(expected)
        assert theirs.metadata.signature.to_dict() == ours.signature.to_dict()
    folder = str(tmp_path / "theirs")
    mlflow.sklearn.save_model(model, folder, input_example=FRAME, pip_requirements=["scikit-learn"],
                              serialization_format="cloudpickle")
    ours = pyfunc.load_model(folder)
    assert ours.signature == linaje.infer_signature(FRAME, pandas.Series(model.predict(FRAME)))
    assert ours.predict(ours.input_example).tolist() == model.predict(FRAME).tolist()


def test_the_loaders_that_are_written_are_the_ones_that_are_read(tmp_path):
    for model in (classifier(), Shape()):
        flavors = _mlmodel._flavors(model, "pickle", "3.11")
        assert flavors["python_function"]["loader_module"] in _mlmodel.LOADERS
