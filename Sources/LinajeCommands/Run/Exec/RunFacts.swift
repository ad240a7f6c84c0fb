import FoundationEssentials
import LinajeClient
import LinajeDomain
import LinajeHost

/// All that `linaje run` knows of a run and has to tell the daemon; kept in a file while it cannot.
struct RunFacts: Codable, Sendable {
    /// How it ended.
    struct End: Codable, Sendable {
        var status: RunStatus
        var cause: String
        var process: ProcessEnd
        var at: Timestamp
    }

    /// 32 hex digits.
    var id: String
    /// Number or name.
    var experiment: String
    var createsExperiment: Bool
    var name: String
    var user: String
    var parent: String?
    var purpose: String
    var startedAt: Timestamp
    var tags: [Tag]
    /// KEY=VALUE.
    var params: [String]
    var provenance: Provenance?
    /// Whether a patch of what is not committed stands beside the file.
    var hasPatch = false
    var end: End?
    /// Whether the daemon knows the run.
    var isCreated = false
    /// Whether more became known of what made it since it was created.
    var hasNews = false

    /// Tells the daemon what it does not know yet, in the order that it needs; each step once.
    ///
    /// - Parameters:
    ///   - isOwner: whether this process runs the command: a run that it creates is its own.
    ///   - patch: the file with the patch.
    mutating func deliver(to client: LinajeClient, isOwner: Bool, patch: String) async throws {
        let run = try RunID(parsing: id[...])
        if !isCreated {
            try await create(run, client, isOwner: isOwner)
            isCreated = true
        }
        var refusal: LinajeError?
        do {
            try await tellNews(of: run, to: client, patch: patch)
        } catch let error as LinajeError where !error.isRetryable {
            // How it ended is worth more than what made it: that is told all the same.
            refusal = error
        }
        if let end {
            _ = try await client.updateRun(
                run, status: end.status, endedAt: end.at, endedCause: end.cause,
                processEnd: end.process)
        }
        if let refusal { throw refusal }
    }

    private mutating func tellNews(
        of run: RunID, to client: LinajeClient, patch: String
    ) async throws {
        guard hasNews, let provenance else { return }
        if hasPatch {
            _ = try await client.upload(
                patch, to: run, at: TreePath(parentOf(GitCapture.diffArtifact)))
            hasPatch = false
        }
        var additions = RunAdditions()
        additions.provenance = provenance
        additions.mergesProvenance = true
        try await client.log(additions, to: run)
        hasNews = false
    }

    private func create(_ run: RunID, _ client: LinajeClient, isOwner: Bool) async throws {
        var new = NewRun(id: run, name: name)
        new.experimentID = try await Arguments.experimentID(
            experiment, creates: createsExperiment, client)
        new.user = user
        new.parentID = try parent.map { try RunID(parsing: $0[...]) }
        new.startedAt = startedAt
        new.tags = tags
        new.params = try Arguments.params(params)
        new.provenance = provenance
        new.lease =
            isOwner && end == nil ? .process(pid: 0, start: 0, supervises: true) : .detached
        _ = try await client.createRun(new)
    }

    private func parentOf(_ path: String) -> String {
        String(path.prefix { $0 != "/" })
    }
}
