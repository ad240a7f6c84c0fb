"""Zero harm: a training beside a daemon that is stopped, killed, paused, full or not there."""

import pytest
from support import SOAK, may_unshare
from zero_harm import DISK_FAULTS, FAULTS, isolated

SECONDS = 30 if SOAK else 1.5
# What the training is told, once, by a fault that happened; others leave no trace in it.
SIGNS = {"stopped": "waits in the spool", "killed": "waits in the spool",
         "restarted 20 times": "waits in the spool", "away, disk full": "cannot be spooled",
         "absent": "no daemon answers"}


@pytest.mark.alone
@pytest.mark.parametrize("fault", FAULTS)
def test_no_call_fails_or_waits_and_every_point_is_there_once(fault):
    """`isolated` checks what is stored; here it is what the calls cost."""
    if fault in DISK_FAULTS and not may_unshare():
        pytest.skip("this user may not mount a small disk (unshare -m)")
    options = ["--numpy"] if SOAK else []
    result = isolated(fault, SECONDS, *options)
    if any(calls.get("over") for calls in result["calls"].values()):
        # Once may be the machine, whatever was taken off for it; a call that waits does it again.
        first, result = result, isolated(fault, SECONDS, *options)
        twice = {kind: (first["calls"][kind], calls) for kind, calls in result["calls"].items()
                 if calls.get("over") and first["calls"].get(kind, {}).get("over")}
        assert not twice, f"calls took more than 5 ms of ours: {twice}"
    assert result["calls"]["log_metric"]["count"] > 100
    assert result["end_s"] < 30
    assert SIGNS.get(fault, "") in result["said"], f"the fault did not happen: {result['said']}"
