import ArgumentParser
import LinajeDomain

/// The names of the commands, for somebody who has mistyped one.
enum CommandNames {
    /// A word where a command was expected.
    struct Unknown {
        /// The commands before it: "linaje model".
        var path: String
        var word: String
        /// The command that may be meant.
        var meant: String?

        /// For people.
        var message: String {
            "there is no command \"\(path) \(printable(word))\"; "
                + (meant.map { "did you mean \"\(path) \($0)\"?" } ?? "see: \(path) --help")
        }
    }

    /// The first word that names no command where only one can stand; `nil`: there is none.
    ///
    /// - Parameter words: the command line without the program.
    static func unknown(in words: some Sequence<String>) -> Unknown? {
        var path = ["linaje"]
        var command: any ParsableCommand.Type = LinajeCommand.self
        for word in words {
            let below = command.configuration.subcommands
            guard !below.isEmpty, !word.hasPrefix("-") else { return nil }
            if let next = below.first(where: { names(of: $0).contains(word) }) {
                command = next
                path.append(word)
                continue
            }
            let found = NearestName.of(word, among: below.flatMap(names(of:)))
            // Where a command may be left out the word may be meant for that one.
            guard command.configuration.defaultSubcommand == nil || found != nil else { return nil }
            return Unknown(
                path: path.joined(separator: " "), word: String(word.prefix(80)), meant: found)
        }
        return nil
    }

    private static func names(of command: any ParsableCommand.Type) -> [String] {
        [command.configuration.commandName].compactMap { $0 } + command.configuration.aliases
    }
}
