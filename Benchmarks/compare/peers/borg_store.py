"""borg: `borg create -C zstd,1` into a repository that is not encrypted, `borg extract`."""

import os

import store
from store import command


class BorgStore(store.Store):
    """An archive for each put."""

    durable = "synced"

    def __init__(self, order):
        self.puts, self.archives = 0, {}
        os.environ.update(BORG_REPO=os.path.abspath("repository"),
                          BORG_BASE_DIR=os.path.abspath("home"),
                          BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK="yes")

    def create(self):
        self.version = command("borg", "--version").split()[1]
        command("borg", "init", "--encryption", "none")

    def put(self, tree):
        folder, name = os.path.split(tree)
        self.puts += 1
        self.archives[tree] = f"{name}-{self.puts}"
        command("borg", "create", "--compression", "zstd,1", f"::{self.archives[tree]}", name,
                folder=folder)

    def get(self, tree, into):
        command("borg", "extract", f"::{self.archives[tree]}", folder=into)
        return os.path.join(into, os.path.basename(tree))

    def places(self):
        return ["repository"]


store.main(BorgStore)
