import LinajeArtifacts
import LinajeDomain

/// What a generation of a backup consists of (normative: `proto-spec/STORAGE.md`, "Backups").
///
/// ```
/// linaje backup 1 LF
/// made MICROSECONDS LF
/// by AGENT LF
/// file SHA256 SIZE NAME LF        for each file beside the manifest
/// pack SIZE SHA256 LF             for each pack, by its name
/// lost SHA256 LF                  for each pack that was damaged and is not in the backup
/// end SHA256 LF                   of everything before
/// ```
struct BackupManifest: Equatable {
    /// A file beside the manifest.
    struct File: Equatable {
        var name: String
        var size: UInt64
        var sha256: SHA256Digest
    }

    /// The files that a backup has beside its packs.
    static let fileNames: Set<String> = ["format", "catalog.db", "metrics.db"]
    private static let firstLine = "linaje backup 1"

    /// When it was begun.
    var madeAt: Timestamp
    /// Which daemon it is of: "linajed/0.1.0".
    var agent: String
    var files: [File] = []
    var packs: [PackName: UInt64] = [:]
    var lost: [PackName] = []

    init(madeAt: Timestamp, agent: String) {
        self.madeAt = madeAt
        self.agent = agent
    }

    /// Bytes of all that it names.
    var size: UInt64 {
        files.reduce(0) { $0 &+ $1.size } &+ packs.values.reduce(0) { $0 &+ $1 }
    }

    var text: [UInt8] {
        var out = Array("\(Self.firstLine)\nmade \(madeAt.microseconds)\nby \(agent)\n".utf8)
        for file in files { out += "file \(file.sha256) \(file.size) \(file.name)\n".utf8 }
        for (pack, size) in packs.sorted(by: { $0.key < $1.key }) {
            out += "pack \(size) \(pack)\n".utf8
        }
        for pack in lost.sorted() { out += "lost \(pack)\n".utf8 }
        out += "end \(ContentHasher.digest(out))\n".utf8
        return out
    }

    /// - Parameter path: where it was read, for errors.
    /// - Throws: `corrupt` for anything that is not a manifest as it was written, `storeTooNew`.
    init(_ bytes: [UInt8], path: String) throws {
        func corrupt(_ finding: String) -> LinajeError {
            LinajeError(
                .corrupt, "manifest \(path) \(finding); use another generation of the backup")
        }
        let endBytes = "end ".utf8.count + 64 + 1
        guard bytes.count > endBytes else { throw corrupt("is cut short") }
        let body = Array(bytes.dropLast(endBytes))
        guard bytes.suffix(endBytes).elementsEqual("end \(ContentHasher.digest(body))\n".utf8),
            body.last == UInt8(ascii: "\n"), let text = String(validating: body, as: UTF8.self)
        else { throw corrupt("does not match its digest") }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()[...]
        guard let first = lines.popFirst(), first == Self.firstLine else {
            throw LinajeError(
                .storeTooNew, "manifest \(path) is of a later version; update linaje")
        }
        guard let made = lines.popFirst()?.split(separator: " "), made.count == 2,
            made[0] == "made", let time = Int64(made[1]),
            let by = lines.popFirst(), by.hasPrefix("by ")
        else { throw corrupt("does not say when it was made") }
        madeAt = Timestamp(microseconds: time)
        agent = String(by.dropFirst("by ".count))
        for line in lines {
            guard add(line.split(separator: " ", omittingEmptySubsequences: false)) else {
                throw corrupt("has a line that is not understood")
            }
        }
        guard Set(files.map(\.name)) == Self.fileNames, files.count == Self.fileNames.count else {
            throw corrupt("does not name all files that a backup has")
        }
    }

    /// Takes in the parts of a line; false for one that is not understood.
    private mutating func add(_ parts: [Substring]) -> Bool {
        switch (parts[0], parts.count) {
        case ("file", 4):
            guard let sha256 = SHA256Digest(hex: parts[1]), let size = UInt64(parts[2]),
                Self.fileNames.contains(String(parts[3]))
            else { return false }
            files.append(File(name: String(parts[3]), size: size, sha256: sha256))
        case ("pack", 3):
            guard let size = UInt64(parts[1]), let name = SHA256Digest(hex: parts[2]) else {
                return false
            }
            packs[PackName(name)] = size
        case ("lost", 2):
            guard let name = SHA256Digest(hex: parts[1]) else { return false }
            lost.append(PackName(name))
        default: return false
        }
        return true
    }
}
