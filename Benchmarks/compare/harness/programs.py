"""Where linajed and linaje are, and what every comparison's command line can say."""

import os
import subprocess
import sys

from harness.children import ROOT
from harness.measuring import say

CACHE = os.path.join(ROOT, ".build-compare")
PAGE = os.path.join(ROOT, "docs/benchmarks.md")


def add_options(parser, names, budget):
    """The options that all comparisons have."""
    parser.add_argument("--only", help=f"some of {','.join(names)}")
    parser.add_argument("--quick", action="store_true", help="little work, one round")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    parser.add_argument("--output", help="where the page goes; docs/benchmarks.md for a whole run")
    parser.add_argument("--directory", default=CACHE,
                        help="where everything is stored while it is measured: a real disk")
    parser.add_argument("--linajed", default=os.environ.get("LINAJED"),
                        help="the daemon; LINAJED, or a release build is made")
    parser.add_argument("--linaje", default=os.environ.get("LINAJE"),
                        help="the command line; LINAJE, or beside the daemon")
    parser.add_argument("--budget", type=float, default=budget, help="seconds for all of it")


def chosen(arguments, names):
    """The peers to measure; ends with a message about one that is unknown."""
    found = arguments.only.split(",") if arguments.only else names
    unknown = [name for name in found if name not in names]
    if unknown:
        sys.exit(f"compare: {unknown[0]} is none of {', '.join(names)}")
    return found


def find(arguments):
    """The paths of linajed and linaje; builds them where nobody says where they are."""
    if arguments.linajed:
        beside = os.path.join(os.path.dirname(arguments.linajed), "linaje")
        found = {"linajed": arguments.linajed, "linaje": arguments.linaje or beside}
    else:
        build = os.path.join(ROOT, ".build-release")
        for product in ("linajed", "linaje", "linaje-flavor-host"):
            say(f"building {product} (release); the first time takes some ten minutes")
            subprocess.run(["swift", "build", "-c", "release", "--scratch-path", build,
                            "--product", product], cwd=ROOT, check=True, stdout=sys.stderr)
        found = {name: os.path.join(build, "release", name) for name in ("linajed", "linaje")}
    for path in found.values():
        if not os.access(path, os.X_OK):
            sys.exit(f"compare: {path} cannot be run; name another with --linajed and --linaje")
    return {name: os.path.abspath(path) for name, path in found.items()}


def is_debug(programs):
    """Whether the daemon is a debug build, by where it is."""
    return "debug" in programs.get("linajed", "").split(os.sep)
