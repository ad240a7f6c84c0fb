"""zstd: each file compressed by itself with `zstd -3`, on one processor. A yardstick, no store."""

import os

import store
from store import command


class ZstdStore(store.Store):
    """A .zst file for each file."""

    durable = "written, not synced"

    def __init__(self, order):
        pass

    def create(self):
        self.version = command("zstd", "--version").split()[-5].strip("v,")
        os.makedirs("files")

    def put(self, tree):
        for name in store.listed(tree):
            to = os.path.join("files", os.path.basename(tree), name + ".zst")
            os.makedirs(os.path.dirname(to), exist_ok=True)
            command("zstd", "-3", "--quiet", "--force", os.path.join(tree, name), "-o", to)

    def get(self, tree, into):
        for name in store.listed(tree):
            to = os.path.join(into, name)
            os.makedirs(os.path.dirname(to), exist_ok=True)
            command("zstd", "--decompress", "--quiet", "-o", to,
                    os.path.join("files", os.path.basename(tree), name + ".zst"))
        return into

    def places(self):
        return ["files"]


store.main(ZstdStore)
