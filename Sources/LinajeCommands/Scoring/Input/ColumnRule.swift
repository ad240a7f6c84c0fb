import LinajeDomain

/// What the values of one column must be, as docs/signatures.md says: a value becomes of the column's
/// type when nothing is lost, and is refused otherwise.
struct ColumnRule: Sendable, Equatable {
    /// For errors.
    var name: String
    var type: ColumnType

    /// What pandas takes for missing in a CSV file, `na_values` of `read_csv`.
    static let missing: Set<String> = [
        "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
        "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
    ]

    /// A JSON value in the column's type.
    ///
    /// - Parameter row: Which row, from 1, for errors.
    func checked(_ value: JSONNode, row: Int) throws -> JSONNode {
        switch (type, value) {
        case (.unknown, _), (.other, _): return value
        case (.boolean, .bool), (.string, .string), (.binary, .string), (.datetime, .string):
            return value
        case (.string, .null), (.binary, .null), (.datetime, .null): return value
        case (.double, _), (.float, _), (.integer, _), (.long, _):
            return try number(value, row: row)
        case (.boolean, .null):
            throw wrong(value, row, "a truth value cannot be missing: fill it in")
        default: throw wrong(value, row, "give \(type.name) values")
        }
    }

    /// A value as a scorer takes it.
    func number(of value: JSONNode, row: Int) throws -> Double {
        switch try checked(value, row: row) {
        case .null: return .nan
        case .bool(let flag): return flag ? 1 : 0
        case .int(let number): return Double(number)
        case .double(let number): return number
        case .string(let text) where Self.special(text) != nil: return Self.special(text) ?? .nan
        default: throw wrong(value, row, "the model wants a number")
        }
    }

    /// A field of a CSV file in the column's type; what is empty is missing.
    func checked(field bytes: ArraySlice<UInt8>, row: Int) throws -> JSONNode {
        switch type {
        case .string, .binary, .datetime, .other:
            let text = String(decoding: bytes, as: UTF8.self)
            return Self.missing.contains(text) ? .null : .string(text)
        case .boolean:
            switch Self.trimmed(bytes) {
            case "true", "True", "TRUE", "1": return .bool(true)
            case "false", "False", "FALSE", "0": return .bool(false)
            case let text where Self.missing.contains(text): return try checked(.null, row: row)
            case let text: throw wrong(.string(text), row, "write true or false")
            }
        case .integer, .long:
            if let number = Int64(Self.trimmed(bytes)) {
                return try checked(.int(number), row: row)
            }
            return try checked(.double(try double(bytes, row: row)), row: row)
        case .float, .double, .unknown:
            return try checked(.double(try double(bytes, row: row)), row: row)
        }
    }

    /// The same as a scorer takes it.
    func number(of bytes: ArraySlice<UInt8>, row: Int) throws -> Double {
        switch type {
        case .double, .unknown: try double(bytes, row: row)
        case .float: Double(Float(try double(bytes, row: row)))
        default: try number(of: try checked(field: bytes, row: row), row: row)
        }
    }

    /// A number or a missing value.
    private func double(_ bytes: ArraySlice<UInt8>, row: Int) throws -> Double {
        if bytes.isEmpty { return .nan }
        if let number = NumberText.double(bytes) { return number }
        let text = Self.trimmed(bytes)
        if let number = NumberText.double(Array(text.utf8)) { return number }
        if Self.missing.contains(text) { return .nan }
        if let number = Self.special(text) { return number }
        // As pandas reads a column of truth values where the model does not care.
        if type == .unknown {
            if text == "True" || text == "true" { return 1 }
            if text == "False" || text == "false" { return 0 }
        }
        throw wrong(.string(text), row, "give a number, or nothing where it is missing")
    }

    private func number(_ value: JSONNode, row: Int) throws -> JSONNode {
        let isWhole = type == .integer || type == .long
        switch value {
        case .int(let number):
            if type == .integer, Int32(exactly: number) == nil {
                throw wrong(value, row, "\(number) is past 32 bits")
            }
            if isWhole { return value }
            return .double(type == .float ? Double(Float(number)) : Double(number))
        case .double(let number):
            guard isWhole else { return .double(type == .float ? Double(Float(number)) : number) }
            if number.isNaN { return try self.number(.null, row: row) }
            guard let whole = Int64(exactly: number) else {
                throw wrong(
                    value, row, "\(number) has a fraction that would be lost, or is too large")
            }
            return try self.number(.int(whole), row: row)
        case .null:
            guard !isWhole else {
                throw wrong(
                    value, row,
                    "whole numbers cannot be missing: fill them in, or log the model with a signature "
                        + "of data that have missing values")
            }
            return .double(.nan)
        case .string(let text):
            guard let number = Self.special(text), !isWhole else {
                throw wrong(value, row, "give a number without quotes")
            }
            return .double(number)
        default: throw wrong(value, row, "give a number")
        }
    }

    /// NaN and infinities as JSON texts and CSV files have them.
    private static func special(_ text: String) -> Double? {
        switch text {
        case "NaN": .nan
        case "Infinity", "+Infinity", "inf", "Inf", "+inf": .infinity
        case "-Infinity", "-inf", "-Inf": -.infinity
        default: nil
        }
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> String {
        var rest = bytes
        while let byte = rest.first, byte == 0x20 || byte == 0x09 { rest.removeFirst() }
        while let byte = rest.last, byte == 0x20 || byte == 0x09 { rest.removeLast() }
        return String(decoding: rest, as: UTF8.self)
    }

    private func wrong(_ value: JSONNode, _ row: Int, _ advice: String) -> LinajeError {
        let wanted = type == .unknown ? "a number" : type.name
        let found =
            switch value {
            case .string(let text): "text \"\(text.prefix(40))\""
            case .int(let number): "\(number)"
            case .double(let number): "\(number)"
            case .bool(let flag): "\(flag)"
            case .null: "nothing"
            case .array, .object: value.kind
            }
        return LinajeError(
            .invalidArgument,
            "column \"\(name)\", row \(row): the model wants \(wanted), found \(found); \(advice)",
            details: ["column": name, "wanted": wanted, "row": String(row)])
    }
}
