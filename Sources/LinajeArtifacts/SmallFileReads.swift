package import LinajeDomain

extension ArtifactStore {
    /// Content that is decoded for small files at a time, at most (but for one of them).
    private static let groupBytes = 512 << 10
    /// What may lie between two files that are read at once: recipes, content of others.
    private static let gapBytes: UInt64 = 64 << 10
    /// Files that are looked up at a time, and put in the order of the packs.
    private static let filesPerLookup = 4_096
    /// Files of several chunks that are read at a time.
    private static let readsAtOnce = 4

    /// A file with its place in a list.
    package typealias Numbered<Value> = (number: Int, value: Value)

    /// Reads whole small files, those that stand side by side in a pack at once, each checked against
    /// its digest. Memory does not grow with their number.
    ///
    /// - Parameters:
    ///   - files: none longer than `Limits.smallFileBytes`.
    ///   - give: gets files with their numbers, as they come; the next ones are read meanwhile.
    /// - Throws: `corrupt` or `incomplete` naming the file.
    package func readSmall(
        _ files: [Numbered<TreeEntry>],
        _ give: ([Numbered<[UInt8]>]) async throws -> Void
    ) async throws {
        var rest = files[...]
        while !rest.isEmpty {
            let part = rest.prefix(Self.filesPerLookup)
            rest = rest.dropFirst(part.count)
            try await readPart(part, give)
        }
    }

    private func readPart(
        _ files: ArraySlice<Numbered<TreeEntry>>,
        _ give: ([Numbered<[UInt8]>]) async throws -> Void
    ) async throws {
        let byDigest = Dictionary(grouping: files, by: \.value.sha256)
        // Most small files are one chunk, which has the file's digest: no recipe is needed.
        let found = try await index.locate(.chunk, Array(byDigest.keys))
        var others: [Numbered<TreeEntry>] = []
        var locations: [BlobLocation] = []
        for (digest, same) in byDigest {
            if let location = found[digest], let size = same.first?.value.size,
                same.allSatisfy({ $0.value.size == size }),
                UInt64(location.contentLength) == size
            {
                locations.append(location)
            } else {
                others += same
            }
        }
        var groups = Self.groups(locations)[...]
        var next = groups.popFirst().map(fetch)
        while let current = next {
            next = groups.popFirst().map(fetch)
            guard let contents = try await Self.contents(of: current) else {
                // A repacking may have moved them since they were looked up.
                others += current.locations.flatMap { byDigest[$0.key.digest] ?? [] }
                continue
            }
            try await give(
                contents.flatMap { digest, content in
                    (byDigest[digest] ?? []).map { ($0.number, content) }
                })
        }
        try await readOthers(others, give)
    }

    private struct Group: Sendable {
        var locations: [BlobLocation]
        var content: FetchAhead<[UInt8]>
    }

    private func fetch(_ locations: [BlobLocation]) -> Group {
        let reader = reader
        return Group(
            locations: locations, content: FetchAhead { try await reader.chunks(locations) })
    }

    /// The files of a group; `nil` when their pack is gone.
    private static func contents(
        of group: Group
    ) async throws -> [(digest: SHA256Digest, content: [UInt8])]? {
        do {
            let all = try await group.content.value
            var start = 0
            return group.locations.map { location in
                let end = start + Int(location.contentLength)
                defer { start = end }
                return (location.key.digest, Array(all[start..<end]))
            }
        } catch let error as LinajeError where error.code == .incomplete {
            return nil
        }
    }

    /// What is read at once, in the order of the packs.
    private static func groups(_ locations: [BlobLocation]) -> [[BlobLocation]] {
        let sorted = locations.sorted {
            ($0.pack.digest, $0.offset) < ($1.pack.digest, $1.offset)
        }
        var groups: [[BlobLocation]] = []
        var content = 0
        for location in sorted {
            content += Int(location.contentLength)
            if let last = groups.last?.last, last.pack == location.pack, content <= groupBytes,
                location.offset <= last.offset + UInt64(last.storedLength) + gapBytes
            {
                groups[groups.count - 1].append(location)
            } else {
                groups.append([location])
                content = Int(location.contentLength)
            }
        }
        return groups
    }

    /// Files of no chunk or several.
    private func readOthers(
        _ files: [Numbered<TreeEntry>],
        _ give: ([Numbered<[UInt8]>]) async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: (Int, [UInt8]).self) { group in
            var rest = files.sorted { $0.number < $1.number }[...]
            func addNext() {
                guard let file = rest.popFirst() else { return }
                group.addTask {
                    (file.number, try await self.read(file.value.sha256, range: nil).collect())
                }
            }
            for _ in 0..<Self.readsAtOnce { addNext() }
            while let (number, content) = try await group.next() {
                addNext()
                try await give([(number, content)])
            }
        }
    }
}
