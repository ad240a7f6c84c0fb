import LinajeDomain

/// The archives that `torch.save` and `torch.jit.save` write (torch 2, `caffe2/serialize/inline_container.h`).
///
/// ```
/// NAME/data.pkl     the object; tensors name their storages
/// NAME/data/KEY     the bytes of a storage
/// NAME/version      the version of the format;  NAME/byteorder, NAME/.data/serialization_id, …
/// NAME/constants.pkl, NAME/code/…    only of TorchScript: a program
/// ```
package struct TorchArchive: Sendable {
    /// What files of torch mostly end with.
    package static let endings: Set<String> = [".pt", ".pth", ".ckpt"]

    package let archive: ZIPArchive
    /// The folder that everything is in.
    let folder: String
    /// The entries that are loaded as pickles.
    private(set) var pickles: [ZIPEntry] = []
    /// Whether it holds a program.
    package private(set) var hasCode = false
    private(set) var problems: [String] = []

    /// - Returns: `nil` when it is another archive.
    package init?(_ archive: ZIPArchive) {
        self.archive = archive
        let found = archive.entries.filter {
            $0.name == "data.pkl" || $0.name.hasSuffix("/data.pkl")
        }
        guard let first = archive.entries.first, !found.isEmpty else { return nil }
        // torch takes the folder of the first entry for that of all.
        folder = first.name.firstIndex(of: "/").map { String(first.name[...$0]) } ?? ""
        let hasVersion = archive.entries.contains {
            $0.name.hasSuffix("/version") || $0.name.hasSuffix("/byteorder")
        }
        guard archive.entry(folder + "data.pkl") != nil || hasVersion else { return nil }
        if found.count > 1 { problems.append("has several data.pkl") }
        let folder = folder
        if archive.entries.contains(where: { !$0.name.hasPrefix(folder) }) {
            problems.append("has entries outside the folder that torch reads")
        }
        for entry in archive.entries {
            let path = entry.name.dropFirst(folder.count)
            if entry.name.hasSuffix(".pkl") { pickles.append(entry) }
            if path.hasPrefix("code/") || path == "constants.pkl" { hasCode = true }
        }
    }

    /// Whether an entry is looked at as what torch takes it for, and not by its content.
    func isKnown(_ entry: ZIPEntry) -> Bool {
        let path = entry.name.dropFirst(folder.count)
        return entry.name.hasSuffix(".pkl")
            || entry.name.hasPrefix(folder)
                && (path.hasPrefix("data/") || path.hasPrefix("tensors/")
                    || path.hasPrefix("constants/"))
    }

    /// How many bytes the storage has under a key.
    package func storageBytes(_ key: String) -> UInt64? {
        archive.entry("\(folder)data/\(key)")?.size
    }

    /// The object.
    ///
    /// - Throws: when the bytes cannot be had.
    package func object(rules: GlobalRules = .standard) async throws -> PickleReport {
        guard let entry = archive.entry(folder + "data.pkl") else {
            throw archive.file.failure("has no data.pkl in the folder that torch reads")
        }
        var reader = PickleReader(
            PickleInput(try ZIPEntryReader(entry, in: archive.file), name: entry.shown),
            rules: rules)
        return try await reader.next(hasStorages: true)
    }

    /// A small entry of the folder as text: "version", "byteorder".
    package func text(_ name: String) async throws -> String? {
        guard let entry = archive.entry(folder + name), entry.isReadable else { return nil }
        let bytes = try await archive.content(of: entry, limit: 4_096)
        var text = String(decoding: bytes, as: UTF8.self)
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
