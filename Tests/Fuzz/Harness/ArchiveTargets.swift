import LinajeDomain
import LinajeModelFiles
import LinajePluginKit

extension FuzzTarget {
    /// The readers below the flavors.
    static let archives: [FuzzTarget] = [
        FuzzTarget("zip", zip),
        FuzzTarget("inflate", inflate),
        FuzzTarget("protobuf", protobuf),
    ]

    private static func zip(_ bytes: [UInt8]) {
        let file = ModelSourceFile(path: "m.zip", size: UInt64(bytes.count))
        let source = FuzzSource([(file.path, bytes)])
        try? runHere {
            let archive = try await ZIPArchive(reading: ModelFile(file, in: source))
            for entry in archive.entries {
                if archive.problems.isEmpty, !entry.isFolder,
                    (try? TreePath(entry.name)) == nil || archive.entry(entry.name) == nil
                {
                    FuzzProgram.fail("has no problem and \(entry.name.debugDescription) in it")
                }
                let content = try? await archive.content(of: entry, limit: 1 << 20)
                guard content == nil || UInt64(content?.count ?? 0) == entry.size else {
                    FuzzProgram.fail("an entry has another size than its directory says")
                }
            }
        }
    }

    /// The first byte says what is around the stream, the second how much comes at once.
    private static func inflate(_ bytes: [UInt8]) {
        guard bytes.count > 2 else { return }
        let container: Inflater.Container =
            switch bytes[0] % 3 {
            case 0: .raw
            case 1: .zlib
            default: .gzip
            }
        let stream = Array(bytes[2...])
        let limit = 1 << 18
        let whole = try? Inflater.whole(stream, container, limit: limit, name: "stream")
        let inflater = Inflater(container, name: "stream")
        var output: [UInt8] = []
        var place = 0
        do {
            while place < stream.count, !inflater.isFinished, output.count <= limit {
                let end = min(stream.count, place + Int(bytes[1] % 64) + 1)
                let used = try inflater.inflate(
                    stream[place..<end], into: &output, limit: limit + 1)
                guard used >= 0, used <= end - place, output.count <= limit + 1 else {
                    FuzzProgram.fail("uses \(used) of \(end - place) bytes")
                }
                guard used > 0 || inflater.isFinished else { break }
                place += used
            }
        } catch {
            guard whole == nil else { FuzzProgram.fail("unpacks at once and not in pieces") }
            return
        }
        if let whole, !inflater.isFinished || whole != output {
            FuzzProgram.fail("unpacks to something else in pieces")
        }
    }

    /// Walks every field as bytes and, as far as it can be one, as a message.
    private static func protobuf(_ bytes: [UInt8]) {
        let file = ModelSourceFile(path: "m.pb", size: UInt64(bytes.count))
        let source = FuzzSource([(file.path, bytes)])
        try? runHere {
            let reader = ProtobufReader(FileWindow(file, in: source, budget: 1 << 20))
            var steps = 0
            try await walk(reader.root, reader, file.size, &steps)
        }
    }

    private static func walk(
        _ message: ProtobufMessage, _ reader: ProtobufReader, _ size: UInt64, _ steps: inout Int
    ) async throws {
        var message = message
        while let field = try await reader.next(&message) {
            steps += 1
            guard steps < 10_000 else { return }
            guard message.position <= message.end, message.end <= size, field.number > 0 else {
                FuzzProgram.fail("a field goes past its message")
            }
            guard case .bytes(let range) = field.value else { continue }
            guard range.upperBound <= message.end else {
                FuzzProgram.fail("bytes reach past their message")
            }
            _ = try? await reader.text(range)
            guard let inner = try? reader.message(range, in: message) else { continue }
            try? await walk(inner, reader, size, &steps)
        }
    }
}
