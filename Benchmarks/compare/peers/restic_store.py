"""restic: `restic backup` into a repository that is a folder, `restic restore`."""

import os

import store
from store import command


class ResticStore(store.Store):
    """restic with its defaults: it encrypts always, and compresses where the format can."""

    durable = "synced"

    def __init__(self, order):
        os.environ.update(RESTIC_PASSWORD="compare",
                          RESTIC_REPOSITORY=os.path.abspath("repository"),
                          RESTIC_CACHE_DIR=os.path.abspath("cache"))

    def create(self):
        self.version = command("restic", "version").split()[1]
        command("restic", "init", "--quiet", "--repository-version", "2")

    def put(self, tree):
        folder, name = os.path.split(tree)
        command("restic", "backup", "--quiet", "--tag", name, name, folder=folder)

    def get(self, tree, into):
        name = os.path.basename(tree)
        command("restic", "restore", "latest", "--quiet", "--tag", name, "--target", into)
        return os.path.join(into, name)

    def places(self):
        return ["repository"]


store.main(ResticStore)
