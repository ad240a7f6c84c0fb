import Glibc
import LinajeDomain
import LinajeHost
import LinajePluginKit

/// The flavors in the box, locked up; the same for whom scoring is the work, with no limit of
/// processor time; or, as a launcher, somebody else's plugin, locked up:
///
/// ```
/// linaje-flavor-host
/// linaje-flavor-host score [--memory BYTES]
/// linaje-flavor-host confine [--network] [--read PATH]… [--memory BYTES] -- EXECUTABLE [ARGUMENT]…
/// ```
///
/// Started by linajed and by commands of linaje, not by people.
enum FlavorHostProgram {
    /// Address space of a plugin, and of the flavors in the box.
    static let memory: UInt64 = 1 << 30

    static func run(_ words: [String]) async -> Int32 {
        do {
            let confinement: Confinement
            switch words.first {
            case nil: confinement = Confinement(memory: memory)
            case "score": confinement = try scoring(words)
            default: try launch(words)
            }
            let flavors = try BuiltinFlavors.catalog().flavors
            // No files: all that it needs is loaded by now.
            try confinement.apply()
            return await FlavorHost.serve(flavors, failed: .unknown)
        } catch {
            let line = Array("linaje-flavor-host: \(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            return 1
        }
    }

    /// A process that scores works for whoever started it, for as long as that wants.
    private static func scoring(_ words: [String]) throws -> Confinement {
        var memory = memory
        switch (words.count, words.dropFirst().first) {
        case (1, _): break
        case (3, "--memory"):
            guard let bytes = UInt64(words[2]) else { throw Usage() }
            memory = bytes
        default: throw Usage()
        }
        return Confinement(memory: memory, processorSeconds: .max, givesWay: false)
    }

    private static func launch(_ words: [String]) throws -> Never {
        var (readable, network, memory) = ([String](), false, memory)
        var rest = words.dropFirst()
        guard words.first == "confine" else { throw Usage() }
        while let word = rest.popFirst(), word != "--" {
            if word == "--network" {
                network = true
                continue
            }
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
            by: Array(rest), readable: readable, network: network, memory: memory)
    }

    private struct Usage: Error, CustomStringConvertible {
        let description =
            "usage: linaje-flavor-host [score [--memory BYTES]] | confine [--network] [--read PATH]… "
            + "[--memory BYTES] -- /EXECUTABLE …"
    }
}
