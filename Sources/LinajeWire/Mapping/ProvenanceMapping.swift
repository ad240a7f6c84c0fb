package import LinajeDomain

extension Linaje_V1_GitState {
    package init(_ git: GitState) {
        self.init()
        commit = git.commit
        branch = git.branch
        remote = git.remote
        dirty = git.isDirty
        diffArtifact = git.diffArtifact
    }
}

extension GitState {
    package init(_ message: Linaje_V1_GitState) {
        self.init(
            commit: message.commit, branch: message.branch, remote: message.remote,
            isDirty: message.dirty, diffArtifact: message.diffArtifact)
    }
}

extension Linaje_V1_SchedulerJob {
    package init(_ job: SchedulerJob) {
        self.init()
        scheduler = job.scheduler
        jobID = job.jobID
        jobName = job.jobName
        arrayID = job.arrayID
        arrayTask = job.arrayTask
        step = job.step
        rank = job.rank
        node = job.node
        nodes = job.nodes
        cluster = job.cluster
        queue = job.queue
    }
}

extension SchedulerJob {
    package init(_ message: Linaje_V1_SchedulerJob) {
        self.init(scheduler: message.scheduler)
        jobID = message.jobID
        jobName = message.jobName
        arrayID = message.arrayID
        arrayTask = message.arrayTask
        step = message.step
        rank = message.rank
        node = message.node
        nodes = message.nodes
        cluster = message.cluster
        queue = message.queue
    }
}

extension Linaje_V1_ContainerIdentity {
    package init(_ container: ContainerIdentity) {
        self.init()
        runtime = container.runtime
        name = container.name
        image = container.image
    }
}

extension ContainerIdentity {
    package init(_ message: Linaje_V1_ContainerIdentity) {
        self.init(runtime: message.runtime, name: message.name, image: message.image)
    }
}

extension Linaje_V1_Provenance {
    package init(_ provenance: Provenance) {
        self.init()
        if let state = provenance.git { git = Linaje_V1_GitState(state) }
        entryPoint = provenance.entryPoint
        argv = provenance.argv
        notebook = provenance.notebook
        notebookCells = provenance.notebookCells
        language = provenance.language
        packages = provenance.packages
        os = provenance.os
        kernel = provenance.kernel
        cpu = provenance.cpu
        memoryBytes = provenance.memoryBytes
        gpus = provenance.gpus
        host = provenance.host
        user = provenance.user
        environment = provenance.environment
        container = provenance.container
        purpose = provenance.purpose
        if let known = provenance.job { job = Linaje_V1_SchedulerJob(known) }
        if let known = provenance.containerIdentity {
            containerIdentity = Linaje_V1_ContainerIdentity(known)
        }
    }
}

extension Provenance {
    /// Everything in it is free text of the client, bounded by the longest request.
    package init(_ message: Linaje_V1_Provenance) {
        self.init()
        git = message.hasGit ? GitState(message.git) : nil
        entryPoint = message.entryPoint
        argv = message.argv
        notebook = message.notebook
        notebookCells = message.notebookCells
        language = message.language
        packages = message.packages
        os = message.os
        kernel = message.kernel
        cpu = message.cpu
        memoryBytes = message.memoryBytes
        gpus = message.gpus
        host = message.host
        user = message.user
        environment = message.environment
        container = message.container
        purpose = message.purpose
        job = message.hasJob ? SchedulerJob(message.job) : nil
        containerIdentity =
            message.hasContainerIdentity ? ContainerIdentity(message.containerIdentity) : nil
    }
}
