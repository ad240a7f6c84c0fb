import LinajeDomain

extension CodeScan {
    /// Most entries of an archive that are looked into.
    private static let mostEntries = 4_096
    /// Most configurations of Keras that are looked for in an archive, and the longest in bytes.
    private static let mostConfigurations = 64
    private static let mostConfigurationBytes = 4 << 20
    /// Longest archive inside an archive.
    private static let mostInnerBytes = 64 << 20

    /// An archive: its own deceits, and what is in it.
    func archive(_ file: ModelFile) async throws -> FileScan {
        var scan = FileScan("zip")
        do {
            let archive = try await ZIPArchive(reading: file)
            for problem in archive.problems { scan.note(.dangerous, problem) }
            if let torch = TorchArchive(archive) {
                scan.format = torch.hasCode ? "torchscript" : "torch"
                try await look(into: torch, &scan)
            } else if let schema = archive.entry(SkopsSchema.path) {
                scan.format = "skops"
                scan.verdict = max(scan.verdict ?? .safe, .safe)
                try await skops(schema, in: archive, &scan)
            }
            let isKeras =
                depth == 0 && Self.ending(of: file.path) == "keras"
                && archive.entry("config.json") != nil
            if !isKeras { try await noteKeras(in: archive, &scan) }
            try await members(of: archive, isKeras: isKeras, &scan)
        } catch let error as LinajeError
            where error.code == .invalidArgument || error.code == .limitExceeded
        {
            scan.note(.dangerous, error.message)
        }
        return scan
    }

    private func look(into torch: TorchArchive, _ scan: inout FileScan) async throws {
        scan.verdict = max(scan.verdict ?? .safe, .safe)
        for problem in torch.problems { scan.note(.dangerous, problem) }
        if torch.hasCode {
            scan.note(.unknown, "holds a program of TorchScript, which loading compiles")
        }
        for entry in torch.pickles {
            var reader = PickleReader(
                PickleInput(try ZIPEntryReader(entry, in: torch.archive.file), name: entry.shown),
                rules: rules)
            let report = try await reader.next(hasStorages: true, depth: depth)
            scan.add(report, in: "\(entry.shown):")
            if report.isWhole, try await !reader.peek(1).isEmpty {
                scan.note(.dangerous, "\(entry.shown): has bytes after its end")
            }
        }
    }

    /// Every other entry, by its content.
    private func members(
        of archive: ZIPArchive, isKeras: Bool, _ scan: inout FileScan
    ) async throws {
        let torch = TorchArchive(archive)
        var looked = 0
        for entry in archive.entries where !entry.isFolder && entry.size > 0 {
            // Those are data to torch whatever they look like.
            if let torch, torch.isKnown(entry) { continue }
            // Keras takes weights from it, whatever else it holds (src/saving/saving_lib.py).
            if isKeras, entry.name == "model.weights.h5" { continue }
            guard entry.isCompared else {
                scan.note(.unknown, "has more entries than are looked into")
                return
            }
            guard entry.isReadable else { continue }
            looked += 1
            guard looked <= Self.mostEntries else {
                scan.note(
                    .unknown,
                    "has more than \(Self.mostEntries) entries; the others are not looked into")
                return
            }
            if let inner = try await member(entry, archive) {
                scan.add(inner, in: "\(entry.shown):")
            }
        }
    }

    private func member(_ entry: ZIPEntry, _ archive: ZIPArchive) async throws -> FileScan? {
        func reader() throws -> PickleReader {
            PickleReader(
                PickleInput(try ZIPEntryReader(entry, in: archive.file), name: entry.shown),
                rules: rules)
        }
        var first = try reader()
        let prefix = try await first.peek(8)
        if prefix.starts(with: NumpyHeader.magic) {
            return try await numpy(try reader(), entry.size)
        }
        if prefix.starts(with: HDF5Scan.magic) {
            var scan = FileScan("hdf5")
            scan.note(.unknown, "is an HDF5 file, which is not looked into")
            return scan
        }
        let isDemanded = Self.pickleEndings.contains(Self.ending(of: entry.name))
        if Self.isPickle(prefix) { return try await pickles(try reader(), "pickle") }
        let isNested = ZIPArchive.isLikely(prefix) || Self.packing(of: Array(prefix)) != nil
        let isOld = isDemanded || Self.mayBeOld(prefix)
        guard isNested || isOld else { return nil }
        guard entry.size <= UInt64(Self.mostInnerBytes) else {
            var scan = FileScan("file")
            scan.note(.unknown, "is too long to be looked into where it is")
            return isNested || isDemanded ? scan : nil
        }
        let content = try await archive.content(of: entry, limit: Self.mostInnerBytes)
        var inside = self
        inside.depth += 1
        return try await inside.scan(BlobSource(content).file(entry.name))
    }

    /// Configurations of Keras in an archive that is none of its own: whoever unpacks it loads what only
    /// the flavor judges, and that does not see it.
    private func noteKeras(in archive: ZIPArchive, _ scan: inout FileScan) async throws {
        let configurations = archive.entries.filter { entry in
            entry.name == "config.json" || entry.name.hasSuffix("/config.json")
        }
        for entry in configurations.prefix(Self.mostConfigurations) where entry.isReadable {
            guard entry.size <= UInt64(Self.mostConfigurationBytes) else {
                scan.note(.unknown, "\(entry.shown): is too long to be looked into where it is")
                continue
            }
            let bytes = try await archive.content(of: entry, limit: Self.mostConfigurationBytes)
            // Letters are escaped by nobody honest.
            let signs = ["\"class_name\"", "\\u005", "\\u006", "\\u007"]
            guard signs.contains(where: { ByteSearch.contains($0, in: bytes) }) else { continue }
            scan.note(.unknown, "\(entry.shown): may be of a Keras model, which is not judged here")
        }
        if configurations.count > Self.mostConfigurations {
            scan.note(.unknown, "has more configurations than are looked into")
        }
    }

    /// Types of a skops file.
    private func skops(
        _ entry: ZIPEntry, in archive: ZIPArchive, _ scan: inout FileScan
    ) async throws {
        let bytes = try await archive.content(of: entry, limit: SkopsSchema.mostBytes)
        let schema = try SkopsSchema(parsing: bytes, name: "\(archive.file.path): schema.json")
        for type in schema.types {
            let path = "\(type.module).\(type.name)".prefix(160)
            let policy = rules.policy(module: type.module, name: type.name)
            scan.globals.append(
                PickleGlobal(module: type.module, name: type.name, uses: .new, policy: policy))
            switch policy {
            case .allowed where !type.isReached: break
            case .dangerous(let reason): scan.note(.dangerous, "names \(path), which \(reason)")
            default: scan.note(.unknown, "names \(path), which is not known")
            }
        }
    }
}
