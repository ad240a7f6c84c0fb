import LinajeDomain
import LinajePluginKit

/// Which packs two stores have, by what the stores themselves say now.
///
/// A pack's name is the digest of its header, so equal names and sizes are equal contents. A pack
/// that only one side has is not missed where packs of other names hold all its blobs: both sides
/// may have packed the same content in another way.
struct RemoteComparison: Sendable {
    /// Blobs of packs of other names that are looked at; beyond that, packs are copied that need
    /// not be.
    static let mostForeignBlobs = 400_000
    /// Packs that are named as damaged. Where a store has so many, no further headers are looked at
    /// but for those that must be, and packs are copied that need not be.
    static let mostDamages = 1_000

    /// Packs of equal name and size.
    private(set) var common: [PackName: UInt64] = [:]
    /// Packs that the remote lacks, or has with another size, and their sizes here.
    private(set) var missingThere: [PackName: UInt64] = [:]
    /// Packs that the daemon lacks, and their sizes there.
    private(set) var missingHere: [PackName: UInt64] = [:]
    /// Packs that cannot be read where they are.
    private(set) var damages: [ArtifactDamage] = []
    /// Packs that cannot be read either, here and there, and are not among `damages`; the other side
    /// has packs of these names.
    private(set) var unnamedHere = 0
    private(set) var unnamedThere = 0
    private var known: Set<ArtifactDamage> = []

    init(
        here: any ArtifactBackend, there: any ArtifactBackend, readerHere: BlobReader,
        readerThere: BlobReader
    ) async throws {
        let own = try await Self.packs(here)
        let others = try await Self.packs(there)
        var onlyHere: [PackName: UInt64] = [:]
        var onlyThere = others
        for (pack, size) in own {
            if others[pack] == size {
                common[pack] = size
                onlyThere[pack] = nil
            } else {
                onlyHere[pack] = size
            }
        }
        // A pack that both have with different sizes is right on one side: see which.
        for pack in Set(onlyHere.keys).intersection(onlyThere.keys) {
            try Task.checkCancellation()
            var isNamed = damages.count < Self.mostDamages
            if try await header(pack, onlyHere, here, readerHere) == nil {
                onlyHere[pack] = nil
                unnamedHere += isNamed ? 0 : 1
            }
            isNamed = damages.count < Self.mostDamages
            if try await header(pack, onlyThere, there, readerThere) == nil {
                onlyThere[pack] = nil
                unnamedThere += isNamed ? 0 : 1
            }
        }
        guard !onlyHere.isEmpty, !onlyThere.isEmpty else {
            (missingThere, missingHere) = (onlyHere, onlyThere)
            return
        }
        let blobsHere = try await blobs(onlyHere, here, readerHere)
        let blobsThere = try await blobs(onlyThere, there, readerThere)
        missingThere = try await uncovered(onlyHere, here, readerHere, by: blobsThere)
        missingHere = try await uncovered(onlyThere, there, readerThere, by: blobsHere)
    }

    private static func packs(_ backend: any ArtifactBackend) async throws -> [PackName: UInt64] {
        var out: [PackName: UInt64] = [:]
        for object in try await backend.list(prefix: "packs/") {
            if let pack = PackName(key: object.key) { out[pack] = object.size }
        }
        return out
    }

    /// The header of a pack; `nil`, and a damage, where it cannot be read. That a pack was collected
    /// meanwhile is no damage.
    ///
    /// - Throws: the error of a store that does not answer.
    private mutating func header(
        _ pack: PackName, _ packs: [PackName: UInt64], _ backend: any ArtifactBackend,
        _ reader: BlobReader
    ) async throws -> PackHeader? {
        do {
            return try await reader.header(of: pack, size: packs[pack])
        } catch let error as LinajeError where error.isOfPack {
            guard try await backend.stat(pack.key) != nil else { return nil }
            let damage = ArtifactDamage(pack: pack.key, finding: error.message)
            if damages.count < Self.mostDamages, known.insert(damage).inserted {
                damages.append(damage)
            }
            return nil
        }
    }

    private mutating func blobs(
        _ packs: [PackName: UInt64], _ backend: any ArtifactBackend, _ reader: BlobReader
    ) async throws -> Set<HeldBlob> {
        var out: Set<HeldBlob> = []
        for pack in packs.keys.sorted() {
            guard out.count < Self.mostForeignBlobs, damages.count < Self.mostDamages else { break }
            try Task.checkCancellation()
            guard let header = try await header(pack, packs, backend, reader) else { continue }
            out.formUnion(header.blobs.lazy.map(HeldBlob.init))
        }
        return out
    }

    /// The packs of which some blob is not among `blobs`; those that cannot be read are for whoever
    /// copies them to name, and after `mostDamages` of them the others are not looked at.
    private func uncovered(
        _ packs: [PackName: UInt64], _ backend: any ArtifactBackend, _ reader: BlobReader,
        by blobs: Set<HeldBlob>
    ) async throws -> [PackName: UInt64] {
        var out = packs
        var unreadable = 0
        for (pack, size) in packs {
            guard unreadable < Self.mostDamages else { break }
            try Task.checkCancellation()
            do {
                let header = try await reader.header(of: pack, size: size)
                if header.blobs.allSatisfy({ blobs.contains(HeldBlob($0)) }) { out[pack] = nil }
            } catch let error as LinajeError where error.isOfPack {
                unreadable += 1
                if try await backend.stat(pack.key) == nil { out[pack] = nil }
            }
        }
        return out
    }
}

/// What one side has, so that the other need not give it. A recipe is the same only where its bytes
/// are: nothing else says that it is the right one.
private struct HeldBlob: Hashable {
    private let key: BlobKey
    private let check: BlobCheck?

    init(_ entry: PackEntry) {
        key = entry.key
        check = entry.key.kind == .recipe ? entry.check : nil
    }
}

extension LinajeError {
    /// Whether it says something of one pack, rather than of the store that it is in.
    var isOfPack: Bool { [.corrupt, .incomplete, .storeTooNew].contains(code) }
}
