package import LinajeDomain
package import LinajePluginKit

/// One file of a model, read by range.
package struct ModelFile: Sendable {
    /// Most bytes asked for at once.
    package static let mostBytesAtOnce = 1 << 20

    package let path: String
    package let size: UInt64
    private let source: any ModelSource

    package init(_ file: ModelSourceFile, in source: any ModelSource) {
        path = file.path
        size = file.size
        self.source = source
    }

    /// Exactly these bytes.
    ///
    /// - Throws: `invalidArgument` naming the file when it ends before.
    package func bytes(at offset: UInt64, _ count: Int) async throws -> [UInt8] {
        let (end, overflow) = offset.addingReportingOverflow(UInt64(clamping: count))
        guard count >= 0, !overflow, end <= size else {
            throw LinajeError(
                .invalidArgument,
                "\(path) has \(size) bytes where \(count) are needed from byte \(offset) on")
        }
        let bytes = try await upTo(count, at: offset)
        guard bytes.count == count else {
            throw LinajeError(
                .invalidArgument, "\(path) ends before the \(size) bytes that it should have")
        }
        return bytes
    }

    /// These bytes, fewer when the file ends before.
    package func upTo(_ count: Int, at offset: UInt64) async throws -> [UInt8] {
        guard offset < size else { return [] }
        let wanted = Int(min(UInt64(clamping: count), size - offset))
        if wanted <= Self.mostBytesAtOnce { return try await part(offset, wanted) }
        var out: [UInt8] = []
        out.reserveCapacity(wanted)
        while out.count < wanted {
            let count = min(Self.mostBytesAtOnce, wanted - out.count)
            let more = try await part(offset + UInt64(out.count), count)
            out += more
            if more.count < count { break }
        }
        return out
    }

    private func part(_ offset: UInt64, _ count: Int) async throws -> [UInt8] {
        let bytes = try await source.read(path, offset: offset, length: count)
        return bytes.count > count ? Array(bytes[..<count]) : bytes
    }

    /// An error that names the file.
    package func failure(_ what: String) -> LinajeError {
        LinajeError(.invalidArgument, "\(path) \(what)")
    }
}
