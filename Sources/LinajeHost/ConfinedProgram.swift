import Glibc

/// A program of somebody else's, started locked up.
package enum ConfinedProgram {
    /// What programs need to be loaded, and what runtimes look at when they start; nothing of it is
    /// secret.
    static let libraries = [
        "/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/usr/share/zoneinfo",
        "/etc/ld.so.cache", "/etc/localtime", "/dev/null", "/dev/zero", "/dev/urandom",
        "/sys/devices/system/cpu",
    ]
    /// How names of the internet are resolved and certificates are checked.
    static let resolvers = [
        "/etc/resolv.conf", "/run/systemd/resolve", "/etc/hosts", "/etc/host.conf",
        "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/services", "/etc/ssl", "/etc/pki",
        "/usr/share/ca-certificates",
    ]
    /// The loaders of dynamically linked programs.
    private static let loaders = [
        "/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1",
        "/lib/ld-musl-x86_64.so.1", "/lib/ld-musl-aarch64.so.1",
    ]
    private static let searchPath = ["/usr/local/bin", "/usr/bin", "/bin"]

    /// Locks this process up and lets a program take its place.
    ///
    /// The program may read its own folder and the system's libraries, and execute itself, its
    /// interpreter and the loader.
    ///
    /// - Parameters:
    ///   - words: absolute path of the program, and its arguments.
    ///   - readable: what else it may read.
    ///   - network: whether it may be a client of the internet, for as long as it likes.
    /// - Throws: when that cannot be done. It does not return otherwise.
    package static func replaceThisProcess(
        by words: [String], readable: [String] = [], network: Bool = false, memory: UInt64
    ) throws(Confinement.Failure) -> Never {
        guard let program = words.first else {
            throw Confinement.Failure(what: "no program to start", number: EINVAL)
        }
        let folder = program.split(separator: "/").dropLast().reduce("") { $0 + "/" + $1 }
        let confinement = Confinement(
            readable: libraries + [folder.isEmpty ? program : folder] + readable
                + (network ? resolvers : []),
            executable: [program] + loaders + interpreters(of: program), memory: memory,
            processorSeconds: network ? .max : 600, network: network)
        try confinement.apply()
        var arguments = words.map { word in word.withCString { strdup($0) } }
        arguments.append(nil)
        execve(program, arguments, environ)
        throw Confinement.Failure(what: "cannot execute \(program)", number: errno)
    }

    /// The programs that run a script: that of its first line and, where that is "env", the one which
    /// that finds. Empty for other files.
    static func interpreters(of program: String) -> [String] {
        let begin = String(decoding: SmallFile.read(program, limit: 256) ?? [], as: UTF8.self)
        let line = begin.split(separator: "\n", omittingEmptySubsequences: false).first ?? ""
        guard line.hasPrefix("#!") else { return [] }
        let words = line.dropFirst(2).split { $0 == " " || $0 == "\t" }
        guard let first = words.first.map(String.init) else { return [] }
        let name = words.dropFirst().first { !$0.hasPrefix("-") }
        guard first.hasSuffix("/env"), let name else { return [first] }
        return [first] + searchPath.map { "\($0)/\(name)" }
    }
}
