import Glibc
import LinajeDomain
import LinajeWire

/// Frames over two descriptors, with blocking reads and writes on threads of their own.
///
/// Reading is by demand: nothing is taken from the peer that nobody asked for, so a peer that
/// floods is held back by its own full buffer. One task reads; any may write, and frames are
/// never mixed.
final class FrameChannel: Sendable {
    /// What to do with the descriptors when the channel is released.
    enum Ownership: Sendable {
        case owned
        case borrowed
    }

    private let input: Int32
    private let output: Int32
    private let ownership: Ownership
    private let reader = BlockingLane()
    private let writer = BlockingLane()
    /// Runs on the reading thread when the input is over.
    private let inputEnded: (@Sendable () -> Void)?

    /// - Parameter inputEnded: Called on the reading thread when the peer is gone, even when every
    ///   thread of the cooperative pool is busy.
    init(
        input: Int32, output: Int32, ownership: Ownership,
        inputEnded: (@Sendable () -> Void)? = nil
    ) {
        self.input = input
        self.output = output
        self.ownership = ownership
        self.inputEnded = inputEnded
    }

    deinit {
        guard ownership == .owned else { return }
        Glibc.close(input)
        if output != input { Glibc.close(output) }
    }

    /// The next `count` bytes; `nil` when the input ended before the first.
    ///
    /// - Throws: `badFrame` when the input ends inside of them.
    func read(exactly count: Int) async throws -> [UInt8]? {
        try await reader.run { try self.readBlocking(count) }
    }

    /// The next frame's header; `nil` when the input is over.
    ///
    /// - Throws: as `FrameHeader(parsing:)`.
    func receiveHeader() async throws -> FrameHeader? {
        guard let bytes = try await read(exactly: FrameHeader.size) else { return nil }
        return try bytes.withUnsafeBytes { try FrameHeader(parsing: $0) }
    }

    /// The payload that follows `header`.
    func receivePayload(of header: FrameHeader) async throws -> [UInt8] {
        guard header.length > 0 else { return [] }
        guard let payload = try await read(exactly: header.length) else { throw Self.torn }
        return payload
    }

    /// The next frame; `nil` when the input is over.
    func receive() async throws -> Frame? {
        guard let header = try await receiveHeader() else { return nil }
        return Frame(
            header.type, stream: header.stream, flags: header.flags, opcode: header.opcode,
            payload: try await receivePayload(of: header))
    }

    /// Sends bytes and waits until the system has them.
    ///
    /// - Throws: `unavailable` when the peer is gone.
    func send(_ bytes: [UInt8]) async throws {
        try await writer.run { try self.writeBlocking(bytes) }
    }

    /// Sends a frame and waits until the system has it.
    func send(_ frame: Frame) async throws { try await send(frame.bytes) }

    /// Sends a frame without waiting. A peer that is gone is noticed by the reading side.
    func post(_ frame: Frame) {
        _ = writer.post { try? self.writeBlocking(frame.bytes) }
    }

    /// Ends both directions, so that blocked reads and writes return. For sockets.
    func hangUp() {
        shutdown(input, Int32(SHUT_RDWR))
        if output != input { shutdown(output, Int32(SHUT_RDWR)) }
    }

    /// Tells the peer that nothing more will be sent. For sockets.
    func endOutput() { shutdown(output, Int32(SHUT_WR)) }

    private static let torn = LinajeError(.badFrame, "input ended inside a frame")

    private func readBlocking(_ count: Int) throws -> [UInt8]? {
        var failure: Int32 = 0
        var filled = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            while filled < count {
                let room = UnsafeMutableBufferPointer(rebasing: buffer[filled...])
                let got = Glibc.read(input, room.baseAddress, room.count)
                if got > 0 {
                    filled += got
                } else if got == 0 {
                    break
                } else if errno != EINTR {
                    failure = errno
                    break
                }
            }
            initialized = filled
        }
        if filled == count { return bytes }
        inputEnded?()
        if filled == 0, failure == 0 || failure == ECONNRESET { return nil }
        throw Self.torn
    }

    private func writeBlocking(_ bytes: [UInt8]) throws {
        var offset = 0
        while offset < bytes.count {
            let sent = bytes.withUnsafeBytes { buffer in
                let rest = UnsafeRawBufferPointer(rebasing: buffer[offset...])
                let count = Glibc.send(
                    output, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
                guard count < 0, errno == ENOTSOCK else { return count }
                return Glibc.write(output, rest.baseAddress, rest.count)
            }
            if sent > 0 {
                offset += sent
            } else if sent < 0, errno == EINTR {
                continue
            } else {
                throw LinajeError(.unavailable, "the peer of a plugin connection is gone")
            }
        }
    }
}
