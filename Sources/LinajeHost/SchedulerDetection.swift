package import LinajeDomain

extension SchedulerJob {
    /// The job that the environment tells of (docs/provenance.md); `nil` outside of one.
    package static func detect(_ environment: [String: String], host: String) -> SchedulerJob? {
        func value(_ names: String...) -> String {
            names.lazy.compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
        }
        var job: SchedulerJob
        if !value("SLURM_JOB_ID", "SLURM_JOBID").isEmpty {
            job = SchedulerJob(scheduler: "slurm")
            job.jobID = value("SLURM_JOB_ID", "SLURM_JOBID")
            job.jobName = value("SLURM_JOB_NAME")
            job.arrayID = value("SLURM_ARRAY_JOB_ID")
            job.arrayTask = value("SLURM_ARRAY_TASK_ID")
            job.step = value("SLURM_STEP_ID", "SLURM_STEPID")
            job.rank = value("SLURM_PROCID")
            job.node = value("SLURMD_NODENAME")
            job.nodes = value("SLURM_JOB_NODELIST", "SLURM_NODELIST")
            job.cluster = value("SLURM_CLUSTER_NAME")
            job.queue = value("SLURM_JOB_PARTITION")
        } else if !value("LSB_JOBID").isEmpty {
            job = SchedulerJob(scheduler: "lsf")
            job.jobID = value("LSB_JOBID")
            job.jobName = value("LSB_JOBNAME")
            let index = value("LSB_JOBINDEX")
            job.arrayTask = index == "0" ? "" : index
            job.nodes = value("LSB_HOSTS")
            job.queue = value("LSB_QUEUE")
        } else if !value("PBS_JOBID").isEmpty {
            job = SchedulerJob(scheduler: "pbs")
            job.jobID = value("PBS_JOBID")
            job.jobName = value("PBS_JOBNAME")
            job.arrayID = value("PBS_ARRAY_ID")
            job.arrayTask = value("PBS_ARRAY_INDEX", "PBS_ARRAYID")
            job.rank = value("PBS_TASKNUM")
            job.cluster = value("PBS_SERVER")
            job.queue = value("PBS_QUEUE")
        } else if !value("JOB_ID").isEmpty, !value("SGE_TASK_ID", "SGE_ROOT").isEmpty {
            job = SchedulerJob(scheduler: "sge")
            job.jobID = value("JOB_ID")
            job.jobName = value("JOB_NAME")
            let task = value("SGE_TASK_ID")
            job.arrayTask = task == "undefined" ? "" : task
            job.cluster = value("SGE_CLUSTER_NAME")
            job.queue = value("QUEUE")
        } else {
            return nil
        }
        if job.node.isEmpty { job.node = host }
        return job
    }
}

/// The container that a process is in, as far as it can tell from inside (docs/provenance.md).
package struct ContainerTraces: Sendable, Hashable {
    /// 64 hex digits; empty where the container does not show it.
    package var id: String
    /// `nil` outside of a container.
    package var identity: ContainerIdentity?

    package static func ofThisProcess(_ environment: [String: String]) -> ContainerTraces {
        let files = ["/.dockerenv", "/run/.containerenv"].filter(SmallFile.exists)
        return ContainerTraces(
            cgroup: SmallFile.lines("/proc/self/cgroup"),
            mountinfo: SmallFile.lines("/proc/self/mountinfo"), files: Set(files),
            containerenv: SmallFile.lines("/run/.containerenv"), environment: environment)
    }

    package init(
        cgroup: [Substring], mountinfo: [Substring], files: Set<String>,
        containerenv: [Substring], environment: [String: String]
    ) {
        id = (cgroup + mountinfo).lazy.compactMap(Self.id).first ?? ""
        func value(_ names: String...) -> String {
            names.lazy.compactMap { environment[$0] }.first { !$0.isEmpty } ?? ""
        }
        func noted(_ key: String) -> String {
            containerenv.first { $0.hasPrefix("\(key)=") }
                .map { $0.dropFirst(key.count + 1).filter { $0 != "\"" } } ?? ""
        }
        if !value("KUBERNETES_SERVICE_HOST").isEmpty {
            identity = ContainerIdentity(
                runtime: "kubernetes", name: value("POD_NAME", "HOSTNAME"), image: "")
        } else if !value("APPTAINER_CONTAINER", "APPTAINER_NAME").isEmpty {
            identity = ContainerIdentity(
                runtime: "apptainer", name: value("APPTAINER_NAME"),
                image: value("APPTAINER_CONTAINER"))
        } else if !value("SINGULARITY_CONTAINER", "SINGULARITY_NAME").isEmpty {
            identity = ContainerIdentity(
                runtime: "singularity", name: value("SINGULARITY_NAME"),
                image: value("SINGULARITY_CONTAINER"))
        } else if files.contains("/run/.containerenv") {
            identity = ContainerIdentity(
                runtime: "podman", name: noted("name"), image: noted("image"))
            if id.isEmpty { id = noted("id") }
        } else if files.contains("/.dockerenv") {
            identity = ContainerIdentity(runtime: "docker")
        } else if !value("container").isEmpty {
            // systemd-nspawn and lxc set it; see systemd's CONTAINER_INTERFACE.
            identity = ContainerIdentity(runtime: value("container"))
        }
    }

    /// The first run of 64 hex digits after the name of a runtime.
    private static func id(in line: Substring) -> String? {
        let names = ["docker", "containers", "crio", "libpod", "kubepods"]
        guard names.contains(where: { line.contains($0) }) else { return nil }
        let isHex = { (character: Character) in character.isASCII && character.isHexDigit }
        return line.split(whereSeparator: { !isHex($0) }).first { $0.count == 64 }
            .map { $0.lowercased() }
    }
}
