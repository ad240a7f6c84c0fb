import CLinux
import Glibc

/// What a process that reads untrusted files is locked up in: it computes and speaks on the
/// descriptors it was given, and nothing else; one that keeps files elsewhere also calls there.
///
/// Made of three things of the kernel: Landlock (files and TCP, Linux 5.13 and later, more of it in
/// later ones), a seccomp filter (system calls), and limits (memory, processor, files). Whatever the
/// process starts is locked up with it, and none of it can be undone.
package struct Confinement: Sendable {
    /// Why a process cannot be locked up: what was tried, and an error number.
    package struct Failure: Error, CustomStringConvertible {
        package let what: String
        package let number: Int32

        package var description: String { "\(what): \(String(cString: strerror(number)))" }
    }

    /// Where files may be read, but not listed. Dispatch looks at the state of its threads by their
    /// numbers, /proc/TID/stat, and ends the process when it may not. What is secret of other processes,
    /// their memory and environment, the kernel does not show across a confinement.
    private static let unlisted = ["/proc"]

    /// Files and folders that may be read, with all beneath.
    package var readable: [String]
    /// Files that may be executed.
    package var executable: [String]
    /// Most bytes of address space.
    package var memory: UInt64
    /// Most seconds of a processor, of all threads together; the largest number: no end.
    package var processorSeconds: UInt64
    /// Most open descriptors.
    package var descriptors: UInt64
    /// Whether it is the last to get a processor, beside trainings.
    package var givesWay: Bool
    /// Whether it may be a client of the internet.
    package var network: Bool

    package init(
        readable: [String] = [], executable: [String] = [], memory: UInt64 = 1 << 30,
        processorSeconds: UInt64 = 600, descriptors: UInt64 = 64, givesWay: Bool = true,
        network: Bool = false
    ) {
        self.readable = readable
        self.executable = executable
        self.memory = memory
        self.processorSeconds = processorSeconds
        self.descriptors = descriptors
        self.givesWay = givesWay
        self.network = network
    }

    /// Locks up this process. To be called before it has other threads: they would stay free.
    ///
    /// - Throws: when the kernel refuses a part of it. A kernel without Landlock is no reason: then
    ///   files can be read that this user may read, but not written.
    package func apply() throws(Failure) {
        if givesWay { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10) }
        try limit(RLIMIT_AS, to: memory, "limit memory")
        try limit(RLIMIT_CPU, to: processorSeconds, "limit processor time")
        try limit(RLIMIT_NOFILE, to: descriptors, "limit descriptors")
        try limit(RLIMIT_FSIZE, to: 0, "limit the size of files")
        try limit(RLIMIT_CORE, to: 0, "limit core files")
        try check(clinux_give_up_privileges(), "give up privileges")
        let version = Self.withStrings(readable) { readable in
            Self.withStrings(Self.unlisted) { unlisted in
                Self.withStrings(executable) {
                    clinux_confine_files(readable, unlisted, $0, network)
                }
            }
        }
        try check(version, "close the file system (Landlock)")
        try check(clinux_confine_calls(network), "filter system calls (seccomp)")
    }

    private func check(_ result: Int32, _ what: String) throws(Failure) {
        guard result >= 0 else { throw Failure(what: "cannot \(what)", number: errno) }
    }

    private func limit(
        _ resource: __rlimit_resource, to value: UInt64, _ what: String
    ) throws(Failure) {
        var now = rlimit()
        try check(getrlimit(__rlimit_resource_t(resource.rawValue), &now), what)
        // Whoever started us may have set less.
        let most = min(rlim_t(value), now.rlim_max)
        var wanted = rlimit(rlim_cur: most, rlim_max: most)
        try check(setrlimit(__rlimit_resource_t(resource.rawValue), &wanted), what)
    }

    /// An array of C strings that ends with a null pointer.
    private static func withStrings<Value>(
        _ texts: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Value
    ) -> Value {
        let copies = texts.map { text in text.withCString { strdup($0) } }
        defer { for copy in copies { free(copy) } }
        let pointers = copies.map { UnsafePointer($0) } + [nil]
        return pointers.withUnsafeBufferPointer { buffer in
            guard let first = buffer.baseAddress else {
                preconditionFailure("it holds at least the null pointer")
            }
            return body(first)
        }
    }
}
