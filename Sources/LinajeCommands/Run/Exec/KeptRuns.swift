import FoundationEssentials
import Glibc
import LinajeDomain

/// The folder in which `linaje run` keeps what no daemon has taken yet: a folder for each run, with
/// its facts and its patch, locked while the process that writes it is alive.
struct KeptRuns: Sendable {
    let folder: String

    /// `$XDG_STATE_HOME/linaje/runs`, `~/.local/state/linaje/runs` where that is unset; `nil` for a
    /// user without a home.
    init?(environment: [String: String]) {
        if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") {
            folder = "\(state)/linaje/runs"
        } else if let home = environment["HOME"], home.hasPrefix("/") {
            folder = "\(home)/.local/state/linaje/runs"
        } else {
            return nil
        }
    }

    /// One run's folder, ours as long as the value lives.
    final class Place: Sendable {
        let path: String
        private let lock: Int32

        fileprivate init?(_ path: String) {
            self.path = path
            lock = open("\(path)/lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
            guard lock >= 0 else { return nil }
            guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
                close(lock)
                return nil
            }
        }

        deinit { close(lock) }

        var patch: String { "\(path)/diff.patch" }
        /// What the command wrote and no daemon has taken.
        var log: String { "\(path)/output.log" }

        /// Writes the facts: what was written before stays until the new text is whole.
        func write(_ facts: RunFacts) throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
            try write(Array(encoder.encode(facts)), as: "facts.json")
        }

        func write(patch bytes: [UInt8]) throws { try write(bytes, as: "diff.patch") }

        /// Whether there is something to tell; without facts a patch is nobody's.
        var hasFacts: Bool { access("\(path)/facts.json", F_OK) == 0 }

        var hasLog: Bool { access(log, F_OK) == 0 }

        func removeLog() { unlink(log) }

        func read() throws -> RunFacts {
            try JSONDecoder().decode(
                RunFacts.self, from: Data(contentsOf: URL(filePath: "\(path)/facts.json")))
        }

        /// Only the log is left to be told.
        func removeFacts() {
            for name in ["facts.json", "diff.patch"] {
                unlink("\(path)/\(name)")
                unlink("\(path)/\(name).new")
            }
        }

        /// Nothing is left to be told.
        func remove() {
            removeFacts()
            removeLog()
            unlink("\(path)/lock")
            rmdir(path)
        }

        private func write(_ bytes: [UInt8], as name: String) throws {
            let new = "\(path)/\(name).new"
            let file = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
            guard file >= 0 else { throw Self.failure(new) }
            defer { close(file) }
            var written = 0
            while written < bytes.count {
                let count = bytes[written...].withUnsafeBytes {
                    Glibc.write(file, $0.baseAddress, $0.count)
                }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { throw Self.failure(new) }
                written += count
            }
            guard fsync(file) == 0, rename(new, "\(path)/\(name)") == 0, KeptRuns.sync(path)
            else {
                throw Self.failure(new)
            }
        }

        private static func failure(_ path: String) -> LinajeError {
            LinajeError(
                .storageFull, "\(path) cannot be written: \(String(cString: strerror(errno)))")
        }
    }

    /// The place of a run, made if it is not there; `nil` when it cannot be, or is somebody else's.
    func place(_ id: String) -> Place? {
        var path = ""
        for part in folder.split(separator: "/") {
            path += "/\(part)"
            if mkdir(path, 0o700) == 0 { _ = Self.sync(folderOf: path) }
        }
        // A folder that a machine forgets which stops has nothing in it either.
        if mkdir("\(folder)/\(id)", 0o700) == 0, !Self.sync(folder) { return nil }
        return Place("\(folder)/\(id)")
    }

    /// Makes the names in a folder survive a machine that stops; false when the disk cannot.
    static func sync(_ folder: String) -> Bool {
        let handle = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard handle >= 0 else { return false }
        defer { close(handle) }
        // Some file systems have nothing to sync in a folder.
        return fsync(handle) == 0 || errno == EINVAL
    }

    /// The same for the folder that a file is in.
    static func sync(folderOf path: String) -> Bool {
        guard let slash = path.lastIndex(of: "/") else { return sync(".") }
        return sync(String(path[...slash]))
    }

    /// The places of runs whose `linaje run` is gone, in no order.
    func left() -> [Place] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { RunID($0) != nil }.compactMap { Place("\(folder)/\($0)") }
    }
}

extension RunID {
    /// `nil` unless it is 32 hex digits.
    fileprivate init?(_ text: String) {
        guard let id = try? RunID(parsing: text[...]) else { return nil }
        self = id
    }
}
