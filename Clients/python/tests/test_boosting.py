"""Models of XGBoost and LightGBM, kept in the files of these libraries as MLflow keeps them."""

import os

import pytest

import linaje
from linaje import _log, _mlmodel, _selftest, pyfunc

numpy = pytest.importorskip("numpy")
pandas = pytest.importorskip("pandas")
pytest.importorskip("sklearn")
lightgbm = pytest.importorskip("lightgbm")
xgboost = pytest.importorskip("xgboost")

FRAME = pandas.DataFrame(numpy.random.default_rng(3).normal(size=(40, 3)), columns=["a", "b", "c"])
CLASSES = (FRAME["a"] > 0).astype("int64") + (FRAME["b"] > 0)
SMALL = {"n_estimators": 3, "max_depth": 2, "n_jobs": 1}


def xgboost_booster():
    return xgboost.train({"max_depth": 2, "nthread": 1, "objective": "binary:logistic"},
                         xgboost.DMatrix(FRAME, CLASSES > 0), 3)


def lightgbm_booster():
    return lightgbm.train({"verbose": -1, "num_threads": 1, "min_data_in_leaf": 2},
                          lightgbm.Dataset(FRAME, FRAME["c"]), 3)


MAKERS = {
    "xgboost.core.Booster": xgboost_booster,
    "xgboost.sklearn.XGBClassifier": lambda: xgboost.XGBClassifier(**SMALL).fit(FRAME, CLASSES),
    "xgboost.sklearn.XGBRegressor": lambda: xgboost.XGBRegressor(**SMALL).fit(FRAME, FRAME["c"]),
    "lightgbm.basic.Booster": lightgbm_booster,
}


@pytest.fixture(autouse=True)
def no_capture(monkeypatch):
    monkeypatch.setattr(linaje.Run, "_capture_provenance", lambda self, purpose: None)


def predicted(model, data=FRAME):
    """What the library itself predicts."""
    return model.predict(xgboost.DMatrix(data) if type(model) is xgboost.Booster else data)


def saved(tmp_path, model, *arguments, **options):
    folder = str(tmp_path / f"model-{len(os.listdir(tmp_path))}")
    linaje.save_model(model, folder, *arguments, self_test=False, **options)
    return folder


def facts_of(name):
    if name.startswith("lightgbm"):
        return {"data": "model.lgb", "model_class": name, "lgb_version": lightgbm.__version__,
                "code": None}
    return {"data": "model.ubj", "model_class": name, "model_format": "ubj",
            "xgb_version": xgboost.__version__, "code": None}


def refused(call, *arguments):
    with pytest.raises(linaje.LinajeError) as caught:
        call(*arguments)
    assert caught.value.code == 102
    return caught.value.message


@pytest.mark.parametrize("name", MAKERS)
def test_a_model_is_kept_in_its_librarys_file_and_predicts_alike(tmp_path, name):
    model, library = MAKERS[name](), name.split(".")[0]
    expected = predicted(model)
    folder = saved(tmp_path, model, input_example=FRAME.head(2))
    assert sorted(os.listdir(folder)) == [
        "MLmodel", "conda.yaml", "input_example.json", facts_of(name)["data"], "python_env.yaml",
        "requirements.txt", "serving_input_example.json"]
    flavors = pyfunc.read_metadata(folder)["flavors"]
    assert sorted(flavors) == sorted([library, "python_function"])
    assert flavors[library] == facts_of(name)
    generic = flavors["python_function"]
    assert generic["loader_module"] == f"mlflow.{library}" and "model_path" not in generic
    assert generic["data"] == facts_of(name)["data"]
    assert generic["loader_module"] in _mlmodel.LOADERS
    loaded = pyfunc.load_model(folder)
    assert type(loaded.get_raw_model()) is type(model)
    assert numpy.array_equal(loaded.predict(FRAME), expected)
    assert numpy.array_equal(predicted(loaded.get_raw_model()), expected)
    assert loaded.signature.inputs.input_names() == ["a", "b", "c"]
    assert loaded.signature.outputs is not None
    with open(os.path.join(folder, "requirements.txt"), encoding="utf-8") as file:
        needs = file.read()
    assert f"=={getattr(__import__(library), '__version__')}\n" in needs and library in needs
    assert "pandas==" in needs and "cloudpickle" not in needs
    assert ("scikit-learn==" in needs) == ("sklearn" in name)


@pytest.mark.parametrize("make", [xgboost_booster, lightgbm_booster])
def test_a_booster_passes_the_test_on_its_example(tmp_path, make):
    folder = saved(tmp_path, make(), input_example=FRAME.head(2))
    assert _selftest.main([folder]) == 0
    assert "output_example.json" in os.listdir(folder)


def test_a_logged_booster_is_loaded_as_the_object_itself(fake, fresh_sender):
    made = [xgboost_booster(), lightgbm_booster()]
    with linaje.start_run():
        logged = [linaje.log_model(model, f"m{place}", self_test=False)
                  for place, model in enumerate(made)]
    for info, model in zip(logged, made):
        loaded = linaje.load_model(info.uri)
        assert type(loaded) is type(model)
        assert numpy.array_equal(predicted(loaded), predicted(model))


def test_rows_become_arrays_and_mappings_frames(tmp_path):
    model = xgboost.train({"max_depth": 2, "nthread": 1},
                          xgboost.DMatrix(FRAME.to_numpy(), FRAME["c"]), 2)
    loaded = pyfunc.load_model(saved(tmp_path, model, input_example=FRAME.to_numpy()[:2].tolist()))
    assert loaded.signature.inputs.is_tensor_spec()
    assert numpy.array_equal(loaded.predict(FRAME.to_numpy()), predicted(model, FRAME.to_numpy()))
    model = lightgbm_booster()
    loaded = pyfunc.load_model(saved(tmp_path, model, input_example=FRAME.iloc[0].to_dict()))
    assert numpy.array_equal(loaded.predict(FRAME.iloc[0].to_dict()), predicted(model)[:1])


def test_params_are_arguments_of_a_boosters_predict(tmp_path, caplog):
    _log._last.clear()
    model = xgboost_booster()
    folder = saved(tmp_path, model, input_example=(FRAME, {"output_margin": False, "odd": 1}))
    loaded = pyfunc.load_model(folder)
    assert numpy.array_equal(loaded.predict(FRAME), predicted(model))
    assert numpy.array_equal(loaded.predict(FRAME, {"output_margin": True}),
                             model.predict(xgboost.DMatrix(FRAME), output_margin=True))
    assert "['odd'] are ignored: predict of xgboost.core.Booster" in caplog.text


class Derived(xgboost.XGBRegressor):
    """A class that XGBoost does not know."""


def test_what_the_librarys_file_would_change_is_pickled(tmp_path):
    holes = FRAME.where(FRAME > -0.5, -9.0)
    for model in (xgboost.XGBRegressor(missing=-9.0, **SMALL), Derived(**SMALL)):
        model.fit(holes, FRAME["c"])
        folder = saved(tmp_path, model, input_example=holes)
        assert "sklearn" in pyfunc.read_metadata(folder)["flavors"]
        assert "model.pkl" in os.listdir(folder)
        assert numpy.array_equal(pyfunc.load_model(folder).predict(holes), model.predict(holes))
    assert "model.pkl" in os.listdir(saved(tmp_path, xgboost.XGBClassifier()))
    model = lightgbm.LGBMClassifier(verbose=-1, **SMALL).fit(FRAME, CLASSES)
    folder = saved(tmp_path, model, input_example=FRAME)
    assert pyfunc.read_metadata(folder)["flavors"]["sklearn"]["pickled_model"] == "model.pkl"
    assert numpy.array_equal(pyfunc.load_model(folder).predict(FRAME), model.predict(FRAME))


def test_what_cannot_be_loaded_is_refused_by_name(tmp_path, monkeypatch):
    folder = saved(tmp_path, xgboost_booster())
    path = os.path.join(folder, "MLmodel")
    with open(path, encoding="utf-8") as file:
        whole = file.read()

    def changed(old, new):
        assert old in whole
        with open(path, "w", encoding="utf-8") as file:
            file.write(whole.replace(old, new))
        return refused(pyfunc.load_model, folder)

    assert "'os.system'" in changed("xgboost.core.Booster", "os.system")
    assert "mlflow.xgboost.load_model(" in changed("core.Booster", "sklearn.XGBModel")
    (tmp_path / "outside.ubj").write_bytes(b"x")
    for data in ("../outside.ubj", str(tmp_path / "outside.ubj"), "gone.ubj", "[1]", "''"):
        assert "is none of the model" in changed("data: model.ubj", f"data: {data}"), data
    with monkeypatch.context() as patch:
        patch.setitem(__import__("sys").modules, "xgboost", None)
        assert "needs a package that is missing here" in changed("\n", "\n")
    with open(os.path.join(folder, "model.ubj"), "wb") as file:
        file.write(b"{L torn")
    assert f"{folder} is not loaded by xgboost: " in changed("\n", "\n")


def test_mlflow_writes_the_same_and_each_loads_the_others(tmp_path):
    mlflow = pytest.importorskip("mlflow")
    for name, make in MAKERS.items():
        model, library = make(), name.split(".")[0]
        ours = saved(tmp_path, model, input_example=FRAME.head(2))
        theirs = str(tmp_path / f"theirs-{name}")
        getattr(mlflow, library).save_model(model, theirs, pip_requirements=[library])
        written, wanted = (pyfunc.read_metadata(folder)["flavors"] for folder in (ours, theirs))
        # LightGBM's facts of pickles, which this is none.
        for key in ("serialization_format", "skops_trusted_types"):
            wanted[library].pop(key, None)
        assert written[library] == wanted[library]
        for key in ("loader_module", "data"):
            assert written["python_function"][key] == wanted["python_function"][key]
        expected = predicted(model)
        assert numpy.array_equal(mlflow.pyfunc.load_model(ours).predict(FRAME), expected)
        assert numpy.array_equal(pyfunc.load_model(theirs).predict(FRAME), expected)
