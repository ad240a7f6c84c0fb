package import LinajeDomain
package import LinajePluginKit
import Synchronization

extension ArtifactStore {
    /// Compares this store with another, and copies packs that one of them lacks.
    ///
    /// Nothing is remembered of earlier comparisons: what either side has, it is asked for. Packs are
    /// copied one after the other, each checked byte by byte on the way, and each is of use at once;
    /// what was interrupted goes on with the packs that are still missing. A pack that is damaged is
    /// a finding, and the others go on.
    ///
    /// - Parameters:
    ///   - action: `status` copies nothing.
    ///   - readingData: whether `status` also reads and checks every byte that the remote has.
    ///   - report: called after the comparison, for each finding and after each pack; the last time
    ///     with `isFinished`. What it throws ends the work after the pack at hand.
    /// - Throws: the error of a store that does not answer; `overloaded` for more than
    ///   `Limits.remoteExchanges` at a time.
    package func exchange(
        _ action: RemoteAction, with remote: any ArtifactBackend, readingData: Bool = false,
        report: (RemoteProgress) async throws -> Void
    ) async throws {
        if action == .pull, let failure = await failure { throw failure }
        try beginExchange()
        defer { exchanges.withLock { $0 -= 1 } }
        let there = BlobReader(backend: remote, index: index, pool: pool)
        let comparison = try await RemoteComparison(
            here: backend, there: remote, readerHere: reader, readerThere: there)
        var progress = RemoteProgress()
        for size in comparison.common.values { progress.common.add(size) }
        for size in comparison.missingThere.values { progress.missingThere.add(size) }
        for size in comparison.missingHere.values { progress.missingHere.add(size) }
        try await report(progress)
        // What is wrong at the destination and right at the source is copied anew.
        let (copied, unnamed): ([PackName: UInt64], Int) =
            switch action {
            case .status: ([:], comparison.unnamedHere + comparison.unnamedThere)
            case .push: (comparison.missingThere, comparison.unnamedHere)
            case .pull: (comparison.missingHere, comparison.unnamedThere)
            }
        var findings = RemoteFindings(unnamed: unnamed)
        for damage in comparison.damages
        where PackName(key: damage.pack).flatMap({ copied[$0] }) == nil {
            try await findings.add(damage.pack, damage.finding, progress, report)
        }
        switch action {
        case .status:
            if readingData { try await readAll(remote, there, progress, &findings, report) }
        case .push:
            let copy = PackCopy(source: reader, destination: remote, proof: there, pool: pool)
            try await each(comparison.missingThere, of: backend, &progress, &findings, report) {
                _ = try await copy.copy($0, size: $1)
            }
        case .pull:
            let copy = PackCopy(source: there, destination: backend, proof: reader, pool: pool)
            try await each(comparison.missingHere, of: remote, &progress, &findings, report) {
                pack, size in
                // Nobody removes a pack of that name between its write and its entry.
                try await locks.hold(pack) {
                    let header = try await copy.copy(pack, size: size)
                    try await index.insert(pack, size: size, header)
                }
            }
            // What the index has lost of packs that are here, it finds again.
            try await enterUnknown(comparison.common)
            try await settleDisputes { file in
                try await findings.add("", Self.wrong(file), progress, report)
            }
        }
        try await findings.finish(progress, report)
        progress.pack = ""
        progress.isFinished = true
        try await report(progress)
    }

    private func beginExchange() throws {
        let isAllowed = exchanges.withLock { count in
            guard count < Limits.remoteExchanges else { return false }
            count += 1
            return true
        }
        guard isAllowed else {
            throw LinajeError(
                .overloaded,
                "\(Limits.remoteExchanges) exchanges with remotes are on their way, as many as may "
                    + "be; try again when one of them is over")
        }
    }

    /// - Parameter source: where the packs are; one that was removed there meanwhile is passed over.
    private func each(
        _ packs: [PackName: UInt64], of source: any ArtifactBackend,
        _ progress: inout RemoteProgress, _ findings: inout RemoteFindings,
        _ report: (RemoteProgress) async throws -> Void,
        _ body: (PackName, UInt64) async throws -> Void
    ) async throws {
        for pack in packs.keys.sorted() {
            try Task.checkCancellation()
            let size = packs[pack] ?? 0
            progress.pack = pack.key
            do {
                try await body(pack, size)
                progress.copied.add(size)
                try await report(progress)
            } catch let error as LinajeError where error.isOfPack {
                guard try await source.stat(pack.key) != nil else { continue }
                try await findings.add(pack.key, error.message, progress, report)
            }
        }
    }

    /// Reads every byte that the remote has; the first that is wrong in a pack is a finding.
    private func readAll(
        _ remote: any ArtifactBackend, _ reader: BlobReader, _ progress: RemoteProgress,
        _ findings: inout RemoteFindings, _ report: (RemoteProgress) async throws -> Void
    ) async throws {
        let reading = PackReading(source: reader, pool: pool)
        for object in try await remote.list(prefix: "packs/") {
            try Task.checkCancellation()
            guard let pack = PackName(key: object.key) else {
                try await findings.add(
                    object.key, "\(object.key): its name is no pack's", progress, report)
                continue
            }
            do {
                let header = try await reader.header(of: pack, size: object.size)
                try await reading.read(pack, header) { _ in }
            } catch let error as LinajeError where error.isOfPack {
                try await findings.add(pack.key, error.message, progress, report)
            }
        }
    }

    /// What is said of a file that no recipe makes.
    static func wrong(_ file: SHA256Digest) -> String {
        "the packs that list the chunks of file \(file) are wrong about it; upload it again, or pull it "
            + "from another remote"
    }

    private func enterUnknown(_ packs: [PackName: UInt64]) async throws {
        let known = try await index.packs()
        for (pack, size) in packs where known[pack] == nil {
            try await locks.hold(pack) {
                // One that was collected meanwhile is not there to be entered.
                guard try await backend.stat(pack.key) == size,
                    try await !index.removals(limit: .max).contains(pack)
                else { return }
                let header = try await reader.header(of: pack, size: size)
                try await index.insert(pack, size: size, header)
            }
        }
    }
}
