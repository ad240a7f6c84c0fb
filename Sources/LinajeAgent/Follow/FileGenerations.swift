import LinajeClient
import LinajeDomain

/// Which writer a JSON lines file is. A file that was written anew with the same beginning gets
/// another writer than before: a tag of the run counts how often that was.
actor FileGenerations {
    private let client: LinajeClient
    /// The identity without generation, and the generation, of each writer.
    private var known: [WriterID: (base: String, generation: UInt64)] = [:]
    /// Generations that are over, by identity.
    private var over: [String: UInt64] = [:]

    init(_ client: LinajeClient) { self.client = client }

    /// The writer's file was seen to be written anew.
    func wasRewritten(_ writer: WriterID) {
        guard let (base, generation) = known[writer] else { return }
        over[base] = generation
    }

    /// The writer of a file, from what it is known by.
    ///
    /// - Throws: when the run cannot be read, or a new generation not be noted.
    func writer(of identity: [String], in run: RunID) async throws -> WriterID {
        let base: WriterID = DerivedIdentity.make(identity)
        let key = "linaje.jsonl.rewritten/\(base)"
        let noted = try await client.run(run).tags.first { $0.key == key }.flatMap {
            UInt64($0.value)
        }
        var generation = noted ?? 0
        if let last = over["\(base)"], generation <= last {
            generation = last + 1
            var additions = RunAdditions()
            additions.tags = TagChanges(set: [Tag(key: key, value: "\(generation)")])
            try await client.log(additions, to: run)
        }
        let writer: WriterID =
            generation == 0 ? base : DerivedIdentity.make(identity + ["\(generation)"])
        known[writer] = ("\(base)", generation)
        return writer
    }
}

/// A file that may be an earlier part of what is followed.
struct RotatedFile {
    let file: OpenFile
    let client: LinajeClient
    let finder: RunFinder

    /// Whether a part of it is in the run.
    func isKnown(to generations: FileGenerations) async throws -> Bool {
        let size = try await BlockingCalls.run { [file] in try file.size() }
        var reader = RecordFile(
            file, at: RecordPlace<JSONLinesGrammar>(grammar: JSONLinesGrammar()))
        while true {
            guard case .record(let record) = try await reader.next(before: size) else {
                return false
            }
            guard let first = record.points.first else { continue }
            let run = try await finder.id(firstTime: first.time)
            let count = Int(min(reader.place.offset, 4_096))
            let front = try await BlockingCalls.run { [file] in
                try file.read(at: 0, count: count)
            }
            let writer = try await generations.writer(
                of: [
                    JSONLinesGrammar.name, "\(run)", "\(file.identity.inode)",
                    DerivedIdentity.fingerprint(front),
                ], in: run)
            let stream = try await client.metricStream(run: run, writer: writer, replay: true)
            defer { stream.abandon() }
            return stream.lastNumber > 0
        }
    }
}
