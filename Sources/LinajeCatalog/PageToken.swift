import Crypto
import LinajeDomain
import LinajePluginKit

/// Where a list goes on: the sort key of the last entry that was given out.
///
/// Clients get it as hex digits of
/// ```
/// u8 list | field … | first 8 bytes of SHA-256 of everything before
/// field = u8 0 | i64 big-endian   or   u8 1 | u16 big-endian length | bytes   (2: text)
///       | u8 3 | bits of a double, big-endian   or   u8 4 for NULL
/// ```
/// The list and the check make a token of another list, or an invented one, an error rather than
/// a wrong page. In searches the first field is the fingerprint of what was asked for and the
/// second says where in the order the values end (`SearchOrder.Phase`).
struct PageToken: Hashable {
    /// Which list a token is for.
    enum List: UInt8 {
        case experiments = 1, runs, loggedModels, registeredModels, modelVersions, events, datasets
    }

    /// One column of the sort key.
    enum Field: Hashable {
        case integer(Int64)
        case bytes([UInt8])
        case text(String)
        case real(UInt64)
        case null

        /// A column of the last row.
        init(_ value: SQLValue) {
            switch value {
            case .null: self = .null
            case .integer(let number): self = .integer(number)
            case .real(let number): self = .real(number.bitPattern)
            case .text(let text): self = .text(text)
            case .blob(let bytes): self = .bytes(bytes)
            }
        }

        var value: SQLValue {
            switch self {
            case .integer(let number): .integer(number)
            case .bytes(let bytes): .blob(bytes)
            case .text(let text): .text(text)
            case .real(let bits): .real(Double(bitPattern: bits))
            case .null: .null
            }
        }
    }

    var list: List
    var fields: [Field]

    init(list: List, fields: [Field]) {
        self.list = list
        self.fields = fields
    }

    /// Reads a token of `list`; `nil` for an empty one, which stands for the first page.
    ///
    /// - Throws: `invalidArgument` for anything that `text` did not make of such a list.
    init?(_ text: String, of list: List) throws {
        guard !text.isEmpty else { return nil }
        guard text.utf8.count <= Self.longest, let bytes = Hex.decode(text), bytes.count > 9,
            PageToken.check(bytes.dropLast(8)).elementsEqual(bytes.suffix(8)),
            bytes[0] == list.rawValue, let fields = PageToken.fields(bytes[1...].dropLast(8)),
            fields.map(\.shape).starts(with: list.shapes)
        else {
            throw LinajeError(
                .invalidArgument,
                "page token is not one of this list; use the next_page_token of its last page")
        }
        self.init(list: list, fields: fields)
    }

    /// Hex digits of a token with `Limits.sortKeys` texts.
    private static let longest = 32_768

    /// The token as clients get it.
    var text: String {
        var bytes = [list.rawValue]
        for field in fields {
            bytes.append(field.shape)
            switch field {
            case .integer(let number): PageToken.append(UInt64(bitPattern: number), 8, to: &bytes)
            case .bytes(let content):
                PageToken.append(UInt64(content.count), 2, to: &bytes)
                bytes += content
            case .text(let text):
                PageToken.append(UInt64(text.utf8.count), 2, to: &bytes)
                bytes += text.utf8
            case .real(let bits): PageToken.append(bits, 8, to: &bytes)
            case .null: break
            }
        }
        bytes += PageToken.check(bytes[...])
        return Hex.encode(bytes)
    }

    private static func check(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        Array(SHA256.hash(data: Array(bytes)).prefix(8))
    }

    private static func append(_ number: UInt64, _ width: Int, to bytes: inout [UInt8]) {
        for shift in stride(from: (width - 1) * 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: number >> UInt64(shift)))
        }
    }

    private static func fields(_ bytes: ArraySlice<UInt8>) -> [Field]? {
        var rest = bytes
        var fields: [Field] = []
        while let shape = rest.popFirst() {
            guard shape <= 4 else { return nil }
            let width = [8, 2, 2, 8, 0][Int(shape)]
            guard rest.count >= width else { return nil }
            let number = rest.prefix(width).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            rest = rest.dropFirst(width)
            guard shape == 1 || shape == 2 else {
                fields.append(
                    shape == 0
                        ? .integer(Int64(bitPattern: number)) : shape == 3 ? .real(number) : .null)
                continue
            }
            guard number <= UInt64(rest.count) else { return nil }
            let content = Array(rest.prefix(Int(number)))
            rest = rest.dropFirst(Int(number))
            if shape == 1 {
                fields.append(.bytes(content))
            } else if shape == 2, let text = String(validating: content, as: UTF8.self) {
                fields.append(.text(text))
            } else {
                return nil
            }
        }
        return fields
    }
}

extension PageToken.Field {
    fileprivate var shape: UInt8 {
        switch self {
        case .integer: 0
        case .bytes: 1
        case .text: 2
        case .real: 3
        case .null: 4
        }
    }
}

extension PageToken.List {
    /// The kinds of the fields that a token of this list begins with.
    fileprivate var shapes: [UInt8] {
        switch self {
        case .events: [0]
        case .runs, .experiments, .loggedModels, .registeredModels, .modelVersions, .datasets:
            [1, 0]
        }
    }
}
