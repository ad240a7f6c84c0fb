/// What one check of `linaje doctor` found.
struct Diagnosis: Sendable, Hashable {
    /// How good or bad it is.
    enum Verdict: String, Sendable, Hashable {
        case ok
        /// It works, but not as it should, or not for long.
        case warning
        /// It does not work.
        case failure
    }

    /// The check's name, which programs may rely on: "state_directory".
    var check: String
    var verdict: Verdict
    /// What is, in one sentence.
    var text: String
    /// What to do; `nil` when there is nothing.
    var hint: String?

    static func ok(_ check: String, _ text: String) -> Diagnosis {
        Diagnosis(check: check, verdict: .ok, text: text, hint: nil)
    }

    static func warning(_ check: String, _ text: String, _ hint: String) -> Diagnosis {
        Diagnosis(check: check, verdict: .warning, text: text, hint: hint)
    }

    static func failure(_ check: String, _ text: String, _ hint: String) -> Diagnosis {
        Diagnosis(check: check, verdict: .failure, text: text, hint: hint)
    }
}
