"""A sample of the soak: everything at once, with faults, and nothing lost (scripts/soak)."""

import os
import pathlib
import subprocess
import sys

import pytest
from support import LINAJE, SEED

MIX = pathlib.Path(__file__).with_name("soak.py")


@pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")
@pytest.mark.alone
def test_everything_at_once_with_faults_loses_and_doubles_nothing():
    done = subprocess.run([sys.executable, str(MIX), "--minutes", "0.3", "--seed", str(SEED)],
                          capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "Failures: none." in done.stdout
    for agent in ("points of", "trees put", "registry changes", "fault:"):
        assert agent in done.stdout, f"no {agent}: {done.stdout}"
