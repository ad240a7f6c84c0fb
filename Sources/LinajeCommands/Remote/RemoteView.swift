import LinajeClient
import LinajeDomain

/// Shows how an exchange with a remote goes: on a terminal each pack, at the end what it came to.
struct RemoteView {
    let options: GlobalOptions
    let action: RemoteAction
    let remote: String

    /// - Throws: `incomplete` when packs were damaged, or status finds that the remote lacks some.
    func show(_ reading: RemoteReading) async throws {
        let bar = StepBar(isQuiet: options.json)
        var findings: [String] = []
        var last = RemoteProgress()
        for try await progress in reading {
            last = progress
            if options.json {
                Output.lineNow(json(progress).text)
            } else if let finding = progress.finding {
                bar.clear()
                Output.note(printable(finding))
            } else if !progress.isFinished {
                bar.draw(step(progress))
            }
            if let finding = progress.finding { findings.append(finding) }
        }
        bar.clear()
        if !options.json { Output.line(summary(last)) }
        if let first = findings.first {
            throw LinajeError(
                .corrupt, "\(findings.count) packs are damaged: \(first)")
        }
        if action == .status, last.missingThere.packs > 0 {
            throw LinajeError(
                .incomplete,
                "remote \(remote) lacks \(sum(last.missingThere)); linaje push --remote \(remote)")
        }
    }

    private func step(_ progress: RemoteProgress) -> String {
        let all = action == .push ? progress.missingThere : progress.missingHere
        guard action != .status else { return "comparing with \(remote)" }
        return "\(progress.copied.packs)/\(all.packs) packs, \(progress.copied.size) of \(all.size)"
    }

    private func summary(_ progress: RemoteProgress) -> String {
        switch action {
        case .push: "pushed \(sum(progress.copied)) to \(remote); \(common(progress))"
        case .pull: "pulled \(sum(progress.copied)) from \(remote); \(common(progress))"
        case .status:
            "\(common(progress)); \(remote) lacks \(sum(progress.missingThere)), the daemon lacks "
                + "\(sum(progress.missingHere))"
        }
    }

    private func common(_ progress: RemoteProgress) -> String {
        "\(sum(progress.common)) were in both"
    }

    private func sum(_ sum: PackSum) -> String {
        "\(Rendering.grouped(sum.packs)) packs (\(sum.size))"
    }

    private func json(_ progress: RemoteProgress) -> JSONValue {
        func sum(_ sum: PackSum) -> JSONValue {
            .object([("packs", .uint(sum.packs)), ("bytes", .uint(sum.size.bytes))])
        }
        return .object([
            ("remote", .string(remote)), ("action", .string(action.rawValue)),
            ("common", sum(progress.common)), ("missing_there", sum(progress.missingThere)),
            ("missing_here", sum(progress.missingHere)), ("copied", sum(progress.copied)),
            ("pack", .string(progress.pack)), ("finding", .optional(progress.finding)),
            ("finished", .bool(progress.isFinished)),
        ])
    }
}
