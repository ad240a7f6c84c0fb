import LinajeDomain
package import LinajePluginKit

/// A file of a model, read by ranges: what is asked for is fetched in blocks that grow while the
/// reading goes straight on and are small again after a jump, so that the headers of a file of
/// gigabytes cost few and small reads.
///
/// All that is read counts against a budget. Used by one task.
package final class FileWindow {
    /// The block after a jump, in bytes.
    static let smallBlock = 4 << 10
    /// The longest block in bytes.
    static let longBlock = 1 << 20
    /// How far a step over what nobody asks for still is reading straight on, in bytes.
    static let shortStep: UInt64 = 64 << 10
    /// Most bytes that one call may ask for.
    package static let mostAtOnce = 16 << 20

    /// The file, for errors.
    package let path: String
    /// Its size in bytes.
    package let size: UInt64
    private let source: any ModelSource
    private var budget: UInt64
    private let wholeBudget: UInt64
    private var block = FileWindow.smallBlock
    /// Where `bytes` begin in the file.
    private var start: UInt64 = 0
    private var bytes: [UInt8] = []

    /// - Parameter budget: Most bytes that are fetched in all.
    package init(_ file: ModelSourceFile, in source: any ModelSource, budget: UInt64) {
        path = file.path
        size = file.size
        self.source = source
        self.budget = budget
        wholeBudget = budget
    }

    /// Makes `count` bytes at `offset` available to `byte(at:)` and the other readers.
    ///
    /// - Throws: `invalidArgument` when the file ends before, `limitExceeded` when the budget is
    ///   used up.
    package func load(_ offset: UInt64, _ count: Int) async throws {
        guard !covers(offset, count) else { return }
        let (end, overflow) = offset.addingReportingOverflow(UInt64(clamping: count))
        guard !overflow, end <= size else {
            throw LinajeError(
                .invalidArgument,
                "\(path) ends at byte \(size), inside what begins at byte \(offset)")
        }
        guard count <= Self.mostAtOnce else {
            throw LinajeError(
                .invalidArgument,
                "\(path) has a part of \(count) bytes at byte \(offset); at most "
                    + "\(Self.mostAtOnce) are read")
        }
        let loadedEnd = start + UInt64(bytes.count)
        let goesOn =
            !bytes.isEmpty && offset >= start
            && (offset <= loadedEnd || offset - loadedEnd <= Self.shortStep)
        block = goesOn ? min(block * 2, Self.longBlock) : Self.smallBlock
        // What is loaded already is kept, and only what follows is fetched.
        let isNext = goesOn && offset <= loadedEnd
        let kept = isNext ? Array(bytes[Int(offset - start)...]) : []
        let from = isNext ? loadedEnd : offset
        let wanted = min(max(Int(end - from), block), Int(clamping: size - from))
        guard UInt64(wanted) <= budget || UInt64(end - from) <= budget else {
            throw LinajeError(
                .limitExceeded,
                "\(path) takes more than \(wholeBudget) bytes to be described")
        }
        let length = Int(min(UInt64(wanted), budget))
        let fetched = try await source.read(path, offset: from, length: length)
        budget -= min(budget, UInt64(fetched.count))
        guard fetched.count <= length, from + UInt64(fetched.count) >= end else {
            throw LinajeError(
                .invalidArgument, "\(path) ends before byte \(end), but its size is \(size)")
        }
        bytes = kept + fetched
        start = offset
    }

    /// Whether these bytes are loaded.
    package func covers(_ offset: UInt64, _ count: Int) -> Bool {
        guard offset >= start, count >= 0 else { return false }
        let skipped = offset - start
        guard skipped <= UInt64(bytes.count) else { return false }
        return count <= bytes.count - Int(skipped)
    }

    /// A loaded byte; `nil` for one that is not.
    package func byte(at offset: UInt64) -> UInt8? {
        guard offset >= start, offset - start < UInt64(bytes.count) else { return nil }
        return bytes[Int(offset - start)]
    }

    /// How many bytes are loaded from `offset` on.
    package func loaded(from offset: UInt64) -> Int {
        guard offset >= start, offset - start <= UInt64(bytes.count) else { return 0 }
        return bytes.count - Int(offset - start)
    }

    /// Gives `body` what is loaded from `offset` on.
    package func withLoaded<Value>(
        from offset: UInt64, _ body: (UnsafeBufferPointer<UInt8>) -> Value
    ) -> Value {
        bytes.withUnsafeBufferPointer { all in
            let skipped = bytes.count - loaded(from: offset)
            return body(UnsafeBufferPointer(rebasing: all[skipped...]))
        }
    }

    /// Bytes of the file.
    package func bytes(_ offset: UInt64, _ count: Int) async throws -> [UInt8] {
        try await load(offset, count)
        guard covers(offset, count) else { return [] }
        let index = Int(offset - start)
        return Array(bytes[index..<(index + count)])
    }

    /// A little-endian number of `width` bytes, at most 8.
    package func number(_ offset: UInt64, width: Int) async throws -> UInt64 {
        try await load(offset, width)
        var value: UInt64 = 0
        for index in stride(from: width - 1, through: 0, by: -1) {
            value = value << 8 | UInt64(byte(at: offset + UInt64(index)) ?? 0)
        }
        return value
    }

    /// UTF-8 text of the file.
    ///
    /// - Throws: `invalidArgument` when it is not UTF-8.
    package func text(_ offset: UInt64, _ count: Int) async throws -> String {
        let bytes = try await bytes(offset, count)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw LinajeError(
                .invalidArgument, "\(path) has a text at byte \(offset) that is not UTF-8")
        }
        return text
    }
}
