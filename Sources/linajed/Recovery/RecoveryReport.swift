import FoundationEssentials
import LinajeDomain

/// What a recovery found and did, told as it goes and once more as a whole.
final class RecoveryReport {
    /// What became of a finding.
    enum State: String, Codable {
        /// Worth knowing; nothing is wrong.
        case note
        /// Put right, or, in a dry run, to be put right.
        case repaired
        /// Cannot be put right: something is lost, or a person has to act.
        case lost
    }

    struct Finding: Codable, Equatable {
        /// What it is about: "catalog.db", "packs".
        var object: String
        /// What was found.
        var problem: String
        /// What was done about it, or what to do.
        var action: String
        var state: State
        /// Runs, model versions and others that it affects.
        var affected: [String]
    }

    /// Names of affected things that are shown to people; `--json` has them all.
    private static let shownNames = 10

    let isDryRun: Bool
    private let isQuiet: Bool
    private(set) var findings: [Finding] = []

    /// - Parameter isQuiet: whether nothing is told as it goes, because JSON will tell it all.
    init(isDryRun: Bool, isQuiet: Bool) {
        self.isDryRun = isDryRun
        self.isQuiet = isQuiet
    }

    func add(
        _ state: State, _ object: String, _ problem: String, _ action: String = "",
        affected: [String] = []
    ) {
        let finding = Finding(
            object: object, problem: problem, action: action, state: state,
            affected: affected.sorted())
        findings.append(finding)
        guard !isQuiet else { return }
        print("\(object): \(problem)")
        for name in finding.affected.prefix(Self.shownNames) { print("    \(name)") }
        if finding.affected.count > Self.shownNames {
            print("    and \(finding.affected.count - Self.shownNames) more; --json names them all")
        }
        guard !action.isEmpty else { return }
        let verb =
            switch state {
            case .note: ""
            case .repaired: isDryRun ? "would be repaired: " : "repaired: "
            case .lost: isDryRun ? "would stay lost: " : "lost: "
            }
        print("    \(verb)\(action)")
    }

    /// Tells what is about to be done.
    func say(_ text: String) {
        if !isQuiet { print(text) }
    }

    /// Whether something is lost or needs a person.
    var isBad: Bool { findings.contains { $0.state == .lost } }

    /// The last word, for people.
    var summary: String {
        let repaired = findings.count { $0.state == .repaired }
        let lost = findings.count { $0.state == .lost }
        guard repaired + lost > 0 else { return "all is well" }
        let verb = isDryRun ? "can be repaired" : "repaired"
        return "\(repaired) \(verb), \(lost) lost or for a person to look at"
    }

    /// The whole, as one JSON object.
    func json(_ directory: String, failure: LinajeError?) throws -> String {
        struct Answer: Codable {
            var state_directory: String
            var dry_run: Bool
            var findings: [Finding]
            var well: Bool
            var failure: String?
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let answer = Answer(
            state_directory: directory, dry_run: isDryRun, findings: findings,
            well: !isBad && failure == nil, failure: failure?.message)
        return String(decoding: try encoder.encode(answer), as: UTF8.self)
    }
}
