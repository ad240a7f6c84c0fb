"""Owners of runs: how the daemon learns that one is gone, and what it says of how that came."""

import ctypes
import errno
import os
import signal
import sqlite3
import struct
import subprocess
import sys
import time

import pytest
from support import (ROOT, SECONDS, Daemon, LinajeError, Writer, enter, eventually, may_unshare,
                     new_run)

RUNNING, FINISHED, FAILED, KILLED, STALLED = 1, 3, 4, 5, 6
DETACHED, PROCESS, HEARTBEAT = 1, 2, 3
EXITED, SIGNALED, OUT_OF_MEMORY, MACHINE_RESTARTED = 1, 2, 3, 4
KERNEL = 2
TELLS_ENDS = tuple(int(part) for part in os.uname().release.split(".")[:2]) >= (6, 15)


def status(client, run):
    return client.get_run(run).status


def ended(client, run, since=None):
    """The run once it has ended; prints how long after `since` (time.monotonic) that was."""
    found = eventually(lambda: (got := client.get_run(run)).status in (FAILED, KILLED) and got,
                       why="the run did not end")
    if since is not None:
        print(f"{found.ended_cause!r} after {time.monotonic() - since:.2f} s")
    return found


# --- Processes ---

OWNER = """
import os, resource, signal, sys
sys.path.insert(0, sys.argv[1])
from linaje._client import Client
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
client = Client(sys.argv[2])
run = client.call("CreateRun", id=os.urandom(16), lease={"kind": 2}).id
how, _, number = sys.argv[3].partition(":")
if how == "finish":
    client.call("UpdateRun", id=run, status=3)
print(run.hex(), flush=True)
if how == "close":
    client.close()
if how in ("wait", "close"):
    signal.pause()
if how == "exit":
    sys.stdin.readline()
    os._exit(int(number))
if how == "eat":
    sys.stdin.readline()
    eaten = []
    while True:
        eaten.append(bytearray(os.urandom(1 << 20)))
"""


def owner(daemon, how, **options):
    """A process that owns a run: (process, run id)."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(ROOT / "Clients/python/src"), daemon.socket, how],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)
    return process, bytes.fromhex(process.stdout.readline())


def leave(process):
    """Reaps a process and closes its pipes."""
    process.wait(SECONDS)
    process.stdin.close()
    process.stdout.close()


def test_a_deleted_run_ends_with_its_owner_too(daemon):
    process, run = owner(daemon, "wait")
    with daemon.client() as client:
        client.call("UpdateRun", id=run, lifecycle=2)
        process.kill()
        leave(process)
        assert ended(client, run).status == FAILED
        # One that is restored in time is still watched.
        process, run = owner(daemon, "wait")
        client.call("UpdateRun", id=run, lifecycle=2)
        client.call("UpdateRun", id=run, lifecycle=1)
        process.kill()
        leave(process)
        assert ended(client, run).status == FAILED
    assert "cannot end run" not in daemon.log


@pytest.mark.parametrize("how,number", [("wait", signal.SIGKILL), ("close", signal.SIGTERM)])
@pytest.mark.skipif(not TELLS_ENDS, reason="before Linux 6.15 the kernel does not tell")
def test_a_run_whose_process_was_killed_says_by_which_signal(daemon, how, number):
    process, run = owner(daemon, how)
    with daemon.client() as client:
        assert status(client, run) == RUNNING
        assert client.get_run(run).lease.pid == process.pid
        process.send_signal(number)
        since = time.monotonic()
        leave(process)
        found = ended(client, run, since)
        assert found.status == FAILED
        assert found.ended_cause == f"killed by {signal.Signals(number).name}"
        assert found.ended_at_us > 0
        end = found.process_end
        assert (end.reason, end.source, end.signal) == (SIGNALED, KERNEL, number)
        assert end.exit_code is None


@pytest.mark.parametrize("code,cause", [
    (3, "exited with code 3"), (0, "exited with code 0 without ending its run")])
@pytest.mark.skipif(not TELLS_ENDS, reason="before Linux 6.15 the kernel does not tell")
def test_a_run_whose_process_left_says_with_which_code(daemon, code, cause):
    process, run = owner(daemon, f"exit:{code}")
    process.stdin.write("\n")
    process.stdin.flush()
    leave(process)
    with daemon.client() as client:
        found = ended(client, run, time.monotonic())
        assert found.ended_cause == cause
        end = found.process_end
        assert (end.reason, end.source, end.exit_code) == (EXITED, KERNEL, code)


def test_a_process_that_its_parent_never_reaps_still_says_how_it_ended(daemon):
    process, run = owner(daemon, "wait")
    process.kill()
    with daemon.client() as client:
        # It stays a zombie until `leave`.
        assert ended(client, run, time.monotonic()).ended_cause == "killed by SIGKILL"
    leave(process)


def test_a_run_that_its_process_finished_stays_finished(daemon):
    process, run = owner(daemon, "finish")
    leave(process)
    time.sleep(1.5)
    with daemon.client() as client:
        assert status(client, run) == FINISHED


def test_a_process_that_ends_while_the_daemon_is_away_is_noticed(daemon):
    process, run = owner(daemon, "wait")
    daemon.kill()
    process.kill()
    leave(process)
    daemon.start()
    with daemon.client() as client:
        assert ended(client, run).ended_cause == "process ended, cause unknown"


def test_a_process_that_outlives_the_daemon_is_watched_by_the_next(daemon):
    process, run = owner(daemon, "wait")
    daemon.kill()
    daemon.start()
    with daemon.client() as client:
        assert status(client, run) == RUNNING
        process.kill()
        leave(process)
        assert ended(client, run, time.monotonic()).ended_cause in (
            "killed by SIGKILL", "process ended, cause unknown" if not TELLS_ENDS else "")


def test_the_end_of_a_former_owner_does_not_end_the_run_of_the_next(daemon):
    process, run = owner(daemon, "wait")
    with daemon.client() as client:
        client.call("AttachRun", id=run, lease={"kind": PROCESS})
        process.kill()
        leave(process)
        time.sleep(1.5)
        found = client.get_run(run)
        assert found.status == RUNNING, found.ended_cause
        assert found.lease.pid == os.getpid()


def test_a_call_that_is_repeated_does_not_lose_the_watch_of_the_owner(daemon):
    script = OWNER.replace(
        'run = client.call("CreateRun", id=os.urandom(16), lease={"kind": 2}).id',
        'call = dict(key=os.urandom(16), id=os.urandom(16), lease={"kind": 2})\n'
        'run = [client.call("CreateRun", **call).id for _ in range(2)][1]')
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(ROOT / "Clients/python/src"), daemon.socket, "wait"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    run = bytes.fromhex(process.stdout.readline())
    process.kill()
    leave(process)
    with daemon.client() as client:
        ended(client, run)


def test_after_a_restart_of_the_machine_nobody_is_mistaken_for_the_owner(daemon):
    """The same process number and start time, but another boot: what a restart can bring."""
    process, run = owner(daemon, "wait")
    daemon.kill()
    with sqlite3.connect(os.path.join(daemon.state, "catalog.db")) as catalog:
        boot = catalog.execute("SELECT lease_boot FROM runs WHERE id = ?", (run,)).fetchone()[0]
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            assert boot == file.read().strip()
        catalog.execute("UPDATE runs SET lease_boot = ? WHERE id = ?",
                        ("0" * len(boot), run))
    catalog.close()
    daemon.start()
    with daemon.client() as client:
        found = ended(client, run)
        assert found.ended_cause == "machine restarted"
        assert found.process_end.reason == MACHINE_RESTARTED
    process.kill()
    leave(process)


def test_the_end_of_a_process_that_is_no_end_is_refused(daemon):
    with daemon.client() as client:
        run = new_run(client)
        for fields in ({"status": FINISHED, "process_end": {"last_errors": ["x"] * 65}},
                       {"status": FINISHED, "process_end": {"last_errors": ["x" * 50_000]}},
                       {"status": FINISHED, "process_end": {"reason": 77}},
                       {"status": RUNNING, "process_end": {"exit_code": 1}},
                       {"process_end": {"exit_code": 1}},
                       {"status": RUNNING, "as_wish": True}, {"as_wish": True}):
            with pytest.raises(LinajeError) as caught:
                client.call("UpdateRun", id=run, **fields)
            assert caught.value.code in (102, 103), caught.value
        assert status(client, run) == RUNNING


def test_a_wish_counts_when_the_owner_ends_the_run_well(daemon):
    with daemon.client() as client:
        for wish, said, then, cause in [
                (FINISHED, FINISHED, FINISHED, "finished by its owner"),
                (FAILED, FINISHED, FAILED, "failed, said the command; exited with code 0"),
                (KILLED, FINISHED, KILLED, "interrupted, said the command; exited with code 0"),
                (FINISHED, FAILED, FAILED, "failed, said its owner")]:
            run = new_run(client)
            assert client.call("UpdateRun", id=run, status=wish, as_wish=True).status == RUNNING
            client.call("UpdateRun", id=run, status=said,
                        process_end={"reason": EXITED, "exit_code": 0})
            found = client.get_run(run)
            assert (found.status, found.ended_cause) == (then, cause)
            client.call("UpdateRun", id=run, status=KILLED, as_wish=True)
            assert status(client, run) == then


# --- Memory ---

def test_a_run_whose_process_ran_out_of_memory_says_so(daemon, small_cgroup):
    process, run = owner(daemon, "eat", preexec_fn=lambda: enter(small_cgroup))
    # The counters are read when the lease is taken; then it may eat.
    time.sleep(0.2)
    process.stdin.write("\n")
    process.stdin.flush()
    process.wait(60)
    since = time.monotonic()
    leave(process)
    with daemon.client() as client:
        found = ended(client, run, since)
        limit = "memory cgroup of the process, limit 64.0 MiB"
        if TELLS_ENDS:
            assert found.ended_cause == f"out of memory: killed by the kernel ({limit})"
            end = found.process_end
            assert (end.reason, end.signal) == (OUT_OF_MEMORY, signal.SIGKILL)
            assert end.memory_limit_bytes == 64 << 20
        else:
            assert found.ended_cause == f"process ended, probably out of memory ({limit})"


# --- Heartbeats ---

def test_a_run_without_heartbeat_stalls_and_resumes(daemon):
    with daemon.client() as client:
        run = new_run(client, lease={"kind": HEARTBEAT, "heartbeat_timeout_s": 1})
        heard = client.get_run(run).lease.last_heard_at_us
        assert abs(heard / 1e6 - time.time()) < 60
        for resume in ("heartbeat", "attach", "points"):
            found = eventually(lambda: (got := client.get_run(run)).status == STALLED and got,
                               why=f"the run did not stall before its {resume}")
            last = found.lease.last_heard_at_us
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(last // 1_000_000))
            assert found.ended_cause == f"no heartbeat since {stamp}.{last % 1_000_000:06}Z"
            print(f"stalled {time.time() - last / 1e6 - 1:.2f} s after its timeout")
            if resume == "heartbeat":
                client.call("Heartbeat", id=run)
            elif resume == "attach":
                client.call("AttachRun", id=run, lease={"kind": HEARTBEAT,
                                                        "heartbeat_timeout_s": 1})
            else:
                writer = Writer(daemon.connection(), run, os.urandom(16))
                writer.send()
                writer.end()
            found = eventually(lambda: (got := client.get_run(run)).status == RUNNING and got,
                               why=f"its {resume} did not resume the run")
            assert found.ended_cause == ""
            assert found.lease.last_heard_at_us > last


def test_points_are_a_sign_of_life_and_their_replay_is_none(daemon):
    with daemon.client() as client:
        run = new_run(client, lease={"kind": HEARTBEAT, "heartbeat_timeout_s": 1})
        writer = Writer(daemon.connection(), run, os.urandom(16))
        until = time.monotonic() + 1.6
        while time.monotonic() < until:
            writer.send()
            writer.wait()
            assert status(client, run) == RUNNING
            time.sleep(0.1)
        writer.end()
        replay = Writer(daemon.connection(), run, os.urandom(16), agent=1, replay=True)

        def stalled():
            replay.send()
            replay.wait()
            return status(client, run) == STALLED
        eventually(stalled, why="a replay kept the run alive")
        replay.end()


def test_the_time_that_the_daemon_is_away_is_no_silence_of_the_owner(daemon):
    with daemon.client() as client:
        run = new_run(client, lease={"kind": HEARTBEAT, "heartbeat_timeout_s": 2})
    daemon.kill()
    time.sleep(2.1)
    daemon.start()
    with daemon.client() as client:
        assert status(client, run) == RUNNING
        client.call("Heartbeat", id=run)
        assert status(client, run) == RUNNING


def test_a_stalled_run_is_still_known_after_a_restart_and_resumes(daemon):
    with daemon.client() as client:
        run = new_run(client, lease={"kind": HEARTBEAT, "heartbeat_timeout_s": 1})
        eventually(lambda: status(client, run) == STALLED, why="the run did not stall")
    daemon.restart()
    with daemon.client() as client:
        assert status(client, run) == STALLED
        writer = Writer(daemon.connection(), run, os.urandom(16))
        writer.send()
        writer.end()
        eventually(lambda: status(client, run) == RUNNING, why="the run did not resume")


LAPTOP = """
import sys
sys.path.insert(0, sys.argv[1])
import linaje
run = linaje.start_run("laptop", heartbeat=1)
linaje.flush()
print(run.run_id, flush=True)
sys.stdin.readline()
linaje.end_run()
"""


def test_a_closed_laptop_stalls_its_run_and_resumes_it_when_it_is_opened(daemon):
    environment = {**os.environ, "LINAJE_SOCKET": daemon.socket,
                   "XDG_STATE_HOME": os.path.join(daemon.folder, "home")}
    process = subprocess.Popen([sys.executable, "-c", LAPTOP, str(ROOT / "Clients/python/src")],
                               env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True)
    run = bytes.fromhex(process.stdout.readline())
    with daemon.client() as client:
        lease = client.get_run(run).lease
        assert (lease.kind, lease.heartbeat_timeout_s) == (HEARTBEAT, 1)
        until = time.monotonic() + 2
        while time.monotonic() < until:
            assert status(client, run) == RUNNING
            time.sleep(0.05)
        process.send_signal(signal.SIGSTOP)
        found = eventually(lambda: (got := client.get_run(run)).status == STALLED and got,
                           why="the run did not stall")
        assert found.ended_cause.startswith("no heartbeat since 20")
        process.send_signal(signal.SIGCONT)
        eventually(lambda: status(client, run) == RUNNING, why="the run did not resume")
        process.stdin.write("\n")
        process.stdin.flush()
        leave(process)
        assert status(client, run) == FINISHED


def test_a_detached_run_outlives_its_client(daemon):
    with daemon.client() as client:
        run = new_run(client, lease={"kind": DETACHED})
    time.sleep(1)
    with daemon.client() as client:
        assert status(client, run) == RUNNING


# --- Kernels without what newer ones have ---

LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERROR = 0x7FFF0000, 0x00050000
NUMBERS = {"x86_64": {"getsockopt": 55, "ioctl": 16, "pidfd_open": 434},
           "aarch64": {"getsockopt": 209, "ioctl": 29, "pidfd_open": 434}}
PIDFD_GET_INFO, SO_PEERPIDFD = 0xC040FF0B, 77


def without(*features):
    """A `preexec_fn` that hides features of the kernel from the process and its children, as an
    older kernel would: a seccomp filter answers those calls with the error of a kernel without
    them."""
    numbers = NUMBERS.get(os.uname().machine)
    if numbers is None:
        pytest.skip("system call numbers of this machine are not known here")
    # (system call, argument to compare or None, its value, error)
    rules = {"SO_PEERPIDFD": (numbers["getsockopt"], 2, SO_PEERPIDFD, errno.ENOPROTOOPT),
             "PIDFD_GET_INFO": (numbers["ioctl"], 1, PIDFD_GET_INFO, errno.ENOTTY),
             "pidfd_open": (numbers["pidfd_open"], None, 0, errno.ENOSYS)}
    program = []
    for feature in features:
        number, argument, value, error = rules[feature]
        program.append((LOAD, 0, 0, 0))
        if argument is None:
            program.append((EQUAL, 0, 1, number))
        else:
            program += [(EQUAL, 0, 3, number), (LOAD, 0, 0, 16 + 8 * argument),
                        (EQUAL, 0, 1, value)]
        program.append((RETURN, 0, 0, ERROR | error))
    program.append((RETURN, 0, 0, ALLOW))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in program))
    head = ctypes.create_string_buffer(
        struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)

    def install(keep=(code, head)):
        # PR_SET_NO_NEW_PRIVS, then PR_SET_SECCOMP with SECCOMP_MODE_FILTER.
        if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, ctypes.byref(keep[1]), 0, 0):
            os._exit(99)
    return install


@pytest.mark.parametrize("features,cause", [
    (("SO_PEERPIDFD",), "killed by SIGKILL"),
    (("PIDFD_GET_INFO",), "process ended, cause unknown"),
    (("SO_PEERPIDFD", "PIDFD_GET_INFO"), "process ended, cause unknown"),
    (("SO_PEERPIDFD", "PIDFD_GET_INFO", "pidfd_open"), "process ended, cause unknown"),
])
def test_an_older_kernel_makes_the_truth_less_exact_and_not_wrong(folder, features, cause):
    daemon = Daemon(folder, preexec=without(*features)).start()
    missing = daemon.log.partition("this kernel is without ")[2].partition(":")[0].split(", ")
    for feature in features:
        assert feature.replace("PIDFD_GET_INFO", "PIDFD_INFO_EXIT") in missing, daemon.log
    process, run = owner(daemon, "wait")
    with daemon.client() as client:
        lease = client.get_run(run).lease
        assert (lease.kind, lease.pid) == (PROCESS, process.pid)
        process.kill()
        # Reaped at once, so that nothing is left of it to look at.
        leave(process)
        found = ended(client, run, time.monotonic())
        if TELLS_ENDS or cause != "killed by SIGKILL":
            # A look in time at the process that nobody has reaped yet may tell more.
            assert found.ended_cause in (cause, "killed by SIGKILL")
        # What one process says in time is heard in any case.
        process, run = owner(daemon, "finish")
        leave(process)
        assert status(client, run) == FINISHED
    daemon.finish()


def test_without_the_files_of_cgroups_the_kill_is_still_a_kill(folder):
    if not may_unshare():
        pytest.skip("this user may not make mount namespaces")
    daemon = Daemon(folder, wrapper=[
        "unshare", "-m", "sh", "-c", "umount -lR /sys/fs/cgroup && exec \"$@\"", "-"]).start()
    assert "cgroup_memory" in daemon.log
    process, run = owner(daemon, "wait")
    process.kill()
    leave(process)
    with daemon.client() as client:
        found = ended(client, run)
        if TELLS_ENDS:
            assert found.ended_cause == "killed by SIGKILL"
    daemon.finish()


# --- Processes in other pid namespaces ---

def may_unshare_pids():
    return may_unshare() and subprocess.run(
        ["unshare", "-p", "-f", "--mount-proc", "true"], capture_output=True,
        check=False).returncode == 0


@pytest.mark.parametrize("peerpidfd", [True, False])
def test_an_owner_in_a_container_is_watched_or_asked_for_heartbeats(folder, peerpidfd):
    """The daemon is in a pid namespace of its own and cannot see the owner's number."""
    if not may_unshare_pids():
        pytest.skip("this user may not make pid namespaces")
    daemon = Daemon(folder, wrapper=["unshare", "-p", "-f", "--kill-child", "--mount-proc"],
                    preexec=None if peerpidfd else without("SO_PEERPIDFD")).start()
    process, run = owner(daemon, "wait")
    with daemon.client() as client:
        lease = client.get_run(run).lease
        if peerpidfd and tuple(int(p) for p in os.uname().release.split(".")[:2]) >= (6, 5):
            assert (lease.kind, lease.pid) == (PROCESS, 0)
            process.kill()
            leave(process)
            # Of a process in a namespace that is not below its own the kernel tells no more.
            assert ended(client, run, time.monotonic()).ended_cause in (
                "process ended, cause unknown", "killed by SIGKILL")
        else:
            assert (lease.kind, lease.heartbeat_timeout_s) == (HEARTBEAT, 600)
            process.kill()
            leave(process)
    daemon.kill()
