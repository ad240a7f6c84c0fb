import LinajeArtifacts
import LinajeClient
import LinajeDomain
import LinajeWire

/// Takes a bundle that was checked as a whole into a daemon: first content, which nobody sees, then
/// all objects in one transaction, then points, each once.
struct Importing {
    let client: LinajeClient
    let reader: BundleReader
    let contents: BundleReader.Contents
    let step: @Sendable (String) -> Void

    /// - Returns: what became of each object, and how many points were sent.
    func run() async throws -> (objects: [ImportedObject], points: UInt64) {
        try await storeTrees(again: false)
        let objects: [ImportedObject]
        do {
            objects = try await create()
        } catch let error as LinajeError where [.incomplete, .notFound].contains(error.code) {
            // A tree that is listed and lacks files, or that was collected since.
            try await storeTrees(again: true)
            objects = try await create()
        }
        var points: UInt64 = 0
        for (object, made) in zip(contents.objects, objects) where made.takesPoints {
            guard case .run(let run, _, let digest) = object.content, let digest else { continue }
            points += try await sendPoints(of: run.id, digest)
        }
        return (objects, points)
    }

    private func create() async throws -> [ImportedObject] {
        step("creating \(contents.objects.count) objects")
        return try await client.importObjects(contents.objects, from: contents.trailer.digest)
    }

    private func storeTrees(again: Bool) async throws {
        let (reader, files) = (reader, contents.files)
        for (number, (digest, place)) in contents.trees.enumerated() {
            step("tree \(number + 1) of \(contents.trees.count)")
            if !again, try await client.hasTree(digest) { continue }
            let tree = try await BlockingThread.run { try reader.tree(at: place) }
            let stored = try await client.storeTree(tree.entries) { entry, send in
                guard let at = files[entry.sha256] else { return }
                let file = try await BlockingThread.run { try reader.file(at: at.place) }
                for part in file.parts {
                    try await send(try await BlockingThread.run { try reader.bytes(of: part) })
                }
            }
            guard stored == digest else {
                throw LinajeError(.corrupt, "tree \(digest) of the bundle was stored as \(stored)")
            }
        }
    }

    private func sendPoints(of run: RunID, _ digest: SHA256Digest) async throws -> UInt64 {
        let reader = reader
        var target = ImportedRun(run, fingerprint: "bundle \(digest)")
        do {
            for place in contents.points[run] ?? [] {
                step("points of run \(run)")
                let part = try await BlockingThread.run { try reader.points(at: place) }
                for index in 0..<part.columns.count {
                    try await target.add(
                        PointRow(run: run, series: part.series, point: part.columns[index]), client)
                }
            }
            try await target.close(client)
        } catch {
            target.abandon()
            throw error
        }
        return target.sent
    }
}
