import LinajeDomain
import LinajePluginKit

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Recomputes the ledger, row by row in the order of their numbers.
struct LedgerCheck {
    /// Thrown at the first row that does not fit, to end the query.
    struct Stop: Error {}

    private(set) var verification = LedgerVerification(events: 0, head: nil)
    private let areTimesComplete: Bool

    /// - Parameter areTimesComplete: whether every event must have its moment beside it.
    init(areTimesComplete: Bool) { self.areTimesComplete = areTimesComplete }

    /// Takes the next row: sequence, canonical, previous_hash, hash, model, version, new_name, at_us.
    ///
    /// - Throws: `Stop` when it does not fit; `verification` then says why.
    mutating func take(_ row: any SQLRow) throws {
        let number = verification.events + 1
        guard let finding = finding(row, number) else {
            verification.events = number
            verification.head = SHA256Digest(try row.blob(3))
            return
        }
        verification.events = number
        verification.firstBad = number
        verification.finding = finding
        throw Stop()
    }

    /// Compares the last event with the head of the ledger, which notices a ledger cut short.
    func compare(head: (sequence: UInt64, hash: SHA256Digest)?) -> LedgerVerification {
        let events = verification.events
        guard let head else {
            return events == 0
                ? verification : failed(events, "event \(events) is the last, but the head is gone")
        }
        if head.sequence > events {
            return failed(
                events + 1,
                "event \(events + 1) is missing: the ledger's head is event \(head.sequence)")
        }
        if head.sequence < events {
            return failed(
                head.sequence + 1,
                "event \(head.sequence + 1) is too many: the ledger's head is event "
                    + "\(head.sequence)")
        }
        guard head.hash == verification.head else {
            return failed(events, "event \(events) is not the one that the ledger's head names")
        }
        return verification
    }

    /// The finding when the head has no number or no digest.
    func unreadableHead() -> LedgerVerification {
        failed(max(verification.events, 1), "the ledger's head cannot be read")
    }

    private func failed(_ number: UInt64, _ finding: String) -> LedgerVerification {
        var result = verification
        result.firstBad = max(number, 1)
        result.finding = finding
        return result
    }

    private func finding(_ row: any SQLRow, _ number: UInt64) -> String? {
        guard case .integer(let sequence) = row[0] else {
            return "event \(number) is missing: a row has no number in its place"
        }
        guard sequence == Int64(clamping: number) else {
            return "event \(number) is missing: number \(sequence) stands in its place"
        }
        guard case .blob(let canonical) = row[1], case .blob(let previousBytes) = row[2],
            case .blob(let hashBytes) = row[3], let previous = SHA256Digest(previousBytes),
            let hash = SHA256Digest(hashBytes)
        else { return "event \(number) cannot be read: a column has the wrong type or length" }
        guard previous == verification.head ?? LedgerChain.origin else {
            return "event \(number) does not follow the one before: its previous hash is another"
        }
        guard
            hash == LedgerChain.hash(previous: previous, sequence: number, canonical: canonical)
        else { return "event \(number) was changed: it does not have the hash that it shows" }
        return misfiled(row, canonical, number)
    }

    /// The hash vouches for the canonical text; what stands beside it is compared with that text.
    private func misfiled(_ row: any SQLRow, _ canonical: [UInt8], _ number: UInt64) -> String? {
        guard let facts = try? JSONDecoder().decode(FiledFacts.self, from: Data(canonical)) else {
            return "event \(number) cannot be read: its text is not that of an event"
        }
        guard let version = Int64(exactly: facts.version ?? 0),
            row[4] == .text(facts.model), exact(row[4], facts.model),
            row[5] == .integer(version)
        else { return "event \(number) is filed under another model or version than it is about" }
        let newName = facts.op == LedgerOperation.modelRename.rawValue ? facts.to : nil
        guard row[6] == .optional(newName), newName == nil || exact(row[6], newName ?? "") else {
            return "event \(number) is filed under another new name than it says"
        }
        guard row[7] == .integer(facts.at) || (row.isNull(7) && !areTimesComplete) else {
            return "event \(number) is filed under another time than it says"
        }
        return nil
    }

    /// Equality of `String` minds Unicode equivalence; names are compared by their bytes.
    private func exact(_ value: SQLValue, _ text: String) -> Bool {
        guard case .text(let stored) = value else { return false }
        return stored.utf8.elementsEqual(text.utf8)
    }
}

/// The facts of an event that are also in columns.
private struct FiledFacts: Decodable {
    var at: Int64
    var op: String
    var model: String
    var version: UInt64?
    var to: String?
}
