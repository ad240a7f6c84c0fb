/// Compares signatures as callers see it: a change breaks when a call that the first model takes is
/// refused by the second, or an answer that the first promises is not what the second gives.
enum SignatureDiff {
    static func entries(
        _ before: SignatureSchema, _ after: SignatureSchema
    ) -> [ModelDiff.Entry] {
        parts(before.inputs, after.inputs, .input) + parts(before.outputs, after.outputs, .output)
            + params(before.params, after.params)
    }

    /// On which side of the model: callers give inputs and get outputs.
    private enum Side: String {
        case input, output
    }

    private static func parts(
        _ before: SchemaPart?, _ after: SchemaPart?, _ side: Side
    ) -> [ModelDiff.Entry] {
        switch (before, after) {
        case (nil, nil): return []
        case (nil, let new?):
            let note =
                side == .input
                ? "what was taken is not said; now the rest is refused" : "it was not said"
            return [.added("\(side)s", summary(new), note: note).breaking(side == .input)]
        case (let old?, nil):
            let note = side == .input ? "anything is taken now" : "nothing is promised now"
            return [.removed("\(side)s", summary(old), note: note).breaking(side == .output)]
        case (.columns(let old)?, .columns(let new)?): return columns(old, new, side)
        case (.tensors(let old)?, .tensors(let new)?): return tensors(old, new, side)
        case (let old?, let new?):
            return [.changed("\(side)s", summary(old), summary(new)).breaking(true)]
        }
    }

    private static func summary(_ part: SchemaPart) -> String {
        switch part {
        case .columns(let columns): columns.count == 1 ? "1 column" : "\(columns.count) columns"
        case .tensors(let tensors): tensors.count == 1 ? "1 tensor" : "\(tensors.count) tensors"
        }
    }

    // MARK: Columns

    private static func columns(
        _ before: [SchemaColumn], _ after: [SchemaColumn], _ side: Side
    ) -> [ModelDiff.Entry] {
        let before = keyed(before.map { ($0.name, $0) })
        let after = keyed(after.map { ($0.name, $0) })
        var out: [ModelDiff.Entry] = []
        for (name, old) in before.order {
            guard let new = after.values[name] else {
                let entry = ModelDiff.Entry.removed(
                    "\(side) \(name)", text(old),
                    note: side == .input ? "left out when it is given" : "")
                out.append(entry.breaking(side == .output))
                continue
            }
            guard old != new else { continue }
            out.append(changed("\(side) \(name)", old, new, side))
        }
        for (name, new) in after.order where before.values[name] == nil {
            out.append(
                .added("\(side) \(name)", text(new))
                    .breaking(side == .input && new.isRequired))
        }
        return out
    }

    private static func changed(
        _ name: String, _ old: SchemaColumn, _ new: SchemaColumn, _ side: Side
    ) -> ModelDiff.Entry {
        let (giver, taker) = side == .input ? (old, new) : (new, old)
        let fits = SignatureRules.takes(taker.type, giver.type)
        let mayMiss = taker.isRequired && !giver.isRequired
        let entry = ModelDiff.Entry.changed(name, text(old), text(new))
        return entry.breaking(!fits || mayMiss)
    }

    private static func text(_ column: SchemaColumn) -> String {
        "\(column.type)\(column.isRequired ? "" : ", optional")"
    }

    // MARK: Tensors

    private static func tensors(
        _ before: [SchemaTensor], _ after: [SchemaTensor], _ side: Side
    ) -> [ModelDiff.Entry] {
        let before = keyed(before.map { ($0.name, $0) })
        let after = keyed(after.map { ($0.name, $0) })
        var out: [ModelDiff.Entry] = []
        for (name, old) in before.order {
            guard let new = after.values[name] else {
                out.append(
                    .removed("\(side) \(name)", text(old)).breaking(side == .output))
                continue
            }
            guard old != new else { continue }
            let fits =
                side == .input
                ? SignatureRules.takes(new, old) : SignatureRules.takes(old, new)
            out.append(.changed("\(side) \(name)", text(old), text(new)).breaking(!fits))
        }
        for (name, new) in after.order where before.values[name] == nil {
            out.append(.added("\(side) \(name)", text(new)).breaking(side == .input))
        }
        return out
    }

    private static func text(_ tensor: SchemaTensor) -> String {
        "\(tensor.dtype) (\(tensor.shape.map { "\($0)" }.joined(separator: ", ")))"
    }

    // MARK: Params

    private static func params(
        _ before: [SignatureParam], _ after: [SignatureParam]
    ) -> [ModelDiff.Entry] {
        let before = keyed(before.map { ($0.name, $0) })
        let after = keyed(after.map { ($0.name, $0) })
        var out: [ModelDiff.Entry] = []
        for (name, old) in before.order {
            guard let new = after.values[name] else {
                out.append(.removed("param \(name)", text(old), note: "ignored when it is given"))
                continue
            }
            guard old != new else { continue }
            let fits =
                old.isList == new.isList
                && SignatureRules.takes(new.type, old.type, isParam: true)
            let note = old.standard == new.standard ? "" : "another default"
            out.append(
                .changed("param \(name)", text(old), text(new), note: note).breaking(!fits))
        }
        for (name, new) in after.order where before.values[name] == nil {
            out.append(.added("param \(name)", text(new)))
        }
        return out
    }

    private static func text(_ param: SignatureParam) -> String {
        "\(param.isList ? "list of " : "")\(param.type) = \(param.standard)"
    }

    /// Values by name, or by place where they have none; of a name that stands twice the first.
    private static func keyed<Value>(
        _ named: [(String?, Value)]
    ) -> (order: [(String, Value)], values: [String: Value]) {
        var order: [(String, Value)] = []
        var values: [String: Value] = [:]
        for (place, element) in named.enumerated() {
            let name = element.0 ?? "#\(place + 1)"
            guard values[name] == nil else { continue }
            values[name] = element.1
            order.append((name, element.1))
        }
        return (order, values)
    }
}
