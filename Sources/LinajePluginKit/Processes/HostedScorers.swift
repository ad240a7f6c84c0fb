import FoundationEssentials
import LinajeDomain
import LinajeWire

/// The scorers that the other side of a flavor process has opened.
struct HostedScorers {
    /// Most of them at once.
    static let most = 16

    private var scorers: [UInt64: any ModelScorer] = [:]
    private var last: UInt64 = 0

    /// - Throws: `limitExceeded` when no more may be opened.
    func checkRoom() throws {
        guard scorers.count < Self.most else {
            throw LinajeError(
                .limitExceeded,
                "\(Self.most) scorers are open on this connection; close one of them first")
        }
    }

    /// - Returns: What it is called from now on.
    mutating func add(_ scorer: any ModelScorer) throws -> UInt64 {
        try checkRoom()
        last += 1
        scorers[last] = scorer
        return last
    }

    func find(_ number: UInt64) throws -> any ModelScorer {
        guard let scorer = scorers[number] else {
            throw LinajeError(.notFound, "scorer \(number) is not open")
        }
        return scorer
    }

    mutating func close(_ number: UInt64) throws {
        guard scorers.removeValue(forKey: number) != nil else {
            throw LinajeError(.notFound, "scorer \(number) is not open")
        }
    }

    /// Scores the rows of a request. Runs aside, so that the next request is read meanwhile.
    ///
    /// - Throws: `limitExceeded` when the answer would not fit into a frame; what the scorer throws.
    @concurrent static func score(
        _ rows: Data, with scorer: any ModelScorer
    ) async throws -> Linaje_V1_ScoreResponse {
        let layout = scorer.layout
        let values = try RowBytes.decode(rows)
        let features = layout.features.count
        guard features > 0 else {
            throw LinajeError(.invalidArgument, "the model has no features to score")
        }
        guard values.count.isMultiple(of: features) else {
            throw LinajeError(
                .invalidArgument, "\(values.count) values are no rows of \(features) features")
        }
        guard values.count / features <= layout.rowsPerRequest else {
            throw LinajeError(
                .limitExceeded,
                "\(values.count / features) rows are too many for one answer; at most "
                    + "\(layout.rowsPerRequest) fit")
        }
        let scored = try scorer.score(values)
        guard scored.count == values.count / features * layout.width else {
            throw LinajeError(
                .internalError,
                "the scorer gave \(scored.count) values for \(values.count / features) rows of "
                    + "\(layout.width)")
        }
        var response = Linaje_V1_ScoreResponse()
        response.values = RowBytes.encode(scored[...])
        return response
    }
}
