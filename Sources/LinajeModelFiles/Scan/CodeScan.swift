import LinajeDomain

/// Looks for what loading a file runs, by its content and not by its name.
package struct CodeScan: Sendable {
    /// Endings of files that are loaded as pickles whatever they begin with.
    static let pickleEndings: Set<String> = [
        "pkl", "pickle", "pck", "pcl", "joblib", "jbl", "dill", "cloudpickle", "pt", "pth",
    ]
    /// Endings of packed files, which are damaged when they do not unpack.
    static let packedEndings: Set<String> = ["z", "zlib", "gz"]
    /// Endings of archives; an archive with another beginning is one that hides.
    static let archiveEndings: Set<String> = [
        "zip", "npz", "keras", "skops", "pt", "pth", "pt2", "ckpt", "bin", "mar", "whl", "jar",
    ]
    /// Bytes by which a file is recognised.
    static let prefixBytes = 2_056
    /// Most pickles that follow one another in a file.
    static let mostPickles = 10_000

    let rules: GlobalRules
    /// How many files this one is inside of.
    var depth = 0

    package init(rules: GlobalRules = .standard) { self.rules = rules }

    /// What is found in a file; `nil` when it is of no format that is looked into.
    ///
    /// - Throws: when the bytes cannot be had. What is wrong with them is in the result.
    package func scan(_ file: ModelFile) async throws -> FileScan? {
        guard depth <= PickleReader.mostDepth else {
            var scan = FileScan("file")
            scan.note(
                .dangerous, "is more than \(PickleReader.mostDepth) files deep inside others")
            return scan
        }
        let prefix = try await file.upTo(Self.prefixBytes, at: 0)
        guard let place = try await HDF5Scan.place(in: file, prefix) else {
            return try await scan(file, prefix)
        }
        var scan = try await HDF5Scan.scan(file, from: place)
        // It may be something else, too, to whoever does not look for HDF5.
        if let other = try await self.scan(file, prefix) {
            scan.add(other, in: "read otherwise:")
        }
        return scan
    }

    private func scan(_ file: ModelFile, _ prefix: [UInt8]) async throws -> FileScan? {
        let ending = Self.ending(of: file.path)
        if ZIPArchive.isLikely(prefix) { return try await archive(file) }
        if let scan = try await hiddenArchive(file, prefix, ending) { return scan }
        if prefix.starts(with: NumpyHeader.magic) {
            return try await numpy(PickleReader(PickleInput(file), rules: rules), file.size)
        }
        if Self.isPickle(prefix) { return try await pickles(file) }
        if let packed = Self.packing(of: prefix) { return try await self.packed(file, packed) }
        if TarListing.isLikely(prefix) { return try await tar(file, prefix) }
        return try await oldPickle(file, prefix, isDemanded: Self.pickleEndings.contains(ending))
    }

    // MARK: Recognising

    /// A pickle of protocol 2 or later says so first.
    static func isPickle(_ prefix: some Collection<UInt8>) -> Bool {
        guard let first = prefix.first, let second = prefix.dropFirst().first else { return false }
        return first == 0x80 && second <= 5
    }

    static func ending(of path: String) -> String {
        guard let dot = path.lastIndex(of: ".") else { return "" }
        return path[path.index(after: dot)...].lowercased()
    }

    enum Packing: Sendable {
        case inflated(Inflater.Container)
        case other(String)
    }

    /// How a file is packed, by its first bytes.
    static func packing(of prefix: [UInt8]) -> Packing? {
        guard prefix.count >= 6 else { return nil }
        if prefix[0] == 0x1f, prefix[1] == 0x8b { return .inflated(.gzip) }
        let isZlib = prefix[0] == 0x78 && (UInt16(prefix[0]) << 8 | UInt16(prefix[1])) % 31 == 0
        if isZlib { return .inflated(.zlib) }
        let others: [([UInt8], String)] = [
            (Array("BZh".utf8), "bzip2"), ([0xfd, 0x37, 0x7a, 0x58, 0x5a], "xz"),
            ([0x5d, 0, 0], "lzma"), ([0x04, 0x22, 0x4d, 0x18], "lz4"),
            ([0x28, 0xb5, 0x2f, 0xfd], "zstd"), (Array("7z".utf8) + [0xbc, 0xaf], "7z"),
            (Array("Rar!".utf8), "rar"), (Array("ZF0x".utf8), "joblib before 0.10"),
        ]
        return others.first { prefix.starts(with: $0.0) }.map { .other($0.1) }
    }

    /// A file that does not begin like an archive but ends like one is loaded as one by what looks at
    /// the end only.
    private func hiddenArchive(
        _ file: ModelFile, _ prefix: [UInt8], _ ending: String
    ) async throws -> FileScan? {
        let count = Self.archiveEndings.contains(ending) ? 22 + Int(UInt16.max) : 22
        let tail = try await file.upTo(count, at: file.size - min(file.size, UInt64(count)))
        guard
            let place = tail.indices.last(where: {
                tail[$0] == 0x50 && tail[$0...].starts(with: [0x50, 0x4b, 5, 6])
            }), tail.count - place >= 22
        else { return nil }
        var scan = FileScan("zip")
        scan.note(.dangerous, "ends as an archive and begins as something else")
        return scan
    }

    // MARK: Pickles

    /// Pickles one after the other; torch's old format is such a file.
    private func pickles(_ file: ModelFile) async throws -> FileScan {
        if let torch = try await TorchLegacyFile(reading: file, rules: rules, depth: depth) {
            return torch.scan
        }
        return try await pickles(PickleReader(PickleInput(file), rules: rules), "pickle")
    }

    func pickles(_ reader: PickleReader, _ format: String) async throws -> FileScan {
        var reader = reader
        var scan = FileScan(format, verdict: .safe)
        repeat {
            let report = try await reader.next(depth: depth)
            guard report.isWhole || scan.pickles == 0 else {
                scan.add(report)
                scan.note(.dangerous, "has bytes after its end that are no pickle")
                break
            }
            scan.add(report)
            if report.globals.contains(where: { $0.module == JoblibArray.module }) {
                scan.format = "joblib"
            }
            guard report.isWhole else { break }
            guard scan.pickles < Self.mostPickles else {
                scan.note(.dangerous, "has more than \(Self.mostPickles) pickles")
                break
            }
        } while try await !reader.peek(1).isEmpty
        return scan
    }

    /// Protocols 0 and 1 say nothing first. Text can read like them, so a file that nobody must load as a
    /// pickle is one only when it does something or is one to its end.
    private func oldPickle(
        _ file: ModelFile, _ prefix: [UInt8], isDemanded: Bool
    ) async throws -> FileScan? {
        if !isDemanded {
            var reader = PickleReader(PickleInput(file), rules: rules)
            guard Self.mayBeOld(prefix), try await isOldPickle(&reader) else { return nil }
        }
        return try await pickles(PickleReader(PickleInput(file), rules: rules), "pickle")
    }

    /// Whether a pickle of protocol 0 or 1 may begin so.
    static func mayBeOld(_ prefix: some Collection<UInt8>) -> Bool {
        guard let first = prefix.first else { return false }
        return "(]}c)NIJKMLSTUVXFGBCP.".utf8.contains(first) || (0x88...0x96).contains(first)
    }

    /// The first name of a tar archive can be the operations of a pickle that does something.
    private func tar(_ file: ModelFile, _ prefix: [UInt8]) async throws -> FileScan {
        var scan = try await TarListing.scan(file)
        var reader = PickleReader(PickleInput(file), rules: rules)
        guard Self.mayBeOld(prefix), try await isOldPickle(&reader) else { return scan }
        let inner = try await pickles(PickleReader(PickleInput(file), rules: rules), "pickle")
        scan.add(inner, in: "as a pickle:")
        scan.note(.dangerous, "is a pickle and a tar archive at once")
        return scan
    }

    private func isOldPickle(_ reader: inout PickleReader) async throws -> Bool {
        let report = try await reader.next(depth: depth)
        return report.actions > 0
            || report.isWhole && (!report.globals.isEmpty || report.operations > 2)
    }

    private func packed(_ file: ModelFile, _ packing: Packing) async throws -> FileScan? {
        switch packing {
        case .other(let name):
            var scan = FileScan(name)
            scan.note(.unknown, "is packed by \(name), which is not looked into")
            return scan
        case .inflated(let container):
            let ending = Self.ending(of: file.path)
            let isDemanded = Self.pickleEndings.contains(ending)
            var reader = PickleReader(PickleInput(unpacking: file, container), rules: rules)
            do {
                let first = try await reader.peek(2)
                var isPickle = isDemanded || Self.isPickle(first)
                if !isPickle, Self.mayBeOld(first) {
                    var other = PickleReader(
                        PickleInput(unpacking: file, container), rules: rules)
                    isPickle = try await isOldPickle(&other)
                }
                guard isPickle else {
                    guard TarListing.isLikely(Array(try await reader.peek(512))) else { return nil }
                    var scan = FileScan("tar")
                    scan.note(.unknown, "is a packed tar archive, which is not looked into")
                    return scan
                }
                var scan = try await pickles(reader, "joblib")
                scan.format = "joblib"
                return scan
            } catch let error as LinajeError where error.code != .cancelled {
                guard isDemanded || Self.packedEndings.contains(ending) else { return nil }
                var scan = FileScan("joblib")
                scan.note(error.code == .limitExceeded ? .unknown : .dangerous, error.message)
                return scan
            }
        }
    }

    /// An array of NumPy; one of objects is a pickle.
    func numpy(_ reader: PickleReader, _ size: UInt64) async throws -> FileScan {
        var reader = reader
        var scan = FileScan("npy")
        do {
            let header = try await NumpyHeader(reading: &reader)
            guard header.hasObjects else { return scan }
            let inner = try await pickles(reader, "npy")
            scan.verdict = .safe
            scan.add(inner, in: "in its array of objects:")
        } catch let error as LinajeError
            where error.code == .invalidArgument || error.code == .limitExceeded
        {
            scan.note(.dangerous, error.message)
        }
        return scan
    }
}
