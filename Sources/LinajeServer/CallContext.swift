import LinajeArtifacts
package import LinajeCatalog
package import LinajeDomain
package import LinajeTransport
import LinajeWire
package import SwiftProtobuf

/// What a handler knows about the call besides its message.
package struct CallContext: Sendable {
    /// Who calls.
    package let principal: Principal
    /// The connection it came by, which knows the process that calls.
    package let connection: ServerConnection
    /// When that process started, as it said itself; 0: it did not say.
    package let processStart: UInt64
    /// Names the change, and the request it belongs to.
    package let idempotency: (key: IdempotencyKey, request: SHA256Digest)?

    /// - Throws: `invalidArgument` when a change comes without an idempotency key.
    init(
        principal: Principal, connection: ServerConnection, processStart: UInt64,
        call: CallPayload, opcode: UInt16, needsKey: Bool
    ) throws {
        self.principal = principal
        self.connection = connection
        self.processStart = processStart
        guard needsKey else {
            idempotency = nil
            return
        }
        guard !call.header.idempotencyKey.isEmpty else {
            throw LinajeError(
                .invalidArgument,
                "call changes something and has no idempotency key; send 16 random bytes")
        }
        idempotency = (
            try IdempotencyKey(call.header.idempotencyKey),
            Self.digest(opcode: opcode, message: call.message)
        )
    }

    /// A change whose answer is remembered as message `Answer`.
    package func change<Value, Answer: Message>(
        encode: @Sendable @escaping (Value) -> Answer,
        decode: @Sendable @escaping (Answer) throws -> Value
    ) -> Change<Value> {
        Change(
            principal: principal, idempotency: idempotency,
            encode: { try encode($0).serializedBytes() },
            decode: { try decode(try Answer(payload: $0)) })
    }

    /// A change that has nothing to say.
    package var changeOnly: Change<Void> {
        Change(
            principal: principal, idempotency: idempotency, encode: { _ in [] }, decode: { _ in })
    }

    /// The digest that tells one request from another: method and message, not the call header,
    /// whose deadline may differ when the call is repeated.
    private static func digest(opcode: UInt16, message: ArraySlice<UInt8>) -> SHA256Digest {
        var hasher = ContentHasher()
        hasher.update([UInt8(opcode >> 8), UInt8(opcode & 0xff)])
        message.withUnsafeBytes { hasher.update($0) }
        return hasher.digest
    }
}

/// One streaming call: its frames in both directions.
package struct CallStream: Sendable {
    package let id: UInt32
    let opcode: UInt16
    let connection: ServerConnection
    /// What the client sends, in order; ends with the client's end, with a cancel and with the
    /// connection. Only the first is `.end`.
    let inbound: AsyncStream<Inbound>
    /// Ends when the stream is over for the client.
    let left: AsyncStream<Never>

    /// A frame of the client.
    enum Inbound: Sendable {
        case data([UInt8])
        case end
    }

    /// Answers the request; with `end` the stream is over.
    func respond(_ message: some Message, end: Bool = false) throws {
        connection.respond(
            stream: id, opcode: opcode, payload: try message.serializedBytes(), end: end)
    }

    /// Returns once the client has read enough of what it was sent: before that nothing should be
    /// fetched for it.
    ///
    /// - Throws: `cancelled` when the client has left.
    func room() async throws {
        guard await connection.room() else {
            throw LinajeError(.cancelled, "the client has left")
        }
    }

    /// Sends a message when the client has credit for it.
    ///
    /// - Throws: `cancelled` when the client has left.
    func send(_ message: some Message) async throws {
        try await connection.send(try message.serializedBytes(), stream: id)
    }

    /// Sends the next bytes of a file when the client has credit for them.
    ///
    /// - Throws: `cancelled` when the client has left.
    func sendBytes(_ bytes: [UInt8]) async throws {
        try await connection.sendBytes(bytes, stream: id)
    }

    /// Returns once the client has left or cancelled. Only for calls without data of the client.
    func closed() async {
        for await _ in left {}
    }

    /// Ends the stream.
    func end() { connection.end(stream: id) }

    /// The client's bytes have been used: it may send as many more.
    func release(_ bytes: Int) { connection.release(bytes, stream: id) }
}
