/// One change of the registry, as the ledger holds it.
///
/// `hash` is SHA-256("linaje event 1\n" ‖ previous hash ‖ sequence as u64 BE ‖ canonical); the
/// first event's previous hash is 32 zero bytes (normative: `proto-spec/STORAGE.md`, "Events").
public struct LedgerEvent: Sendable, Hashable {
    /// 1, 2, 3, …
    public var sequence: UInt64
    /// JSON with sorted keys, the bytes that the hash is taken of.
    public var canonical: [UInt8]
    public var previousHash: SHA256Digest
    public var hash: SHA256Digest

    public init(
        sequence: UInt64, canonical: [UInt8], previousHash: SHA256Digest, hash: SHA256Digest
    ) {
        self.sequence = sequence
        self.canonical = canonical
        self.previousHash = previousHash
        self.hash = hash
    }
}

/// What a recomputation of the ledger found.
public struct LedgerVerification: Sendable, Hashable {
    /// Events read.
    public var events: UInt64
    /// The first event that does not fit; 0: all fit.
    public var firstBad: UInt64
    /// What is wrong with it, or empty.
    public var finding: String
    /// The hash of the last good event; `nil` for an empty ledger.
    public var head: SHA256Digest?

    public init(events: UInt64, firstBad: UInt64 = 0, finding: String = "", head: SHA256Digest?) {
        self.events = events
        self.firstBad = firstBad
        self.finding = finding
        self.head = head
    }
}

/// Canonical JSON of flat facts: keys sorted by bytes, no white space, strings and whole numbers
/// only, and in strings only the escapes that JSON demands. One set of facts has one text.
public enum CanonicalJSON {
    /// A fact's value.
    public enum Value: Sendable, Hashable {
        case string(String)
        case int(Int64)
    }

    /// The bytes.
    public static func encode(_ facts: [String: Value]) -> [UInt8] {
        var out: [UInt8] = [UInt8(ascii: "{")]
        let sorted = facts.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        for (index, fact) in sorted.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            append(fact.key, to: &out)
            out.append(UInt8(ascii: ":"))
            switch fact.value {
            case .string(let text): append(text, to: &out)
            case .int(let number): out.append(contentsOf: String(number).utf8)
            }
        }
        out.append(UInt8(ascii: "}"))
        return out
    }

    private static func append(_ text: String, to out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): out.append(contentsOf: "\\\"".utf8)
            case UInt8(ascii: "\\"): out.append(contentsOf: "\\\\".utf8)
            case 0..<0x20: out.append(contentsOf: "\\u00\(Hex.encode([byte]))".utf8)
            default: out.append(byte)
            }
        }
        out.append(UInt8(ascii: "\""))
    }
}
