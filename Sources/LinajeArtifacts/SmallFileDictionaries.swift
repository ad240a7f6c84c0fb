import LinajeDomain
import Synchronization

/// Finds the dictionary for the small files of a session.
///
/// It is made of a batch of them, used for that one and for those that follow, and made anew after a
/// pack's worth of content: folders are put in the order of their names, and what lies together is
/// alike.
final class SmallFileDictionaries: Sendable {
    private struct Kept {
        var session: IngestID
        /// `nil`: none was worth it.
        var dictionary: CompressionDictionary?
        /// Bytes of content until another is tried.
        var left: Int
    }

    /// Sessions whose dictionaries are kept.
    private static let sessions = 16
    /// Every so many contents one is compressed both ways, to see what a dictionary saves.
    private static let sampling = 4

    private let kept = Mutex<[Kept]>([])

    /// The dictionary for blobs that are about to be encoded; `nil`: each is better for itself.
    ///
    /// Takes the time of compressing them a few times when one is made; to be called where work is
    /// done.
    func dictionary(
        for blobs: [RawBlob], of session: IngestID
    ) throws -> CompressionDictionary? {
        let small = blobs.filter(CompressionDictionary.isFor).map(\.content)
        let bytes = small.reduce(0) { $0 + $1.count }
        guard bytes > 0 else { return nil }
        let known: Kept? = kept.withLock { kept in
            guard let place = kept.firstIndex(where: { $0.session == session && $0.left > 0 })
            else { return nil }
            kept[place].left -= bytes
            return kept[place]
        }
        if let known { return known.dictionary }
        // Too few to tell; more may come.
        guard small.count >= CompressionDictionary.fewestSamples,
            bytes >= CompressionDictionary.fewestBytes
        else { return nil }
        let made = try CompressionDictionary(madeOf: small).flatMap {
            Self.isWorthIt($0, for: small) ? $0 : nil
        }
        kept.withLock { kept in
            kept.removeAll { $0.session == session }
            if kept.count >= Self.sessions { kept.removeFirst() }
            kept.append(
                Kept(
                    session: session, dictionary: made, left: PackBuilder.targetBytes - bytes))
        }
        return made
    }

    func forget(_ session: IngestID) {
        kept.withLock { $0.removeAll { $0.session == session } }
    }

    /// Whether it saves more than it takes.
    private static func isWorthIt(
        _ dictionary: CompressionDictionary, for contents: [[UInt8]]
    ) -> Bool {
        guard let context = ZstdContexts.compressors.take() else { return false }
        defer { ZstdContexts.compressors.give(back: context) }
        var saved = 0
        for place in stride(from: 0, to: contents.count, by: sampling) {
            let content = contents[place]
            let alone = BlobEncoding.compress(content, context)?.count ?? content.count
            saved += alone - (dictionary.compress(content, context)?.count ?? content.count)
        }
        return saved * sampling > dictionary.blob.stored.count
    }
}
