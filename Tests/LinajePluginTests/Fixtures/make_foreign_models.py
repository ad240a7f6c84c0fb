"""Writes the models of Fixtures/Foreign with libraries that the tests do not install: TensorFlow
with Keras, and CatBoost. What they say of the models goes into expected.json beside them.

usage: make_foreign_models.py FOLDER        with: pip install tensorflow-cpu catboost pandas
"""
import json
import os
import shutil
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import catboost
import keras
import numpy
import pandas
import tensorflow as tf

ROOT = sys.argv[1]
RANDOM = numpy.random.default_rng(11)
X = RANDOM.standard_normal((200, 4)).astype(numpy.float32)
EXPECTED = {}


def folder(name):
    path = os.path.join(ROOT, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def catboost_models():
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"])
    frame["e"] = ["x", "y"] * 100
    options = dict(iterations=2, depth=2, border_count=4, verbose=False, allow_writing_files=False,
                   thread_count=1, random_seed=0)
    model = catboost.CatBoostClassifier(**options).fit(
        frame, numpy.digitize(X[:, 0], [-0.5, 0.5]), cat_features=["e"])
    model.save_model(os.path.join(folder("catboost"), "model.cbm"))
    model.save_model(os.path.join(folder("catboost-json"), "model.json"), format="json")
    EXPECTED["catboost"] = {
        "version": catboost.__version__, "trees": model.tree_count_,
        "features": model.feature_names_, "objective": "MultiClass",
        "leaf_values": int(model.get_leaf_values().size),
    }
    model = catboost.CatBoostRegressor(**options).fit(X, X[:, 0])
    model.save_model(os.path.join(folder("catboost-array"), "model.cbm"))


def keras_models():
    model = keras.Sequential([
        keras.Input((4,), name="features"), keras.layers.Dense(3, activation="relu"),
        keras.layers.Dropout(0.1), keras.layers.Dense(2, name="out")])
    model.compile("sgd", "mse")
    model.save(os.path.join(folder("keras"), "model.keras"))
    model.export(os.path.join(folder("tensorflow"), "model"), verbose=False)
    EXPECTED["keras"] = {"version": keras.__version__, "layers": len(model.layers) + 1}
    EXPECTED["tensorflow"] = {
        "version": tf.__version__, "parameters": int(model.count_params()),
        "operations": operations(os.path.join(ROOT, "tensorflow", "model")),
    }

    left, right = keras.Input((4,), name="left"), keras.Input((None, 3), name="right")
    joined = keras.layers.Concatenate()(
        [keras.layers.Dense(2)(left), keras.layers.GlobalAveragePooling1D()(right)])
    keras.Model([left, right], keras.layers.Dense(1)(joined)).save(
        os.path.join(folder("keras-functional"), "model.keras"))

    # From a text, so that no path of this machine stands in its bytecode.
    keras.Sequential([keras.Input((4,)), keras.layers.Lambda(eval("lambda x: x * 2"))]).save(
        os.path.join(folder("keras-lambda"), "model.keras"))
    small = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    small.save(os.path.join(folder("keras-hdf5"), "model.h5"))


def operations(path):
    """How often each operation stands in a SavedModel, told by TensorFlow's own parser."""
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel()
    with open(os.path.join(path, "saved_model.pb"), "rb") as file:
        saved.ParseFromString(file.read())
    counts = {}
    for graph in saved.meta_graphs:
        nodes = list(graph.graph_def.node)
        for function in graph.graph_def.library.function:
            nodes += function.node_def
        for node in nodes:
            counts[node.op] = counts.get(node.op, 0) + 1
    return counts


def tensorflow_models():
    class Reader(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def call(self, x):
            tf.io.write_file("/tmp/out", tf.io.read_file("/etc/hostname"))
            return {"y": tf.py_function(lambda value: value, [x], tf.float32)}

    module = Reader()
    tf.saved_model.save(module, folder("tensorflow-files"), signatures=module.call)


catboost_models()
keras_models()
tensorflow_models()
for parent, folders, files in os.walk(ROOT):
    for name in files:
        if name == "fingerprint.pb":
            os.remove(os.path.join(parent, name))
with open(os.path.join(ROOT, "expected.json"), "w", encoding="utf-8") as file:
    json.dump(EXPECTED, file, indent=1, sort_keys=True)
    file.write("\n")
