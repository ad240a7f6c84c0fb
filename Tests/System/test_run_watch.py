"""`linaje run watch`: a run as it goes, on a terminal and for programs."""

import fcntl
import json
import math
import os
import pty
import select
import struct
import subprocess
import termios
import time

import pyte
import pytest
from support import ROOT, SECONDS, _wire, eventually, new_run

LINAJE = os.environ.get("LINAJE", str(ROOT / ".build/debug/linaje"))
pytestmark = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")


class Screen:
    """`linaje run watch` on a terminal, and what a person sees there."""

    def __init__(self, daemon, *words, width=100, height=30):
        self.screen = pyte.Screen(width, height)
        self.stream = pyte.ByteStream(self.screen)
        self.controller, end = pty.openpty()
        self.resize(width, height)
        environment = {**os.environ, "LINAJE_SOCKET": daemon.socket, "TERM": "xterm-256color"}
        self.process = subprocess.Popen([LINAJE, "run", "watch", *words], stdin=end, stdout=end,
                                        stderr=end, env=environment, start_new_session=True)
        os.close(end)

    def resize(self, width, height):
        self.screen.resize(height, width)
        fcntl.ioctl(self.controller, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def pump(self, seconds=0.05):
        if select.select([self.controller], [], [], seconds)[0]:
            try:
                self.stream.feed(os.read(self.controller, 65_536))
            except OSError:
                return

    @property
    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display)

    def shows(self, *words):
        def check():
            self.pump()
            return all(word in self.text for word in words)
        try:
            eventually(check, 10)
        except AssertionError:
            raise AssertionError(f"{words} are not all in\n{self.text}") from None

    def press(self, keys):
        os.write(self.controller, keys)

    def ends(self):
        def check():
            self.pump(0.01)
            return self.process.poll() is not None
        eventually(check)
        for _ in range(3):
            self.pump(0.01)
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.controller)


@pytest.fixture
def watch(daemon):
    opened = []

    def start(*words, **size):
        opened.append(Screen(daemon, *words, **size))
        return opened[-1]
    yield start
    for screen in opened:
        screen.close()


class Points:
    """One metric stream of a run."""

    def __init__(self, daemon, run):
        self.stream = daemon.connection().open(
            "StreamMetrics", {"run_id": run, "writer_id": os.urandom(16)})
        self.stream.wait_answer(time.monotonic() + SECONDS)
        self.number = 0

    def send(self, values, step=0):
        """{key: value} at one step."""
        self.number += 1
        keys = list(values)
        now = int(time.time() * 1e6)
        self.stream.send(_wire.encode("MetricBatch", {
            "sequence": self.number, "series": [{"key": key} for key in keys],
            "series_index": [] if len(keys) == 1 else list(range(len(keys))),
            "step": [step] * len(keys), "time_us": [now] * len(keys),
            "value": [values[key] for key in keys]}), time.monotonic() + SECONDS)
        self.stream.receive(time.monotonic() + SECONDS)


def test_a_run_is_shown_as_it_goes_to_its_end(daemon, watch):
    with daemon.client() as client:
        run = new_run(client, name="forest", user="ana")
        client.call("LogRun", id=run, params=[{"key": "max_steps", "int_value": 1000}])
        points, screen = Points(daemon, run), watch(run.hex())
        screen.shows("forest", run.hex(), "RUNNING", "by ana", "no metrics yet")
        for step in range(1, 31):
            points.send({"loss": 1 / step, "system/cpu_utilization_percentage": 50 + step}, step)
            time.sleep(0.02)
        screen.shows("step 30 of 1,000", "loss", "0.0333333", "steps/s", "left", "system",
                     "cpu_utilization_percentage", "▁")
        client.call("AppendRunLog", run_id=run, writer_id=os.urandom(16), records=[
            {"time_us": 1, "stream": 1, "data": b"epoch 1 done\n"}])
        screen.shows("epoch 1 done")
        client.call("UpdateRun", id=run, status=4, ended_cause="exited with code 3")
        assert screen.ends() == 0
        assert "FAILED" in screen.text and "cause: exited with code 3" in screen.text


def test_it_goes_on_when_the_daemon_is_restarted(daemon, watch):
    with daemon.client() as client:
        run = new_run(client)
    screen = watch("--latest")
    points = Points(daemon, run)
    points.send({"loss": 0.5}, 1)
    screen.shows("loss", "0.5")
    daemon.kill()
    daemon.start()
    points = Points(daemon, run)
    points.send({"loss": 0.25}, 2)
    screen.shows("0.25", "step 2")
    screen.press(b"q")
    assert screen.ends() == 0


def test_a_thousand_metrics_of_any_kind_are_paged_and_filtered(daemon, watch):
    with daemon.client() as client:
        run = new_run(client, user="bad\x1b]0;title\x07user")
        points = Points(daemon, run)
        values = {f"layer{n:03}/norm": float(n) for n in range(1000)}
        points.send({**values, "a/nan": math.nan, "a/inf": math.inf, "a/損失": 1.5})
        screen = watch(run.hex())
        screen.shows("a/inf", "Inf", "a/nan", "NaN", "a/損", "layer000/norm")
        assert "\\u{1b}]0;title" in screen.text
        screen.press(b"\x1b[F")
        screen.shows("layer999/norm")
        screen.press(b"\x1b[H")
        screen.shows("a/inf")
        screen.press(b"\x1b[B" * 3)
        screen.shows("layer000/norm")
        eventually(lambda: screen.pump() or "a/inf" not in screen.text)
        screen.press(b"/q50")
        screen.shows("/q50", "no metric has this in its name")
        screen.press(b"\x7f\x7f\x7f" b"r777\r")
        screen.shows("layer777/norm", 'only "r777"')
        assert "layer778" not in screen.text
        for width, height in ((20, 8), (1, 3), (200, 50), (40, 2)):
            screen.resize(width, height)
            screen.press(b"\x1b")
            time.sleep(0.3)
            for _ in range(5):
                screen.pump(0.02)
        assert screen.process.poll() is None
        screen.resize(100, 30)
        screen.shows("a/inf")
        screen.press(b"q")
        assert screen.ends() == 0


def run_watch(daemon, *words):
    done = subprocess.run([LINAJE, "run", "watch", "--socket", daemon.socket, *words],
                          capture_output=True, text=True, timeout=SECONDS, check=False)
    return done.returncode, done.stdout, done.stderr


def test_one_picture_as_text_and_as_json(daemon):
    with daemon.client() as client:
        run = new_run(client, name="forest")
        Points(daemon, run).send({"loss": 0.5, "bad": math.nan}, 7)
        code, text, _ = run_watch(daemon, run.hex(), "--once")
        assert code == 0 and "forest" in text and "loss" in text and "\x1b" not in text
        code, text, _ = run_watch(daemon, "--latest", "--once", "--json")
        found = json.loads(text)
        assert code == 0 and found["run_id"] == run.hex() and found["step"] == 7
        assert [(m["key"], m["last"]) for m in found["metrics"]] == [("bad", "NaN"), ("loss", 0.5)]


def test_the_farthest_steps_and_times_are_shown_like_any_other(daemon, watch):
    low, high = -2**63, 2**63 - 1
    with daemon.client() as client:
        run = new_run(client)
    stream = daemon.connection().open("StreamMetrics", {"run_id": run, "writer_id": os.urandom(16)})
    stream.wait_answer(time.monotonic() + SECONDS)

    def send(number, *points):
        stream.send(_wire.encode("MetricBatch", {
            "sequence": number, "series": [{"key": "far"}], "step": [each[0] for each in points],
            "time_us": [each[1] for each in points], "value": [each[2] for each in points]}),
            time.monotonic() + SECONDS)
        stream.receive(time.monotonic() + SECONDS)

    send(1, (low, low, 1.0), (0, 0, 2.0), (high - 1, high, 3.0))
    screen = watch(run.hex())
    screen.shows("far", "3")
    # They come live, too, and go back again.
    send(2, (high, high, 4.0), (low, high, -1e308), (high, low, 1e308), (high, high, 5.0))
    screen.shows("far", "5")
    code, text, errors = run_watch(daemon, run.hex(), "--once")
    assert code == 0 and "far" in text, errors
    code, text, errors = run_watch(daemon, run.hex(), "--once", "--json")
    assert code == 0, errors
    found, = json.loads(text)["metrics"]
    assert (found["key"], found["last"]) == ("far", 5.0) and json.loads(text)["step"] == high
    screen.press(b"q")
    assert screen.ends() == 0


def test_programs_get_a_line_for_each_change(daemon):
    with daemon.client() as client:
        run = new_run(client)
        watching = subprocess.Popen(
            [LINAJE, "run", "watch", run.hex(), "--json", "--socket", daemon.socket],
            stdout=subprocess.PIPE, text=True)
        assert json.loads(watching.stdout.readline())["status"] == "RUNNING"
        points = Points(daemon, run)
        time.sleep(0.5)
        for step in range(5):
            points.send({"loss": 1.0 + step}, step)
        client.call("AppendRunLog", run_id=run, writer_id=os.urandom(16), records=[
            {"time_us": 1, "stream": 2, "data": b"oops\n"}])
        client.call("UpdateRun", id=run, status=3)
        events = [json.loads(line) for line in watching.stdout]
        assert watching.wait(SECONDS) == 0
        assert [e["value"] for e in events if e["event"] == "metric"] == [1.0, 2.0, 3.0, 4.0, 5.0]
        assert [e["text"] for e in events if e["event"] == "log"] == ["oops"]
        assert [e["status"] for e in events if e["event"] == "end"] == ["FINISHED"]


def test_a_run_that_is_not_there_is_an_error(daemon):
    code, _, errors = run_watch(daemon, "0" * 32)
    assert code == 1 and "does not exist" in errors
    code, _, errors = run_watch(daemon, "--latest")
    assert code == 1 and "no run yet" in errors
    assert run_watch(daemon)[0] == 2
