"""`linaje run -- COMMAND`: the parent that knows how its command ended, and never harms it."""

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest
from support import ROOT, SECONDS, enter, eventually, history, read

RUNNING, FINISHED, FAILED, KILLED = 1, 3, 4, 5
EXITED, SIGNALED, OUT_OF_MEMORY = 1, 2, 3
LINAJE = os.environ.get("LINAJE", str(ROOT / ".build/debug/linaje"))
pytestmark = pytest.mark.skipif(not os.path.exists(LINAJE), reason="linaje is not built")
PARENT = 1


class Shell:
    """How the commands of a test are started."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.home = os.path.join(daemon.folder, "home")
        os.makedirs(self.home, exist_ok=True)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LINAJE_")},
            "LINAJE_SOCKET": daemon.socket, "HOME": self.home, "XDG_STATE_HOME": self.home,
            "PYTHONPATH": str(ROOT / "Clients/python/src")}

    @property
    def kept(self):
        folder = os.path.join(self.home, "linaje/runs")
        return os.listdir(folder) if os.path.isdir(folder) else []

    def start(self, *command, options=(), **more):
        more = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                "cwd": self.home, "env": self.environment, **more}
        return subprocess.Popen([LINAJE, "run", *options, "--", *command], **more)

    def run(self, *command, options=(), **more):
        """Runs it to its end: (exit code, output, errors)."""
        process = self.start(*command, options=options, **more)
        output, errors = process.communicate(timeout=60)
        return process.returncode, output, errors

    def found(self, count=1):
        """The runs that the daemon knows, newest first, with everything known of them."""
        with self.daemon.client() as client:
            runs = client.search_runs()
            assert len(runs) == count, [run.name for run in runs]
            return [client.get_run(run.id) for run in runs]


@pytest.fixture
def shell(daemon):
    return Shell(daemon)


def test_who_ignores_the_end_of_children_learns_how_the_command_ended_all_the_same(shell):
    got = shell.run("sh", "-c", "exit 3",
                    preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    assert got[0] == 3, got
    run, = shell.found()
    assert (run.status, run.ended_cause) == (FAILED, "exited with code 3")


def test_a_patch_that_a_killed_linaje_left_alone_is_not_waited_for(shell):
    folder = os.path.join(shell.home, "linaje/runs", os.urandom(16).hex())
    os.makedirs(folder, 0o700)
    for name in ("diff.patch", "facts.json.new", "lock"):
        with open(os.path.join(folder, name), "w", encoding="ascii") as file:
            file.write("half")
    done = subprocess.run([LINAJE, "run", "sync"], env=shell.environment, capture_output=True,
                          text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done
    assert shell.kept == []


@pytest.mark.parametrize("script,code,status,cause,reason", [
    ("exit 0", 0, FINISHED, "exited with code 0", EXITED),
    ("exit 3", 3, FAILED, "exited with code 3", EXITED),
    ("kill -9 $$", 137, FAILED, "killed by SIGKILL", SIGNALED),
    ("kill -SEGV $$", 139, FAILED, "killed by SIGSEGV", SIGNALED),
    ("exit 64", 64, FAILED, "exited with code 64", EXITED),
])
def test_a_command_ends_as_it_would_alone_and_its_run_says_how(shell, script, code, status, cause,
                                                               reason):
    got = shell.run("sh", "-c", f"ulimit -c 0; echo out; echo err >&2; {script}")
    assert got == (code, b"out\n", b"err\n")
    run, = shell.found()
    assert (run.status, run.ended_cause) == (status, cause)
    end = run.process_end
    assert (end.reason, end.source) == (reason, PARENT)
    assert (end.exit_code, end.signal) == ((code, None) if reason == EXITED else (None, code - 128))
    assert end.peak_memory_bytes > 100_000 and end.duration_us > 0
    assert end.user_time_us is not None and end.system_time_us is not None
    assert list(end.last_errors) == ["err"]
    assert shell.kept == []


def test_a_command_that_is_not_there_or_is_no_program_is_said_as_by_a_shell(shell):
    code, _, errors = shell.run("no-such-program")
    assert code == 127 and b"no-such-program" in errors
    code, _, errors = shell.run(shell.home)
    assert code == 126 and errors
    for run in shell.found(2):
        assert run.status == FAILED and run.ended_cause.startswith("could not be started: ")


def test_words_after_the_dashes_belong_to_the_command(shell):
    code, output, _ = shell.run("printf", "%s\n", "--name", "--help", "--", "-x")
    assert (code, output) == (0, b"--name\n--help\n--\n-x\n")
    run, = shell.found()
    assert list(run.provenance.argv) == ["printf", "%s\n", "--name", "--help", "--", "-x"]
    program = os.path.join(shell.home, "list")
    with open(program, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\necho a program called list\n")
    os.chmod(program, 0o755)
    environment = {**shell.environment, "PATH": shell.home + ":" + os.environ["PATH"]}
    assert shell.run("list", env=environment)[1] == b"a program called list\n"


def test_the_other_commands_of_run_are_still_there(shell):
    def linaje(*words):
        return subprocess.run([LINAJE, *words], capture_output=True, text=True, timeout=SECONDS,
                              env=shell.environment, check=False)
    assert linaje("run", "list").stdout == "no runs\n"
    assert linaje("run").returncode == 2
    assert linaje("run", "train.py").returncode == 2
    assert "linaje run -- python train.py" in linaje("run", "--help").stdout
    assert "--experiment" in linaje("run", "exec", "--help").stdout


def test_options_say_what_the_run_is(shell):
    code, output, errors = shell.run(
        "sh", "-c", 'printf "$LINAJE_RUN_ID $LINAJE_SOCKET"; loss=1; echo "loss=0.5" | '
        f'"{LINAJE}" metric stream "$LINAJE_RUN_ID"',
        options=["--experiment", "fraud", "--create-experiment", "--name", "n", "--tag", "a=b",
                 "--param", "depth=8", "--purpose", "to see"])
    assert code == 0, errors
    run, = shell.found()
    assert output.decode().split() == [run.id.hex(), shell.daemon.socket]
    assert (run.name, run.tags[0].value, run.params[0].int_value) == ("n", "b", 8)
    assert run.provenance.purpose == "to see"
    assert run.provenance.host and run.provenance.kernel and run.provenance.memory_bytes > 0
    with shell.daemon.client() as client:
        assert client.call("GetExperiment", id=run.experiment_id).name == "fraud"
        assert [point[3] for point in history(client, run.id)] == [0.5]


def test_the_code_is_recorded_with_what_is_not_committed(shell):
    tree = os.path.join(shell.home, "tree")

    def git(*words):
        subprocess.run(["git", "-C", tree, "-c", "user.name=n", "-c", "user.email=e", *words],
                       check=True, capture_output=True)
    os.makedirs(tree)
    with open(f"{tree}/train.py", "w", encoding="ascii") as file:
        file.write("one\n")
    git("init", "-q", "-b", "main")
    git("remote", "add", "origin", "https://user:secret@example.org/a.git")
    git("add", ".")
    git("commit", "-qm", "first")
    with open(f"{tree}/train.py", "w", encoding="ascii") as file:
        file.write("two\n")
    environment = {**shell.environment, "SLURM_JOB_ID": "4711", "SLURM_STEP_ID": "0",
                   "container": "lxc"}
    code, _, errors = shell.run("true", cwd=tree, env=environment)
    assert code == 0, errors
    run, = shell.found()
    state = run.provenance.git
    assert len(state.commit) == 40 and state.branch == "main" and state.dirty
    assert state.remote == "https://example.org/a.git"
    with shell.daemon.client() as client:
        patch = read(client, run.id, state.diff_artifact)
    assert b"-one\n+two\n" in patch
    job = run.provenance.job
    assert (job.scheduler, job.job_id, job.step) == ("slurm", "4711", "0")
    shown = subprocess.run([LINAJE, "run", "show", run.id.hex(), "--json"], capture_output=True,
                           env=shell.environment, check=True, timeout=SECONDS)
    shown = json.loads(shown.stdout)
    assert shown["process_end"]["exit_code"] == 0
    assert shown["provenance"]["job"]["job_id"] == "4711"


@pytest.mark.alone
def test_a_command_that_ran_out_of_memory_says_so(shell, small_cgroup):
    # Big pages at once, so that the command is what the kernel chooses.
    eat = "import mmap\nm = mmap.mmap(-1, 256 << 20)\nfor i in range(0, len(m), 4096): m[i] = 1\n"
    code, _, _ = shell.run(sys.executable, "-c", eat, preexec_fn=lambda: enter(small_cgroup))
    assert code == 137
    run, = shell.found()
    assert run.status == FAILED
    limit = "memory cgroup of the process, limit 64.0 MiB"
    assert run.ended_cause == f"out of memory: killed by the kernel ({limit})"
    assert run.process_end.reason == OUT_OF_MEMORY
    assert run.process_end.memory_limit_bytes == 64 << 20


# --- Signals ---

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_command_that_is_stopped_through_us_is_killed_on_purpose(shell, number):
    process = shell.start("sh", "-c", "echo ready; exec sleep 60")
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + number
    run, = shell.found()
    name = signal.Signals(number).name
    assert (run.status, run.ended_cause) == (KILLED, f"stopped by {name}: killed by {name}")


def test_every_signal_reaches_the_command_once(shell):
    script = """
import signal, sys, time
seen = []
for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM):
    signal.signal(number, lambda number, _: seen.append(number))
print("ready", flush=True)
while len(seen) < 4: time.sleep(0.01)
time.sleep(0.3)
print(sorted(seen))
"""
    process = shell.start(sys.executable, "-c", script)
    assert process.stdout.readline() == b"ready\n"
    numbers = [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM]
    for number in numbers:
        process.send_signal(number)
    output, errors = process.communicate(timeout=SECONDS)
    assert output.decode().strip() == str(sorted(int(number) for number in numbers)), errors
    # It left well in spite of them.
    run, = shell.found()
    assert (process.returncode, run.status) == (0, FINISHED)


def test_an_interrupt_from_a_terminal_reaches_the_command_once(shell):
    script = """
import signal, time
seen = []
signal.signal(signal.SIGINT, lambda *_: seen.append(1))
print("ready", flush=True)
while not seen: time.sleep(0.01)
time.sleep(0.3)
print(len(seen))
raise SystemExit(9)
"""
    controller, terminal = pty.openpty()

    def take_terminal():
        os.setsid()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    process = shell.start(sys.executable, "-c", script, stdin=terminal, preexec_fn=take_terminal)
    assert process.stdout.readline() == b"ready\n"
    os.write(controller, b"\x03")
    output, errors = process.communicate(timeout=SECONDS)
    assert (process.returncode, output) == (9, b"1\n"), errors
    os.close(controller)
    os.close(terminal)
    run, = shell.found()
    assert (run.status, run.ended_cause) == (KILLED, "stopped by SIGINT: exited with code 9")


def test_a_kill_of_linaje_itself_leaves_the_command_alone(shell):
    script = "echo ready; read line; echo more >&2; echo more >&2; echo over"
    process = shell.start("sh", "-c", script, stdin=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    assert shell.found()[0].status == RUNNING
    process.kill()
    process.wait(SECONDS)
    since = time.monotonic()
    run = eventually(lambda: (found := shell.found()[0]).status == FAILED and found)
    print(f"{run.ended_cause!r} after {time.monotonic() - since:.2f} s")
    assert run.ended_cause.endswith("; how its command ended is not known")
    assert run.ended_cause.startswith("linaje run ")
    assert run.process_end.exit_code is None and run.process_end.signal is None
    process.stdin.write(b"\n")
    process.stdin.close()
    # Its standard error still has a reader, and its standard output was never ours.
    assert process.stdout.read() == b"over\n"
    assert process.stderr.read() == b"more\nmore\n"
    process.stdout.close()
    process.stderr.close()


# --- Standard error ---

def test_standard_error_comes_through_byte_by_byte_and_its_end_is_kept(shell):
    script = ("import os, sys\n"
              "data = bytes(range(256)) * 2000 + b'\\n' + b''.join(b'line %d\\n' % i "
              "for i in range(1000)) + b'50%\\r100%\\x1b[0m\\n' + 'ü'.encode() + b'\\xff'\n"
              "while data: data = data[os.write(2, data):]\n")
    code, _, errors = shell.run(sys.executable, "-c", script)
    assert code == 0
    assert errors == (bytes(range(256)) * 2000 + b"\n"
                      + b"".join(b"line %d\n" % i for i in range(1000))
                      + b"50%\r100%\x1b[0m\n" + "ü".encode() + b"\xff")
    run, = shell.found()
    last = list(run.process_end.last_errors)
    assert len(last) == 64
    assert last[-3:] == ["line 999", "100%", "ü\ufffd"]


def test_a_grandchild_that_keeps_standard_error_is_neither_waited_for_nor_harmed(shell):
    witness = os.path.join(shell.home, "witness")
    script = (f"(sleep 2; echo late >&2 && echo alive > {witness}) >/dev/null & "
              "echo early >&2; exit 5")
    begin = time.monotonic()
    process = shell.start("sh", "-c", script)
    assert process.wait(SECONDS) == 5
    assert time.monotonic() - begin < 2, "it waited for the grandchild"
    run, = shell.found()
    assert list(run.process_end.last_errors) == ["early"]
    assert process.stderr.read() == b"early\nlate\n"
    process.stderr.close()
    process.stdout.close()
    with open(witness, encoding="ascii") as file:
        assert file.read() == "alive\n"


def test_on_a_terminal_the_command_still_sees_one(shell):
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    script = "import os, sys; print(os.isatty(2), *os.get_terminal_size(2)); os.write(2, b'x\\n')"
    code, output, _ = shell.run(sys.executable, "-c", script, stderr=terminal)
    os.close(terminal)
    assert (code, output) == (0, b"True 77 33\n")
    # The terminal makes a line break of two bytes, once.
    seen = b""
    while not seen.endswith(b"x\r\n"):
        seen += os.read(controller, 100)
    os.close(controller)


# --- The daemon does not matter ---

def test_a_daemon_that_is_away_changes_nothing_and_learns_it_later(shell):
    shell.daemon.kill()
    code, output, errors = shell.run("sh", "-c", "echo out; exit 4")
    assert (code, output) == (4, b"out\n")
    assert b"follows with the next" in errors
    assert len(shell.kept) == 1
    shell.daemon.start()
    done = subprocess.run([LINAJE, "run", "sync"], capture_output=True, text=True,
                          env=shell.environment, timeout=SECONDS, check=False)
    assert (done.returncode, done.stdout) == (0, "1 runs delivered, 0 wait\n"), done.stderr
    run, = shell.found()
    assert (run.status, run.ended_cause) == (FAILED, "exited with code 4")
    assert run.provenance.host and shell.kept == []


def test_a_daemon_that_comes_back_meanwhile_learns_it_at_once(shell):
    shell.daemon.kill()
    process = shell.start("sh", "-c", "echo ready; read line; exit 0", stdin=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    shell.daemon.start()
    with shell.daemon.client() as client:
        eventually(lambda: [run.status for run in client.search_runs()] == [RUNNING])
    process.communicate(b"\n", timeout=SECONDS)
    assert process.returncode == 0
    run, = shell.found()
    assert run.status == FINISHED and shell.kept == []


def test_a_daemon_that_hangs_delays_the_command_for_a_moment_only(shell):
    shell.daemon.process.send_signal(signal.SIGSTOP)
    try:
        begin = time.monotonic()
        code, output, errors = shell.run("echo", "out")
        assert (code, output) == (0, b"out\n"), errors
        assert b"follows with the next" in errors
        print(f"took {time.monotonic() - begin:.1f} s with a daemon that hangs")
        assert time.monotonic() - begin < 15
    finally:
        shell.daemon.process.send_signal(signal.SIGCONT)
    # The next one brings it along, while it runs.
    shell.run("sleep", "3")
    for run in shell.found(2):
        assert run.status == FINISHED
    assert shell.kept == []


def test_a_run_that_is_refused_says_why_and_the_command_runs(shell):
    code, output, errors = shell.run("echo", "out", options=["--experiment", "none"])
    assert (code, output) == (0, b"out\n")
    assert b"was refused" in errors and b"none" in errors
    assert b"--create-experiment" in errors
    # Said before the command writes anything, while there is time to begin anew.
    together = shell.run("sh", "-c", "echo begun >&2", options=["--experiment", "none too"])[2]
    assert b"is refused: experiment" in together.split(b"begun")[0]
    assert len(shell.kept) == 2
    with shell.daemon.client() as client:
        client.call("CreateExperiment", name="none")
        client.call("CreateExperiment", name="none too")
    shell.run("sleep", "2")
    assert {run.status for run in shell.found(3)} == {FINISHED}


# --- Python below it ---

JOIN = """
import linaje, sys
with linaje.start_run("inner", tags={"t": "1"}):
    linaje.log_param("depth", 3)
    linaje.log_metric("loss", 0.5)
    with linaje.start_run("part", nested=True):
        linaje.log_metric("loss", 0.25)
    how = sys.argv[1]
    if how == "raise": raise ValueError("bad data")
    if how == "caught":
        pass
if how == "exit": sys.exit(3)
if how == "caught": linaje.start_run("second")
"""


@pytest.mark.parametrize("how,status,cause", [
    ("well", FINISHED, "exited with code 0"), ("raise", FAILED, "exited with code 1"),
    ("exit", FAILED, "exited with code 3")])
def test_a_python_script_joins_the_run_of_its_command(shell, how, status, cause):
    code, _, errors = shell.run(sys.executable, "-c", JOIN, how)
    part, run = sorted(shell.found(2), key=lambda run: run.parent_id == b"")
    assert (run.status, run.ended_cause) == (status, cause), errors
    assert (run.name, run.tags[0].value, run.params[0].int_value) == ("inner", "1", 3)
    assert (part.name, part.parent_id, part.status) == ("part", run.id, FINISHED)
    assert "python" in run.provenance.language.lower() and run.provenance.packages
    assert run.provenance.argv[0] == sys.executable
    with shell.daemon.client() as client:
        assert [point[3] for point in history(client, run.id)] == [0.5]


def test_a_failure_that_the_script_noted_counts_although_it_left_well(shell):
    script = "import linaje\nlinaje.start_run()\nlinaje.end_run('FAILED')\n"
    code, _, errors = shell.run(sys.executable, "-c", script)
    run, = shell.found()
    assert (code, run.status) == (0, FAILED), errors
    assert run.ended_cause == "failed, said the command; exited with code 0"


def test_the_second_run_of_a_script_is_a_part_of_the_first(shell):
    shell.run(sys.executable, "-c", JOIN, "caught")
    names = {run.name: run for run in shell.found(3)}
    assert names["second"].parent_id == names["inner"].id
    assert names["second"].status == FINISHED


def test_what_a_script_logs_without_a_daemon_follows_into_the_same_run(shell):
    shell.daemon.kill()
    code, _, errors = shell.run(sys.executable, "-c", JOIN, "well")
    assert code == 0, errors
    shell.daemon.start()
    for command in ([LINAJE, "run", "sync"], [sys.executable, "-m", "linaje", "sync"]):
        subprocess.run(command, env=shell.environment, timeout=60, check=True,
                       capture_output=True)
    runs = {run.name: run for run in shell.found(2)}
    assert runs["part"].parent_id == runs["inner"].id
    assert runs["inner"].params[0].int_value == 3
    with shell.daemon.client() as client:
        assert [point[3] for point in history(client, runs["inner"].id)] == [0.5]
