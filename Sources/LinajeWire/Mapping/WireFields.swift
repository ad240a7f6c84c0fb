package import FoundationEssentials
package import LinajeDomain

/// Checks that the fields of several messages have in common.
package enum WireFields {
    /// Converts each message of a list that a caller sent.
    ///
    /// - Throws: `limitExceeded` naming `field` when there are more than `Limits.itemsPerCall`;
    ///   what `convert` throws.
    package static func items<Message, Value>(
        _ messages: [Message], field: String, _ convert: (Message) throws -> Value
    ) throws -> [Value] {
        guard messages.count <= Limits.itemsPerCall else {
            throw LinajeError(
                .limitExceeded,
                "\(field) has \(messages.count) entries; at most \(Limits.itemsPerCall) are "
                    + "allowed in one call: send the rest in another")
        }
        return try messages.map(convert)
    }

    /// The error of an enum field whose value says nothing, or nothing this build knows.
    static func unknown(_ field: String, _ number: Int, allowed: String) -> LinajeError {
        LinajeError(
            .invalidArgument,
            number == 0
                ? "\(field) is not given; use \(allowed)"
                : "\(field) \(number) is not known; use \(allowed)")
    }

    /// The error of a message field that must be there.
    static func missing(_ field: String, of noun: String) -> LinajeError {
        LinajeError(.invalidArgument, "\(field) of the \(noun) is missing; send it")
    }
}

extension Identifier {
    /// An id from an optional field: empty stands for none.
    ///
    /// - Throws: `invalidArgument` for anything but 0 or 16 bytes.
    package static func orNil(_ bytes: Data) throws -> Self? {
        bytes.isEmpty ? nil : try Self(bytes)
    }

    /// The 16 bytes as a field carries them.
    package var data: Data { Data(array) }
}

extension SHA256Digest {
    /// A digest from an optional field: empty stands for none.
    ///
    /// - Throws: `invalidArgument` naming `noun` for anything but 0 or 32 bytes.
    package static func orNil(_ bytes: Data, noun: String) throws -> SHA256Digest? {
        bytes.isEmpty ? nil : try SHA256Digest(bytes, noun: noun)
    }

    /// The 32 bytes as a field carries them.
    package var data: Data { Data(bytes) }
}
