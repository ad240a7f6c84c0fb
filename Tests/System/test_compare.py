"""`Benchmarks/compare` on Linaje, and on zstd where it is: that it measures, and what it says."""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

from support import LINAJE, LINAJED, ROOT

sys.path.append(str(ROOT / "Benchmarks/compare"))
from harness import page as pages  # noqa: E402

# Data of a few megabytes.
LITTLE = ("--mixed", "2M", "--files", "60", "--checkpoint", "2M", "--steps", "2", "--weights", "1M")


def compare(program, folder, page, *options):
    """What a comparison found; its page is written to `page`."""
    done = subprocess.run(
        [sys.executable, ROOT / "Benchmarks/compare" / program, "--quick", "--json",
         "--linajed", LINAJED, "--linaje", LINAJE, "--directory", folder, "--output", page,
         *options], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_quick_comparison_stores_every_point_and_finds_the_best_runs(folder):
    page = f"{folder}/page.md"
    found = compare("run", folder, page, "--only", "linaje", "--runs", "120")
    rows = {(row["title"], row["call"]): row for row in found["log"]}
    assert set(rows) == {("bare file", "write(24 bytes)"), ("Linaje", "log_metric"),
                         ("Linaje", "log_metrics")}
    for row in rows.values():
        assert "error" not in row, row
        assert row["points"] == 5_000 and not row["capped"]
        assert row["bytes"] > row["base_bytes"] and row["p50_us"] <= row["p99_us"]
    assert all(row["stored"] == 5_000 for (title, _), row in rows.items() if title == "Linaje")
    (search,) = found["search"]
    assert "error" not in search and search["wrong"] is None, search
    assert search["runs"] >= 100
    with open(page, encoding="utf-8") as file:
        text = file.read()
    assert "| Linaje | log_metric |" in text and folder not in text


def test_a_little_comparison_of_artifacts_gets_back_what_was_put_and_says_what_it_took(folder):
    page = f"{folder}/page.md"
    found = compare("run-artifacts", folder, page, "--only", "linaje,zstd", *LITTLE)
    assert [row["peer"] for row in found["rows"]["checkpoints"]] == ["linaje", "zstd"]
    for job, rows in found["rows"].items():
        for row in rows:
            if row["peer"] != "linaje" and not shutil.which(row["peer"]):
                assert f"no {row['peer']} on the PATH" in row["error"]
                continue
            assert "error" not in row and row["wrong"] is None, row
            steps = {"put", "get", "again", "status"} if job == "small" else {"put", "get"}
            assert set(row["took"]) == steps
            assert all(each["seconds"] > 0 for each in row["took"].values())
            assert 0 < row["stored"] and row["peak"] > 1 << 20
        assert rows[0]["peer"] == "linaje" and rows[0]["daemon_peak"] > 1 << 20
    (checkpoints, *_) = found["rows"]["checkpoints"]
    assert checkpoints["stored"] < checkpoints["size"], "of two checkpoints most is the same"
    with open(page, encoding="utf-8") as file:
        text = file.read()
    assert "| Linaje, artifact put |" in text and "60 small files" in text and folder not in text


def test_what_a_plugin_costs_others_is_measured_beside_daemons_of_its_own(folder):
    page = f"{folder}/page.md"
    found = compare("run-models", folder, page, "--only", "plugins")["plugins"]
    assert [row["case"] for row in found["rows"]] == [
        "alone", "beside a plugin that spins", "beside a plugin that crashes"]
    for row in found["rows"]:
        assert row["calls"] == 50 and 0 < row["p50"] <= row["p99"] <= row["longest"]
    with open(page, encoding="utf-8") as file:
        text = file.read()
    assert "| beside a plugin that spins | 50 |" in text and folder not in text


def test_the_same_seed_makes_the_same_data_and_another_seed_other(folder):
    digests = [data_digest(f"{folder}/{number}", seed) for number, seed in enumerate((3, 3, 4))]
    assert digests[0] == digests[1] != digests[2]


def data_digest(folder, seed):
    """One digest of all files that the data of a seed has."""
    order = {"job": "data", "folder": f"{folder}/work", "data": f"{folder}/data", "seed": seed,
             "mixed_bytes": 1 << 20, "files": 60, "checkpoint_bytes": 1 << 20, "steps": 2,
             "weights_bytes": 1 << 20}
    done = subprocess.run([sys.executable, ROOT / "Benchmarks/compare/peers/make_data.py",
                           json.dumps(order)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    digest = hashlib.sha256()
    for path in sorted(pathlib.Path(f"{folder}/data").rglob("*.*")):
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def test_what_comes_back_otherwise_is_seen(folder):
    sys.path.append(str(ROOT / "Benchmarks/compare/peers"))
    import store
    for name in ("put", "got"):
        os.makedirs(f"{folder}/{name}/deep")
        for path in ("one", "deep/two"):
            pathlib.Path(folder, name, path).write_bytes(b"bytes of " + path.encode())
    assert store.difference(f"{folder}/put", f"{folder}/got") is None
    pathlib.Path(folder, "got/deep/two").write_bytes(b"other bytes")
    assert "deep/two" in store.difference(f"{folder}/put", f"{folder}/got")
    os.unlink(f"{folder}/got/one")
    assert "other files" in store.difference(f"{folder}/put", f"{folder}/got")


def test_a_part_of_the_page_is_renewed_and_the_others_stay():
    both = pages.replaced(pages.replaced("# Title\n", "one", "first"), "two", r"a \1 of two")
    again = pages.replaced(both, "one", "second")
    assert "first" in both and "first" not in again
    assert again.index("# Title") < again.index("second") < again.index(r"a \1 of two")
    assert pages.replaced(again, "one", "first") == both
