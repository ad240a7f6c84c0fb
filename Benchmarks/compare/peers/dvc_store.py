"""DVC: `dvc add` and `dvc push` to a remote that is a folder, `dvc pull` in another workspace.

The workspace is the folder that the tree is in, without Git. Everything else that DVC writes is in
the child's folder.
"""

import os
import shutil
import sys

import child
import store

DVC = os.path.join(os.path.dirname(sys.executable), "dvc")


class DVCStore(store.Store):
    """What a user of DVC types, with its defaults: files are copied into the cache."""

    durable = "written, not synced"
    status_how = "dvc status"

    def __init__(self, order):
        self.cache, self.remote = os.path.abspath("cache"), os.path.abspath("remote")
        self.workspaces = []
        os.environ.update(DVC_NO_ANALYTICS="1", DVC_SITE_CACHE_DIR=os.path.abspath("site"))

    def create(self):
        self.version = store.command(DVC, "--version").strip()

    def put(self, tree):
        workspace, name = os.path.split(tree)
        if workspace not in self.workspaces:
            self.make(workspace)
        begin = child.clock()
        self.run(workspace, "add", "--quiet", name)
        added = child.clock()
        self.run(workspace, "push", "--quiet", f"{name}.dvc")
        return {"add": (added - begin) / 1e9}

    def make(self, workspace):
        remove(workspace)
        self.workspaces.append(workspace)
        self.run(workspace, "init", "--quiet", "--no-scm")
        self.configure(workspace, self.cache)

    def configure(self, workspace, cache):
        """Says where the cache and the remote are; the lines are those of `dvc config`."""
        with open(os.path.join(workspace, ".dvc", "config"), "w", encoding="utf-8") as file:
            file.write("[core]\n    no_scm = True\n    analytics = false\n"
                       "    check_update = false\n    remote = store\n"
                       f"[cache]\n    dir = {cache}\n"
                       f"['remote \"store\"']\n    url = {self.remote}\n")

    def status(self, tree):
        workspace, name = os.path.split(tree)
        self.run(workspace, "status", f"{name}.dvc")

    def get(self, tree, into):
        workspace, name = os.path.split(tree)
        os.makedirs(os.path.join(into, ".dvc"))
        self.configure(into, os.path.join(into, ".dvc", "cache"))
        shutil.copy(os.path.join(workspace, f"{name}.dvc"), into)
        self.run(into, "pull", "--quiet", f"{name}.dvc")
        return os.path.join(into, name)

    def run(self, workspace, *words):
        store.command(DVC, *words, folder=workspace)

    def places(self):
        return [self.remote]

    def stop(self):
        for workspace in self.workspaces:
            remove(workspace)


def remove(workspace):
    """Takes away what DVC has put into a workspace."""
    shutil.rmtree(os.path.join(workspace, ".dvc"), ignore_errors=True)
    for name in os.listdir(workspace):
        if name.endswith(".dvc") or name in (".dvcignore", ".gitignore"):
            os.unlink(os.path.join(workspace, name))


store.main(DVCStore)
