import LinajeDomain
import LinajeWire

extension ScorerLayout {
    /// Most values that come out of one call: they take 256 MiB.
    public static let mostValues = (256 << 20) / RowBytes.valueBytes

    /// Most rows that one call may score.
    public var mostRows: Int { Self.mostValues / max(1, width) }
}

extension PluginSession {
    /// A scorer as the process has opened it.
    struct OpenedScorer: Sendable {
        var number: UInt64
        var flavor: String
        var layout: ScorerLayout
    }

    /// Requests of rows that are sent before the first of them is answered: one is computed while the
    /// next is on its way.
    private static let requestsAhead = 3

    /// Asks for what computes a model, and serves its bytes meanwhile; `nil`: nothing does.
    func openScorer(_ source: any ModelSource) async throws -> OpenedScorer? {
        let number = nextSource()
        var request = Linaje_V1_OpenScorerRequest()
        request.source = number
        let response: Linaje_V1_OpenScorerResponse
        do {
            response = try await call(
                Methods.openScorer, request, serving: ServedModel(source, number: number))
        } catch let refusal as Refusal where refusal.error.code == .unknownMethod {
            // A plugin that describes only.
            return nil
        }
        guard response.scorer != 0 else { return nil }
        return OpenedScorer(
            number: response.scorer, flavor: String(response.flavor.prefix(80)),
            layout: try ScorerLayout(response))
    }

    func closeScorer(_ number: UInt64) async throws {
        var request = Linaje_V1_CloseScorerRequest()
        request.scorer = number
        _ = try await call(Methods.closeScorer, request, serving: nil)
    }

    /// Scores rows, as many at a time as fit into a request.
    ///
    /// - Throws: `Refusal` of the process, or of more rows than `layout.mostRows`.
    func score(
        _ rows: [Double], layout: ScorerLayout, number: UInt64
    ) async throws -> [Double] {
        let count = rows.count / max(1, layout.features.count)
        guard count <= layout.mostRows else {
            // No fault of the process.
            throw Refusal(
                error: LinajeError(
                    .limitExceeded,
                    "\(count) rows of \(layout.width) values each are more than come out of one call; send "
                        + "at most \(layout.mostRows) rows at once"))
        }
        let step = layout.rowsPerRequest * layout.features.count
        var out: [Double] = []
        out.reserveCapacity(count * layout.width)
        var waiting: [(stream: UInt32, values: Int)] = []
        var refusal: Refusal?
        var start = 0
        // After a refusal what is under way is still taken in: the session goes on.
        while !waiting.isEmpty || (start < rows.count && refusal == nil) {
            if start < rows.count, refusal == nil, waiting.count < Self.requestsAhead {
                let end = min(start + step, rows.count)
                var request = Linaje_V1_ScoreRequest()
                request.scorer = number
                request.rows = RowBytes.encode(rows[start..<end])
                let values = (end - start) / layout.features.count * layout.width
                waiting.append((try await send(Methods.score, request), values))
                start = end
                continue
            }
            let (stream, wanted) = waiting.removeFirst()
            do {
                let response = try await answer(on: stream, to: Methods.score, serving: nil)
                let values = try RowBytes.decode(response.values)
                guard values.count == wanted else {
                    throw LinajeError(
                        .badMessage, "it gave \(values.count) values where \(wanted) belong")
                }
                out += values
            } catch let error as Refusal {
                refusal = refusal ?? error
            }
        }
        if let refusal { throw refusal }
        return out
    }
}
