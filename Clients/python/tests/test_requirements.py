"""requirements.txt of a model: all that loading it imports, and a warning for what is in no
package."""

import os
import pickle
import sys
import warnings

import pytest

import linaje
from linaje import _requirements

numpy = pytest.importorskip("numpy")
pandas = pytest.importorskip("pandas")
sklearn = pytest.importorskip("sklearn")
cloudpickle = pytest.importorskip("cloudpickle")

ROWS = numpy.array([[0.5, 1.0], [1.5, 0.0], [-2.0, 1.0], [3.0, 1.0]])
FRAME = pandas.DataFrame(ROWS, columns=["a", "b"])


class Columns:
    """A model that predicts a Series."""

    def predict(self, data):
        return pandas.Series(data[:, 0], name="first")


class Plain:
    """A model that needs nothing."""

    def predict(self, data):
        return data


def needs(tmp_path, model, *arguments, **options):
    """The lines of requirements.txt of a model that is saved."""
    folder = tmp_path / f"model-{len(os.listdir(tmp_path))}"
    linaje.save_model(model, folder, *arguments, self_test=False, **options)
    return (folder / "requirements.txt").read_text().split()


def line(data):
    from sklearn.linear_model import LinearRegression

    return LinearRegression().fit(data, [1.0, 2.0, 3.0, 4.0])


def package(folder, name, version, module):
    """Installs a package of one module, which does not say what it holds but lists its files."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "RECORD").write_text(f"{module}/__init__.py,,\n{info.name}/METADATA,,\n")
    (folder / module).mkdir()
    (folder / module / "__init__.py").write_text(
        "class Model:\n    def predict(self, data):\n        return data\n")


def test_pandas_is_named_where_columns_are_given_or_predicted(tmp_path):
    wanted = f"pandas=={pandas.__version__}"
    columns = linaje.ModelSignature(linaje.Schema([linaje.ColSpec("double", "a")]))
    numbers = linaje.infer_signature(ROWS)
    named = linaje.ModelSignature(numbers.inputs, columns.inputs)
    assert wanted in needs(tmp_path, line(FRAME), input_example=FRAME)
    assert wanted in needs(tmp_path, line(ROWS), False, FRAME)
    assert wanted in needs(tmp_path, line(ROWS), columns)
    assert wanted in needs(tmp_path, line(ROWS), named)
    assert wanted in needs(tmp_path, Columns(), input_example=ROWS)
    for model, arguments in ((line(ROWS), (None, ROWS)), (line(ROWS), (numbers,)),
                             (Columns(), ())):
        assert not [each for each in needs(tmp_path, model, *arguments) if "pandas" in each]


def test_what_a_pipeline_holds_is_named(tmp_path):
    lightgbm = pytest.importorskip("lightgbm")
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    inner = lightgbm.LGBMClassifier(n_estimators=1, n_jobs=1, verbose=-1)
    found = needs(tmp_path, make_pipeline(StandardScaler(), inner).fit(ROWS, [0, 1, 0, 1]))
    assert f"lightgbm=={lightgbm.__version__}" in found
    assert f"scikit-learn=={sklearn.__version__}" in found
    assert found == sorted(found, key=str.lower)


def test_a_module_is_named_by_the_package_that_holds_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    package(tmp_path / "site", "Odd-Brick-cpu", "1.5", "odd_brick")
    (tmp_path / "models").mkdir()
    import odd_brick

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = needs(tmp_path / "models", odd_brick.Model())
    assert found == [f"cloudpickle=={cloudpickle.__version__}", "Odd-Brick-cpu==1.5"]
    # Where no files are listed, the name of the module may be that of the package.
    os.remove(tmp_path / "site" / "Odd_Brick_cpu-1.5.dist-info" / "RECORD")
    assert _requirements.pin({"Odd_Brick_cpu.sub"}, "m") == ["Odd_Brick_cpu==1.5"]


def test_a_module_of_no_package_is_a_warning_that_names_it(tmp_path):
    with pytest.warns(UserWarning) as caught:
        needs(tmp_path, Plain())
    (warning,) = caught
    assert f"names nothing for '{__name__}': no installed package" in str(warning.message)
    assert "model-0" in str(warning.message) and warning.filename == __file__
    with pytest.warns(UserWarning, match="for 'nowhere_a', 'nowhere_b': ") as caught:
        assert _requirements.pin(["nowhere_b.c", "nowhere_a"], "m") == []
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert needs(tmp_path, Plain(), requirements=["mine==1"]) == ["mine==1"]


def test_what_comes_with_python_is_not_named(monkeypatch):
    standard = ["builtins", "copyreg", "_codecs", "collections.abc", "json", "math", "zipimport"]
    monkeypatch.delattr(sys, "stdlib_module_names", raising=False)
    for names in (frozenset(each.split(".")[0] for each in standard), None):
        if names is not None:
            monkeypatch.setattr(sys, "stdlib_module_names", names, raising=False)
        else:
            monkeypatch.delattr(sys, "stdlib_module_names")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert _requirements.pin([*standard, "__main__", "linaje.types"], "m") == []
        assert _requirements.pin(["numpy.random"], "m") == [f"numpy=={numpy.__version__}"]


def test_the_modules_of_a_pickle_are_read_without_unpickling_it(tmp_path, monkeypatch):
    from collections import OrderedDict
    from decimal import Decimal
    from fractions import Fraction

    def loads(*arguments):
        raise AssertionError("unpickled")

    # The second class of a module is named by what was remembered of the first.
    value = ["fractions", "decimal", OrderedDict(a=1), Fraction(1, 2), [Decimal(1)], Decimal(2),
             OrderedDict, ROWS]
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        (tmp_path / "model.pkl").write_bytes(pickle.dumps(value, protocol))
        monkeypatch.setattr(pickle, "loads", loads)
        found = {each.split(".")[0] for each in _requirements.modules_in(
            str(tmp_path / "model.pkl"))}
        assert {"collections", "fractions", "decimal", "numpy"} <= found
        assert found <= {"collections", "fractions", "decimal", "numpy", "_codecs", "copyreg",
                         "__builtin__"}, found
        monkeypatch.undo()


def test_what_a_function_of_a_script_uses_is_named(tmp_path):
    scope = {"__name__": "__main__"}
    exec("import sklearn, json\n"
         "class Model:\n"
         "    def predict(self, data):\n"
         "        return sklearn.__version__, json.dumps('numpy')\n", scope)
    (tmp_path / "models").mkdir()
    assert needs(tmp_path / "models", scope["Model"]()) == [
        f"cloudpickle=={cloudpickle.__version__}", f"scikit-learn=={sklearn.__version__}"]
