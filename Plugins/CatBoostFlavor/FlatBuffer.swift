import LinajeDomain
import LinajeModelFiles

/// A FlatBuffer in a file (flatbuffers.dev, "FlatBuffer Internals"), read without a schema and
/// trusted in nothing: each offset is held against the end before it is followed.
struct FlatBuffer {
    /// A table: where it stands, and where each of its fields is, 0 for one that is not there.
    struct Table {
        var position: UInt64
        var fields: [UInt64]
    }

    /// Most fields of a table.
    private static let mostFields: UInt64 = 256

    private let window: FileWindow
    private let start: UInt64
    private let end: UInt64

    /// - Parameters:
    ///   - start: Where the buffer begins in the file.
    ///   - end: The byte after its last.
    init(_ window: FileWindow, start: UInt64, end: UInt64) {
        self.window = window
        self.start = start
        self.end = end
    }

    /// The table that the buffer begins with.
    func root() async throws -> Table { try await table(try await follow(start)) }

    /// The table at a place.
    func table(_ position: UInt64) async throws -> Table {
        let offset = Int64(Int32(truncatingIfNeeded: try await number(position, 4)))
        let (vtable, overflow) = Int64(clamping: position).subtractingReportingOverflow(offset)
        guard !overflow, vtable >= Int64(clamping: start) else {
            throw failure("has a table without fields", position)
        }
        let length = try await number(UInt64(vtable), 2)
        guard length >= 4, length.isMultiple(of: 2), length / 2 - 2 <= Self.mostFields else {
            throw failure("has a table with a list of fields of \(length) bytes", position)
        }
        var fields: [UInt64] = []
        for index in 2..<max(2, length / 2) {
            fields.append(try await number(UInt64(vtable) + index * 2, 2))
        }
        return Table(position: position, fields: fields)
    }

    /// A number of a table, `nil` when it is not there.
    func integer(_ table: Table, _ field: Int) async throws -> Int32? {
        guard let place = place(table, field) else { return nil }
        return Int32(truncatingIfNeeded: try await number(place, 4))
    }

    /// Where a text, a vector or a table is that a field refers to; `nil` when it is not there.
    func reference(_ table: Table, _ field: Int) async throws -> UInt64? {
        guard let place = place(table, field) else { return nil }
        return try await follow(place)
    }

    /// A text.
    func text(_ position: UInt64, limit: Int) async throws -> String {
        let length = try await count(position, width: 1)
        guard length <= UInt64(limit) else {
            throw failure("has a text of \(length) bytes; at most \(limit) are read", position)
        }
        return try await window.text(position + 4, Int(length))
    }

    /// How many elements of `width` bytes a vector has.
    func count(_ position: UInt64, width: UInt64) async throws -> UInt64 {
        let count = try await number(position, 4)
        guard count <= (end - position - 4) / width else {
            throw failure("has a list of \(count) elements, more than its end allows", position)
        }
        return count
    }

    /// Where the texts or tables of a vector are.
    func elements(_ position: UInt64, limit: UInt64) async throws -> [UInt64] {
        let count = try await count(position, width: 4)
        guard count <= limit else {
            throw failure("has a list of \(count) elements; at most \(limit) are read", position)
        }
        var out: [UInt64] = []
        for index in 0..<count { out.append(try await follow(position + 4 + index * 4)) }
        return out
    }

    // MARK: Parts

    private func place(_ table: Table, _ field: Int) -> UInt64? {
        guard table.fields.indices.contains(field), table.fields[field] > 0 else { return nil }
        return table.position + table.fields[field]
    }

    /// Where the offset at a place leads.
    private func follow(_ position: UInt64) async throws -> UInt64 {
        let offset = try await number(position, 4)
        let target = position + offset
        guard offset > 0, target < end else { throw failure("has a wrong offset", position) }
        return target
    }

    private func number(_ position: UInt64, _ width: Int) async throws -> UInt64 {
        guard position >= start, position < end, UInt64(width) <= end - position else {
            throw failure("ends inside a number", position)
        }
        return try await window.number(position, width: width)
    }

    private func failure(_ what: String, _ position: UInt64) -> LinajeError {
        LinajeError(.invalidArgument, "\(window.path) \(what) at byte \(position)")
    }
}
