"""Writes the seeds and dictionaries of the fuzz targets (Tests/Fuzz/Seeds, Tests/Fuzz/Dictionaries):
the smallest files that the real libraries make, and the fixtures of the tests.

usage: make_seeds.py        with: pip install -r scripts/requirements.txt
"""
import collections
import gzip
import io
import json
import pathlib
import pickle
import re
import shutil
import struct
import sys
import tarfile
import tempfile
import warnings
import zipfile
import zlib

import numpy

warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).resolve().parent
FIXTURES = HERE.parent / "LinajePluginTests" / "Fixtures"
FOREIGN = FIXTURES / "Foreign"
SEPARATOR = b"\n%%FILE%%\n"
# Longer files teach a fuzzer no more and cost it time.
MOST_BYTES = 9_000
RANDOM = numpy.random.default_rng(3)
X = RANDOM.standard_normal((30, 3)).astype(numpy.float32)
Y = (X[:, 0] > 0).astype(int)


def seed(target, name, content):
    if isinstance(content, str):
        content = content.encode()
    assert len(content) <= MOST_BYTES, (target, name, len(content))
    folder = HERE / "Seeds" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def dictionary(target, words):
    folder = HERE / "Dictionaries"
    folder.mkdir(exist_ok=True)
    lines = []
    for word in words:
        word = word.encode("latin1") if isinstance(word, str) else word
        lines.append('"' + "".join(
            chr(byte) if 0x20 <= byte < 0x7f and byte not in b'"\\' else f"\\x{byte:02x}"
            for byte in word) + '"')
    (folder / target).write_text("\n".join(lines) + "\n")


class Thing:
    def __init__(self):
        self.a, self.b = 1, "text"


class Command:
    def __reduce__(self):
        import os
        return os.system, ("true",)


def pickles():
    from sklearn.linear_model import LogisticRegression

    values = {
        "data": [1, 2.5, "text", b"bytes", None, True, {"a": (1, 2)}, {3}, 1 << 70, frozenset([1])],
        "array": numpy.arange(6, dtype=numpy.float32).reshape(2, 3),
        "objects": numpy.array(["a", None], dtype=object),
        "ordered": collections.OrderedDict(a=1),
        "command": Command(),
    }
    for name, value in values.items():
        for protocol in (0, 2, 4, 5):
            seed("pickle", f"{name}-{protocol}", pickle.dumps(value, protocol))
    Thing.__module__ = "somewhere"
    module = type(sys)("somewhere")
    module.Thing = Thing
    sys.modules["somewhere"] = module
    for protocol in (0, 2, 4):
        seed("pickle", f"thing-{protocol}", pickle.dumps(Thing(), protocol))
    seed("pickle", "two", pickle.dumps(1) + pickle.dumps([2]))
    seed("pickle", "buffer", pickle.dumps(bytearray(b"abc"), 5))
    model = LogisticRegression().fit(X, Y)
    for protocol in (0, 4):
        seed("sklearn", f"regression-{protocol}", pickle.dumps(model, protocol))
    seed("sklearn", "packed", zlib.compress(pickle.dumps(model)))
    dictionary("pickle", [
        "cos\nsystem\n", "cbuiltins\neval\n", "cbuiltins\nlist\n", "csklearn.x\nY\n", "(S'a'\ntR.",
        "\x80\x04\x95", "\x8c\x02os", "\x8c\x06system", "\x93", "\x94", "\x85R", "\x81", "}b.", "(lp0\n",
        "copyreg\n_reconstructor\n", "numpy.core.multiarray\n_reconstruct\n",
        "collections\nOrderedDict\n", "joblib.numpy_pickle\nNumpyArrayWrapper\n", "\x82\x01", "\x97", "\x98",
        "_codecs\nencode\n", "torch.storage\n_load_from_bytes\n", "I01\n", "L1L\n", "F1.5\n", "P1\n", "Q",
        "\x8a\x08", "\x8b\x04\x00\x00\x00", "\x8e", "\x8d", "\x96", "(dp1\n", "ustar\x0000"])
    import joblib
    for name, value in {"array": values["array"], "objects": [values["objects"]],
                        "model": model}.items():
        for packed in (0, ("zlib", 3), ("gzip", 3)):
            out = io.BytesIO()
            joblib.dump(value, out, compress=packed)
            label = packed[0] if packed else "plain"
            seed("joblib", f"{name}-{label}", out.getvalue())


def arrays_and_archives():
    for name, value in {
        "floats": numpy.zeros((2, 3), numpy.float32), "texts": numpy.array(["a", "bc"]),
        "fields": numpy.zeros(2, dtype=[("a", "<i4"), ("b", "<f8", (2,))]),
        "objects": numpy.array([1, "a"], dtype=object), "fortran": numpy.zeros((2, 3), order="F"),
    }.items():
        out = io.BytesIO()
        numpy.save(out, value, allow_pickle=True)
        seed("npy", name, out.getvalue())
    out = io.BytesIO()
    numpy.lib.format.write_array(out, numpy.zeros(2), version=(3, 0))
    seed("npy", "third", out.getvalue())
    dictionary("npy", ["'descr': ", "'fortran_order': ", "'shape': (", "'|O'", "'<f4'", "True, ", "[('a', "])

    for style in (tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=style, bufsize=512) as archive:
            for name in ("a.txt", "folder/b.pkl", "folder/" + "n" * 60 + "/" + "m" * 60):
                info = tarfile.TarInfo(name)
                info.size = 3
                archive.addfile(info, io.BytesIO(b"abc"))
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.SYMTYPE, "../../etc/passwd"
            archive.addfile(link)
        seed("tar", f"style-{style}", out.getvalue()[:6_144])
    dictionary("tar", ["ustar\x0000", "../", "0000644\x00", "00000000003\x00"])

    for target in ("zip", "scan-zip"):
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w", method) as archive:
                archive.writestr("a.txt", "text " * 20)
                archive.writestr("folder/data.pkl", pickle.dumps([1, 2]))
                archive.writestr("array.npy", (HERE / "Seeds/npy/floats").read_bytes())
            seed(target, f"method-{method}", out.getvalue())
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.comment = b"comment"
            with archive.open("wide", "w", force_zip64=True) as entry:
                entry.write(b"x")
            with zipfile.ZipFile(inner := io.BytesIO(), "w") as nested:
                nested.writestr("data.pkl", pickle.dumps(Command(), 0))
            archive.writestr("inner.zip", inner.getvalue())
        seed(target, "wide", out.getvalue())
    dictionary("zip", ["PK\x03\x04", "PK\x01\x02", "PK\x05\x06", "PK\x06\x06", "PK\x06\x07", "PK\x07\x08",
                       "\x01\x00\x08\x00", "../", "\xff\xff\xff\xff"])
    shutil.copy(HERE / "Dictionaries/zip", HERE / "Dictionaries/scan-zip")

    text = b"a text, and a text, and a text" * 8
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    for name, head, stream in (
        ("raw", b"\x00", raw.compress(text) + raw.flush()), ("zlib", b"\x01", zlib.compress(text)),
        ("gzip", b"\x02", gzip.compress(text, mtime=0)), ("stored", b"\x01", zlib.compress(text, 0)),
        ("bomb", b"\x01", zlib.compress(bytes(300_000)))):
        seed("inflate", name, head + b"\x05" + stream)


def torch_files():
    sys.path.insert(0, str(FIXTURES))
    with tempfile.TemporaryDirectory() as folder:
        # It writes its own files when it is run.
        arguments, sys.argv = sys.argv, ["make_torch.py", folder]
        import make_torch
        sys.argv = arguments
    make_torch.modules()
    weights = collections.OrderedDict(
        weight=make_torch.Tensor(numpy.zeros((2, 3), numpy.float32)),
        steps=make_torch.Tensor(numpy.zeros(3, numpy.int64)))
    for name, value in {"weights": weights, "nested": {"model": weights, "epoch": 3}}.items():
        seed("torch", name, make_torch.dumped(value)[0])
        seed("torch-legacy", name, make_torch.legacy(value))
        seed("torch-legacy", f"zip-{name}", make_torch.zipped("m", value))
    seed("torch", "command", pickle.dumps(Command(), 2))
    shutil.copy(HERE / "Dictionaries/pickle", HERE / "Dictionaries/torch")
    for target in ("torch-legacy", "sklearn", "joblib"):
        shutil.copy(HERE / "Dictionaries/pickle", HERE / f"Dictionaries/{target}")


def skops_schema():
    import skops.io
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    for name, model in {
        "scaler": StandardScaler().fit(X), "value": {"a": [1, numpy.float32(2)]},
        "function": make_pipeline(StandardScaler()),
    }.items():
        with zipfile.ZipFile(io.BytesIO(skops.io.dumps(model))) as archive:
            schema = json.loads(archive.read("schema.json"))
        seed("skops", name, json.dumps(schema, separators=(",", ":")))
    dictionary("skops", ['"__class__":', '"__module__":', '"__loader__":', '"content":', '"type":',
                         '"protocol":', '"_skops_version":', '"file":', '"os"', '"system"', '"ObjectNode"'])


def trees():
    import lightgbm
    import xgboost

    data = xgboost.DMatrix(X, Y, feature_names=["a", "b", "c"])
    for name, options in {"binary": {"objective": "binary:logistic", "max_depth": 1},
                          "linear": {"booster": "gblinear"},
                          "dart": {"booster": "dart", "max_depth": 1}}.items():
        model = xgboost.train({**options, "nthread": 1}, data, 1)
        for form in ("json", "ubj"):
            seed(f"xgboost-{form}", name, bytes(model.save_raw(form)))
    words = ['"learner":{', '"attributes":', '"gradient_booster":', '"model":', '"trees":',
             '"feature_names":', '"learner_model_param":', '"objective":', '"version":', '"name":',
             '"gbtree_model_param":', '"num_class":', '"base_score":', '"tree_param":']
    dictionary("xgboost-json", words)
    dictionary("xgboost-ubj", ["{L", "L\x00\x00\x00\x00\x00\x00\x00", "[$d#L", "[$l#L", "[#L", "SL", "}", "]",
                               "i\x01", "U", "l", "D", "d", "T", "F", "Z"] + words)
    names = [["a", "b", "c"], None]
    for number, each in enumerate(names):
        model = lightgbm.LGBMClassifier(
            n_estimators=1 + number, num_leaves=3, min_child_samples=2, verbose=-1, n_jobs=1)
        model.fit(X, Y if number else numpy.arange(30) % 3, feature_name=each or "auto")
        # Of 70 parameters a few teach as much, and an execution takes a quarter of the time.
        head, start, tail = model.booster_.model_to_string().partition("\nparameters:\n")
        lines = [line for line in tail.split("\n") if not line.startswith("[")
                 or re.match(r"\[(boosting|objective|num_leaves|num_class|categorical_feature): ", line)]
        seed("lightgbm", f"model-{number}", head + start + "\n".join(lines))
    dictionary("lightgbm", [
        "tree\nversion=v4\n", "num_class=", "num_tree_per_iteration=", "label_index=", "max_feature_idx=",
        "objective=", "feature_names=", "feature_infos=", "tree_sizes=", "Tree=0\n", "end of trees\n",
        "parameters:\n", "[boosting: ", "end of parameters\n", "pandas_categorical:", "num_cat=1\n",
        "cat_boundaries=0 1\n", "cat_threshold=5\n", "decision_type=1", "is_linear=1"])


def tensors():
    import gguf
    from safetensors.numpy import save

    seed("safetensors", "plain", save({"a": numpy.zeros((2, 2), numpy.float32),
                                       "b": numpy.zeros(3, numpy.int64)}, {"format": "pt"}))
    index = {"metadata": {"total_size": 16}, "weight_map": {"a": "m.safetensors"}}
    seed("safetensors", "index", save({"a": numpy.zeros(4, numpy.float32)}) + SEPARATOR
         + json.dumps(index).encode())
    dictionary("safetensors", ['"dtype":"F32"', '"shape":[', '"data_offsets":[', '"__metadata__":{',
                               '"BF16"', '"F8_E4M3"', '"weight_map":{', SEPARATOR])

    with tempfile.TemporaryDirectory() as folder:
        for order in (gguf.GGUFEndian.LITTLE, gguf.GGUFEndian.BIG):
            path = f"{folder}/m.gguf"
            writer = gguf.GGUFWriter(path, "llama", endianess=order)
            writer.add_name("Tiny")
            writer.add_license("mit")
            writer.add_context_length(8)
            writer.add_file_type(1)
            writer.add_tags(["a", "b"])
            writer.add_token_list(["a", "b"])
            writer.add_token_scores([0.0, 1.0])
            writer.add_chat_template("{{ messages }}")
            writer.add_tensor("a", numpy.zeros((2, 2), numpy.float32))
            writer.add_tensor("b", numpy.zeros(4, numpy.float16))
            writer.write_header_to_file()
            writer.write_kv_data_to_file()
            writer.write_tensors_to_file()
            writer.close()
            seed("gguf", order.name.lower(), pathlib.Path(path).read_bytes())
    dictionary("gguf", ["GGUF\x03\x00\x00\x00", "general.architecture", "general.alignment", "general.file_type",
                        "split.count", "split.no", "tokenizer.ggml.tokens", "\x08\x00\x00\x00",
                        "\x09\x00\x00\x00"])


def graphs():
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(numpy.zeros((2, 2), numpy.float32), "w")
    outside = TensorProto(name="v", data_type=1, dims=[2], data_location=1)
    for key, value in (("location", "w.bin"), ("offset", "0"), ("length", "8")):
        outside.external_data.add(key=key, value=value)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["h"]),
         helper.make_node("Strange", ["h"], ["y"], domain="other")], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 2])], [weight, outside])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    seed("onnx", "graph", model.SerializeToString() + SEPARATOR + bytes(8))
    classifier = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1,
        nodes_featureids=[0, 0, 0], nodes_values=[0.5, 0.0, 0.0], nodes_treeids=[0, 0, 0],
        nodes_nodeids=[0, 1, 2], nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
        nodes_truenodeids=[1, 0, 0], nodes_falsenodeids=[2, 0, 0], target_ids=[0, 0],
        target_nodeids=[1, 2], target_treeids=[0, 0], target_weights=[1.0, 2.0])
    graph = helper.make_graph(
        [classifier], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("ai.onnx.ml", 3)])
    seed("onnx", "trees", model.SerializeToString())
    seed("protobuf", "onnx", model.SerializeToString())
    dictionary("onnx", ["location", "offset", "length", "w.bin", "../", "ai.onnx.ml", SEPARATOR])

    seed("saved-model", "files", (FOREIGN / "tensorflow-files/saved_model.pb").read_bytes())
    seed("saved-model", "start", (FOREIGN / "tensorflow/model/saved_model.pb").read_bytes()[:4_000])
    for name in ("tensorflow-files", "tensorflow/model"):
        seed("variables-index", name.replace("/", "-"),
             (FOREIGN / name / "variables/variables.index").read_bytes())
    for name in ("catboost", "catboost-array"):
        seed("catboost", name, (FOREIGN / name / "model.cbm").read_bytes())
    model = json.loads((FOREIGN / "catboost-json/model.json").read_text())
    model["model_info"] = {"params": "{}", "class_params": {"class_names": ["a", "b"]}}
    model["ctr_data"] = {}
    text = json.dumps(model, separators=(",", ":"))
    seed("catboost-json", "model", text)
    dictionary("catboost-json", ['{"features_info":{', '{"ctr_data":{', '"oblivious_trees":[', '"trees":[',
                                 '"leaf_values":[', '"scale_and_bias":', '"model_info":'])


def texts():
    for name in ("keras", "keras-lambda", "keras-functional"):
        with zipfile.ZipFile(FOREIGN / name / "model.keras") as archive:
            seed("keras", name, archive.read("config.json")[:MOST_BYTES])
    dictionary("keras", ['"class_name":"Lambda"', '"registered_name":', '"module":"keras.layers"', '"config":{',
                         '"layers":[', '"fn":"', '"build_config":', '"__lambda__"', '"compile_config":'])
    config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 8,
              "torch_dtype": "bfloat16", "transformers_version": "4.50.0",
              "auto_map": {"AutoModel": "modeling.Model"}, "vocab_size": 10}
    parts = [json.dumps(config), json.dumps({"tokenizer_class": "T", "chat_template": "{{ a|attr('b') }}"}),
             json.dumps({"max_length": 8}),
             json.dumps({"peft_type": "LORA", "base_model_name_or_path": "base", "r": 8}),
             "---\nlicense: mit\ntags:\n- a\n- b\nbase_model: x\n---\n# Card\n", "{{ messages }}",
             json.dumps({"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0}}})]
    seed("transformers", "folder", SEPARATOR.join(part.encode() for part in parts))
    seed("transformers", "config", parts[0])
    dictionary("transformers", [SEPARATOR, '"model_type":', '"auto_map":', '"architectures":', '"chat_template":',
                                '"quantization_config":', '"peft_type":', "---\n", "license: ", "- ", "tags:\n"])
    mlmodel = """artifact_path: model
flavors:
  python_function:
    env: {conda: conda.yaml, virtualenv: python_env.yaml}
    loader_module: mlflow.sklearn
    model_path: model.pkl
    python_version: 3.11.2
  sklearn: &s
    pickled_model: model.pkl
    sklearn_version: 1.9.1
  other: *s
mlflow_version: 3.1.0
model_uuid: 0123456789abcdef
signature:
  inputs: '[{"type": "double", "name": "a", "required": true}]'
  outputs: '[{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1]}}]'
saved_input_example_info: {artifact_path: input_example.json, type: dataframe}
utc_time_created: '2026-01-01 00:00:00.000000'
"""
    seed("mlmodel", "sklearn", mlmodel.encode() + SEPARATOR + b"numpy==2.0\nscikit-learn>=1\n")
    seed("mlmodel", "short", "flavors: {a: {b: [1, 2.5, true, null, 0x10, .inf, ~]}}\n")
    dictionary("mlmodel", [SEPARATOR, "flavors:\n", "  a: &b ", "*b", "<<: *b", "!!binary ", "!!python/object:", "|\n",
                           ">-\n", "? ", "- ", "{", "}", "---\n", "...\n", "%YAML 1.1\n", "signature:"])
    seed("json", "values", '{"a": [1, -2.5e+3, "\\u00e9\\ud83d\\ude00\\n", true, false, null], "": {}}')
    dictionary("json", ['"a":', "[", "]", "{", "}", "\\u0041", "\\ud83d\\ude00", "true", "false", "null", "1e5", "-0"])
    seed("plugin-manifest", "demo", json.dumps(
        {"name": "demo", "kind": "model flavor", "version": "0.1.0", "protocol": 1,
         "executable": "linaje-demo-flavor", "sha256": "00" * 32, "description": "d", "license": "MIT",
         "url": "https://example.com", "read": ["/opt/demo"]}))
    for name, text in {
        "version": "models:/churn/3", "alias": "models:/churn@best", "stage": "models:/churn/Production",
        "latest": "models:/churn/latest", "logged": "models:/m-0123456789abcdef0123456789abcdef",
        "run": "runs:/0123456789abcdef0123456789abcdef/model/weights.bin", "tree": "tree:sha256:" + "ab" * 32,
        "s3": "s3://bucket/prefix/?region=eu-west-1&addressing=path", "folder": "file:///srv/store",
        "time": "2026-01-31T09:30:15.123456+02:00", "day": "2024-02-29", "path": "a/b.c/é",
    }.items():
        seed("names", name, text)
    for number, text in enumerate([
        "metrics.loss < 0.5 AND params.`learning rate` = '0.1'", "NOT (tags.a IN ('x', \"y\") OR start_time > '2026-01-01')",
        "attributes.status IS NOT NULL AND metrics.acc >= -inf", "name ILIKE '%a_b%' and version_number != 3",
        "metrics.`a` DESC", "datasets.name = 'it''s \\\\'",
    ]):
        seed("filter", str(number), text)
    dictionary("filter", ["metrics.", "params.", "tags.", "attributes.", "datasets.", " AND ", " OR ", "NOT ", " IN (",
                          " LIKE ", " ILIKE ", " IS NULL", "NaN", "-inf", "1e308", "''", "``", "\\'", " DESC"])


def wire():
    def frame(kind, stream=0, payload=b"", flags=0, opcode=0):
        return struct.pack(">IIBBH", len(payload), stream, kind, flags, opcode) + payload

    credit = b"\x08\x80\x80\x04"
    seed("frames", "calls", frame(1, payload=b"\x0a\x04test") + frame(2, 1, b"\x00\x00", 1, 3)
         + frame(2, 3, b"\x00\x02\x08\x01abc", 0, 5) + frame(4, 3, b"data") + frame(5, 3) + frame(7, 0, credit)
         + frame(8, 0, b"ping") + frame(10, 1) + frame(11))
    seed("frames", "closed", frame(1) + frame(2, 1, b"\x00\x00", 0, 3) + frame(4, 1, b"x") + frame(10, 1))
    header = b"\x0a\x10" + b"k" * 16 + b"\x10\x01"
    seed("call", "header", struct.pack(">H", len(header)) + header + b"\x0a\x01x")
    seed("call", "empty", b"\x00\x00")
    dictionary("frames", [frame(1), frame(2, 1, b"\x00\x00", 1, 3), frame(4, 1), frame(5, 1), frame(7, 0, credit),
                          frame(8), frame(10, 1), frame(11)])


def main():
    for folder in ("Seeds", "Dictionaries"):
        shutil.rmtree(HERE / folder, ignore_errors=True)
    for part in (pickles, arrays_and_archives, torch_files, skops_schema, trees, tensors, graphs, texts, wire):
        part()
    files = [path for path in (HERE / "Seeds").rglob("*") if path.is_file()]
    total = sum(path.stat().st_size for path in files)
    print(f"{len(files)} seeds of {total} bytes")
    assert total < 200 << 10, total


if __name__ == "__main__":
    main()
