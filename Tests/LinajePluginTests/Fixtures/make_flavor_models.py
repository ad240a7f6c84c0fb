"""Writes models of each flavor with the real libraries into a folder, one folder for each model,
and what they should be described as, told by those libraries.

usage: make_flavor_models.py FOLDER
"""
import json
import os
import sys
import warnings

import numpy

warnings.filterwarnings("ignore")
RANDOM = numpy.random.default_rng(11)
X = RANDOM.standard_normal((200, 4)).astype(numpy.float32)
Y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(numpy.int64)
Y3 = numpy.digitize(X[:, 0], [-0.5, 0.5])


def folder(root, name):
    path = os.path.join(root, name)
    os.makedirs(path)
    return path


# GGUF ----------------------------------------------------------------------------------------


def gguf_file(path, endian=None, split=None):
    import gguf

    order = gguf.GGUFEndian.BIG if endian == "big" else gguf.GGUFEndian.LITTLE
    writer = gguf.GGUFWriter(path, "llama", endianess=order)
    writer.add_name("Tiny")
    writer.add_author("Linaje")
    writer.add_license("apache-2.0")
    writer.add_context_length(2048)
    writer.add_embedding_length(64)
    writer.add_block_count(2)
    writer.add_head_count(4)
    writer.add_file_type(int(gguf.LlamaFileType.MOSTLY_Q8_0))
    writer.add_quantization_version(2)
    writer.add_tags(["text-generation", "tiny"])
    writer.add_languages(["en", "es"])
    writer.add_base_model_count(1)
    writer.add_base_model_name(0, "Big")
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([f"token{index}" for index in range(300)])
    writer.add_token_scores([float(index) for index in range(300)])
    writer.add_chat_template("{% for m in messages %}{{ m['content'] }}{% endfor %}")
    if split:
        writer.add_uint16("split.no", split[0])
        writer.add_uint16("split.count", split[1])
        writer.add_int32("split.tensors.count", 3 * split[1])
    tag = f"{split[0]}." if split else ""
    plain = {
        f"{tag}token_embd.weight": RANDOM.standard_normal((300, 64)).astype(numpy.float32),
        f"{tag}output_norm.weight": RANDOM.standard_normal(64).astype(numpy.float16),
    }
    for name, values in plain.items():
        writer.add_tensor(name, values)
    quantized = gguf.quants.quantize(
        RANDOM.standard_normal((32, 64)).astype(numpy.float32), gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor(f"{tag}blk.0.attn_q.weight", quantized,
                      raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def gguf_expected(path):
    """What the library's own reader says."""
    import gguf

    reader = gguf.GGUFReader(path)
    return {
        "flavor": "gguf", "license": "apache-2.0",
        "facts": {"architecture": "llama", "quantization": "Q8_0", "context_length": "2048",
                  "vocabulary": "300", "layers": "2"},
        "parameters": int(sum(tensor.n_elements for tensor in reader.tensors)),
        "memory": int(sum(tensor.n_bytes for tensor in reader.tensors)),
        "tensors": {
            tensor.name: {"dtype": tensor.tensor_type.name,
                          "shape": [int(length) for length in reversed(tensor.shape)]}
            for tensor in reader.tensors
        },
    }


def gguf_models(root, expected):
    path = os.path.join(folder(root, "gguf"), "tiny-Q8_0.gguf")
    gguf_file(path)
    expected["gguf"] = gguf_expected(path)
    path = os.path.join(folder(root, "gguf-big-endian"), "tiny.gguf")
    gguf_file(path, endian="big")
    expected["gguf-big-endian"] = gguf_expected(path)
    split = folder(root, "gguf-split")
    for part in range(2):
        gguf_file(os.path.join(split, f"tiny-{part + 1:05d}-of-00002.gguf"), split=(part, 2))


# ONNX ----------------------------------------------------------------------------------------


def onnx_expected(path):
    import onnx

    model = onnx.load(path, load_external_data=False)
    graph = model.graph
    names = {1: "F32", 6: "I32", 7: "I64", 11: "F64", 9: "BOOL", 10: "F16"}
    stored = {tensor.name for tensor in graph.initializer}

    def specs(values):
        out = []
        for value in values:
            if value.name in stored:
                continue
            tensor = value.type.tensor_type
            kind = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
            dims = tensor.shape.dim
            out.append({"name": value.name, "type": "tensor", "tensor-spec": {
                "dtype": "str" if kind == numpy.object_ else str(kind),
                "shape": [d.dim_value if d.dim_value else -1 for d in dims]}})
        return out

    tensors_only = all(value.type.HasField("tensor_type") for value in graph.output)
    opsets = {f"opset.{o.domain or 'ai.onnx'}": str(o.version) for o in model.opset_import}
    return {
        "flavor": "onnx", "version": str(model.ir_version),
        "facts": {"producer": f"{model.producer_name} {model.producer_version}",
                  "ir_version": str(model.ir_version), **opsets},
        "tensors": {t.name: {"dtype": names[t.data_type], "shape": list(t.dims)}
                    for t in graph.initializer},
        "parameters": int(sum(numpy.prod(t.dims, dtype=numpy.int64) for t in graph.initializer)),
        "inputs": specs(graph.input),
        "outputs": specs(graph.output) if tensors_only else None,
    }


def onnx_models(root, expected):
    import onnx
    import skl2onnx
    from onnx import TensorProto, helper, numpy_helper
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    kinds = [("X", FloatTensorType([None, 4]))]
    model = make_pipeline(StandardScaler(), LinearRegression()).fit(X, X[:, 0])
    path = os.path.join(folder(root, "onnx-linear"), "model.onnx")
    onnx.save(skl2onnx.to_onnx(model, initial_types=kinds), path)
    expected["onnx-linear"] = onnx_expected(path)

    model = RandomForestClassifier(5, random_state=0).fit(X, Y)
    path = os.path.join(folder(root, "onnx-forest"), "model.onnx")
    onnx.save(skl2onnx.to_onnx(model, initial_types=kinds), path)
    expected["onnx-forest"] = onnx_expected(path)

    path = os.path.join(folder(root, "onnx-forest-tensors"), "model.onnx")
    onnx.save(
        skl2onnx.to_onnx(model, initial_types=kinds, options={id(model): {"zipmap": False}}), path)
    expected["onnx-forest-tensors"] = onnx_expected(path)

    def body(name, value):
        constant = helper.make_node(
            "Constant", [], [f"{name}_c"],
            value=numpy_helper.from_array(numpy.full(3, value, numpy.float32), f"{name}_t"))
        add = helper.make_node("Add", ["h", f"{name}_c"], [f"{name}_out"])
        out = helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, [None, 3])
        return helper.make_graph([constant, add], name, [], [out])

    weight = RANDOM.standard_normal((4, 3)).astype(numpy.float32)
    bias = RANDOM.standard_normal(3).astype(numpy.float32)
    nodes = [
        helper.make_node("Gemm", ["x", "weight", "bias"], ["h"]),
        helper.make_node("If", ["flag"], ["y0"], then_branch=body("then", 1.0),
                         else_branch=body("else", 2.0)),
        helper.make_node("Twice", ["y0"], ["y1"], domain="local"),
        helper.make_node("Strange", ["y1"], ["y"], domain="com.example"),
    ]
    twice = helper.make_function(
        "local", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])],
        [helper.make_opsetid("", 21)])
    graph = helper.make_graph(
        nodes, "branches",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4]),
         helper.make_tensor_value_info("flag", TensorProto.BOOL, [])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(bias, "bias")])
    proto = helper.make_model(
        graph, producer_name="linaje-tests", producer_version="1",
        opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("local", 1),
                       helper.make_opsetid("com.example", 3)], functions=[twice])
    helper.set_model_props(proto, {"author": "Linaje", "license": "MIT"})
    path = os.path.join(folder(root, "onnx-branches"), "branches.onnx")
    onnx.save(proto, path)
    expected["onnx-branches"] = onnx_expected(path)

    del proto.graph.node[2:]
    proto.graph.node[1].output[0] = "y"
    path = os.path.join(folder(root, "onnx-external"), "model.onnx")
    onnx.save(proto, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    expected["onnx-external"] = onnx_expected(path)


# Boosted trees -------------------------------------------------------------------------------


def xgboost_models(root, expected):
    import pandas
    import xgboost

    frame = pandas.DataFrame(X, columns=["width", "height", "depth", "mass"])
    options = {"objective": "multi:softprob", "num_class": 3, "max_depth": 3, "nthread": 1}
    model = xgboost.train(options, xgboost.DMatrix(frame, label=Y3), 4)
    model.set_attr(author="Linaje")
    facts = {
        "objective": "multi:softprob", "num_class": "3", "booster": "gbtree",
        "trees": str(len(model.get_dump())), "rounds": str(model.num_boosted_rounds()),
        "num_feature": str(model.num_features()), "attribute.author": "Linaje",
        "nodes": str(sum(len(tree.strip().split("\n")) for tree in model.get_dump())),
    }
    columns = [{"name": name, "type": "double", "required": True} for name in model.feature_names]
    outputs = [{"type": "tensor", "tensor-spec": {
        "dtype": str(model.predict(xgboost.DMatrix(frame)).dtype), "shape": [-1, 3]}}]
    for name, file in [("xgboost", "model.ubj"), ("xgboost-json", "model.json")]:
        model.save_model(os.path.join(folder(root, name), file))
        expected[name] = {"flavor": "xgboost", "version": xgboost.__version__, "facts": facts,
                          "inputs": columns, "outputs": outputs}
    model = xgboost.XGBRegressor(n_estimators=3, max_depth=2, booster="dart", n_jobs=1)
    model.fit(X, X[:, 0]).save_model(os.path.join(folder(root, "xgboost-dart"), "model.ubj"))
    expected["xgboost-dart"] = {
        "flavor": "xgboost", "facts": {"booster": "dart", "trees": "3", "num_feature": "4"}}
    model = xgboost.train({"booster": "gblinear", "nthread": 1}, xgboost.DMatrix(X, X[:, 0]), 2)
    model.save_model(os.path.join(folder(root, "xgboost-linear"), "model.json"))
    expected["xgboost-linear"] = {
        "flavor": "xgboost", "parameters": 5, "facts": {"booster": "gblinear", "rounds": "2"}}


def lightgbm_models(root, expected):
    import lightgbm
    import pandas

    frame = pandas.DataFrame(X, columns=["width", "height", "depth", "mass"])
    options = {"objective": "multiclass", "num_class": 3, "num_leaves": 5, "verbose": -1,
               "num_threads": 1, "learning_rate": 0.2}
    model = lightgbm.train(options, lightgbm.Dataset(frame, label=Y3), 4)
    model.save_model(os.path.join(folder(root, "lightgbm"), "model.lgb"))
    expected["lightgbm"] = {
        "flavor": "lightgbm",
        "facts": {"trees": str(model.num_trees()), "num_feature": str(model.num_feature()),
                  "rounds": str(model.current_iteration()), "parameter.learning_rate": "0.2",
                  "feature_names": ",".join(model.feature_name())},
        "inputs": [{"name": name, "type": "double", "required": True}
                   for name in model.feature_name()],
        "outputs": [{"type": "tensor", "tensor-spec": {
            "dtype": str(model.predict(frame).dtype), "shape": [-1, 3]}}],
    }
    frame["kind"] = pandas.Categorical(["x", "y"] * 100)
    model = lightgbm.train({"verbose": -1, "num_threads": 1},
                           lightgbm.Dataset(frame, label=X[:, 0]), 2)
    model.save_model(os.path.join(folder(root, "lightgbm-categories"), "model.txt"))
    expected["lightgbm-categories"] = {
        "flavor": "lightgbm", "facts": {"pandas_categorical": '[["x", "y"]]', "trees": "2"}}


# Safetensors and transformers ----------------------------------------------------------------


def write(path, value):
    with open(path, "w", encoding="utf-8") as file:
        file.write(value if isinstance(value, str) else json.dumps(value, indent=2))


def transformers_models(root, expected):
    """The files that transformers and PEFT write, by hand: the libraries need PyTorch."""
    import safetensors.numpy

    path = folder(root, "transformers")
    tensors = {
        "bert.embeddings.word_embeddings.weight": RANDOM.standard_normal((100, 32)),
        "bert.encoder.layer.0.attention.self.query.weight": RANDOM.standard_normal((32, 32)),
        "classifier.bias": numpy.zeros(2),
    }
    tensors = {name: value.astype(numpy.float16) for name, value in tensors.items()}
    safetensors.numpy.save_file(tensors, f"{path}/model.safetensors", {"format": "pt"})
    write(f"{path}/config.json", {
        "architectures": ["BertForSequenceClassification"], "dtype": "float16", "hidden_size": 32,
        "id2label": {"0": "no", "1": "yes"}, "model_type": "bert", "num_attention_heads": 4,
        "num_hidden_layers": 1, "transformers_version": "4.57.1", "vocab_size": 100})
    write(f"{path}/generation_config.json", {"_from_model_config": True, "top_k": 40,
                                             "transformers_version": "4.57.1"})
    write(f"{path}/tokenizer_config.json", {"tokenizer_class": "BertTokenizer",
                                            "model_max_length": 512})
    write(f"{path}/tokenizer.json", {"version": "1.0", "model": {"type": "WordPiece"}})
    write(f"{path}/special_tokens_map.json", {"unk_token": "[UNK]"})
    write(f"{path}/vocab.txt", "[UNK]\n")
    write(f"{path}/README.md", "---\nlicense: apache-2.0\nbase_model: google-bert/bert-base-uncased"
          "\ndatasets:\n- stanfordnlp/imdb\nlanguage: en\ntags:\n- text-classification\n---\n# Tiny\n")
    expected["transformers"] = {
        "flavor": "transformers", "version": "4.57.1", "license": "apache-2.0",
        "facts": {"model_type": "bert", "labels": "no,yes", "tokenizer": "BertTokenizer",
                  "generation.top_k": "40"},
        "card": {"base_model": "google-bert/bert-base-uncased", "language": "en"},
        "parameters": int(sum(value.size for value in tensors.values())),
        "memory": int(sum(value.nbytes for value in tensors.values())),
    }
    path = folder(root, "transformers-adapter")
    adapter = {"base_model.model.q_proj.lora_A.weight": numpy.zeros((8, 32), numpy.float32)}
    safetensors.numpy.save_file(adapter, f"{path}/adapter_model.safetensors")
    write(f"{path}/adapter_config.json", {
        "auto_mapping": None, "base_model_name_or_path": "meta-llama/Llama-3.2-1B", "r": 8,
        "lora_alpha": 16, "peft_type": "LORA", "target_modules": ["v_proj", "q_proj"],
        "task_type": "CAUSAL_LM", "revision": None})
    expected["transformers-adapter"] = {
        "flavor": "transformers", "parameters": 256,
        "facts": {"adapter": "LORA", "base_model": "meta-llama/Llama-3.2-1B", "adapter_rank": "8"},
        "card": {"base_model": "meta-llama/Llama-3.2-1B"}}
    path = folder(root, "transformers-custom-code")
    write(f"{path}/config.json", {"model_type": "own", "auto_map": {"AutoModel": "modeling_own.Own"}})
    write(f"{path}/modeling_own.py", "class Own: pass\n")


MAKERS = [gguf_models, onnx_models, xgboost_models, lightgbm_models, transformers_models]


def main():
    root, expected = sys.argv[1], {}
    for maker in MAKERS:
        maker(root, expected)
    with open(os.path.join(root, "expected.json"), "w", encoding="utf-8") as file:
        json.dump(expected, file)


main()
