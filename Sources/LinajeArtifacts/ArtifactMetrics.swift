import LinajeDomain
import Metrics

/// What the artifact store counts about itself (docs/telemetry.md), once for each batch of chunks,
/// each pack and each group of chunks that is read.
struct ArtifactMetrics: Sendable {
    private let newChunks = Counter(
        label: "linaje_artifact_chunks_total", dimensions: [("known", "no")])
    private let knownChunks = Counter(
        label: "linaje_artifact_chunks_total", dimensions: [("known", "yes")])
    private let newBytes = Counter(
        label: "linaje_artifact_chunk_bytes_total", dimensions: [("known", "no")])
    private let knownBytes = Counter(
        label: "linaje_artifact_chunk_bytes_total", dimensions: [("known", "yes")])
    private let written = Counter(label: "linaje_artifact_written_bytes_total")
    private let packTime = Timer(label: "linaje_artifact_pack_seconds")
    private let readBytes = Counter(label: "linaje_artifact_read_bytes_total")
    private let corrupt = Counter(label: "linaje_artifact_corrupt_total")
    private let condemned = Counter(label: "linaje_artifact_condemned_bytes_total")
    private let freed = Counter(label: "linaje_artifact_freed_bytes_total")
    private let rescued = Counter(label: "linaje_artifact_rescued_total")

    /// Chunks have come, of which the store lacked some.
    func put(_ chunks: [RawBlob], lacked: [RawBlob]) {
        let (all, new) = (Self.bytes(chunks), Self.bytes(lacked))
        newChunks.increment(by: lacked.count)
        knownChunks.increment(by: chunks.count - lacked.count)
        newBytes.increment(by: new)
        knownBytes.increment(by: all - new)
    }

    /// A pack is durable and in the index.
    func wrote(bytes: UInt64, took: Duration) {
        written.increment(by: bytes)
        packTime.record(duration: took)
    }

    /// Chunks were read and are right.
    func read(_ bytes: Int) { readBytes.increment(by: bytes) }

    /// Blobs or files do not match their digests.
    func foundCorrupt(_ count: Int = 1) { corrupt.increment(by: count) }

    /// A collection is over.
    func collected(_ sum: CollectionSum) {
        condemned.increment(by: sum.condemnedBytes)
        freed.increment(by: sum.freedBytes)
        rescued.increment(by: sum.rescued)
    }

    private static func bytes(_ blobs: [RawBlob]) -> Int {
        blobs.reduce(0) { $0 + $1.content.count }
    }
}
