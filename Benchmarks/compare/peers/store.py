"""What every artifact store's child process shares: the jobs, the stop-watch, the comparison.

A child is `python PEER_store.py '{"job": "small", "data": FOLDER, "settle": true, …}'`: it makes an
empty store in a folder of its own, does one job on the data and prints one JSON object. Standard
library only.
"""

import contextlib
import os
import resource
import subprocess

import child
from child import clock

# One small file of the second put is another one than in the first.
CHANGED = "folder-000/file-0002.py"
BLOCK = 1 << 20


class Store:
    """How one peer keeps folders, in the folder that the process is in.

    A tree is the path of a folder with files. What a call has stored when it returns is as safe as
    the peer makes it. Subclasses name what they are and replace what they can do.
    """

    version = ""
    # What "stored" means.
    durable = ""
    # How `status` asks whether a tree is as it was put.
    status_how = "put again, nothing changed"
    # Whether what is known of the last put of a tree makes the next one less work.
    compares = True
    # Whether the work is done in this process rather than by commands.
    inside = False

    def create(self):
        """Makes the empty store; nothing runs afterwards, everything is in files."""

    def start(self):
        """Starts what must run while the store is used."""

    def put(self, tree):
        """Stores a tree; again when a tree with this path has been put before.

        May return the seconds of its steps by name, where a peer needs several.
        """
        raise NotImplementedError

    def status(self, tree):
        """Finds out that a tree is as it was put."""
        self.put(tree)

    def get(self, tree, into):
        """Writes what was put last of a tree below the empty folder `into`; where it is now."""
        raise NotImplementedError

    def places(self):
        """The folders whose files are what is stored."""
        raise NotImplementedError

    def other_cpu_seconds(self):
        """Processor time of processes that are no finished children of this one."""
        return 0.0

    def other_peak_bytes(self):
        """The most memory that such a process has held, or None where there is none."""
        return None

    def stop(self):
        """Ends what runs; everything is in files then."""


def command(*words, folder=None):
    """What a command prints; ends this process with the command's last words when it fails."""
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          cwd=folder, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise SystemExit(f"{os.path.basename(words[0])} {words[1]}: {said[-1]}")
    return done.stdout


class Watch:
    """Makes and starts a store, times what it does, and answers what it took."""

    def __init__(self, store, order):
        self.store, self.settle = store, order["settle"]
        self.took, self.wrong = {}, None
        store.create()
        self.base = self.bytes()
        store.start()

    def bytes(self):
        """What is stored now."""
        return sum(map(child.disk_bytes, self.store.places()))

    def time(self, name, call, *arguments):
        """Calls, and adds the seconds and the processors' seconds to what `name` took."""
        if self.settle:
            # Nobody pays for what another left in the page cache.
            os.sync()
        cpu, begin = self.cpu(), clock()
        value = call(*arguments)
        self.add(name, (clock() - begin) / 1e9, self.cpu() - cpu)
        return value

    def add(self, name, seconds, cpu):
        took = self.took.setdefault(name, {"seconds": 0.0, "cpu": 0.0})
        took["seconds"] += seconds
        took["cpu"] += cpu

    def put(self, *trees):
        """Times the puts of trees, one after the other, as one."""
        for steps in self.time("put", lambda: list(map(self.store.put, trees))):
            for name, seconds in (steps or {}).items():
                self.add(f"put: {name}", seconds, 0.0)

    def get(self, tree):
        """Times a get into an empty folder, and compares what came with what is in the tree."""
        into = os.path.abspath("got")
        os.makedirs(into)
        self.wrong = self.wrong or difference(tree, self.time("get", self.store.get, tree, into))

    def cpu(self):
        return sum(os.times()[:4]) + self.store.other_cpu_seconds()

    def answer(self, *trees):
        """Stops the store; what was found. The trees are those that were put."""
        peak, daemon = self.own_peak(), self.store.other_peak_bytes()
        self.store.stop()
        return {"took": self.took, "stored": self.bytes() - self.base,
                "size": sum(map(child.disk_bytes, trees)), "peak": peak, "daemon_peak": daemon,
                "wrong": self.wrong, "version": self.store.version, "durable": self.store.durable,
                "status_how": self.store.status_how}

    def own_peak(self):
        whose = resource.RUSAGE_SELF if self.store.inside else resource.RUSAGE_CHILDREN
        return resource.getrusage(whose).ru_maxrss * 1024


def difference(tree, other):
    """In which file two folders differ, or None."""
    names = listed(tree)
    if names != listed(other):
        return f"other files came back than the {len(names)} that were put"
    for name in names:
        if not same(os.path.join(tree, name), os.path.join(other, name)):
            return f"{name} came back with other bytes"
    return None


def listed(tree):
    """The paths of all files below a folder, from there."""
    return sorted(os.path.relpath(os.path.join(root, name), tree)
                  for root, _, names in os.walk(tree) for name in names)


def same(one, other):
    with open(one, "rb", buffering=0) as left, open(other, "rb", buffering=0) as right:
        while True:
            block = left.read(BLOCK)
            if block != right.read(BLOCK):
                return False
            if not block:
                return True


def mixed(store, order):
    """Large files of several kinds: in, and back into an empty folder."""
    tree = os.path.join(order["data"], "mixed", "tree")
    watch = Watch(store, order)
    watch.put(tree)
    watch.get(tree)
    return watch.answer(tree)


def small(store, order):
    """Many small files: in, in again with one changed, asked about, and back.

    A store that only copies is not asked to copy all of it again.
    """
    tree = os.path.join(order["data"], "small", "tree")
    watch = Watch(store, order)
    watch.put(tree)
    if not store.compares:
        watch.get(tree)
        return watch.answer(tree)
    with changed(os.path.join(tree, CHANGED)):
        watch.time("again", store.put, tree)
        watch.time("status", store.status, tree)
        watch.get(tree)
        return watch.answer(tree)


@contextlib.contextmanager
def changed(path):
    """While it lasts a file is longer by a line."""
    with open(path, "rb") as file:
        before = file.read()
    try:
        with open(path, "ab") as file:
            file.write(b"\n# changed between the first put and the second\n")
        yield
    finally:
        with open(path, "wb") as file:
            file.write(before)


def checkpoints(store, order):
    """The checkpoints of one fine-tuning, each put as it comes."""
    folder = os.path.join(order["data"], "checkpoints")
    trees = sorted(entry.path for entry in os.scandir(folder)
                   if entry.is_dir() and entry.name.startswith("step-"))
    watch = Watch(store, order)
    watch.put(*trees)
    watch.get(trees[-1])
    return watch.answer(*trees)


def weights(store, order):
    """Gaussian weights of one element type, for how much smaller they become."""
    tree = os.path.join(order["data"], "weights", order["element"])
    watch = Watch(store, order)
    watch.put(tree)
    watch.get(tree)
    return watch.answer(tree)


def main(make, clean=lambda: None):
    """Does the job that the command line names, on the store that `make(order)` makes."""
    child.main({job.__name__: lambda order, job=job: job(make(order), order)
                for job in (mixed, small, checkpoints, weights)}, clean)
