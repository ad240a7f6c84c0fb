import LinajeDomain

/// A signature as people read it: "age long, amount double, note string?".
struct SignatureRendering {
    /// Most columns, tensors or params of one line; `--json` has all.
    private static let mostShown = 20

    let inputs: String?
    let outputs: String?
    let params: String?

    /// - Returns: `nil` for what is no signature; it is shown as it is then.
    init?(_ json: String) {
        guard let schema = try? SignatureSchema(parsing: json) else { return nil }
        inputs = schema.inputs.map(Self.text)
        outputs = schema.outputs.map(Self.text)
        params =
            schema.params.isEmpty
            ? nil
            : Self.list(
                schema.params.map { param in
                    "\(param.name) \(param.isList ? "array(\(param.type))" : "\(param.type)") = "
                        + param.standard
                })
    }

    private static func text(_ part: SchemaPart) -> String {
        switch part {
        case .columns(let columns):
            list(
                columns.map { column in
                    let name = column.name.map { "\($0) " } ?? ""
                    return "\(name)\(column.type)\(column.isRequired ? "" : "?")"
                })
        case .tensors(let tensors):
            list(
                tensors.map { tensor in
                    let name = tensor.name.map { "\($0) " } ?? ""
                    let shape = tensor.shape.map { $0 < 0 ? "?" : String($0) }
                    return "\(name)\(tensor.dtype)[\(shape.joined(separator: ","))]"
                })
        }
    }

    private static func list(_ parts: [String]) -> String {
        let shown = parts.prefix(mostShown).joined(separator: ", ")
        let more = parts.count - mostShown
        return more > 0 ? "\(shown) and \(Rendering.grouped(more)) more" : shown
    }
}
