"""The spool survives torn files and stays bounded; dead spools are found and live ones are not."""

import errno
import os
import struct

import pytest
from conftest import run_python

from linaje import _spool, _wire
from linaje._thinning import DROPPED_KEY, Thinned


def batch(sequence, points=100, series=2):
    return _wire.encode("MetricBatch", {
        "sequence": sequence, "series": [{"key": f"m{index}"} for index in range(series)],
        "series_index": [place % series for place in range(points)],
        "step": range(points), "time_us": range(points), "value": [0.5] * points})


def test_records_come_back_in_order(home):
    file = _spool.RecordFile(str(home / "a.ops"), {"run": "00"})
    for number in range(5):
        file.append(b"O", b"%d" % number)
    file.close()
    found = [(kind, payload) for _, kind, payload in _spool.read_records(file.path)]
    assert found[0][0] == b"H"
    assert found[1:] == [(b"O", b"%d" % number) for number in range(5)]


def test_a_file_torn_at_every_byte_gives_its_whole_records(home):
    file = _spool.RecordFile(str(home / "a.ops"), {})
    for number in range(3):
        file.append(b"O", b"record %d" % number)
    file.close()
    data = open(file.path, "rb").read()
    ends = [end for end, _, _ in _spool.read_records(file.path)]
    for size in range(len(data) + 1):
        torn = home / "torn"
        torn.write_bytes(data[:size])
        assert len(list(_spool.read_records(str(torn)))) == sum(end <= size for end in ends)


def test_a_flipped_byte_ends_the_file_before_its_record(home):
    file = _spool.RecordFile(str(home / "a.ops"), {})
    for number in range(3):
        file.append(b"O", b"record %d" % number)
    file.close()
    data = open(file.path, "rb").read()
    whole = [payload for _, _, payload in _spool.read_records(file.path)]
    for place in range(len(data)):
        (home / "bad").write_bytes(data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1:])
        found = [payload for _, _, payload in _spool.read_records(str(home / "bad"))]
        assert found == whole[:len(found)] and len(found) < len(whole)


def test_a_change_of_any_size_is_read_with_all_that_follow_it(home):
    file = _spool.RecordFile(str(home / "a.ops"), {})
    large = b"x" * (17 << 20)
    for payload in (large, b"after it"):
        file.append(b"O", payload)
    file.close()
    found = [payload for _, kind, payload in _spool.read_records(file.path) if kind == b"O"]
    assert found == [large, b"after it"]


def test_a_folder_that_cannot_be_locked_leaves_nothing_however_often_it_is_tried(
        home, monkeypatch):
    def refused(*_):
        raise OSError(errno.ENOLCK, "no locks here")

    folder = _spool.SpoolFolder()
    monkeypatch.setattr(_spool.fcntl, "flock", refused)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with pytest.raises(OSError):
            folder.path("a")
    assert len(os.listdir("/proc/self/fd")) == before
    assert os.listdir(_spool.spool_root()) == []


def test_batches_are_read_from_a_number_and_a_position_on(home):
    spool = _spool.BatchSpool(str(home / "x.metrics"), bytes(16), bytes(16))
    for sequence in range(1, 6):
        spool.add(sequence, batch(sequence))
    found = list(spool.batches(2))
    assert [sequence for _, sequence, _ in found] == [3, 4, 5]
    assert found[0][2] == batch(3)
    assert [sequence for _, sequence, _ in spool.batches(0, found[0][0])] == [4, 5]


def no_pause():
    pass


def filled(home, monkeypatch, limit, sent=0, durable=0, count=400, points=100):
    """A spool that got `count` batches and was thinned whenever it was full: (spool, dropped)."""
    monkeypatch.setenv("LINAJE_SPOOL_BYTES", str(limit))
    spool, dropped = _spool.BatchSpool(str(home / "x.metrics"), bytes(16), bytes(16)), 0
    for number in range(1, count + 1):
        spool.add(spool.last + 1, batch(spool.last + 1, points))
        if spool.full:
            dropped += spool.thin(durable, sent, no_pause)
        assert spool.size <= limit * 9 // 8 + 4000, f"after {number} batches"
    return spool, dropped


def content(spool):
    return [(sequence, _wire.decode("MetricBatch", payload))
            for _, sequence, payload in spool.batches(0)]


def test_a_full_spool_thins_the_oldest_batches_and_stays_bounded(home, monkeypatch):
    spool, dropped = filled(home, monkeypatch, 50_000)
    found = content(spool)
    assert [sequence for sequence, _ in found] == list(range(1, len(found) + 1))
    assert all(number == one.sequence for number, one in found)
    assert found[-1][0] == spool.last
    oldest, newest = found[0][1], found[-1][1]
    assert set(oldest.step) == {98, 99}, "not the last points of each series were kept"
    assert {oldest.series[place].key for place in oldest.series_index} == {"m0", "m1"}
    assert len(newest.step) == 100
    assert dropped == 400 * 100 - sum(len(one.value) for _, one in found) > 0


def test_a_spool_of_single_points_stays_bounded_too(home, monkeypatch):
    spool, dropped = filled(home, monkeypatch, 20_000, count=4_000, points=1)
    assert dropped == 4_000 - sum(len(one.value) for _, one in content(spool)) > 0


def test_batches_that_were_sent_keep_their_number_and_content(home, monkeypatch):
    spool, dropped = filled(home, monkeypatch, 50_000, sent=5, durable=2)
    found = content(spool)
    assert [sequence for sequence, _ in found] == list(range(3, 3 + len(found)))
    for sequence, one in found[:3]:
        assert one.step == list(range(100)) and one.sequence == sequence
    assert dropped == 398 * 100 - sum(len(one.value) for _, one in found)


def test_a_disk_too_full_to_thin_leaves_the_spool_as_it_was(home, monkeypatch):
    monkeypatch.setenv("LINAJE_SPOOL_BYTES", "5000")
    spool = _spool.BatchSpool(str(home / "x.metrics"), bytes(16), bytes(16))
    for sequence in range(1, 6):
        spool.add(sequence, batch(sequence))
    before, size = content(spool), spool.size

    def refuse(self, kind, payload):
        raise OSError(28, "no space left")

    with monkeypatch.context() as patch, pytest.raises(OSError):
        patch.setattr(_spool.RecordFile, "append", refuse)
        spool.thin(0, 0, no_pause)
    assert content(spool) == before and spool.size == size and spool.last == 5
    assert os.listdir(home) == ["x.metrics"]


def test_thinning_counts_points_but_not_the_reports_of_earlier_thinning():
    thinned = Thinned(1 << 20)
    for sequence in range(1, 4):
        thinned.add(batch(sequence, points=10))
        thinned.add(_wire.encode("MetricBatch", {
            "series": [{"key": DROPPED_KEY}], "step": [sequence], "time_us": [0],
            "value": [float(sequence)]}))
    ((body, points),) = thinned.batches()
    one = _wire.decode("MetricBatch", body)
    assert thinned.dropped == 3 * 8 and points == 6
    reports = [value for place, value in zip(one.series_index, one.value)
               if one.series[place].key == DROPPED_KEY]
    assert reports == [1.0, 2.0, 3.0]


def test_the_folder_is_private_locked_and_not_taken_for_dead(home):
    folder = _spool.SpoolFolder()
    path = folder.path()
    for each in (path, folder.path("files"), _spool.spool_root()):
        assert os.stat(each).st_mode & 0o777 == 0o700
    other = run_python("""
        from linaje import _spool
        print(len(list(_spool.dead_spools())))
    """)
    assert other.stdout.strip() == "0"
    folder.release(remove=False)
    (dead,) = _spool.dead_spools()
    assert dead.path == path
    assert list(_spool.dead_spools()) == []  # we hold it
    dead.close(remove=True)
    assert not os.path.exists(path)


def test_done_changes_are_not_replayed_also_after_a_torn_tail(home):
    folder = _spool.SpoolFolder()
    run = "ab" * 16
    file = _spool.RecordFile(folder.path(f"{run}.ops"), {})
    for number in (1, 2, 3):
        file.append(_spool.OPERATION, b'{"number": %d}' % number)
    file.append(_spool.DONE, b"2")
    file.close()
    with open(file.path, "ab") as torn:
        torn.write(struct.pack("<II", 100, 0) + b"Ohalf a rec")
    folder.release(remove=False)
    (dead,) = _spool.dead_spools()
    assert dead.runs() == [run]
    assert [number for number, _ in dead.operations(run)] == [1, 3]
    dead.mark_done(run, 1)
    assert [number for number, _ in dead.operations(run)] == [3]
    dead.close(remove=True)


def test_a_full_disk_leaves_no_torn_record(home, monkeypatch):
    file = _spool.RecordFile(str(home / "a.ops"), {})
    file.append(b"O", b"first")

    class Full:
        def __init__(self, inner):
            self.inner = inner

        def write(self, data):
            return self.inner.write(data[:len(data) // 2])

        def __getattr__(self, name):
            return getattr(self.inner, name)

    file._file = Full(file._file)
    with pytest.raises(OSError):
        file.append(b"O", b"second, which does not fit")
    file._file = file._file.inner
    file.append(b"O", b"third")
    assert [payload for _, kind, payload in _spool.read_records(file.path) if kind == b"O"] == [
        b"first", b"third"]


def test_gathered_batches_fit_the_credit_of_a_stream(home):
    thinned = Thinned(8 << 20)
    for sequence in range(1, 4):
        series = [{"key": f"{sequence} {index:0200}"} for index in range(500)]
        thinned.add(_wire.encode("MetricBatch", {
            "sequence": sequence, "series": series, "series_index": range(500),
            "step": range(500), "time_us": range(500), "value": [0.5] * 500}))
    found = thinned.batches()
    assert sum(points for _, points in found) == 1_500 and thinned.dropped == 0
    assert max(len(body) for body, _ in found) < 130_000
