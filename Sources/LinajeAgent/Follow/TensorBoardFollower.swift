import FoundationEssentials
package import LinajeClient
import LinajeDomain

/// How followers look at files.
package struct FollowConfiguration: Sendable {
    package var target: FollowTarget
    /// Pause between two looks.
    package var pause: Duration
    /// Read what is there and end.
    package var once: Bool

    package init(target: FollowTarget, pause: Duration, once: Bool) {
        self.target = target
        self.pause = pause
        self.once = once
    }
}

/// Follows the TensorBoard event files below a directory: each directory that has some is a run,
/// or all are one run and a tag has its directory before it.
package struct TensorBoardFollower: Sendable {
    private typealias File = FollowedFile<TensorBoardGrammar>

    /// One directory with event files.
    private struct Folder: Sendable {
        let relative: String
        let finder: RunFinder
        var files: [String: File] = [:]
        /// What went wrong last, and when it is tried again.
        var failure: LinajeError?
        var retryAt: ContinuousClock.Instant?
    }

    private let root: String
    private let configuration: FollowConfiguration
    private let client: LinajeClient
    private let report: FollowReport
    private let stop: StopSignal

    /// - Parameter root: the directory's absolute path.
    package init(
        _ root: String, _ configuration: FollowConfiguration, client: LinajeClient,
        report: FollowReport, stop: StopSignal
    ) {
        self.root = root
        self.configuration = configuration
        self.client = client
        self.report = report
        self.stop = stop
    }

    /// Runs until it is stopped or, when that is wanted, all that is there is durable in its runs.
    ///
    /// - Throws: when the directory cannot be read, or with `once` when a part could not be followed.
    package func run() async throws {
        var folders: [String: Folder] = [:]
        let shared = sharedFinder
        var health = DaemonHealth(report)
        var rounds = 0
        while !stop.isRequested {
            let began = ContinuousClock.now
            let scan = try await scanned(rounds)
            let cost = began.duration(to: .now)
            let due = add(scan, to: &folders, shared)
            let failures = await advance(due, &folders)
            health.note(failures)
            rounds += 1
            if configuration.once {
                if due.isEmpty { break }
                if let fatal = failures.first(where: { !$0.isRetryable }) { throw fatal }
                if rounds >= Self.onceRounds, let failure = failures.first { throw failure }
                if failures.isEmpty { continue }
            }
            // A tree that takes long to look through is looked at less often: 5 % of the time.
            await stop.pause(for: max(configuration.pause, cost * 20))
        }
        let incomplete = folders.values.flatMap(\.files.values).count { $0.hasRest }
        report.count { $0.incomplete = incomplete }
        if configuration.once { try await finish(folders) }
    }

    /// Rounds of a run that shall end before a daemon that does not answer ends it.
    private static let onceRounds = 5
    /// How long what cannot be followed is left alone.
    private static let retry = Duration.seconds(30)

    /// The one run of all directories, when it is one.
    private var sharedFinder: RunFinder? {
        if case .bySource = configuration.target { return nil }
        return finder("")
    }

    private func finder(_ relative: String) -> RunFinder {
        let path = relative.isEmpty ? root : root + "/" + relative
        let name = relative.isEmpty ? String(root.split(separator: "/").last ?? "/") : relative
        return RunFinder(
            configuration.target, kind: "tensorboard", path: path, name: name, client, report)
    }

    private func scanned(_ rounds: Int) async throws -> DirectoryScan {
        let root = root
        let scan = try await BlockingCalls.run { try DirectoryScan(root) }
        if rounds == 0 {
            for (path, error) in scan.failures { report.tell(.failed(source: path, error)) }
            if scan.isCut {
                report.tell(
                    .failed(
                        source: root,
                        LinajeError(
                            .limitExceeded,
                            "\(root) has more than \(AgentLimits.files) event files or "
                                + "\(AgentLimits.directories) directories; the rest is not "
                                + "followed: name a directory below it")))
            }
        }
        return scan
    }

    /// Notes what is there; the names of files that have grown, by directory.
    private func add(
        _ scan: DirectoryScan, to folders: inout [String: Folder], _ shared: RunFinder?
    ) -> [String: [String]] {
        var due: [String: [String]] = [:]
        for (relative, files) in scan.directories {
            var folder =
                folders[relative]
                ?? Folder(relative: relative, finder: shared ?? finder(relative))
            let prefix = shared == nil || relative.isEmpty ? "" : relative + "/"
            var grown: [String] = []
            for file in files {
                if folder.files[file.name] == nil { report.count { $0.files += 1 } }
                let known = folder.files[file.name] ?? File(TensorBoardGrammar(prefix: prefix))
                folder.files[file.name] = known
                if file.size > known.seenSize, known.damage == nil { grown.append(file.name) }
            }
            let isLeftAlone = folder.retryAt.map { $0 > .now } ?? false
            if !grown.isEmpty, !isLeftAlone || configuration.once { due[relative] = grown }
            folders[relative] = folder
        }
        // What was removed is forgotten; its points are where they belong.
        for relative in folders.keys where scan.directories[relative] == nil {
            folders[relative] = nil
        }
        return due
    }

    /// Lets the directories that have grown take their turns, some at the same time.
    private func advance(
        _ due: [String: [String]], _ folders: inout [String: Folder]
    ) async -> [LinajeError] {
        var failures: [LinajeError] = []
        var waiting = due.keys.sorted()[...]
        await withTaskGroup(of: Folder.self) { group in
            func begin() {
                guard let relative = waiting.popFirst(), let folder = folders[relative],
                    let names = due[relative]
                else { return }
                group.addTask { await advance(folder, names) }
            }
            for _ in 0..<AgentLimits.concurrentFiles { begin() }
            while let folder = await group.next() {
                if let failure = folder.failure { failures.append(failure) }
                folders[folder.relative] = folder
                if !stop.isRequested { begin() }
            }
        }
        return failures
    }

    private func advance(_ old: Folder, _ names: [String]) async -> Folder {
        var folder = old
        do {
            for name in names {
                guard !stop.isRequested, let known = folder.files[name] else { break }
                folder.files[name] = try await turn(folder, name).take(known)
            }
            if names.contains(where: { folder.files[$0]?.didSend ?? false }) {
                try await folder.finder.heard()
            }
            folder.failure = nil
            folder.retryAt = nil
        } catch {
            let failure = LinajeError.of(error)
            if !failure.isRetryable, failure.message != folder.failure?.message {
                report.tell(.failed(source: root + "/" + folder.relative, failure))
            }
            folder.failure = failure
            folder.retryAt = failure.isRetryable ? nil : .now + Self.retry
        }
        return folder
    }

    private func turn(_ folder: Folder, _ name: String) async throws
        -> FileTurn<TensorBoardGrammar>
    {
        let place = folder.relative.isEmpty ? name : folder.relative + "/" + name
        let path = root + "/" + place
        let isShared = if case .bySource = configuration.target { false } else { true }
        let file = try await BlockingCalls.run { try OpenFile(path) }
        return FileTurn(
            file: file,
            grammar: TensorBoardGrammar(
                prefix: isShared && !folder.relative.isEmpty ? folder.relative + "/" : ""),
            client: client, report: report,
            run: { try await folder.finder.id(firstTime: $0) },
            writer: { run, fingerprint in
                DerivedIdentity.make([
                    TensorBoardGrammar.name, "\(run)", isShared ? place : name, fingerprint,
                ])
            })
    }

    /// All that is there is durable: the runs that the agent has made have ended.
    private func finish(_ folders: [String: Folder]) async throws {
        let sorted = folders.values.sorted { $0.relative < $1.relative }
        if case .bySource = configuration.target {
            for folder in sorted {
                try await folder.finder.finish(
                    at: folder.files.values.compactMap(\.lastTime).max())
            }
        } else {
            // One run, which each of them knows.
            let last = sorted.flatMap(\.files.values).compactMap(\.lastTime).max()
            try await sorted.first?.finder.finish(at: last)
        }
    }
}
