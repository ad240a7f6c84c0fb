"""`Benchmarks/compare/run` on Linaje alone: that it measures, and what it says."""

import json
import subprocess
import sys

from support import LINAJE, LINAJED, ROOT


def test_a_quick_comparison_stores_every_point_and_finds_the_best_runs(folder):
    page = f"{folder}/page.md"
    done = subprocess.run(
        [sys.executable, ROOT / "Benchmarks/compare/run", "--quick", "--only", "linaje", "--json",
         "--runs", "120", "--linajed", LINAJED, "--linaje", LINAJE, "--directory", folder,
         "--output", page], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
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
