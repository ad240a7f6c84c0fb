"""ZipNN: each file of weights compressed by `ZipNN.compress`. A yardstick, no store."""

import importlib.metadata
import os

import store
from zipnn import ZipNN

TYPES = {"float32": "float32", "bf16": "bfloat16"}


class ZipNNStore(store.Store):
    """A .znn file for each file."""

    version = importlib.metadata.version("zipnn")
    durable = "written, not synced"
    inside = True

    def __init__(self, order):
        self.type = TYPES[order["element"]]

    def create(self):
        os.makedirs("files")

    def coder(self):
        return ZipNN(input_format="byte", bytearray_dtype=self.type)

    def put(self, tree):
        for name in store.listed(tree):
            # It turns the bytes round in place.
            packed = self.coder().compress(bytearray(read(os.path.join(tree, name))))
            write(os.path.join("files", name), packed)

    def get(self, tree, into):
        for name in store.listed(tree):
            data = self.coder().decompress(read(os.path.join("files", name)))
            write(os.path.join(into, name), data)
        return into

    def places(self):
        return ["files"]


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


store.main(ZipNNStore)
