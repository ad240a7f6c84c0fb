package import LinajeDomain
import LinajePluginKit

/// Looks at everything in a store while it is used: packs against the index, every tree that is
/// needed, and every byte when that is wanted.
package struct ArtifactCheck: Sendable {
    private static let rootsPerPage = 256

    let store: ArtifactStore
    let roots: any TreeRoots

    package init(store: ArtifactStore, roots: any TreeRoots) {
        self.store = store
        self.roots = roots
    }

    /// Checks everything once.
    package func run(
        _ options: CheckOptions, report: (CheckNews) async throws -> Void
    ) async throws -> CheckSum {
        var sum = CheckSum()
        func waiting(_ others: String) async throws {
            var waits = sum
            waits.waitingFor = others
            try await report(.progress(waits))
        }
        if options.rebuildsIndex {
            try await store.upkeep.take("a rebuild of the index", waiting: waiting) {
                let repair = PackRepair(store: store)
                try await repair.rebuildIndex(&sum, report)
            }
        }
        let hurt = try await checkPacks(options, after: nil, &sum, report)
        if options.repairs, !hurt.isEmpty {
            try await store.upkeep.take("a repair", waiting: waiting) {
                try await PackRepair(store: store).run(hurt, &sum, report)
            }
            store.emptyCaches()
        }
        try await store.settleDisputes { file in
            sum.findings += 1
            try await report(
                .finding(CheckFinding(object: "file \(file)", finding: ArtifactStore.wrong(file))))
        }
        try await checkRoots(&sum, report)
        return sum
    }

    /// Reads packs, each whole, in the order of their names.
    ///
    /// - Parameters:
    ///   - last: the pack after which it begins; `nil`: with the first.
    ///   - passed: told of each pack that was read.
    package func scrub(
        after last: PackName?, bytesPerSecond: Int?,
        passed: (PackName, CheckSum) async throws -> Void,
        report: (CheckNews) async throws -> Void
    ) async throws -> CheckSum {
        var sum = CheckSum()
        _ = try await checkPacks(
            CheckOptions(readsData: true, bytesPerSecond: bytesPerSecond), after: last, &sum,
            report, passed: passed)
        return sum
    }

    // MARK: Packs

    /// - Returns: the packs that want repair.
    private func checkPacks(
        _ options: CheckOptions, after last: PackName?, _ sum: inout CheckSum,
        _ report: (CheckNews) async throws -> Void,
        passed: (PackName, CheckSum) async throws -> Void = { _, _ in }
    ) async throws -> [HurtPack] {
        var hurt: [HurtPack] = []
        var pace = ReadPace(bytesPerSecond: options.bytesPerSecond)
        var missing = try await store.index.packs()
        let objects = try await store.backend.list(prefix: "packs/")
        sum.totalPacks = UInt64(objects.count)
        sum.totalBytes = objects.reduce(0) { $0 + $1.size }
        for object in objects {
            let found: HurtPack?
            if let pack = PackName(key: object.key) {
                missing[pack] = nil
                if let last, pack <= last {
                    found = nil
                    sum.bytes += object.size
                } else {
                    found = try await check(
                        pack, size: object.size, options, &pace, &sum, report)
                    try await passed(pack, sum)
                }
            } else {
                found = HurtPack(
                    key: object.key, pack: nil, hurt: .content,
                    findings: [
                        "its name is no pack's"
                    ])
            }
            if let found { try await note(found, options, &hurt, &sum, report) }
            sum.packs += 1
            try await report(.progress(sum))
        }
        for pack in missing.keys.sorted() {
            // A collection may have removed it since the list was made.
            guard try await store.index.isEntered(pack),
                try await store.backend.stat(pack.key) == nil
            else { continue }
            let found = HurtPack(
                key: pack.key, pack: pack, hurt: .gone,
                findings: [
                    "the pack is gone"
                ])
            try await note(found, options, &hurt, &sum, report)
        }
        return hurt
    }

    /// Tells of it now, or with what is done about it.
    private func note(
        _ found: HurtPack, _ options: CheckOptions, _ hurt: inout [HurtPack],
        _ sum: inout CheckSum, _ report: (CheckNews) async throws -> Void
    ) async throws {
        hurt.append(found)
        sum.findings += UInt64(found.findings.count)
        store.reader.metrics.foundCorrupt(found.findings.count)
        guard !options.repairs || found.hurt == .unreadable else { return }
        for finding in found.findings {
            try await report(.finding(CheckFinding(object: found.key, finding: finding)))
        }
    }

    private func check(
        _ pack: PackName, size: UInt64, _ options: CheckOptions, _ pace: inout ReadPace,
        _ sum: inout CheckSum, _ report: (CheckNews) async throws -> Void
    ) async throws -> HurtPack? {
        let before = sum.bytes
        defer { sum.bytes = before + size }
        func hurt(_ kind: HurtPack.Kind, _ findings: [String]) -> HurtPack {
            HurtPack(key: pack.key, pack: pack, hurt: kind, findings: findings)
        }
        let header: PackHeader
        do {
            if options.readsData {
                let verifier = PackVerifier(
                    backend: store.backend, index: store.index, reader: store.originals,
                    pool: store.pool)
                let found = try await verifier.verify(pack, size: size) { count in
                    try await pace.read(count)
                    sum.bytes += count
                    try await report(.progress(sum))
                }
                sum.blobs += UInt64(found.blobs)
                guard found.damages.isEmpty else {
                    return hurt(.content, found.damages.map(\.text))
                }
            } else {
                let magic = try await store.originals.bytes(of: pack, PackHeader.magicRange)
                guard magic == PackHeader.magic else {
                    return hurt(.content, ["it does not begin as packs do"])
                }
            }
            header = try await store.originals.header(of: pack, size: size)
        } catch let error as LinajeError where [.corrupt, .incomplete].contains(error.code) {
            // Collected meanwhile, it is no loss.
            guard try await store.backend.stat(pack.key) != nil else { return nil }
            return hurt(.content, [error.message])
        } catch let error as LinajeError
            where [.storeTooNew, .storageFailed].contains(error.code)
        {
            return hurt(.unreadable, [error.message])
        }
        // What the index throws is no damage of the pack, whatever its code.
        let finding = try await compare(pack, header, size: size)
        return finding.map { hurt(.index, [$0]) }
    }

    /// What the index says of a pack that its header does not.
    private func compare(
        _ pack: PackName, _ header: PackHeader, size: UInt64
    ) async throws -> String? {
        // Whoever writes it enters it before he lets its name go.
        let known = try await store.locks.hold(pack) { try await store.index.size(of: pack) }
        guard let known else {
            // It may be collected just now, or have been.
            guard try await !store.index.removals(limit: .max).contains(pack),
                try await store.backend.stat(pack.key) != nil
            else { return nil }
            return "the index does not know it"
        }
        guard known == size else { return "the index knows it with \(known) bytes, not \(size)" }
        var rows = Dictionary(
            try await store.index.blobs(in: pack).map { ($0.location.key, $0.location) },
            uniquingKeysWith: { first, _ in first })
        var elsewhere: [BlobKind: [SHA256Digest]] = [:]
        for entry in header.blobs {
            guard let row = rows.removeValue(forKey: entry.key) else {
                elsewhere[entry.key.kind, default: []].append(entry.key.digest)
                continue
            }
            guard row == BlobLocation(entry, in: pack) else {
                return "the index knows \(entry.key) in it wrongly"
            }
        }
        for (kind, digests) in elsewhere {
            let found = try await store.index.present(kind, digests)
            if let lost = digests.first(where: { found[$0] == nil }) {
                // Collected, or moved, since the header was read.
                guard try await store.index.isEntered(pack) else { return nil }
                return "the index does not know \(BlobKey(kind, lost)) in it"
            }
        }
        return rows.keys.first.map { "the index says that \($0) is in it, which is not" }
    }

    // MARK: Trees

    /// Names what is needed and not whole.
    private func checkRoots(
        _ sum: inout CheckSum, _ report: (CheckNews) async throws -> Void
    ) async throws {
        var last: SHA256Digest?
        repeat {
            let page = try await roots.roots(after: last, limit: Self.rootsPerPage)
            for root in page {
                sum.roots += 1
                guard let finding = try await finding(on: root) else { continue }
                sum.findings += 1
                try await report(
                    .finding(
                        CheckFinding(
                            object: "tree \(root.digest)", finding: finding, tree: root.digest)))
            }
            try await report(.progress(sum))
            last = page.count < Self.rootsPerPage ? nil : page.last?.digest
        } while last != nil
    }

    private func finding(on root: TreeRoot) async throws -> String? {
        do {
            try await store.requireComplete(root.digest, claiming: false)
            return nil
        } catch let error as LinajeError where error.code == .notFound {
            guard root.isOurs else { return nil }
            return try await store.index.present(.recipe, [root.digest]).isEmpty
                ? error.message : nil
        } catch let error as LinajeError where [.incomplete, .corrupt].contains(error.code) {
            return error.message
        }
    }
}

/// A pack with which something is wrong.
struct HurtPack: Sendable {
    enum Kind: Sendable {
        /// Its bytes are not as they were written.
        case content
        /// The index does not say of it what it says itself.
        case index
        /// It is not there.
        case gone
        /// The disk does not give it, or a newer version wrote it: it is left alone.
        case unreadable
    }

    var key: String
    /// `nil`: its name is no pack's.
    var pack: PackName?
    var hurt: Kind
    var findings: [String]
}

extension ArtifactDamage {
    /// For people.
    var text: String { blob.map { "\($0): \(finding)" } ?? finding }
}
