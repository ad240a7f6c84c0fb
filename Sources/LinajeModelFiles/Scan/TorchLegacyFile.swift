import LinajeDomain

/// The files that `torch.save` wrote before torch 1.6 (torch 2, `serialization.py`, `_legacy_save`).
///
/// ```
/// file    = pickle of 0x1950a86a20f9469cfc6c | pickle of 1001 | pickle of system facts
///           | pickle of the object | pickle of the storages' keys | storage…
/// storage = count u64 LE | its elements
/// ```
package struct TorchLegacyFile: Sendable {
    /// The beginning: protocol, LONG1 of the number, as each protocol writes it.
    private static let magic: [UInt8] = [
        0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e,
    ]

    /// What looking for code came to.
    package private(set) var scan: FileScan
    /// The pickle of the object, when it could be read.
    package private(set) var object: PickleReport?

    /// Whether a file begins with the number.
    package static func isLikely(_ file: ModelFile) async throws -> Bool {
        let prefix = try await file.upTo(64, at: 0)
        return CodeScan.isPickle(prefix)
            && prefix.indices.dropLast(magic.count - 1).contains {
                prefix[$0...].starts(with: magic)
            }
    }

    /// - Returns: `nil` when the file does not begin with the number.
    /// - Throws: when the bytes cannot be had.
    package init?(
        reading file: ModelFile, rules: GlobalRules = .standard, depth: Int = 0
    ) async throws {
        guard try await Self.isLikely(file) else { return nil }
        scan = FileScan("torch", verdict: .safe)
        var reader = PickleReader(PickleInput(file), rules: rules)
        do {
            try await read(&reader, depth)
        } catch let error as LinajeError
            where error.code == .invalidArgument || error.code == .limitExceeded
        {
            scan.note(.dangerous, error.message)
        }
    }

    private mutating func read(_ reader: inout PickleReader, _ depth: Int) async throws {
        for part in ["the number", "the version", "the system facts"] {
            guard try await take(part, &reader, depth) != nil else { return }
        }
        guard let object = try await take("the object", &reader, depth) else { return }
        self.object = object
        guard let keys = try await take("the keys", &reader, depth) else { return }
        for key in keys.root.elements ?? [] {
            guard let name = key.text, let storage = object.torchStorages[name],
                let size = TorchTypes.bytes(of: storage.type)
            else { return scan.note(.unknown, "has a storage that its object does not name") }
            var head = ByteCursor(
                Array(try await reader.peek(8)), name: "storage \(name.prefix(40))")
            let count = try head.uint64()
            let (bytes, overflow) = count.multipliedReportingOverflow(by: size)
            guard !overflow, count == storage.count, bytes < 1 << 62 else {
                return scan.note(.dangerous, "has a storage of another size than its object says")
            }
            try await reader.skip(8 + bytes)
        }
        if try await !reader.peek(1).isEmpty {
            scan.note(.dangerous, "has bytes after its last storage")
        }
    }

    private mutating func take(
        _ part: String, _ reader: inout PickleReader, _ depth: Int
    ) async throws -> PickleReport? {
        let report = try await reader.next(hasStorages: true, depth: depth)
        scan.add(report)
        return report.isWhole ? report : nil
    }
}
