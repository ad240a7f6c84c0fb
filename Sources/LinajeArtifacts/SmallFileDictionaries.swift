import LinajeDomain
import Synchronization

/// Finds the dictionary for the small files of a session.
///
/// It is made of a batch of them, used for that one and for those that follow, and tried again after
/// a pack's worth of content: folders are put in the order of their names, and what lies together is
/// alike. While it still saves what it did it stays, as making one takes longer than using it.
final class SmallFileDictionaries: Sendable {
    private struct Kept {
        var session: IngestID
        /// `nil`: none was worth it.
        var dictionary: CompressionDictionary?
        /// What was left of each byte of the contents that it was made of.
        var ratio: Double
        /// Bytes of content until it is tried again.
        var left: Int
    }

    /// Sessions whose dictionaries are kept.
    private static let sessions = 16
    /// Of so many contents every second teaches a dictionary, and one of the others tells what it
    /// saves: of what it has learned by heart it would save too much.
    private static let sampling = 4
    /// A dictionary stays until it leaves so much more than of those that it was made of.
    private static let worse = 1.05

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
            guard let place = kept.firstIndex(where: { $0.session == session }) else { return nil }
            kept[place].left -= bytes
            return kept[place]
        }
        if let known, known.left >= 0 { return known.dictionary }
        // Too few to tell; more may come.
        guard small.count >= 2 * CompressionDictionary.fewestSamples,
            bytes >= 2 * CompressionDictionary.fewestBytes
        else { return known?.dictionary }
        if let known, let dictionary = known.dictionary,
            Self.measure(dictionary, with: small).ratio <= known.ratio * Self.worse
        {
            keep(dictionary, ratio: known.ratio, for: session)
            return dictionary
        }
        let taught = stride(from: 0, to: small.count, by: 2).map { small[$0] }
        let made = try CompressionDictionary(madeOf: taught)
        let found = made.map { Self.measure($0, with: small) }
        let isWorthIt = (found?.saved ?? 0) > (made?.blob.stored.count ?? 0)
        keep(isWorthIt ? made : nil, ratio: found?.ratio ?? 1, for: session)
        return isWorthIt ? made : nil
    }

    private func keep(
        _ dictionary: CompressionDictionary?, ratio: Double, for session: IngestID
    ) {
        kept.withLock { kept in
            kept.removeAll { $0.session == session }
            if kept.count >= Self.sessions { kept.removeFirst() }
            kept.append(
                Kept(
                    session: session, dictionary: dictionary, ratio: ratio,
                    left: PackBuilder.targetBytes))
        }
    }

    func forget(_ session: IngestID) {
        kept.withLock { $0.removeAll { $0.session == session } }
    }

    /// What a dictionary leaves of each byte, and how many bytes fewer that are than without one.
    private static func measure(
        _ dictionary: CompressionDictionary, with contents: [[UInt8]]
    ) -> (ratio: Double, saved: Int) {
        guard let context = ZstdContexts.compressors.take() else { return (1, 0) }
        defer { ZstdContexts.compressors.give(back: context) }
        var (whole, alone, together) = (0, 0, 0)
        for place in stride(from: 1, to: contents.count, by: sampling) {
            let content = contents[place]
            whole += content.count
            alone += BlobEncoding.compress(content, context)?.count ?? content.count
            together += dictionary.compress(content, context)?.count ?? content.count
        }
        return (Double(together) / Double(max(1, whole)), (alone - together) * sampling)
    }
}
