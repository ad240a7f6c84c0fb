package import LinajeDomain
package import SwiftProtobuf

/// The payload of a request: header length, CallHeader, message (PROTOCOL.md, "Calls").
package struct CallPayload: Sendable {
    package var header: Linaje_V1_CallHeader
    /// The message's bytes.
    package var message: ArraySlice<UInt8>

    /// - Throws: `badMessage` when the header length or the header cannot be right.
    package init(parsing payload: [UInt8]) throws {
        guard payload.count >= 2 else {
            throw LinajeError(
                .badMessage, "request payload has \(payload.count) bytes; a header length needs 2")
        }
        let length = Int(payload[0]) << 8 | Int(payload[1])
        guard payload.count >= 2 + length else {
            throw LinajeError(
                .badMessage,
                "request payload has \(payload.count) bytes; its call header needs \(2 + length)")
        }
        do {
            header = try Linaje_V1_CallHeader(serializedBytes: Array(payload[2..<(2 + length)]))
        } catch {
            throw LinajeError(.badMessage, "call header is no CallHeader message")
        }
        message = payload[(2 + length)...]
    }

    /// The bytes of a request payload.
    ///
    /// - Throws: `limitExceeded` when the whole is longer than `Limits.requestBytes`.
    package static func encode(
        header: Linaje_V1_CallHeader, message: any Message
    ) throws -> [UInt8] {
        let headerBytes: [UInt8] = try header.serializedBytes()
        let messageBytes: [UInt8] = try message.serializedBytes()
        let size = 2 + headerBytes.count + messageBytes.count
        guard headerBytes.count <= Int(UInt16.max), size <= Limits.requestBytes else {
            throw LinajeError(
                .limitExceeded,
                "request of \(size) bytes is too large; at most \(Limits.requestBytes) are "
                    + "allowed: split it")
        }
        var out: [UInt8] = []
        out.reserveCapacity(size)
        out.append(UInt8(headerBytes.count >> 8))
        out.append(UInt8(headerBytes.count & 0xff))
        out += headerBytes
        out += messageBytes
        return out
    }
}

extension Message {
    /// Decodes a message of this type.
    ///
    /// - Throws: `badMessage` naming the type when the bytes are something else.
    package init(payload: some RandomAccessCollection<UInt8>) throws {
        do {
            self = try Self(serializedBytes: Array(payload))
        } catch {
            throw LinajeError(
                .badMessage, "payload of \(payload.count) bytes is no \(Self.protoMessageName)")
        }
    }

    /// The message's bytes. Messages of this protocol have no required fields, so encoding one
    /// only fails when memory does.
    package func payload() throws -> [UInt8] { try serializedBytes() }
}

extension Linaje_V1_Failure {
    /// The error as it travels.
    package init(_ error: LinajeError) {
        code = error.code.rawValue
        name = error.code.name
        message = error.message
        retryable = error.isRetryable
        details = error.details
    }
}

extension LinajeError {
    /// An error as it came; a number this build does not know is kept.
    package init(_ failure: Linaje_V1_Failure) {
        self.init(
            Code(rawValue: failure.code), failure.message, details: failure.details)
    }
}
