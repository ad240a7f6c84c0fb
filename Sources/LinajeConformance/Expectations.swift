import LinajeDomain

/// Throws `message` unless the condition holds.
func require(_ condition: Bool, _ message: @autoclosure () -> String) throws {
    guard condition else { throw ConformanceFailure(message()) }
}

/// Throws unless the two are equal; `what` names the thing compared.
func requireEqual<Value: Equatable>(_ found: Value, _ expected: Value, _ what: String) throws {
    guard found == expected else {
        throw ConformanceFailure("\(what) is \(shown(found)); \(shown(expected)) is expected")
    }
}

/// Throws unless `body` throws a `LinajeError` with this code.
func requireError(
    _ code: LinajeError.Code, _ what: String, _ body: () async throws -> Void
) async throws {
    do {
        try await body()
    } catch let error as LinajeError {
        try requireEqual(error.code.name, code.name, "the error of \(what)")
        return
    } catch {
        throw ConformanceFailure(
            "\(what) throws \(type(of: error)); a LinajeError \(code.name) is expected")
    }
    throw ConformanceFailure("\(what) succeeds; the error \(code.name) is expected")
}

private func shown<Value>(_ value: Value) -> String {
    let text = "\(value)"
    return text.utf8.count > 200 ? "\(text.prefix(200))…" : text
}

/// Random numbers that are the same for the same seed (SplitMix64, Steele et al., OOPSLA 2014).
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// `count` random bytes.
    public mutating func bytes(_ count: Int) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(count + 7)
        while out.count < count {
            withUnsafeBytes(of: next()) { out.append(contentsOf: $0) }
        }
        out.removeLast(out.count - count)
        return out
    }
}
