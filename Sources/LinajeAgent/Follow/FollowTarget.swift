import FoundationEssentials
import LinajeClient
package import LinajeDomain
import LinajeHost

/// Which runs the measurements of followed files go to.
package enum FollowTarget: Sendable, Hashable {
    /// A run that exists; whoever owns it does so further on.
    case run(RunID)
    /// The run of this name that the agent has made for the same source, or makes.
    case named(String, in: ExperimentID)
    /// A run for each directory, or for the file, named after it.
    case bySource(in: ExperimentID)
}

/// Finds the run of a source, or makes it. The id follows from machine, experiment and path, so that
/// it is the same run after a restart; nothing is written down for it.
struct FollowedRun: Sendable {
    let id: RunID
    /// Whether the agent has made it, and so says of it that it lives and ends.
    let isOwn: Bool

    /// - Parameters:
    ///   - kind: "tensorboard" or "jsonl"; the tag `linaje.KIND` holds `path`.
    ///   - path: the source's absolute path.
    ///   - startedAt: the time of its first measurement.
    static func find(
        _ target: FollowTarget, kind: String, path: String, name: String, startedAt: Timestamp?,
        _ client: LinajeClient
    ) async throws -> FollowedRun {
        let experiment: ExperimentID
        var title = name
        switch target {
        case .run(let id): return FollowedRun(id: id, isOwn: false)
        case .named(let given, let place): (title, experiment) = (given, place)
        case .bySource(let place): experiment = place
        }
        let named = if case .named = target { title } else { "" }
        let machine = SmallFile.text("/etc/machine-id")
        let id: RunID = DerivedIdentity.make([kind, machine, "\(experiment)", path, named])
        var new = NewRun(id: id, experimentID: experiment, name: Self.runName(title))
        new.user = ProcessInfo.processInfo.environment["USER"] ?? ""
        new.startedAt = startedAt
        new.tags = [Tag(key: "linaje.\(kind)", value: path)]
        // Silence stalls it, the next measurement resumes it: that is what a file can tell.
        new.lease = .heartbeat(timeout: Limits.heartbeatTimeout)
        let run = try await client.createRun(new)
        guard run.lifecycle == .active else {
            throw LinajeError(
                .runNotActive,
                "run \(id) of \(path) is deleted; restore it with \"linaje run restore \(id)\" or "
                    + "give another with --run")
        }
        return FollowedRun(id: id, isOwn: true)
    }

    /// A name within its bound; paths may be longer.
    private static func runName(_ text: String) -> String {
        let printable = String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? "?" : $0 }))
        guard printable.utf8.count > Limits.nameBytes else { return printable }
        var kept = printable[...]
        while kept.utf8.count > Limits.nameBytes - 3 { kept = kept.dropFirst() }
        return "…" + kept
    }
}
