"""Makes what models are scanned and described: pickles of one size, and headers of very long files."""

import importlib.metadata
import json
import os
import pickle
import random
import struct
import sys
import zipfile

import joblib
import numpy
from sklearn.ensemble import RandomForestClassifier

ORDER = json.loads(sys.argv[1])
TENSORS = 300
GGUF_F32 = 0


def make_pickles(folder, size):
    """Files of about so many bytes each, of what people pickle."""
    generator = random.Random(1859)
    numbers = numpy.random.default_rng(1859)
    rows = numbers.normal(size=(2_000, 20))
    per_tree = len(pickle.dumps(forest(rows, 1)))
    joblib.dump(forest(rows, max(1, size // per_tree)), f"{folder}/forest.joblib")
    write(f"{folder}/arrays.pkl", {f"w{number}": numbers.normal(size=size // 8 // 8)
                                   for number in range(8)})
    words = ("".join(generator.choices("abcdefghijklmnopqrstuvwxyz", k=generator.randint(3, 12)))
             for _ in range(size // 15))
    write(f"{folder}/vocabulary.pkl", {word: place for place, word in enumerate(words)})
    write(f"{folder}/numbers.pkl", [generator.random() for _ in range(size // 9)])


def forest(rows, trees):
    return RandomForestClassifier(trees, random_state=0).fit(rows, (rows[:, 0] > 0).astype(int))


def write(path, value):
    with open(path, "wb") as file:
        pickle.dump(value, file)


def make_long_files(folder, size):
    """A safetensors, a GGUF and a torch file of so many bytes: headers as they are, holes as weights."""
    each = size // TENSORS // 4 * 4
    names = [f"layers.{number}.weight" for number in range(TENSORS)]
    header = json.dumps({name: {"dtype": "F32", "shape": [each // 4],
                                "data_offsets": [number * each, (number + 1) * each]}
                         for number, name in enumerate(names)}).encode()
    header += b" " * (-len(header) % 8)
    sparse(f"{folder}/model.safetensors", struct.pack("<Q", len(header)) + header, TENSORS * each)
    each = each // 32 * 32
    out = b"GGUF" + struct.pack("<IQQ", 3, TENSORS, 1)
    out += text("general.architecture") + struct.pack("<I", 8) + text("llama")
    for number, name in enumerate(names):
        out += text(name) + struct.pack("<IQIQ", 1, each // 4, GGUF_F32, number * each)
    sparse(f"{folder}/model.gguf", out + bytes(-len(out) % 32), TENSORS * each)
    torch_file(f"{folder}/model.pt", names, size // TENSORS // 64 * 64)


def text(value):
    return struct.pack("<Q", len(value)) + value.encode()


def sparse(path, head, size):
    with open(path, "wb") as file:
        file.write(head)
        file.truncate(len(head) + size)


def torch_file(path, names, each):
    """What torch.save writes of a state dict: a pickle and storages, side by side and not packed."""
    out = b"\x80\x02ccollections\nOrderedDict\n)R("
    for number, name in enumerate(names):
        out += b"X" + struct.pack("<I", len(name)) + name.encode()
        key = str(number).encode()
        out += b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
        out += b"X" + struct.pack("<I", len(key)) + key + b"X\x03\x00\x00\x00cpuJ"
        out += struct.pack("<i", each // 4) + b"tQK\x00J" + struct.pack("<i", each // 4)
        out += b"\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        archive.writestr("model/data.pkl", out + b"u.")
        archive.writestr("model/version", "3\n")
        hole = bytes(1 << 20)
        for number in range(len(names)):
            with archive.open(f"model/data/{number}", "w", force_zip64=True) as file:
                for start in range(0, each, len(hole)):
                    file.write(hole[:min(len(hole), each - start)])


def main():
    folder = ORDER["models"]
    os.makedirs(f"{folder}/long")
    make_pickles(folder, ORDER["pickle_bytes"])
    make_long_files(f"{folder}/long", ORDER["file_bytes"])
    names = ("picklescan", "modelscan", "fickling", "safetensors", "scikit-learn", "numpy")
    print(json.dumps({"versions": {name: importlib.metadata.version(name) for name in names}}))


if __name__ == "__main__":
    main()
