import LinajeDomain
import LinajeHost
import Testing

@Suite struct ProvenanceTests {
    @Test("a job is named by its scheduler's own words, and there is none outside of one")
    func jobs() throws {
        #expect(SchedulerJob.detect([:], host: "h") == nil)
        #expect(SchedulerJob.detect(["SLURM_JOB_ID": ""], host: "h") == nil)
        let slurm = try #require(
            SchedulerJob.detect(
                [
                    "SLURM_JOB_ID": "12", "SLURM_ARRAY_JOB_ID": "10", "SLURM_ARRAY_TASK_ID": "2",
                    "SLURM_STEP_ID": "0", "SLURM_PROCID": "3", "SLURMD_NODENAME": "n7",
                    "SLURM_CLUSTER_NAME": "c",
                ], host: "h"))
        #expect(slurm.scheduler == "slurm")
        #expect([slurm.jobID, slurm.arrayID, slurm.arrayTask] == ["12", "10", "2"])
        #expect([slurm.step, slurm.rank, slurm.node, slurm.cluster] == ["0", "3", "n7", "c"])
        let lsf = try #require(
            SchedulerJob.detect(["LSB_JOBID": "5", "LSB_JOBINDEX": "0"], host: "h"))
        #expect([lsf.scheduler, lsf.arrayTask, lsf.node] == ["lsf", "", "h"])
        #expect(SchedulerJob.detect(["PBS_JOBID": "5.x"], host: "h")?.scheduler == "pbs")
        #expect(SchedulerJob.detect(["JOB_ID": "5"], host: "h") == nil)
        let sge = SchedulerJob.detect(["JOB_ID": "5", "SGE_TASK_ID": "undefined"], host: "h")
        #expect(sge?.arrayTask == "")
    }

    @Test("a container is known by its id, and by what its runtime left inside")
    func containers() {
        let id = String(repeating: "ab", count: 32)
        func traces(
            cgroup: String = "", files: Set<String> = [], noted: String = "",
            _ environment: [String: String] = [:]
        ) -> ContainerTraces {
            ContainerTraces(
                cgroup: cgroup.split(separator: "\n"), mountinfo: [], files: files,
                containerenv: noted.split(separator: "\n"), environment: environment)
        }
        #expect(traces() == traces(cgroup: "0::/user.slice/\(id)"))
        #expect(traces().identity == nil)
        #expect(traces(cgroup: "4:memory:/docker/\(id)").id == id)
        #expect(traces(cgroup: "0::/system.slice/docker-\(id).scope").id == id)
        #expect(traces(files: ["/.dockerenv"]).identity?.runtime == "docker")
        let podman = traces(
            files: ["/run/.containerenv"], noted: "name=\"job\"\nimage=\"i:1\"\nid=\"\(id)\"")
        #expect(podman.identity == ContainerIdentity(runtime: "podman", name: "job", image: "i:1"))
        #expect(podman.id == id)
        let pod = traces(["KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "pod-1"])
        #expect(pod.identity == ContainerIdentity(runtime: "kubernetes", name: "pod-1"))
        let apptainer = traces(["APPTAINER_NAME": "x.sif", "APPTAINER_CONTAINER": "/x.sif"])
        #expect(
            apptainer.identity
                == ContainerIdentity(runtime: "apptainer", name: "x.sif", image: "/x.sif"))
        #expect(traces(["container": "lxc"]).identity?.runtime == "lxc")
    }

    @Test(
        "no credentials stay in the URL of a remote",
        arguments: [
            ("https://user:secret@host/a/b.git?x=y#z", "https://host/a/b.git"),
            ("https://host:8443/a", "https://host:8443/a"), ("git@host:a/b.git", "host:a/b.git"),
            ("/srv/a@b", "/srv/a@b"), ("https://a@b@host/x", "https://host/x"), ("", ""),
            ("ssh://git@host", "ssh://host"),
        ])
    func remotes(_ url: String, _ shown: String) {
        #expect(GitCapture.withoutCredentials(url) == shown)
    }

    @Test("what looks like a secret on a command line is hidden")
    func masks() {
        #expect(
            CommandLineMask.masked(["a", "--token", "x", "--api-key=y", "PASSWORD=z", "--n", "1"])
                == ["a", "--token", "***", "--api-key=***", "PASSWORD=***", "--n", "1"])
        #expect(CommandLineMask.masked(["--secret", "--n"]) == ["--secret", "--n"])
    }

    @Test("only listed variables, and those that are asked for, are recorded")
    func environment() {
        let found = CapturedEnvironment.allowed(
            ["RANK": "1", "MINE": "2", "OTHER": "3", "LINAJE_CAPTURE_ENV": "MINE, NONE"])
        #expect(found == ["RANK": "1", "MINE": "2"])
    }

    @Test("a program's output is taken when it ends well, in time and in bounds")
    func outputs() {
        let environment = ["PATH=/usr/bin:/bin"]
        func output(_ script: String, seconds: Int32 = 10, limit: Int = 100) -> [UInt8]? {
            SpawnedProcess.output(
                of: ["sh", "-c", script], environment: environment, seconds: seconds, limit: limit)
        }
        #expect(output("echo a") == Array("a\n".utf8))
        #expect(output("echo a; exit 1") == nil)
        #expect(output("echo a; exec sleep 60", seconds: 1) == nil)
        #expect(output("exec yes") == nil)
        #expect(SpawnedProcess.output(of: ["no-such-program"], environment: environment) == nil)
    }
}
