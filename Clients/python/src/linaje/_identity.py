"""The batch job and the container that a process is in: the rules of docs/provenance.md, which
`linaje run` shares."""

import os
import re
from typing import Dict, Mapping, Tuple

_CONTAINER_ID = re.compile(r"(?:docker|containers|crio|libpod|kubepods)[^\n]*?([0-9a-fA-F]{64})")


def scheduler_job(environment: Mapping[str, str], host: str) -> Dict[str, str]:
    """The SchedulerJob that the environment tells of; empty outside of one."""
    def value(*names: str) -> str:
        return next((environment[name] for name in names if environment.get(name)), "")

    if value("SLURM_JOB_ID", "SLURM_JOBID"):
        job = {"scheduler": "slurm", "job_id": value("SLURM_JOB_ID", "SLURM_JOBID"),
               "job_name": value("SLURM_JOB_NAME"), "array_id": value("SLURM_ARRAY_JOB_ID"),
               "array_task": value("SLURM_ARRAY_TASK_ID"),
               "step": value("SLURM_STEP_ID", "SLURM_STEPID"), "rank": value("SLURM_PROCID"),
               "node": value("SLURMD_NODENAME"),
               "nodes": value("SLURM_JOB_NODELIST", "SLURM_NODELIST"),
               "cluster": value("SLURM_CLUSTER_NAME"), "queue": value("SLURM_JOB_PARTITION")}
    elif value("LSB_JOBID"):
        index = value("LSB_JOBINDEX")
        job = {"scheduler": "lsf", "job_id": value("LSB_JOBID"), "job_name": value("LSB_JOBNAME"),
               "array_task": "" if index == "0" else index, "nodes": value("LSB_HOSTS"),
               "queue": value("LSB_QUEUE")}
    elif value("PBS_JOBID"):
        job = {"scheduler": "pbs", "job_id": value("PBS_JOBID"), "job_name": value("PBS_JOBNAME"),
               "array_id": value("PBS_ARRAY_ID"),
               "array_task": value("PBS_ARRAY_INDEX", "PBS_ARRAYID"),
               "rank": value("PBS_TASKNUM"), "cluster": value("PBS_SERVER"),
               "queue": value("PBS_QUEUE")}
    elif value("JOB_ID") and value("SGE_TASK_ID", "SGE_ROOT"):
        task = value("SGE_TASK_ID")
        job = {"scheduler": "sge", "job_id": value("JOB_ID"), "job_name": value("JOB_NAME"),
               "array_task": "" if task == "undefined" else task,
               "cluster": value("SGE_CLUSTER_NAME"), "queue": value("QUEUE")}
    else:
        return {}
    job["node"] = job.get("node") or host
    return {name: text for name, text in job.items() if text}


def container(environment: Mapping[str, str], root: str = "/") -> Tuple[str, Dict[str, str]]:
    """(id, ContainerIdentity) of the container; both empty outside of one."""
    def value(*names: str) -> str:
        return next((environment[name] for name in names if environment.get(name)), "")

    def read(path: str) -> str:
        try:
            with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
                return file.read(1 << 20)
        except OSError:
            return ""

    found = (_CONTAINER_ID.search(read("proc/self/cgroup"))
             or _CONTAINER_ID.search(read("proc/self/mountinfo")))
    identifier = found[1].lower() if found else ""
    noted = dict(re.findall(r'^(\w+)="?([^"\n]*)', read("run/.containerenv"), re.M))
    if value("KUBERNETES_SERVICE_HOST"):
        identity = {"runtime": "kubernetes", "name": value("POD_NAME", "HOSTNAME")}
    elif value("APPTAINER_CONTAINER", "APPTAINER_NAME"):
        identity = {"runtime": "apptainer", "name": value("APPTAINER_NAME"),
                    "image": value("APPTAINER_CONTAINER")}
    elif value("SINGULARITY_CONTAINER", "SINGULARITY_NAME"):
        identity = {"runtime": "singularity", "name": value("SINGULARITY_NAME"),
                    "image": value("SINGULARITY_CONTAINER")}
    elif os.path.exists(os.path.join(root, "run/.containerenv")):
        identity = {"runtime": "podman", "name": noted.get("name", ""),
                    "image": noted.get("image", "")}
        identifier = identifier or noted.get("id", "")
    elif os.path.exists(os.path.join(root, ".dockerenv")):
        identity = {"runtime": "docker"}
    elif value("container"):
        identity = {"runtime": value("container")}
    else:
        # An id without a known runtime is a container all the same.
        return identifier, {}
    return identifier, {name: text for name, text in identity.items() if text}
