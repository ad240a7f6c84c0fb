"""A real S3 server for tests: OpenStack Swift with its s3api, as Debian packages it (swift-proxy,
swift-account, swift-container, swift-object), in a folder of its own and without systemd.

Run it with the Python that has Swift, Debian's /usr/bin/python3. Prints {"port", "access", "secret"}
as a line of JSON once it serves; answers {"do": "bucket"} with {"bucket"}, the name of a new one. Ends
when standard input does.
"""

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from swift.common import utils
from swift.common.internal_client import InternalClient
from swift.common.ring import RingBuilder

START_SECONDS = 90
ACCOUNT, USER, SECRET = "linaje", "tests", "secret-of-tests"
SERVER = ("import sys, swift.common.utils; swift.common.utils.SWIFT_CONF_FILE = sys.argv[3]; "
          "from swift.common.wsgi import run_wsgi; sys.exit(run_wsgi(sys.argv[1], sys.argv[2]))")

COMMON = """
[DEFAULT]
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
log_level = ERROR
log_address = {folder}/log
disable_fallocate = true
fallocate_reserve = 0
"""
STORAGE = COMMON + """
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""
SWIFT = """
[swift-hash]
swift_hash_path_prefix = a
swift_hash_path_suffix = b
[storage-policy:0]
name = one
default = yes
"""
INSIDE = """
[DEFAULT]
swift_dir = {folder}
[pipeline:main]
pipeline = catch_errors proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
"""
# tempauth wants a cache; there is no memcached behind it, and signatures need none.
PROXY = COMMON + """
[pipeline:main]
pipeline = catch_errors cache listing_formats bulk s3api tempauth slo dlo versioned_writes proxy-server
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:1
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
auth_pipeline_check = false
min_segment_size = 1
[filter:tempauth]
use = egg:swift#tempauth
user_{account}_{who} = {secret} .admin
[filter:slo]
use = egg:swift#slo
min_segment_size = 1
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = true
"""


def free_port():
    """A port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def build_ring(folder, name, port):
    """One copy on one device."""
    builder = RingBuilder(4, 1, 0)
    builder.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "sda",
                     "weight": 1, "replication_ip": "127.0.0.1", "replication_port": port})
    builder.rebalance()
    builder.get_ring().save(os.path.join(folder, f"{name}.ring.gz"))


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def start(folder):
    """Starts all four servers; (processes, ports, the proxy's last)."""
    os.makedirs(os.path.join(folder, "devices", "sda"))
    swift = write(folder, "swift.conf", SWIFT)
    processes, ports = [], []
    for name in ("account", "container", "object", "proxy"):
        ports.append(free_port())
        if name != "proxy":
            build_ring(folder, name, ports[-1])
        text = (PROXY if name == "proxy" else STORAGE).format(
            name=name, port=ports[-1], folder=folder, user=getpass.getuser(), account=ACCOUNT,
            who=USER, secret=SECRET)
        processes.append(subprocess.Popen(
            [sys.executable, "-c", SERVER, write(folder, f"{name}.conf", text), f"{name}-server",
             swift], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
    return processes, ports


def wait(processes, ports):
    """Until all of them listen."""
    deadline = time.monotonic() + START_SECONDS
    for port in ports:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > deadline or any(each.poll() is not None for each in processes):
                    raise
                time.sleep(0.05)


def serve(folder, port):
    """Says where it is, and makes buckets past the S3 side until nobody asks any more."""
    utils.SWIFT_CONF_FILE = os.path.join(folder, "swift.conf")
    inside = InternalClient(write(folder, "inside.conf", INSIDE.format(folder=folder)), "tests", 3)
    print(json.dumps({"port": port, "access": f"{ACCOUNT}:{USER}", "secret": SECRET}), flush=True)
    for number, _ in enumerate(sys.stdin):
        name = f"models-{number}"
        inside.create_container(f"AUTH_{ACCOUNT}", name)
        print(json.dumps({"bucket": name}), flush=True)


def main():
    """Serves until standard input ends."""
    folder = tempfile.mkdtemp(prefix="lnj-swift-")
    processes = []
    try:
        processes, ports = start(folder)
        wait(processes, ports)
        serve(folder, ports[-1])
    finally:
        for process in processes:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
