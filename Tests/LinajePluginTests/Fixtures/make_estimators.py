"""Fits estimators with the real libraries and writes them as people do, with a list of them.

usage: make_estimators.py FOLDER [all]

corpus.json: [{"library", "class", "file", "writer"}]. Every object is written in two ways, with "all"
in each of them.
"""
import json
import os
import pickle
import sys
import warnings

import cloudpickle
import joblib
import numpy
import pandas
import sklearn
from sklearn.utils import all_estimators

warnings.filterwarnings("ignore")
SKIPPED = {
    # Take minutes, need other libraries or are wrappers that are fitted below.
    "CountVectorizer", "TfidfVectorizer", "HashingVectorizer", "FeatureHasher", "DictVectorizer",
    "PatchExtractor", "MultiOutputClassifier", "ClassifierChain", "RegressorChain",
    "MultiOutputRegressor", "ColumnTransformer", "FeatureUnion", "Pipeline", "VotingClassifier",
    "VotingRegressor", "StackingClassifier", "StackingRegressor", "SparseCoder", "LabelEncoder",
    "LabelBinarizer", "MultiLabelBinarizer", "TransformedTargetRegressor", "GridSearchCV",
    "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV", "FixedThresholdClassifier",
    "TunedThresholdClassifierCV", "FrozenEstimator", "SelfTrainingClassifier", "IsotonicRegression",
    "CCA", "PLSCanonical", "PLSRegression", "PLSSVD", "MultiTaskElasticNet", "MultiTaskElasticNetCV",
    "MultiTaskLasso", "MultiTaskLassoCV", "GaussianProcessClassifier", "OneVsOneClassifier",
    "OneVsRestClassifier", "OutputCodeClassifier", "RFE", "RFECV", "SelectFromModel",
    "SequentialFeatureSelector", "CalibratedClassifierCV", "TfidfTransformer", "KernelCenterer",
    "GaussianRandomProjection", "SparseRandomProjection", "OrthogonalMatchingPursuitCV", "TSNE",
}


def data():
    generator = numpy.random.default_rng(3)
    inputs = generator.uniform(0.1, 3, (60, 5))
    labels = (inputs[:, 0] + inputs[:, 1] > 3).astype(int)
    target = inputs @ numpy.arange(1, 6) + 0.1
    return inputs, labels, target


def sklearn_estimators():
    inputs, labels, target = data()
    for name, kind in all_estimators():
        if name in SKIPPED:
            continue
        parameters = {}
        known = kind().get_params() if name != "SparseCoder" else {}
        for key, value in (("n_estimators", 3), ("max_iter", 20), ("n_init", 1), ("cv", 2)):
            if key in known:
                parameters[key] = value
        try:
            model = kind(**parameters)
            wanted = target if name.endswith(("Regressor", "Regression")) else labels
            wanted = labels if name.startswith("Logistic") else wanted
            yield model.fit(inputs, wanted)
        except Exception as error:
            print(f"left out: {name}: {error}", file=sys.stderr)


def wrapped():
    """Estimators around others, with text, tables and functions."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
    from sklearn.ensemble import StackingClassifier, VotingClassifier, VotingRegressor
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    from sklearn.feature_selection import RFE, SelectFromModel
    from sklearn.gaussian_process import GaussianProcessClassifier
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel
    from sklearn.isotonic import IsotonicRegression
    from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
    from sklearn.model_selection import GridSearchCV
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.multioutput import MultiOutputRegressor
    from sklearn.pipeline import FeatureUnion, make_pipeline
    from sklearn.preprocessing import (FunctionTransformer, LabelBinarizer, LabelEncoder,
                                       OneHotEncoder, StandardScaler)
    from sklearn.svm import SVC
    from sklearn.tree import DecisionTreeClassifier
    inputs, labels, target = data()
    words = ["one two", "two three", "three four", "four one"] * 15
    table = pandas.DataFrame(inputs, columns=list("abcde"))
    table["kind"] = ["x", "y", "z"] * 20
    logistic = LogisticRegression()
    yield make_pipeline(StandardScaler(), PCA_(), logistic).fit(inputs, labels)
    yield make_pipeline(FunctionTransformer(numpy.log1p), Ridge()).fit(inputs, target)
    yield ColumnTransformer([
        ("numbers", StandardScaler(), list("abcde")), ("kind", OneHotEncoder(), ["kind"]),
    ]).fit(table)
    yield FeatureUnion([("a", StandardScaler()), ("b", PCA_())]).fit(inputs)
    yield GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2]}, cv=2).fit(inputs, labels)
    yield VotingClassifier([("a", logistic), ("b", DecisionTreeClassifier())]).fit(inputs, labels)
    yield VotingRegressor([("a", Ridge()), ("b", LinearRegression())]).fit(inputs, target)
    yield StackingClassifier([("a", logistic), ("b", SVC())], cv=2).fit(inputs, labels)
    yield CalibratedClassifierCV(SVC(), cv=2).fit(inputs, labels)
    yield OneVsRestClassifier(logistic).fit(inputs, labels)
    yield MultiOutputRegressor(Ridge()).fit(inputs, numpy.stack([target, target], 1))
    yield TransformedTargetRegressor(Ridge(), transformer=StandardScaler()).fit(inputs, target)
    yield TransformedTargetRegressor(Ridge(), func=numpy.log, inverse_func=numpy.exp).fit(
        inputs, target)
    yield RFE(logistic, n_features_to_select=2).fit(inputs, labels)
    yield SelectFromModel(logistic).fit(inputs, labels)
    yield GaussianProcessClassifier(ConstantKernel(1.0) * RBF(1.0)).fit(inputs, labels)
    yield IsotonicRegression().fit(inputs[:, 0], target)
    yield LabelEncoder().fit(words)
    yield LabelBinarizer().fit(words)
    yield CountVectorizer().fit(words)
    yield make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(words, labels)


def PCA_():
    from sklearn.decomposition import PCA
    return PCA(2)


def boosted():
    import lightgbm
    import xgboost
    inputs, labels, target = data()
    table = pandas.DataFrame(inputs, columns=list("abcde"))
    yield "xgboost", xgboost.XGBClassifier(n_estimators=3).fit(inputs, labels)
    yield "xgboost", xgboost.XGBRegressor(n_estimators=3).fit(table, target)
    yield "xgboost", xgboost.XGBRFClassifier(n_estimators=3).fit(inputs, labels)
    yield "xgboost", xgboost.XGBRanker(n_estimators=3).fit(inputs, labels, group=[30, 30])
    yield "xgboost", xgboost.XGBClassifier(n_estimators=3).fit(inputs, labels).get_booster()
    quiet = {"verbose": -1, "n_estimators": 3}
    yield "lightgbm", lightgbm.LGBMClassifier(**quiet).fit(table, labels)
    yield "lightgbm", lightgbm.LGBMRegressor(**quiet).fit(inputs, target)
    yield "lightgbm", lightgbm.LGBMRanker(**quiet).fit(inputs, labels, group=[30, 30])
    yield "lightgbm", lightgbm.LGBMRegressor(**quiet).fit(inputs, target).booster_


def tables():
    """What NumPy, SciPy and pandas write of themselves."""
    import scipy.interpolate
    import scipy.sparse
    import scipy.spatial
    inputs, labels, target = data()
    structured = numpy.array([(1, 2.5), (3, 4.5)], dtype=[("a", "i4"), ("b", "f8")])
    yield "numpy", inputs
    yield "numpy", structured
    yield "numpy", numpy.array(["a", None, 3], dtype=object)
    yield "numpy", numpy.float32(3)
    yield "numpy", numpy.datetime64("2026-01-02")
    yield "numpy", numpy.random.RandomState(1)
    yield "numpy", numpy.random.default_rng(1)
    yield "numpy", numpy.ma.masked_less(inputs, 1)
    yield "numpy", numpy.dtype([("a", "i4"), ("b", "O")])
    for kind in ("csr", "csc", "coo", "lil", "dok", "bsr", "dia"):
        yield "scipy", getattr(scipy.sparse, f"{kind}_matrix")(numpy.eye(4))
    yield "scipy", scipy.sparse.csr_array(numpy.eye(4))
    yield "scipy", scipy.interpolate.BSpline(numpy.arange(8.0), numpy.arange(4.0), 3)
    yield "scipy", scipy.interpolate.CubicSpline(numpy.arange(5.0), numpy.arange(5.0) ** 2)
    yield "scipy", scipy.spatial.cKDTree(inputs)
    table = pandas.DataFrame({
        "number": target, "text": ["a", "b", "c"] * 20, "kind": pandas.Categorical(["x", "y"] * 30),
        "time": pandas.date_range("2026-01-01", periods=60, freq="h"),
        "whole": pandas.array([1, None, 3] * 20, dtype="Int64"),
    })
    yield "pandas", table
    yield "pandas", table["number"]
    yield "pandas", table.set_index(["text", "kind"])
    yield "pandas", pandas.Index([1, 2, 3])
    yield "pandas", pandas.Timestamp("2026-01-02", tz="UTC")
    yield "pandas", pandas.interval_range(0, 5)
    yield "pandas", pandas.period_range("2026-01", periods=3, freq="M")


def python_values():
    import collections
    import datetime
    import decimal
    import fractions
    yield "python", {"a": [1, 2.5, None, True, "x", b"y"], "b": (1, 2), "c": {3, 4}}
    yield "python", [collections.OrderedDict(a=1), collections.Counter("aab"),
                     collections.deque([1, 2], 3), collections.defaultdict(list, a=[1])]
    yield "python", [datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc),
                     datetime.timedelta(3), decimal.Decimal("1.5"), fractions.Fraction(1, 3),
                     complex(1, 2), range(3), slice(1, 2), bytearray(b"x"), frozenset([1])]


def protocol(number):
    return lambda model, path: pickle.dump(model, open(path, "wb"), protocol=number)


def gzipped(model, path):
    joblib.dump(model, path, compress=("gzip", 3))


def packed(model, path):
    joblib.dump(model, path, compress=3)


WRITERS = {
    "pickle0": protocol(0), "pickle2": protocol(2), "pickle4": protocol(4), "pickle5": protocol(5),
    "cloudpickle": lambda model, path: cloudpickle.dump(model, open(path, "wb")),
    "joblib": joblib.dump, "joblib.zlib": packed, "joblib.gz": gzipped,
}


def corpus():
    rest = [("sklearn", model) for model in wrapped()] + list(boosted()) + list(tables())
    rest += list(python_values())
    fitted = [("sklearn", model) for model in sklearn_estimators()]
    return fitted + rest


def skops_files(folder, entries):
    import skops.io
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler, StandardScaler
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.svm import SVC
    inputs, labels, _ = data()
    models = [LogisticRegression(), RandomForestClassifier(n_estimators=2), SVC(),
              make_pipeline(StandardScaler(), LogisticRegression()), MinMaxScaler()]
    for number, model in enumerate(models):
        name = f"skops-{number}.skops"
        skops.io.dump(model.fit(inputs, labels), os.path.join(folder, name))
        entries.append({"library": "skops", "class": type(model).__name__, "file": name,
                        "writer": "skops"})


def main():
    folder, everything = sys.argv[1], "all" in sys.argv[2:]
    os.makedirs(folder, exist_ok=True)
    entries = []
    names = list(WRITERS)
    for number, (library, model) in enumerate(corpus()):
        chosen = names if everything else [names[number % len(names)], names[(number + 5) % 8]]
        for writer in chosen:
            name = f"{number:03d}-{writer}.bin"
            try:
                WRITERS[writer](model, os.path.join(folder, name))
            except Exception as error:
                print(f"left out: {type(model)} by {writer}: {error}", file=sys.stderr)
                continue
            entries.append({"library": library, "class": type(model).__name__, "file": name,
                            "writer": writer})
    skops_files(folder, entries)
    with open(os.path.join(folder, "corpus.json"), "w", encoding="utf-8") as file:
        json.dump(entries, file)


main()
