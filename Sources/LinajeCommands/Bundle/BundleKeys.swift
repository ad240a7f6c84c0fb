import Crypto
import FoundationEssentials
import LinajeDomain

/// Ed25519 keys in PEM files, as `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout` write
/// them (RFC 8410).
enum BundleKeys {
    /// Longest key file that is read.
    private static let maximumBytes = 64 << 10
    /// The DER before the 32 bytes of a private and of a public key.
    private static let privatePrefix: [UInt8] = [
        0x30, 0x2E, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x04, 0x22, 0x04,
        0x20,
    ]
    private static let publicPrefix: [UInt8] = [
        0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00,
    ]

    /// The key of a file, to sign with. Blocks.
    ///
    /// - Throws: `invalidArgument` when there is not exactly one in it.
    static func signing(_ path: String) throws -> Curve25519.Signing.PrivateKey {
        let keys = try blocks(path, "PRIVATE KEY", privatePrefix)
        guard keys.count == 1, let key = keys.first else {
            throw LinajeError(
                .invalidArgument,
                "\(path) does not hold one Ed25519 private key; make one by \"openssl genpkey "
                    + "-algorithm ed25519\"")
        }
        return try Curve25519.Signing.PrivateKey(rawRepresentation: key)
    }

    /// The public keys of a file, whose bundles are trusted. Blocks.
    ///
    /// - Throws: `invalidArgument` when there is none in it.
    static func trusted(_ path: String) throws -> [[UInt8]] {
        let keys = try blocks(path, "PUBLIC KEY", publicPrefix)
        guard !keys.isEmpty else {
            throw LinajeError(
                .invalidArgument,
                "\(path) holds no Ed25519 public key; make one by \"openssl pkey -pubout\" of the "
                    + "private one")
        }
        return keys
    }

    /// Whether a digest was signed with the private half of `key`.
    static func verifies(
        _ signature: [UInt8], of digest: LinajeDomain.SHA256Digest, by key: [UInt8]
    )
        -> Bool
    {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: key) else {
            return false
        }
        return key.isValidSignature(signature, for: BundleFormat.signedText + digest.bytes)
    }

    private static func blocks(
        _ path: String, _ label: String, _ prefix: [UInt8]
    ) throws -> [[UInt8]] {
        let text = String(
            decoding: try FileInput(path).bytes(at: 0, count: maximumBytes), as: UTF8.self)
        var found: [[UInt8]] = []
        var body: String?
        for line in text.split(whereSeparator: \.isNewline) {
            if line == "-----BEGIN \(label)-----" {
                body = ""
            } else if line == "-----END \(label)-----" {
                let der = body.flatMap { Data(base64Encoded: $0) }.map { Array($0) } ?? []
                body = nil
                guard der.count == prefix.count + 32, der.starts(with: prefix) else { continue }
                found.append(Array(der.dropFirst(prefix.count)))
            } else if let known = body {
                body = known + line
            }
        }
        return found
    }
}
