"""Makes the data that all artifact stores are given, from a seed: the same bytes at each run.

`{"data": FOLDER, "seed": …, "mixed_bytes": …, "files": …, "checkpoint_bytes": …,
"steps": …, "weights_bytes": …}` fills FOLDER with mixed/tree, small/tree, checkpoints/step-NN and
weights/{float32,bf16}, of those whose size is not zero. Needs numpy and safetensors.
"""

import json
import math
import os
import random

import child
import numpy
import safetensors

MIB = 1 << 20
# Weights of a layer have its own scale, as those of a trained model have.
SCALES = (0.01, 0.04)
TENSOR_BYTES = 8 * MIB
SHARD_BYTES = 128 * MIB
# One part of eight.
MIXED = {"float32": 3, "bf16": 3, "random": 1, "text": 1}
LAYERS = 24
TRAINED_LAYERS = 6
# How far a step moves a trained weight, of its layer's scale.
DELTA = 0.01
FILES_IN_FOLDER = 100
ELEMENTS = ("float32", "bf16")


class Source:
    """Random numbers and words of one seed; each purpose has a source of its own."""

    def __init__(self, seed, purpose):
        number = int.from_bytes(purpose.encode(), "little")
        self.numbers = numpy.random.Generator(numpy.random.SFC64([seed, number]))
        self.plain = random.Random(f"{seed} {purpose}")

    def normal(self, count, scale):
        """Gaussian float32."""
        return self.numbers.standard_normal(count, dtype=numpy.float32) * numpy.float32(scale)

    def scale(self):
        return self.plain.uniform(*SCALES)


def bf16(values):
    """Float32 values rounded to the nearest bfloat16, as 16-bit numbers."""
    bits = values.view(numpy.uint32)
    return ((bits + (0x7FFF + (bits >> 16 & 1))) >> 16).astype(numpy.uint16)


def stored(values, element):
    """Float32 values as an array of the element type's bytes."""
    return bf16(values) if element == "bf16" else values


def save(path, tensors):
    """Arrays by name as a safetensors file; those of 16-bit numbers are bfloat16."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    safetensors.serialize_file({
        name: safetensors.TensorSpec(
            dtype="bfloat16" if array.dtype == numpy.uint16 else "float32",
            shape=array.shape, data_ptr=array.ctypes.data, data_len=array.nbytes)
        for name, array in tensors.items()}, path)


def gaussian(folder, element, total, source):
    """Shards of a model whose tensors are Gaussian, together `total` bytes."""
    width = 4 if element == "float32" else 2
    for shard, start in enumerate(range(0, total, SHARD_BYTES)):
        size = min(SHARD_BYTES, total - start)
        save(f"{folder}/{element}-{shard:02}.safetensors", {
            f"layer.{place:02}": stored(
                source.normal(min(TENSOR_BYTES, size - begin) // width, source.scale()), element)
            for place, begin in enumerate(range(0, size, TENSOR_BYTES))})


def make_mixed(folder, order):
    """Weights of two element types, what cannot be compressed, text and tables."""
    total, seed = order["mixed_bytes"], order["seed"]
    parts = {name: total * share // sum(MIXED.values()) for name, share in MIXED.items()}
    for element in ELEMENTS:
        gaussian(folder, element, parts[element], Source(seed, f"mixed {element}"))
    source = Source(seed, "mixed random")
    with open(f"{folder}/random.bin", "wb") as file:
        for begin in range(0, parts["random"], TENSOR_BYTES):
            file.write(source.numbers.bytes(min(TENSOR_BYTES, parts["random"] - begin)))
    half = parts["text"] // 2
    write_blocks(f"{folder}/notes.txt", half, prose(Source(seed, "mixed text")))
    write_blocks(f"{folder}/table.csv", half, table(Source(seed, "mixed table")))


def write_blocks(path, size, blocks):
    """The first `size` bytes of endless blocks."""
    with open(path, "wb") as file:
        while size > 0:
            size -= file.write(next(blocks)[:size])


def vocabulary(source, count=8_000):
    """Made-up words of two to nine letters, the short ones first, as the frequent ones are."""
    letters = "etaoinshrdlucmfwypvbgk"
    words = {"".join(source.plain.choices(letters, range(len(letters), 0, -1),
                                          k=source.plain.randint(2, 9))) for _ in range(count)}
    return sorted(words, key=lambda word: (len(word), word))


def prose(source):
    """Endless text of about a megabyte a block, its words as frequent as Zipf says."""
    words = numpy.array(vocabulary(source), dtype=object)
    weights = 1 / numpy.arange(1, len(words) + 1)
    ends = numpy.array([" "] * 14 + [", ", ".\n"], dtype=object)
    while True:
        chosen = source.numbers.choice(words, 160_000, p=weights / weights.sum())
        yield "".join(chosen + source.numbers.choice(ends, len(chosen))).encode()


def table(source, rows=40_000):
    """Endless comma-separated lines: a counter, a class, a wandering and two Gaussian values."""
    count, level = 0, 500_000
    while True:
        numbers = numpy.empty((rows, 5), dtype=numpy.int64)
        numbers[:, 0] = numpy.arange(count, count + rows)
        numbers[:, 1] = source.numbers.integers(0, 10, rows)
        numbers[:, 2] = level + numpy.cumsum(source.numbers.integers(-3, 4, rows))
        numbers[:, 3:] = source.numbers.normal(500_000, 50_000, (rows, 2))
        count, level = count + rows, numbers[-1, 2]
        digits = numbers[:, :, None] // 10 ** numpy.arange(6, -1, -1) % 10 + ord("0")
        line = numpy.full((rows, 5, 8), ord(","), dtype=numpy.uint8)
        line[:, :, :7] = digits
        line[:, -1, 7] = ord("\n")
        yield line.tobytes()


def make_small(folder, order):
    """Files of 1 to 8 KiB: JSON, text and code in turn, a hundred in a folder."""
    source = Source(order["seed"], "small")
    words = vocabulary(source)
    makers = (("json", json_text), ("txt", plain_text), ("py", code_text))
    for number in range(order["files"]):
        place, rest = divmod(number, FILES_IN_FOLDER)
        if rest == 0:
            os.makedirs(f"{folder}/folder-{place:03}")
        suffix, maker = makers[rest % len(makers)]
        text = maker(source.plain, words, source.plain.randint(1 << 10, 8 << 10))
        with open(f"{folder}/folder-{place:03}/file-{rest:04}.{suffix}", "w",
                  encoding="ascii") as file:
            file.write(text)


def json_text(plain, words, size):
    """A list of records as a training writes them."""
    records = [{"step": step, "loss": round(plain.random(), 6), "lr": 0.0003,
                "split": plain.choice(("train", "valid", "test")), "name": plain.choice(words)}
               for step in range(size // 80)]
    return json.dumps({"run": f"{plain.getrandbits(64):016x}", "records": records}, indent=1)


def plain_text(plain, words, size):
    """Sentences of words of which some are far more frequent than others."""
    chosen = [words[int(len(words) * plain.random() ** 3)] for _ in range(size // 6)]
    return "\n".join(" ".join(chosen[begin:begin + 12]) + "."
                     for begin in range(0, len(chosen), 12)) + "\n"


def code_text(plain, words, size):
    """Functions with names of their own."""
    def function():
        one, two, three = plain.choices(words, k=3)
        return (f"def {one}_{two}({three}, rate={plain.randint(1, 999) / 1000}):\n"
                f'    """Returns the {one} of a {three}."""\n'
                f"    for {two} in range(len({three})):\n"
                f"        {three}[{two}] = {three}[{two}] * rate + {plain.randint(0, 99)}\n"
                f"    return {three}\n\n\n")
    return "import math\n\n\n" + "".join(function() for _ in range(size // 190 + 1))


class Model:
    """A transformer in bf16 with a head in float32, of which the last layers are fine-tuned."""

    def __init__(self, total, source):
        self.source, self.scales, self.masters, self.tensors = source, {}, {}, {}
        # Of the bytes, three quarters are in the layers: 12 h² weights of 2 bytes in each.
        width = max(8, math.isqrt(total * 3 // 4 // (24 * LAYERS)))
        self.add("model.embed_tokens.weight", (total * 4 // 25 // (2 * width), width), "bf16")
        for layer in range(LAYERS):
            trained = layer >= LAYERS - TRAINED_LAYERS
            for name, factors in {"q_proj": (1, 1), "k_proj": (1, 1), "v_proj": (1, 1),
                                  "o_proj": (1, 1), "up_proj": (4, 1), "down_proj": (1, 4)}.items():
                shape = tuple(width * factor for factor in factors)
                self.add(f"model.layers.{layer}.{name}.weight", shape, "bf16", trained)
        self.add("lm_head.weight", (total * 9 // 100 // (4 * width), width), "float32", True)

    def add(self, name, shape, element, trained=False):
        scale = self.source.scale()
        values = self.source.normal(shape, scale)
        self.tensors[name] = stored(values, element)
        if trained:
            self.masters[name] = (values, scale, element)

    def train(self):
        """One step: the trained weights move a little."""
        for name, (values, scale, element) in self.masters.items():
            values += self.source.normal(values.shape, scale * DELTA)
            self.tensors[name] = stored(values, element)


def make_checkpoints(folder, order):
    """A model.safetensors for each step of one fine-tuning."""
    model = Model(order["checkpoint_bytes"], Source(order["seed"], "checkpoints"))
    for step in range(order["steps"]):
        if step:
            model.train()
        save(f"{folder}/step-{step:02}/model.safetensors", model.tensors)


def make_weights(folder, order):
    """One model for each element type."""
    for element in ELEMENTS:
        gaussian(f"{folder}/{element}", element, order["weights_bytes"],
                 Source(order["seed"], f"weights {element}"))


def data(order):
    makers = {"mixed": (make_mixed, "mixed_bytes", "tree"), "small": (make_small, "files", "tree"),
              "checkpoints": (make_checkpoints, "checkpoint_bytes", ""),
              "weights": (make_weights, "weights_bytes", "")}
    for name, (make, size, inside) in makers.items():
        if order[size]:
            folder = os.path.join(order["data"], name, inside)
            os.makedirs(folder)
            make(folder, order)
    return {"numpy": numpy.__version__, "safetensors": safetensors.__version__}


child.main({"data": data})
