import LinajeDomain
import LinajeWire

extension ScorerLayout {
    /// Rows that fit into one request and whose values fit into its answer; 0: not even one.
    var rowsPerRequest: Int {
        let row = max(1, features.count) * RowBytes.valueBytes
        let answer = max(1, width) * RowBytes.valueBytes
        return min(RowBytes.requestBytes / row, RowBytes.answerBytes / answer)
    }

    /// What a process says of a scorer.
    ///
    /// - Throws: `badMessage` for a layout that no scorer has.
    init(_ message: Linaje_V1_OpenScorerResponse) throws {
        let outputs = try message.outputs.map(ScorerOutput.init)
        // Widths are added up: none is more than an answer holds.
        guard !outputs.isEmpty, outputs.count <= 1_000 else {
            throw LinajeError(.badMessage, "a scorer with \(outputs.count) outputs is none")
        }
        self.init(features: message.features, hasNames: message.hasNames_p, outputs: outputs)
        guard rowsPerRequest > 0 else {
            throw LinajeError(
                .badMessage,
                "a row of \(features.count) features and \(width) values does not fit into a frame")
        }
    }
}

extension Linaje_V1_OpenScorerResponse {
    init(_ layout: ScorerLayout, scorer: UInt64, flavor: String) {
        self.init()
        self.scorer = scorer
        self.flavor = flavor
        features = layout.features
        hasNames_p = layout.hasNames
        outputs = layout.outputs.map { output in
            var message = Linaje_V1_ScorerOutput()
            message.name = output.name
            message.width = UInt32(clamping: output.width)
            message.isVector = output.isVector
            message.kind = output.kind.rawValue
            message.labels = output.labels
            return message
        }
    }
}

extension ScorerOutput {
    fileprivate init(_ message: Linaje_V1_ScorerOutput) throws {
        guard let kind = Kind(rawValue: message.kind) else {
            throw LinajeError(
                .badMessage, "\"\(message.kind.prefix(40))\" is no kind of an output")
        }
        guard (1...UInt32(Limits.frameBytes / RowBytes.valueBytes)).contains(message.width),
            message.isVector || message.width == 1
        else {
            throw LinajeError(
                .badMessage, "an output of \(message.width) values for a row is none")
        }
        guard (kind == .label) == !message.labels.isEmpty else {
            throw LinajeError(.badMessage, "labels belong to outputs of kind \"label\" only")
        }
        self.init(
            name: message.name, width: Int(message.width), isVector: message.isVector, kind: kind,
            labels: message.labels)
    }
}
