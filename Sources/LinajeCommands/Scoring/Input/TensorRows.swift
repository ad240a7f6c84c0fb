import LinajeDomain

extension ScoringTable {
    /// The rows of tensors that were given by their names, {"X": [[1, 2], …]}, as rows of single values:
    /// of one matrix its rows, of several tensors of one column each a value for each name. Everything
    /// else stays as it is.
    ///
    /// - Throws: `invalidArgument` for rows of other lengths.
    func flattened(_ schema: InputSchema?) throws -> ScoringTable {
        guard case .tensors(let tensors)? = schema, let columns else { return self }
        let names = tensors.compactMap(\.name)
        guard names.count == tensors.count, Set(names) == Set(columns),
            names.count == columns.count
        else { return self }
        if rows.isEmpty, names.count == 1 { return ScoringTable(columns: nil, rows: []) }
        let wanted = names.count == 1 ? rows.first?.first?.elements?.count : 1
        guard let wanted else { return self }
        let flat = try rows.enumerated().map { number, row in
            try row.enumerated().flatMap { place, value in
                let values = value.elements ?? [value]
                guard values.count == wanted else {
                    throw LinajeError(
                        .invalidArgument,
                        "tensor \"\(columns[place])\", row \(number + 1) has \(values.count) values where "
                            + "\(wanted) belong")
                }
                return values
            }
        }
        return ScoringTable(columns: names.count == 1 ? nil : columns, rows: flat)
    }
}

extension JSONNode {
    /// The values of a list.
    fileprivate var elements: [JSONNode]? {
        if case .array(let values) = self { return values }
        return nil
    }
}
