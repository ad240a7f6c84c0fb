"""Writes files of torch without torch, byte for byte as torch 2 does.

usage: make_torch.py FOLDER [--check]

--check compares with the real torch, where it is installed: its files have the same bytes but for the
serialization id, and it loads these.
"""
import collections
import json
import os
import pickle
import struct
import sys
import types
import zlib

import numpy


def fake(name, **members):
    module = types.ModuleType(name)
    for key, member in members.items():
        member.__module__, member.__qualname__, member.__name__ = name, key, key
        setattr(module, key, member)
    sys.modules.setdefault(name, module)
    return sys.modules[name]


STORAGES = {"float32": "FloatStorage", "float64": "DoubleStorage", "float16": "HalfStorage",
            "int64": "LongStorage", "int32": "IntStorage", "uint8": "ByteStorage",
            "bool": "BoolStorage"}
NAMES = {"float32": "F32", "float64": "F64", "float16": "F16", "int64": "I64", "int32": "I32",
         "uint8": "U8", "bool": "BOOL"}


def modules():
    def rebuild(*arguments):
        raise NotImplementedError
    torch = fake("torch", **{name: type(name, (), {}) for name in STORAGES.values()})
    utils = fake("torch._utils", _rebuild_tensor_v2=rebuild)
    return torch, utils


class Storage:
    def __init__(self, array):
        self.array = array


class Tensor:
    """An array as torch pickles a tensor of it."""

    def __init__(self, array, storage=None, transposed=False):
        self.array, self.transposed = array, transposed
        self.storage = storage or Storage(array)

    def __reduce_ex__(self, protocol):
        shape = self.array.shape
        strides = tuple(each // self.array.itemsize for each in self.array.strides)
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        return rebuild, (self.storage, 0, shape, strides, False, collections.OrderedDict())


def dumped(value, legacy=False):
    """The pickle of a value, and its storages by their key."""
    import io
    out, storages = io.BytesIO(), {}

    class Pickler(pickle._Pickler):
        def persistent_id(self, each):
            if not isinstance(each, Storage):
                return None
            number = str(94_000_000 + len(storages)) if legacy else str(len(storages))
            known = [key for key, other in storages.items() if other is each]
            key = known[0] if known else number
            storages[key] = each
            kind = getattr(sys.modules["torch"], STORAGES[str(each.array.dtype)])
            id_ = ("storage", kind, key, "cpu", each.array.size)
            return id_ + (None,) if legacy else id_

    Pickler(out, 2).dump(value)
    return out.getvalue(), storages


def archive(folder, members):
    """An archive as torch's writer (miniz) makes it: data at multiples of 64 bytes."""
    out, directory = b"", b""
    for name, data in members:
        path = f"{folder}/{name}".encode()
        offset, checksum = len(out), zlib.crc32(data)
        padding = 64 - (offset + 30 + len(path) + 4) % 64
        extra = b"FB" + struct.pack("<H", padding) + b"Z" * padding
        head = struct.pack("<IHHHHHIIIHH", 0x04034b50, 0, 0x808, 0, 0, 0, 0, 0, 0, len(path), len(extra))
        out += head + path + extra + data
        out += struct.pack("<IIII", 0x08074b50, checksum, len(data), len(data))
        directory += struct.pack("<IHHHHHHIIIHHHHHII", 0x02014b50, 0, 0, 0x808, 0, 0, 0, checksum,
                                 len(data), len(data), len(path), 0, 0, 0, 0, 0, offset) + path
    count, start, place = len(members), len(out), len(out) + len(directory)
    wide = struct.pack("<IQHHIIQQQQ", 0x06064b50, 44, 0x031e, 45, 0, 0, count, count,
                       len(directory), start)
    locator = struct.pack("<IIQI", 0x07064b50, 0, place, 1)
    end = struct.pack("<IHHHHIIH", 0x06054b50, 0, 0, count, count, len(directory), start, 0)
    return out + directory + wide + locator + end


def zipped(name, value):
    data, storages = dumped(value)
    members = [("data.pkl", data), (".format_version", b"1"), (".storage_alignment", b"64"),
               ("byteorder", b"little")]
    members += [(f"data/{key}", each.array.tobytes()) for key, each in storages.items()]
    members += [("version", b"3\n"), (".data/serialization_id", b"0" * 40)]
    return archive(name, members)


def legacy(value):
    data, storages = dumped(value, legacy=True)
    facts = {"protocol_version": 1001, "little_endian": True,
             "type_sizes": {"short": 2, "int": 4, "long": 4}}
    out = b"".join(pickle.dumps(each, 2) for each in (0x1950a86a20f9469cfc6c, 1001, facts))
    out += data + pickle.dumps(sorted(storages), 2)
    for key in sorted(storages):
        array = storages[key].array
        out += struct.pack("<Q", array.size) + array.tobytes()
    return out


def state():
    generator = numpy.random.default_rng(5)
    shared = Tensor(generator.standard_normal((7, 3)).astype("float32"))
    tied = Tensor(shared.array, shared.storage)
    return collections.OrderedDict([
        ("embed.weight", shared),
        ("layer.weight", Tensor(generator.standard_normal((4, 7)).astype("float16"))),
        ("layer.bias", Tensor(generator.standard_normal(4))),
        ("steps", Tensor(numpy.array(12, dtype="int64"))),
        ("head.weight", tied),
    ])


def facts(values, prefix=""):
    return {f"{prefix}{name}": {"dtype": NAMES[str(each.array.dtype)], "shape": list(each.array.shape)}
            for name, each in values.items()}


def check(folder):
    for name in ("torch", "torch._utils"):
        del sys.modules[name]
    import torch
    mine = torch.load(os.path.join(folder, "state", "state.pt"))
    old = torch.load(os.path.join(folder, "legacy", "model.bin"), weights_only=True)
    for name, tensor in state().items():
        for loaded in (mine, old):
            assert loaded[name].numpy().tolist() == tensor.array.tolist(), name
    assert mine["embed.weight"].data_ptr() == mine["head.weight"].data_ptr()
    torch.save(mine, "/tmp/state.pt")
    real, made = open("/tmp/state.pt", "rb").read(), open(f"{folder}/state/state.pt", "rb").read()
    assert len(real) == len(made), (len(real), len(made))
    different = [place for place in range(len(real)) if real[place] != made[place]]
    serial = made.index(b"0" * 40)
    rest = [place for place in different if not serial <= place < serial + 60]
    central = made.rindex(b"PK\x01\x02") + 16
    rest = [place for place in rest if not central <= place < central + 4]
    assert not rest, rest[:20]
    print("torch", torch.__version__, "loads the files and writes the same bytes")


def main():
    folder = sys.argv[1]
    modules()
    values = state()
    files = {
        "state/state.pt": zipped("state", values), "legacy/model.bin": legacy(values),
        "checkpoint/last.ckpt": zipped("last", {
            "epoch": 3, "state_dict": values,
            "optimizer": {"state": {0: {"exp_avg": Tensor(numpy.zeros((7, 3), "float32"))}}}}),
    }
    for path, data in files.items():
        os.makedirs(os.path.join(folder, os.path.dirname(path)), exist_ok=True)
        with open(os.path.join(folder, path), "wb") as file:
            file.write(data)
    parameters = 7 * 3 + 4 * 7 + 4 + 1
    memory = 7 * 3 * 4 + 4 * 7 * 2 + 4 * 8 + 8
    optimizer = {"optimizer.state.0.exp_avg": {"dtype": "F32", "shape": [7, 3]}}
    expected = {
        "state": {"tensors": facts(values), "parameters": parameters, "memory": memory},
        "legacy": {"tensors": facts(values), "parameters": parameters, "memory": memory},
        "checkpoint": {"tensors": facts(values, "state_dict.") | optimizer,
                       "parameters": parameters, "memory": memory + 84},
    }
    with open(os.path.join(folder, "expected.json"), "w", encoding="utf-8") as file:
        json.dump(expected, file)
    if "--check" in sys.argv:
        check(folder)


main()
