"""What is captured of code and machine, and what is left out."""

import os
import subprocess
import sys

import pytest
from conftest import run_python

import linaje
from linaje import _identity, _provenance


def git(folder, *arguments):
    return subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=Ada", "-c", "user.email=a@example.org",
         *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "trunk")
    (folder / "train.py").write_text("lr = 1\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    git(folder, "remote", "add", "origin", "https://ada:secret@example.org:8443/r.git?token=t")
    return folder


def test_a_clean_work_tree(repository):
    state, patch = _provenance.git_state(str(repository))
    assert state == {"commit": git(repository, "rev-parse", "HEAD"), "branch": "trunk",
                     "remote": "https://example.org:8443/r.git", "dirty": False}
    assert patch == ""


def test_a_dirty_work_tree_gives_a_patch_that_applies(repository):
    (repository / "train.py").write_text("lr = 2\n")
    (repository / "data.bin").write_bytes(bytes(range(256)))
    git(repository, "add", "data.bin")
    state, patch = _provenance.git_state(str(repository / "."))
    assert state["dirty"] and state["diff_artifact"] == "linaje/diff.patch"
    git(repository, "reset", "-q", "--hard")
    subprocess.run(["git", "-C", str(repository), "apply"], input=patch, text=True, check=True)
    assert (repository / "train.py").read_text() == "lr = 2\n"
    assert (repository / "data.bin").read_bytes() == bytes(range(256))


def test_no_repository_and_no_commit(tmp_path):
    assert _provenance.git_state(str(tmp_path)) == ({}, "")
    git(tmp_path, "init", "-q", "-b", "trunk")
    state, patch = _provenance.git_state(str(tmp_path))
    assert state["commit"] == "" and state["branch"] == "trunk" and patch == ""


@pytest.mark.parametrize(("given", "expected"), [
    ("https://user:pass@host/path.git", "https://host/path.git"),
    ("https://token@host/path.git", "https://host/path.git"),
    ("git@github.com:a/b.git", "github.com:a/b.git"),
    ("ssh://git@[::1]:22/a.git", "ssh://[::1]:22/a.git"),
    ("/srv/git/a.git", "/srv/git/a.git"), ("https://host:bad/p", "")])
def test_credentials_of_a_remote_are_removed(given, expected):
    assert _provenance.without_credentials(given) == expected


def test_secrets_of_a_command_line_are_masked():
    assert _provenance._masked(
        ["train.py", "--lr", "0.1", "--api-key=abc", "--password", "hunter2", "--token", "--v",
         "DB_PASSWORD=x", "--tokens-per-batch"]) == [
        "train.py", "--lr", "0.1", "--api-key=***", "--password", "***", "--token", "--v",
        "DB_PASSWORD=***", "--tokens-per-batch"]


def test_only_allow_listed_variables_are_captured(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "no")
    monkeypatch.setenv("MINE", "yes")
    monkeypatch.setenv("LINAJE_CAPTURE_ENV", "MINE, NOT_SET")
    found = _provenance.environment()
    assert found["CUDA_VISIBLE_DEVICES"] == "0,1" and found["MINE"] == "yes"
    assert "AWS_SECRET_ACCESS_KEY" not in found and "NOT_SET" not in found


def test_machine_and_packages_are_captured():
    found = linaje.capture()
    assert found["language"].startswith("CPython 3.")
    assert found["packages"]["pytest"] == pytest.__version__
    assert found["kernel"].startswith("Linux ") and found["memory_bytes"] > 1 << 20
    assert found["cpu"].endswith(" cores") and found["host"] and found["user"] and found["os"]


def test_gpus_are_asked_of_nvidia_smi(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA H200, 550.54'\necho 'NVIDIA H200, 550.54'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert _provenance._gpus() == ["NVIDIA H200 (driver 550.54)"] * 2
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert _provenance._gpus() == []


def test_a_run_in_a_repository_carries_it_and_its_patch(fake, repository):
    (repository / "train.py").write_text("""
import linaje, sys
with linaje.start_run(purpose="to see") as run:
    pass
print(run.run_id)
""")
    done = subprocess.run([sys.executable, "train.py", "--lr", "1"], cwd=repository, check=True,
                          capture_output=True, text=True, env={
                              **os.environ, "PYTHONPATH": os.path.dirname(
                                  os.path.dirname(linaje.__file__))})
    stored = fake.run(done.stdout.strip())
    found = stored["provenance"]
    assert found.git.commit == git(repository, "rev-parse", "HEAD") and found.git.dirty
    assert found.entry_point == str(repository / "train.py")
    assert found.argv == ["train.py", "--lr", "1"] and found.purpose == "to see"
    patch = fake.files[stored["_artifacts"]["linaje/diff.patch"][2]].decode()
    assert "+import linaje, sys" in patch and "-lr = 1" in patch
    assert stored["status"] == 3


def test_a_start_takes_milliseconds_whatever_git_takes(fake, tmp_path):
    tool = tmp_path / "git"
    tool.write_text("#!/bin/sh\nsleep 1\nexit 1\n")
    tool.chmod(0o755)
    out = run_python("""
        import time, linaje
        begin = time.perf_counter()
        run = linaje.start_run()
        print(time.perf_counter() - begin)
        linaje.end_run()
    """, PATH=f"{tmp_path}:{os.environ['PATH']}").stdout
    assert float(out) < 0.5


def test_a_notebook_and_its_cells_are_captured(monkeypatch):
    class Shell:
        config = {"IPKernelApp": {}}
        user_ns = {"In": ["", "a = 1", "b = 2"], "__vsc_ipynb_file__": "/n/train.ipynb"}

    monkeypatch.setattr(_provenance, "_shell", Shell)
    found = _provenance.capture_now()
    assert found["notebook"] == "/n/train.ipynb" and found["notebook_cells"] == ["a = 1", "b = 2"]


# --- Batch job and container ---

def test_a_job_is_named_by_its_scheduler_and_there_is_none_outside_of_one():
    assert _identity.scheduler_job({}, "h") == {}
    assert _identity.scheduler_job({"SLURM_JOB_ID": "12", "SLURM_ARRAY_JOB_ID": "10",
                                    "SLURM_ARRAY_TASK_ID": "2", "SLURM_STEP_ID": "0"}, "h") == {
        "scheduler": "slurm", "job_id": "12", "array_id": "10", "array_task": "2", "step": "0",
        "node": "h"}
    assert _identity.scheduler_job({"JOB_ID": "5"}, "h") == {}
    assert _identity.scheduler_job({"LSB_JOBID": "5", "LSB_JOBINDEX": "0"}, "h") == {
        "scheduler": "lsf", "job_id": "5", "node": "h"}


def test_a_container_is_known_by_its_id_and_by_what_its_runtime_left(tmp_path):
    root, number = str(tmp_path), "ab" * 32
    assert _identity.container({}, root) == ("", {})
    assert _identity.container({"APPTAINER_NAME": "x.sif"}, root) == (
        "", {"runtime": "apptainer", "name": "x.sif"})
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"0::/system.slice/docker-{number}.scope\n")
    (tmp_path / ".dockerenv").touch()
    assert _identity.container({}, root) == (number, {"runtime": "docker"})
    (tmp_path / "run").mkdir()
    (tmp_path / "run/.containerenv").write_text('name="job"\nimage="i:1"\n')
    assert _identity.container({}, root)[1] == {"runtime": "podman", "name": "job", "image": "i:1"}
