import Glibc
import LinajeHost
import LinajePluginKit

/// The flavors in the box, locked up; or, as a launcher, somebody else's plugin, locked up:
///
/// ```
/// linaje-flavor-host
/// linaje-flavor-host confine [--read PATH]… [--memory BYTES] -- EXECUTABLE [ARGUMENT]…
/// ```
///
/// Started by linajed and by `linaje plugin check`, not by people.
enum FlavorHostProgram {
    /// Address space of a plugin, and of the flavors in the box.
    static let memory: UInt64 = 1 << 30

    static func run(_ words: [String]) async -> Int32 {
        do {
            guard words.isEmpty else { try launch(words) }
            let flavors = try BuiltinFlavors.catalog().flavors
            // No files: all that it needs is loaded by now.
            try Confinement(memory: memory).apply()
            return await FlavorHost.serve(flavors)
        } catch {
            let line = Array("linaje-flavor-host: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            return 1
        }
    }

    private static func launch(_ words: [String]) throws -> Never {
        var (readable, memory) = ([String](), memory)
        var rest = words.dropFirst()
        guard words.first == "confine" else { throw Usage() }
        while let word = rest.popFirst(), word != "--" {
            guard let value = rest.popFirst() else { throw Usage() }
            switch word {
            case "--read": readable.append(value)
            case "--memory":
                guard let bytes = UInt64(value) else { throw Usage() }
                memory = bytes
            default: throw Usage()
            }
        }
        guard rest.first?.hasPrefix("/") == true else { throw Usage() }
        try ConfinedProgram.replaceThisProcess(
            by: Array(rest), readable: readable, memory: memory)
    }

    private struct Usage: Error, CustomStringConvertible {
        let description =
            "usage: linaje-flavor-host confine [--read PATH]… [--memory BYTES] -- /EXECUTABLE …"
    }
}
