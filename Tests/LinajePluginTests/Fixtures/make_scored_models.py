"""Writes models with the real libraries, one folder for each, and what they predict: "rows.f64" and
"predictions.f64", row after row, and "scored.json" with how many values a row of each has.

usage: make_scored_models.py FOLDER
"""
import json
import os
import sys
import warnings

import numpy

warnings.filterwarnings("ignore")
RANDOM = numpy.random.default_rng(17)
X = RANDOM.standard_normal((300, 5)).astype(numpy.float32)
X[:, 4] = numpy.round(X[:, 4])
Y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(numpy.int64)
Y3 = numpy.digitize(X[:, 0] + 0.3 * X[:, 3], [-0.5, 0.5])
T = X[:, 0] + numpy.sin(3 * X[:, 1])
CODES = X.copy()
CODES[:, 3] = RANDOM.integers(0, 40, len(X))
HOLES = X.copy()
HOLES[RANDOM.random(X.shape) < 0.2] = numpy.nan
ROOT, SCORED = sys.argv[1], {}


def rows(thresholds=(), missing=True, infinite=True):
    """Rows of every kind: plain, extreme, missing, on thresholds and next to them."""
    out = [X[:60].astype(numpy.float64), 10 * RANDOM.standard_normal((40, 5))]
    extreme = [0.0, -0.0, 1e-36, -1e-36, 1e-35, 1e30, -1e30, 3.4e38, -3.4e38, 1e-45, 0.5, 7, -0.5]
    extreme += [numpy.inf, -numpy.inf] if infinite else []
    out.append(RANDOM.choice(extreme, (60, 5)))
    for feature, value in thresholds:
        near = numpy.repeat(X[:1].astype(numpy.float64), 3, axis=0)
        single = numpy.float32(value)
        near[:, feature] = [value, numpy.nextafter(single, numpy.float32(-numpy.inf)),
                            numpy.nextafter(value, numpy.inf)]
        out.append(near)
    out = numpy.concatenate(out)
    if missing:
        holes = out[:100].copy()
        holes[RANDOM.random(holes.shape) < 0.4] = numpy.nan
        out = numpy.concatenate([out, holes, numpy.full((1, 5), numpy.nan)])
    return out


def keep(name, data, predictions, tolerance=1e-6):
    folder = os.path.join(ROOT, name)
    os.makedirs(folder, exist_ok=True)
    width = numpy.asarray(predictions).reshape(len(data), -1).shape[1]
    numpy.asarray(data, numpy.float64).tofile(os.path.join(ROOT, f"{name}.rows"))
    numpy.asarray(predictions, numpy.float64).tofile(os.path.join(ROOT, f"{name}.predictions"))
    SCORED[name] = {"features": data.shape[1], "width": width, "tolerance": tolerance}
    return folder


# XGBoost -------------------------------------------------------------------------------------


def xgboost_models():
    import xgboost

    def train(name, label, data=X, rounds=12, file="model.ubj", dmatrix={}, test=None, **options):
        options = {"max_depth": 5, "nthread": 1, "seed": 3, **options}
        kinds = {k: v for k, v in dmatrix.items() if k in ("feature_types", "enable_categorical")}
        model = xgboost.train(options, xgboost.DMatrix(data, label, **dmatrix), rounds)
        if test is None:
            cuts = model.trees_to_dataframe() if options.get("booster") != "gblinear" else None
            cuts = cuts[cuts.Split.notna()] if cuts is not None else ()
            marks = [] if cuts is None or not len(cuts) else [
                (int(f[1:]), s) for f, s in zip(cuts.Feature[:40], cuts.Split[:40])]
            # A Booster that MLflow loads predicts a DMatrix, which infinities cannot be in.
            test = rows(marks, infinite=False)
        if options.get("booster") == "gblinear":
            said = model.predict(xgboost.DMatrix(test))
        else:
            said = model.inplace_predict(test)
        folder = keep(f"xgboost-{name}", test, said)
        model.save_model(os.path.join(folder, file))

    train("squared", T, HOLES)
    train("json", T, HOLES, file="model.json")
    train("deep", T, HOLES, max_depth=14, min_child_weight=0, rounds=3)
    train("stumps", T, max_depth=1)
    train("empty", T, rounds=1, gamma=1e9)
    for objective in ["reg:squaredlogerror", "reg:pseudohubererror", "reg:absoluteerror"]:
        train(objective.replace(":", "-"), numpy.abs(T), objective=objective)
    train("quantiles", T, objective="reg:quantileerror", quantile_alpha=[0.1, 0.5, 0.9])
    for objective in ["reg:logistic", "binary:logistic", "binary:logitraw", "binary:hinge"]:
        train(objective.replace(":", "-"), Y, HOLES, objective=objective)
    for objective in ["count:poisson", "reg:gamma", "reg:tweedie", "survival:cox"]:
        train(objective.replace(":", "-"), numpy.abs(T) + 0.1, objective=objective)
    train("softprob", Y3, HOLES, objective="multi:softprob", num_class=3)
    train("softmax", Y3, objective="multi:softmax", num_class=3, file="model.json")
    train("rank", Y3, objective="rank:ndcg", dmatrix={"qid": numpy.arange(300) // 10})
    train("targets", numpy.stack([T, -T], 1))
    train("forest", T, num_parallel_tree=4, subsample=0.7, rounds=3)
    train("dart", Y, HOLES, booster="dart", rate_drop=0.4, objective="binary:logistic")
    train("linear", T, HOLES, booster="gblinear")
    train("linear-softprob", Y3, booster="gblinear", objective="multi:softprob", num_class=3,
          base_score=0.5)
    test = rows(infinite=False)
    test[:, 3] = RANDOM.choice([0, 1, 5, 17, 39, 40, 63, 64, 900, 2.7, -1, -0.5, numpy.nan], len(test))
    for name, most in [("categories", 1), ("categories-single", 100)]:
        train(name, T + CODES[:, 3] % 3, CODES, test=test, file="model.json" if most > 1 else "model.ubj",
              max_cat_to_onehot=most,
              dmatrix={"enable_categorical": True, "feature_types": ["q", "q", "q", "c", "q"]})

    def classifier(name, label, **options):
        model = xgboost.XGBClassifier(n_estimators=30, max_depth=3, n_jobs=1, **options)
        noise = RANDOM.permutation(label)
        model.fit(X, label, eval_set=[(X, noise)], verbose=False)
        test = rows()
        said = numpy.concatenate([model.predict(test)[:, None], model.predict_proba(test)], 1)
        folder = keep(f"xgboost-{name}", test, said)
        model.save_model(os.path.join(folder, "model.ubj"))
        with open(os.path.join(folder, "MLmodel"), "w", encoding="utf-8") as file:
            file.write("flavors:\n  xgboost:\n    data: model.ubj\n"
                       "    model_class: xgboost.sklearn.XGBClassifier\n")

    classifier("classifier", Y)
    classifier("classifier-early", Y, early_stopping_rounds=3)
    classifier("classifier-three", Y3, early_stopping_rounds=3)


# LightGBM ------------------------------------------------------------------------------------


def lightgbm_models():
    import lightgbm

    def train(name, label, data=X, rounds=12, dataset={}, test=None, **options):
        options = {"num_threads": 1, "verbose": -1, "num_leaves": 12, "min_data_in_leaf": 5,
                   "seed": 3, **options}
        data = data.astype(numpy.float64)
        model = lightgbm.train(options, lightgbm.Dataset(data, label, **dataset), rounds)
        if test is None:
            frame = model.trees_to_dataframe()
            marks = []
            if "split_feature" in frame:
                frame = frame[frame.split_feature.notna()]
                marks = [(int(f.split("_")[1]), float(t)) for f, t in
                         zip(frame.split_feature[:40], frame.threshold[:40])]
            test = rows(marks)
        folder = keep(f"lightgbm-{name}", test, model.predict(test, num_threads=1))
        model.save_model(os.path.join(folder, "model.txt"))

    zeros = HOLES.copy()
    zeros[RANDOM.random(zeros.shape) < 0.2] = 0
    train("regression", T, HOLES)
    train("zero-missing", T, zeros, zero_as_missing=True)
    train("none-missing", T, use_missing=False)
    train("deep", T, zeros, num_leaves=200, min_data_in_leaf=1, rounds=3)
    train("root", T, objective="regression", reg_sqrt=True)
    train("empty", T, rounds=1, min_gain_to_split=1e9)
    for objective in ["regression_l1", "huber", "fair", "quantile", "mape"]:
        train(objective, T + 3, objective=objective)
    for objective in ["poisson", "gamma", "tweedie"]:
        train(objective, numpy.abs(T) + 0.1, objective=objective)
    for objective in ["binary", "cross_entropy", "cross_entropy_lambda"]:
        train(objective, Y, HOLES, objective=objective)
    train("sigmoid", Y, objective="binary", sigmoid=2.5)
    train("multiclass", Y3, HOLES, objective="multiclass", num_class=3)
    train("multiclassova", Y3, objective="multiclassova", num_class=3, sigmoid=0.7)
    train("rank", Y3, objective="lambdarank", dataset={"group": [10] * 30})
    train("forest", T, HOLES, boosting="rf", bagging_freq=1, bagging_fraction=0.6)
    train("dart", T, HOLES, boosting="dart", drop_rate=0.5)
    test = rows()
    test[:, 3] = RANDOM.choice([0, 1, 5, 17, 39, 40, 63, 900, 2.7, -1, -0.5, 1e12, numpy.nan], len(test))
    train("categories", T + CODES[:, 3] % 3, CODES, test=test, min_data_per_group=5, cat_smooth=1,
          dataset={"categorical_feature": [3]})


# ONNX ----------------------------------------------------------------------------------------


def onnx_models():
    import skl2onnx
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn import ensemble, linear_model, svm, tree
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, StandardScaler

    kinds = [("X", FloatTensorType([None, 5]))]
    names = numpy.array(["no", "yes"])

    def convert(name, model, label, data=X, decision=False, **options):
        model.fit(data, label)
        if options:
            options = {"options": {id(model): options}}
        proto = skl2onnx.to_onnx(model, initial_types=kinds, **options)
        # Values between which no threshold of the double and of the float32 lies.
        test = numpy.concatenate([X[:200], 3 * RANDOM.standard_normal((200, 5))]).astype(numpy.float32)
        if data is HOLES:
            test[RANDOM.random(test.shape) < 0.2] = numpy.nan
        said = model.predict(test)
        if said.dtype.kind == "U":
            said = numpy.searchsorted(names, said)
        parts = [said.reshape(len(test), -1)]
        if decision:
            parts.append(model.decision_function(test).reshape(len(test), -1))
        elif hasattr(model, "predict_proba"):
            parts.append(model.predict_proba(test))
        folder = keep(f"onnx-{name}", test, numpy.concatenate(parts, 1), tolerance=2e-5)
        with open(os.path.join(folder, "model.onnx"), "wb") as file:
            file.write(proto.SerializeToString())

    line = linear_model
    convert("linear", make_pipeline(SimpleImputer(), StandardScaler(), line.LinearRegression()), T, HOLES)
    convert("ridge", make_pipeline(Normalizer(), MaxAbsScaler(), line.Ridge()), T)
    convert("sgd", line.SGDRegressor(random_state=0), T)
    convert("poisson", line.PoissonRegressor(), numpy.abs(T))
    convert("logistic", make_pipeline(StandardScaler(), line.LogisticRegression()), Y)
    convert("logistic-texts", line.LogisticRegression(), names[Y])
    convert("logistic-three", make_pipeline(MinMaxScaler(), line.LogisticRegression()), Y3)
    convert("logistic-tensors", line.LogisticRegression(), Y, zipmap=False)
    convert("sgd-log", line.SGDClassifier(loss="log_loss", random_state=0), Y)
    convert("sgd-log-three", line.SGDClassifier(loss="log_loss", random_state=0, alpha=0.1), Y3)
    convert("sgd-huber", line.SGDClassifier(loss="modified_huber", random_state=0, alpha=0.1), Y)
    convert("svc", svm.LinearSVC(), Y, decision=True)
    convert("svc-three", svm.LinearSVC(), Y3, decision=True)
    some = {"n_estimators": 10, "random_state": 0}
    convert("forest", ensemble.RandomForestRegressor(max_depth=12, **some), T)
    convert("forest-targets", ensemble.RandomForestRegressor(max_depth=4, **some), numpy.stack([T, -T], 1))
    convert("forest-classes", ensemble.RandomForestClassifier(max_depth=4, **some), Y3)
    convert("forest-texts", ensemble.RandomForestClassifier(max_depth=4, **some), names[Y])
    convert("extra-trees", ensemble.ExtraTreesRegressor(max_depth=5, **some), T)
    convert("extra-classes", ensemble.ExtraTreesClassifier(max_depth=5, **some), Y3, zipmap=False)
    convert("boosting", ensemble.GradientBoostingRegressor(**some), T)
    convert("boosting-binary", ensemble.GradientBoostingClassifier(**some), Y)
    convert("boosting-classes", ensemble.GradientBoostingClassifier(**some), Y3)
    convert("tree", tree.DecisionTreeRegressor(max_depth=5, random_state=0), T)
    convert("tree-classes", tree.DecisionTreeClassifier(max_depth=5, random_state=0), Y)


def main():
    for maker in [xgboost_models, lightgbm_models, onnx_models]:
        maker()
    with open(os.path.join(ROOT, "scored.json"), "w", encoding="utf-8") as file:
        json.dump(SCORED, file)


main()
