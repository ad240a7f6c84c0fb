import LinajeClient
import LinajeDomain

extension BlockedUses {
    /// The uses, in the order of their declaration.
    var json: JSONValue {
        .strings(ModelUse.allCases.filter(contains).map(\.rawValue))
    }
}

extension RegisteredModel {
    /// For each verdict what it blocks, and whether the model's own policy says so.
    var policyJSON: JSONValue {
        .object(
            JudgedAs.allCases.map { verdict in
                (
                    verdict.rawValue,
                    .object([
                        ("blocks", effectivePolicy.blocked(verdict).json),
                        ("own", .bool(scanPolicy[verdict] != nil)),
                    ])
                )
            })
    }

    /// What its own policy says, for people; empty when it has none.
    var ownPolicyText: String {
        JudgedAs.allCases.compactMap { verdict in
            scanPolicy[verdict].map { "\(verdict.rawValue) blocks \($0)" }
        }.joined(separator: "; ")
    }
}

extension RiskAcceptance {
    var json: JSONValue {
        .object(
            [
                ("verdict", .string(verdict.rawValue)), ("reason", .string(reason)),
                ("principal", .string(principal)),
            ] + JSONValue.time("accepted_at", at))
    }

    var text: String { "\(reason) (\(principal), \(Rendering.time(at)))" }
}

extension ModelVersion {
    /// Says on standard error when its verdict asks for a look and nobody answers for it.
    func warnOfVerdict() {
        guard let verdict = model.verdict, verdict != .safe, acceptance == nil else { return }
        let blocks = blocked == .nothing ? "" : ", which blocks \(blocked)"
        Output.note(
            "\(uri) has the verdict \(verdict.rawValue)\(blocks); look at its findings: linaje model "
                + "show \(uri)")
    }
}
