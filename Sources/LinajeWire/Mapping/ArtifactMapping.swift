import FoundationEssentials
package import LinajeDomain

extension Linaje_V1_FileEntry {
    /// The mode by which a listing shows a folder.
    package static let folderMode: UInt32 = 0o040000

    package init(_ entry: TreeEntry) {
        self.init()
        path = entry.path.text
        mode = entry.mode.rawValue
        size = entry.size
        sha256 = entry.sha256.data
    }

    /// A folder of a listing; `size` is the sum of its files in bytes.
    package init(folder: TreePath, size: UInt64) {
        self.init()
        path = folder.text
        mode = Self.folderMode
        self.size = size
    }

    /// Whether it is a folder, which a tree does not hold but a listing shows.
    package var isFolder: Bool { mode == Self.folderMode }
}

extension TreeEntry {
    /// - Throws: `invalidPath` or `invalidArgument` naming the field; for a folder, too.
    package init(_ message: Linaje_V1_FileEntry) throws {
        self.init(
            path: try TreePath(message.path), mode: try FileMode(wire: message.mode),
            size: message.size,
            sha256: try SHA256Digest(
                message.sha256, noun: "sha256 of \"\(message.path.prefix(80))\""))
    }
}

extension Linaje_V1_ArtifactRoot {
    /// All artifacts of a run.
    package init(run: RunID) {
        self.init()
        runID = run.data
    }

    /// A tree by its digest.
    package init(tree digest: SHA256Digest) {
        self.init()
        tree = digest.data
    }

    /// What a URI names.
    package init(uri text: String) {
        self.init()
        uri = text
    }
}

extension ContentURI {
    /// What the root of a listing or a read names.
    ///
    /// - Throws: `invalidArgument` when nothing is set or it names no content.
    package init(_ message: Linaje_V1_ArtifactRoot) throws {
        switch message.root {
        case .runID(let bytes): self = .run(try RunID(bytes), path: nil)
        case .tree(let bytes): self = .tree(try SHA256Digest(bytes, noun: "tree digest"))
        case .uri(let text): self = try ContentURI(parsing: text)
        case nil:
            throw LinajeError(
                .invalidArgument, "root is not given; set run_id, tree or uri")
        }
    }
}
