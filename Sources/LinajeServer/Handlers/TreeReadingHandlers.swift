import FoundationEssentials
import LinajeArtifacts
import LinajeDomain
import LinajeServices
import LinajeWire

extension MethodTable {
    mutating func addTreeReading(_ service: ArtifactService) {
        stream(Methods.readTree) { request, _, stream in
            let (tree, file) = try await service.place(
                ContentURI(request.root), TreePath.orRoot(request.path))
            var opened = Linaje_V1_ReadTreeOpened()
            if let file {
                opened.file = Linaje_V1_FileEntry(file)
                return try stream.respond(opened, end: true)
            }
            opened.tree.digest = ArtifactService.digest(of: tree).data
            opened.tree.files = UInt64(tree.entries.count)
            opened.tree.size = tree.size
            try stream.respond(opened)
            var place = 0
            while let text = try tree.text(from: &place) {
                try await stream.sendBytes(text)
                try await stream.room()
            }
            stream.end()
        }
        stream(Methods.readFiles) { request, _, stream in
            let uri = try ContentURI(request.root)
            let wanted = try SHA256Digest(request.tree, noun: "tree")
            let (tree, file) = try await service.place(uri, TreePath.orRoot(request.path))
            guard file == nil, ArtifactService.digest(of: tree) == wanted else {
                throw LinajeError(
                    .conflict, "\(uri) changed while it was read; read it again")
            }
            var frame = FilesFrame()
            try await service.readSmall(
                of: tree, wanted: Array(request.wanted), from: request.first,
                begin: { count in
                    var opened = Linaje_V1_ReadFilesOpened()
                    opened.files = UInt64(count)
                    try stream.respond(opened)
                },
                { files in
                    for file in files {
                        if let full = frame.add(file) {
                            try await stream.send(full)
                            // Nothing more is fetched for a client that does not read.
                            try await stream.room()
                        }
                    }
                })
            if let last = frame.take() { try await stream.send(last) }
            stream.end()
        }
    }
}

/// Small files that are gathered for one frame.
private struct FilesFrame {
    /// Content of a frame, but for one file: with what is around it, it fits the first credit of any
    /// client (PROTOCOL.md, "Flow control").
    private static let contentBytes = 96 << 10
    private static let files = 1_024

    private var message = Linaje_V1_ReadFilesFrame()
    private var bytes = 0

    /// Adds a file; the frame that is full before it, if there is one.
    mutating func add(_ file: ArtifactStore.Numbered<[UInt8]>) -> Linaje_V1_ReadFilesFrame? {
        let isFull =
            bytes + file.value.count > Self.contentBytes || message.files.count >= Self.files
        let full = isFull ? take() : nil
        var next = Linaje_V1_WholeFile()
        next.entry = UInt64(file.number)
        next.content = Data(file.value)
        message.files.append(next)
        bytes += file.value.count
        return full
    }

    mutating func take() -> Linaje_V1_ReadFilesFrame? {
        guard !message.files.isEmpty else { return nil }
        defer { (message, bytes) = (Linaje_V1_ReadFilesFrame(), 0) }
        return message
    }
}

extension Tree {
    /// Entries whose text is made at a time: a client that does not read makes the daemon hold no more.
    private static let entriesAtOnce = 512

    /// The next part of the canonical text; `nil` after the last.
    ///
    /// - Parameter place: where it begins, 0 at first, and then where the next part does.
    fileprivate func text(from place: inout Int) throws -> [UInt8]? {
        guard place < entries.count else {
            // A tree of nothing has a text, too.
            guard entries.isEmpty, place == 0 else { return nil }
            place = 1
            return canonical
        }
        let end = min(place + Self.entriesAtOnce, entries.count)
        defer { place = end }
        let text = try Tree(Array(entries[place..<end])).canonical
        return place == 0 ? text : Array(text.dropFirst(try Tree([]).canonical.count))
    }
}
