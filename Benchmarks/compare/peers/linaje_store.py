"""Linaje: its command line, and a daemon of its own on a new state directory."""

import json
import os

import linaje_daemon
import store
from store import command


class LinajeStore(store.Store):
    """`linaje artifact put` and `get`."""

    durable = "synced, acknowledged"
    status_how = "linaje artifact status"

    def __init__(self, order):
        self.linaje = order["linaje"]
        self.daemon = linaje_daemon.Daemon()
        self.uris = {}

    def create(self):
        self.version = command(self.linaje, "--version").split()[-1]
        self.daemon.start()
        self.daemon.stop()

    def start(self):
        self.daemon.start()

    def put(self, tree):
        said = command(self.linaje, "artifact", "put", "--json", tree)
        self.uris[tree] = json.loads(said)["uri"]

    def status(self, tree):
        command(self.linaje, "artifact", "status", "--json", tree)

    def get(self, tree, into):
        to = os.path.join(into, "tree")
        command(self.linaje, "artifact", "get", self.uris[tree], to)
        return to

    def places(self):
        return ["state"]

    def other_cpu_seconds(self):
        return self.daemon.cpu_seconds()

    def other_peak_bytes(self):
        return self.daemon.peak_bytes()

    def stop(self):
        self.daemon.stop()


store.main(LinajeStore, linaje_daemon.clean)
