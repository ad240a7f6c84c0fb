import LinajeClient
import LinajeDomain

extension Arguments {
    /// Digits of an id that name a run when they are its first.
    private static let fewestDigits = 6

    /// A run's id, alone or as runs:/ID.
    static func run(_ text: String) throws -> RunID {
        let digits = bare(text)
        do {
            return try RunID(parsing: digits)
        } catch {
            throw noID(digits, "it must be 32 hex digits")
        }
    }

    /// A run named by its id, alone or as runs:/ID, or by the first digits of it, when no other run's
    /// id begins with them.
    ///
    /// - Throws: `invalidArgument` for a text that is neither, or begins several ids; `notFound`.
    static func run(_ text: String, _ client: LinajeClient) async throws -> RunID {
        let digits = bare(text).lowercased()
        if let id = try? RunID(parsing: digits) { return id }
        guard (fewestDigits..<32).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
        else {
            throw noID(
                bare(text),
                "it must be 32 hex digits, or at least the first \(fewestDigits) of them")
        }
        let rest = 32 - digits.utf8.count
        let (first, last) = (
            digits + String(repeating: "0", count: rest),
            digits + String(repeating: "f", count: rest)
        )
        let found = try await client.runs(
            lifecycle: nil,
            search: SearchTerms(filter: "run_id >= '\(first)' AND run_id <= '\(last)'"),
            page: Page(limit: 2)
        ).elements
        guard let run = found.first else {
            throw LinajeError(
                .notFound, "no run's id begins with \(digits); look at: linaje run list")
        }
        guard found.count == 1 else {
            throw LinajeError(
                .invalidArgument,
                "several runs' ids begin with \(digits), as \(run.id) (\(printable(run.name))) and "
                    + "\(found[1].id) (\(printable(found[1].name))); write more digits")
        }
        return run.id
    }

    private static func bare(_ text: String) -> String {
        text.hasPrefix("runs:/") ? String(text.dropFirst("runs:/".count)) : text
    }

    private static func noID(_ text: String, _ rule: String) -> LinajeError {
        let name = String(text.prefix(80))
        // What has quotes or more than a name would make another command of it.
        let isName =
            !name.isEmpty
            && name.unicodeScalars.allSatisfy {
                $0.properties.isAlphabetic || ("0"..."9").contains($0)
                    || "-_. ".unicodeScalars
                        .contains($0)
            }
        return LinajeError(
            .invalidArgument,
            "\"\(printable(name))\" is no run id: \(rule); find it with: linaje run list"
                + (isName ? " --filter \"name = '\(name)'\"" : ""))
    }
}
