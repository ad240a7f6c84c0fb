import LinajeDomain
import LinajeWire

/// Flavors in a process of their own, seen from the process.
actor HostedFlavors: HostedPlugin {
    private nonisolated let composite: CompositeFlavor
    private var scorers = HostedScorers()

    init(_ composite: CompositeFlavor) { self.composite = composite }

    nonisolated var descriptor: PluginDescriptor { composite.descriptor }
    nonisolated var flavors: [String] { composite.flavors.map(\.descriptor.name) }

    func answer(_ call: HostedCall) async throws -> [UInt8] {
        switch call.opcode {
        case Methods.describeModel.opcode:
            let request = try Linaje_V1_DescribeModelRequest(payload: call.message)
            let source = FramedModelSource(
                session: call.session, stream: call.stream, number: request.source)
            var response = Linaje_V1_DescribeModelResponse()
            response.model = Linaje_V1_ModelDescription(try await composite.describe(source))
            return try response.payload()
        case Methods.openScorer.opcode:
            let request = try Linaje_V1_OpenScorerRequest(payload: call.message)
            return try await openScorer(
                FramedModelSource(
                    session: call.session, stream: call.stream, number: request.source)
            ).payload()
        case Methods.score.opcode:
            let request = try Linaje_V1_ScoreRequest(payload: call.message)
            let scorer = try scorers.find(request.scorer)
            return try await HostedScorers.score(request.rows, with: scorer).payload()
        case Methods.closeScorer.opcode:
            try scorers.close(try Linaje_V1_CloseScorerRequest(payload: call.message).scorer)
            return try Linaje_V1_CloseScorerResponse().payload()
        default:
            throw LinajeError(
                .unknownMethod, "a plugin of model flavors has no method \(call.opcode)")
        }
    }

    private func openScorer(
        _ source: FramedModelSource
    ) async throws -> Linaje_V1_OpenScorerResponse {
        try scorers.checkRoom()
        guard let (flavor, scorer) = try await composite.namedScorer(for: source),
            // A row that fits into no frame is left to the library.
            scorer.layout.rowsPerRequest > 0
        else { return Linaje_V1_OpenScorerResponse() }
        let number = try scorers.add(scorer)
        return Linaje_V1_OpenScorerResponse(scorer.layout, scorer: number, flavor: flavor)
    }
}
