import Crypto
package import LinajeDomain

/// How the events of the ledger hang together (normative: STORAGE.md, "Events").
package enum LedgerChain {
    /// What the first event follows: 32 zero bytes.
    package static let origin = LinajeDomain.SHA256Digest(repeating: 0)

    /// SHA-256("linaje event 1\n" ‖ previous hash ‖ sequence as u64 big-endian ‖ canonical).
    package static func hash(
        previous: LinajeDomain.SHA256Digest, sequence: UInt64, canonical: [UInt8]
    ) -> LinajeDomain.SHA256Digest {
        var hasher = SHA256()
        hasher.update(data: Array("linaje event 1\n".utf8))
        hasher.update(data: previous.bytes)
        hasher.update(
            data: stride(from: 56, through: 0, by: -8).map {
                UInt8(truncatingIfNeeded: sequence >> UInt64($0))
            })
        hasher.update(data: canonical)
        return LinajeDomain.SHA256Digest(hasher.finalize())
    }
}

extension LinajeDomain.SHA256Digest {
    /// A digest made by the hash function itself.
    init(_ digest: SHA256.Digest) {
        guard let value = Self(Array(digest)) else {
            preconditionFailure("a SHA-256 has 32 bytes")
        }
        self = value
    }

    /// 32 times the same byte.
    fileprivate init(repeating byte: UInt8) {
        guard let value = Self(Array(repeating: byte, count: 32)) else {
            preconditionFailure("a SHA-256 has 32 bytes")
        }
        self = value
    }
}

/// What an event is about (STORAGE.md, "Events"). Tags: one event for each tag, with `key` and, when
/// it was set rather than removed, `value`. `model.rename` has `to`, the new name, and `model`, the
/// old one.
enum LedgerOperation: String {
    case modelCreate = "model.create"
    case modelUpdate = "model.update"
    case modelRename = "model.rename"
    case modelDelete = "model.delete"
    case modelTag = "model.tag"
    case versionCreate = "version.create"
    case versionUpdate = "version.update"
    case versionTag = "version.tag"
    case versionDelete = "version.delete"
    case versionStage = "version.stage"
    case aliasSet = "alias.set"
    case aliasDelete = "alias.delete"
    /// A run was deleted for good; the event is about no model.
    case runDelete = "run.delete"
    /// Content is held by name, or not any more; the event is about no model.
    case holdPlace = "hold.place"
    case holdLift = "hold.lift"
    /// A policy of what is kept; the event is about no model when the policy is an experiment's.
    case retentionSet = "retention.set"
    case retentionRemove = "retention.remove"
    /// A policy let go of one thing, and what an application of it came to.
    case retentionFree = "retention.free"
    case retentionApply = "retention.apply"
    /// A plugin is used, or not any more; the event is about no model.
    case pluginEnable = "plugin.enable"
    case pluginDisable = "plugin.disable"
    /// What verdicts block for a model changed: a fact for each verdict that did.
    case policySet = "policy.set"
    /// Somebody answers for a version in spite of its verdict, or not any more.
    case riskAccept = "risk.accept"
    case riskWithdraw = "risk.withdraw"
}
