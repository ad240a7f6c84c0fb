import LinajeArtifacts
import LinajeDomain
import LinajeWire

/// Reads a bundle: first all of it, to know that it is whole and what it says makes sense, then what
/// of it is wanted. Its calls block.
final class BundleReader: Sendable {
    /// What a bundle holds.
    struct Contents: Sendable {
        var trailer: BundleTrailer
        var objects: [ImportObject] = []
        /// Trees in their order, and the places of files.
        var trees: [(digest: SHA256Digest, place: UInt64)] = []
        var files: [SHA256Digest: (place: UInt64, size: UInt64)] = [:]
        /// Places of points, in order, by run.
        var points: [RunID: [UInt64]] = [:]
        var pointCount: UInt64 = 0
    }

    let path: String
    private let input: FileInput

    init(_ path: String) throws {
        self.path = path
        input = try FileInput(path)
    }

    // MARK: The whole

    /// Reads and checks every byte.
    ///
    /// - Parameter trusted: public keys of which one must have signed it; `nil`: anybody or nobody.
    /// - Throws: `corrupt` saying where it is not as it was written; `permissionDenied` for a bundle
    ///   that is not signed by a trusted key; `limitExceeded`.
    func check(trusting trusted: [[UInt8]]?) throws -> Contents {
        let trailer = try self.trailer(trusting: trusted)
        var contents = Contents(trailer: trailer)
        var hasher = ContentHasher()
        hasher.update(BundleFormat.magic)
        var place = UInt64(BundleFormat.magic.count)
        var records: UInt64 = 0
        var objectBytes = 0
        while place < trailer.length {
            let (record, header, stored) = try read(place, before: trailer.length)
            hasher.update(header)
            hasher.update(stored)
            let content = try content(record, stored, at: place)
            if record.kind == .object { objectBytes += content.count }
            guard objectBytes <= Limits.bundleObjectBytes,
                contents.objects.count < Limits.bundleObjects || record.kind != .object
            else { throw tooMuch() }
            try take(record, content, at: place, &contents)
            place += record.size
            records += 1
        }
        guard place == trailer.length, records == trailer.records,
            hasher.digest == trailer.digest
        else { throw damaged("does not match its digest") }
        try checkReferences(contents)
        return contents
    }

    /// A tree of the bundle.
    func tree(at place: UInt64) throws -> Tree {
        try Tree(canonical: content(.tree, at: place))
    }

    /// A file of the bundle.
    func file(at place: UInt64) throws -> BundleFile {
        guard let file = BundleFile(try content(.file, at: place), at: place) else {
            throw damaged("has a file at byte \(place) that cannot be read")
        }
        return file
    }

    /// The bytes of a part of a file.
    func bytes(of part: BundleFile.Part) throws -> [UInt8] {
        let bytes = try content(.chunk, at: part.place)
        guard bytes.count == Int(part.length) else {
            throw damaged("has a chunk at byte \(part.place) of another length than a file says")
        }
        return bytes
    }

    /// Points of the bundle.
    func points(at place: UInt64) throws -> BundledPoints {
        try points(content(.points, at: place), at: place)
    }

    // MARK: Parts

    private func trailer(trusting trusted: [[UInt8]]?) throws -> BundleTrailer {
        guard try input.bytes(at: 0, count: BundleFormat.magic.count) == BundleFormat.magic else {
            throw LinajeError(
                .corrupt,
                "\(path) is no bundle of linaje, or its beginning is lost; nothing was imported"
                    + (PointFormat(fileName: path) == nil
                        ? "" : ": points are taken in by linaje metric import"))
        }
        let size = UInt64(BundleFormat.trailerBytes)
        guard input.size > size + UInt64(BundleFormat.magic.count) else {
            throw damaged("is too short")
        }
        let end = try bytes(at: input.size - size, BundleFormat.trailerBytes)
        guard let trailer = BundleTrailer(end), trailer.length == input.size - size else {
            throw damaged("has no end; it was cut short or something was added")
        }
        if let signature = trailer.signature {
            guard BundleKeys.verifies(signature.bytes, of: trailer.digest, by: signature.key) else {
                throw damaged("has a signature that is not its own")
            }
        }
        guard let trusted else { return trailer }
        guard let signature = trailer.signature else {
            throw LinajeError(
                .permissionDenied, "bundle \(path) is not signed; nothing was imported")
        }
        guard trusted.contains(signature.key) else {
            throw LinajeError(
                .permissionDenied,
                "bundle \(path) is signed by the key \(Hex.encode(signature.key)), which is not "
                    + "among those that are trusted; nothing was imported")
        }
        return trailer
    }

    private func take(
        _ record: BundleRecord, _ content: [UInt8], at place: UInt64, _ contents: inout Contents
    ) throws {
        switch record.kind {
        case .chunk: break
        case .file:
            guard let file = BundleFile(content, at: place) else {
                throw damaged("has a file at byte \(place) that cannot be read")
            }
            for part in file.parts {
                let header = try bytes(at: part.place, BundleFormat.headerBytes)
                guard let chunk = BundleRecord(header), chunk.kind == .chunk,
                    chunk.contentLength == part.length
                else { throw damaged("has a file at byte \(place) of parts that are not there") }
            }
            contents.files[record.key] = (place, file.size)
        case .tree:
            guard (try? Tree(canonical: content)) != nil else {
                throw damaged("has a tree at byte \(place) that cannot be read")
            }
            contents.trees.append((record.key, place))
        case .object:
            do {
                contents.objects.append(
                    try ImportObject(encoded: content))
            } catch {
                throw damaged("has an object at byte \(place) that cannot be read: \(error)")
            }
        case .points:
            let part = try points(content, at: place)
            contents.points[part.run, default: []].append(place)
            contents.pointCount += UInt64(part.columns.count)
        }
    }

    /// What objects and trees name is there.
    private func checkReferences(_ contents: Contents) throws {
        let trees = Set(contents.trees.map(\.digest))
        for (digest, place) in contents.trees {
            for entry in try tree(at: place).entries {
                guard contents.files[entry.sha256]?.size == entry.size else {
                    throw damaged("lacks the file \"\(entry.path)\" of tree \(digest)")
                }
            }
        }
        for object in contents.objects {
            if let tree = object.tree, !trees.contains(tree) {
                throw damaged("lacks the tree \(tree) of one of its objects")
            }
        }
        let runs = Set(
            contents.objects.compactMap { object -> RunID? in
                guard case .run(let run, _, _) = object.content else { return nil }
                return run.id
            })
        for run in contents.points.keys where !runs.contains(run) {
            throw damaged("has points of run \(run), which is not in it")
        }
    }

    private func points(_ content: [UInt8], at place: UInt64) throws -> BundledPoints {
        do {
            return try BundledPoints(encoded: content)
        } catch {
            throw damaged("has points at byte \(place) that cannot be read: \(error)")
        }
    }

    private func content(_ kind: BundleFormat.Kind, at place: UInt64) throws -> [UInt8] {
        let (record, _, stored) = try read(place, before: input.size)
        guard record.kind == kind else {
            throw damaged("has something else at byte \(place) than it had")
        }
        return try content(record, stored, at: place)
    }

    private func content(
        _ record: BundleRecord, _ stored: [UInt8], at place: UInt64
    ) throws -> [UInt8] {
        do {
            return try record.content(stored)
        } catch let error as LinajeError {
            throw damaged("has a record at byte \(place) that \(error.message)")
        }
    }

    private func read(
        _ place: UInt64, before end: UInt64
    ) throws -> (BundleRecord, header: [UInt8], stored: [UInt8]) {
        let header = try bytes(at: place, BundleFormat.headerBytes)
        // Memory is taken for bytes that are there, not for bytes that are asked for.
        guard let record = BundleRecord(header), record.size <= end - place else {
            throw damaged("has a record at byte \(place) that cannot be read")
        }
        let stored = try bytes(
            at: place + UInt64(BundleFormat.headerBytes), Int(record.storedLength))
        return (record, header, stored)
    }

    private func bytes(at place: UInt64, _ count: Int) throws -> [UInt8] {
        let bytes = try input.bytes(at: place, count: count)
        guard bytes.count == count else { throw damaged("ends at byte \(place)") }
        return bytes
    }

    private func damaged(_ finding: String) -> LinajeError {
        LinajeError(
            .corrupt,
            "bundle \(path) \(finding); nothing was imported: get it from its source again")
    }

    private func tooMuch() -> LinajeError {
        LinajeError(
            .limitExceeded,
            "bundle \(path) has more than \(Limits.bundleObjects) objects, or than "
                + "\(Limits.bundleObjectBytes) bytes of them; export less at a time")
    }
}
