import LinajeArtifacts
import LinajeDomain
import LinajeServices
import LinajeWire

extension MethodTable {
    mutating func addArtifacts(_ service: ArtifactService) {
        unary(Methods.beginIngest) { _, context in
            let id = try await service.begin(
                context.change(
                    encode: { (id: IngestID) in Linaje_V1_BeginIngestResponse(id) },
                    decode: { try IngestID($0.ingestID) }))
            return Linaje_V1_BeginIngestResponse(id)
        }
        stream(Methods.putFile) { request, _, stream in
            let file = try await service.openFile(
                IngestID(request.ingestID), path: TreePath(request.path),
                mode: FileMode(wire: request.mode), size: request.hasSize ? request.size : nil,
                sha256: request.hasSha256 ? SHA256Digest(request.sha256, noun: "sha256") : nil)
            do {
                try await file.receive(from: stream)
                let ingested = try await file.finish()
                var answer = Linaje_V1_PutFileResponse()
                answer.file = Linaje_V1_FileEntry(ingested.entry)
                answer.chunks = UInt64(ingested.chunks)
                answer.newBytes = ingested.newBytes
                try stream.respond(answer, end: true)
            } catch {
                await file.abort()
                throw error
            }
        }
        let gathering = AheadBudget(groups: Limits.smallFilesBatches)
        stream(Methods.putFiles) { request, _, stream in
            let ingest = try IngestID(request.ingestID)
            var answer = Linaje_V1_PutFilesResponse()
            if !request.baseTree.isEmpty {
                let base = try SHA256Digest(request.baseTree, noun: "base_tree")
                let count = try await service.inherit(
                    ingest, from: base, kept: Array(request.kept))
                answer.files = UInt64(count)
            }
            // Files of several frames are put together: that they are alike is seen of many.
            // The client gets its credit back before they are put, so few streams may gather.
            var batch: [WholeFile] = []
            var batchBytes = 0
            var room: AheadPermit?
            for await frame in stream.inbound {
                var held = 0
                if case .data(let bytes) = frame {
                    batch += try Linaje_V1_PutFilesFrame(payload: bytes).files.map(WholeFile.init)
                    batchBytes += bytes.count
                    held = bytes.count
                    room = room ?? gathering.take()
                    if room != nil, batchBytes < Limits.smallFilesBatchBytes {
                        stream.release(held)
                        continue
                    }
                }
                answer.files += UInt64(batch.count)
                answer.newBytes += try await service.putFiles(ingest, batch)
                (batch, batchBytes, room) = ([], 0, nil)
                guard case .data = frame else { return try stream.respond(answer, end: true) }
                stream.release(held)
            }
            throw LinajeError(.cancelled, "the client left before the end of the files")
        }
        unary(Methods.commitIngest) { request, context in
            let tree = try await service.commit(
                IngestID(request.ingestID), run: .orNil(request.runID),
                path: TreePath.orRoot(request.path),
                context.change(encode: Linaje_V1_Tree.init, decode: StoredTree.init))
            return Linaje_V1_Tree(tree)
        }
        unary(Methods.abortIngest) { request, context in
            try await service.abort(IngestID(request.ingestID), context.changeOnly)
            return Linaje_V1_Done()
        }
        unary(Methods.listArtifacts) { request, _ in
            let found = try await service.resolve(ContentURI(request.root))
            return try found.tree.listing(request, only: found.file)
        }
        stream(Methods.readArtifact) { request, _, stream in
            let entry = try await service.file(request)
            var opened = Linaje_V1_ReadArtifactOpened()
            opened.file = Linaje_V1_FileEntry(entry)
            try stream.respond(opened)
            let pieces = try await service.read(
                entry, range: request.range(of: entry), checksFile: !request.checkedByClient)
            for try await piece in pieces {
                try await stream.sendBytes(piece)
                // Nothing more is fetched for a client that does not read.
                try await stream.room()
            }
            stream.end()
        }
        addTreeReading(service)
    }
}

extension FileIngest {
    /// Takes in what the client sends, giving credit back as it is stored.
    ///
    /// - Throws: `cancelled` when the client leaves before its end.
    fileprivate func receive(from stream: CallStream) async throws {
        for await frame in stream.inbound {
            switch frame {
            case .data(let bytes):
                try await append(bytes)
                stream.release(bytes.count)
            case .end: return
            }
        }
        throw LinajeError(.cancelled, "the client left before the end of the file")
    }
}

extension WholeFile {
    fileprivate init(_ message: Linaje_V1_SmallFile) throws {
        self.init(
            path: try TreePath(message.path), mode: try FileMode(wire: message.mode),
            content: Array(message.content),
            sha256: try SHA256Digest(message.sha256, noun: "sha256"))
    }
}

extension ArtifactService {
    /// The file that a read names: the root itself, or `path` below it.
    fileprivate func file(_ request: Linaje_V1_ReadArtifactRequest) async throws -> TreeEntry {
        let uri = try ContentURI(request.root)
        let found = try await resolve(uri)
        guard let path = try TreePath.orRoot(request.path) else {
            guard let file = found.file else {
                throw LinajeError(.invalidArgument, "\(uri) is a folder; name a file in it")
            }
            return file
        }
        guard found.file == nil, let entry = found.tree.entry(at: path) else {
            throw LinajeError(.notFound, "\(uri) has no file \"\(path)\"")
        }
        return entry
    }
}

extension Linaje_V1_ReadArtifactRequest {
    /// The bytes that are wanted of `entry`; `nil`: all of them, so that the whole file is checked
    /// against its own digest too.
    fileprivate func range(of entry: TreeEntry) throws -> Range<UInt64>? {
        guard offset > 0 || hasLength else { return nil }
        guard offset <= entry.size else {
            throw LinajeError(
                .invalidArgument,
                "offset \(offset) is past the end of \"\(entry.path)\", which has \(entry.size) bytes"
            )
        }
        let rest = entry.size - offset
        return offset..<(offset + (hasLength ? min(length, rest) : rest))
    }
}

extension Linaje_V1_BeginIngestResponse {
    fileprivate init(_ id: IngestID) {
        self.init()
        ingestID = id.data
        leaseS = UInt32(clamping: Limits.ingestLease.components.seconds)
    }
}

extension Linaje_V1_Tree {
    fileprivate init(_ tree: StoredTree) {
        self.init()
        digest = tree.digest.data
        files = UInt64(tree.files)
        size = tree.size
    }
}

extension StoredTree {
    fileprivate init(_ message: Linaje_V1_Tree) throws {
        self.init(
            digest: try SHA256Digest(message.digest, noun: "tree digest"),
            files: Int(clamping: message.files), size: message.size)
    }
}

extension Tree {
    /// A page of what stands below a path.
    fileprivate func listing(
        _ request: Linaje_V1_ListArtifactsRequest, only file: TreeEntry?
    ) throws -> Linaje_V1_ListArtifactsResponse {
        var answer = Linaje_V1_ListArtifactsResponse()
        answer.tree = ArtifactService.digest(of: self).data
        if let file {
            answer.entries = [Linaje_V1_FileEntry(file)]
            return answer
        }
        let listing = try TreeListing(
            self, below: TreePath.orRoot(request.path), recursive: request.recursive)
        let page = try listing.page(Page(request.page))
        answer.entries = page.elements.map { item in
            switch item {
            case .file(let entry): Linaje_V1_FileEntry(entry)
            case .folder(let path, let size): Linaje_V1_FileEntry(folder: path, size: size)
            }
        }
        answer.nextPageToken = page.nextPageToken
        return answer
    }
}
