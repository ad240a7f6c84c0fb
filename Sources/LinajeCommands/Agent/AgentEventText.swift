import LinajeAgent
import LinajeDomain

extension FollowEvent {
    /// The event's name, a sentence for people, and fields for programs.
    var said: (name: String, text: String, fields: [(String, JSONValue)]) {
        func at(_ path: String, _ offset: UInt64, _ reason: String) -> [(String, JSONValue)] {
            [("path", .string(path)), ("offset", .uint(offset)), ("reason", .string(reason))]
        }
        switch self {
        case .run(let id, let name, let source):
            return (
                "run", "\(source) is run \(id) (\(name))",
                [
                    ("run_id", .string("\(id)")), ("name", .string(name)),
                    ("source", .string(source)),
                ]
            )
        case .problem(let path, let offset, let reason):
            return (
                "problem", "\(path), byte \(offset): passed over: \(reason)",
                at(path, offset, reason)
            )
        case .damaged(let path, let offset, let reason):
            return (
                "damaged", "\(path), byte \(offset): \(reason); the rest of this file is not read",
                at(path, offset, reason)
            )
        case .rotated(let path):
            return ("rotated", "\(path) is another file now", [("path", .string(path))])
        case .rewritten(let path):
            return (
                "rewritten", "\(path) was written anew and is read from its beginning",
                [("path", .string(path))]
            )
        case .failed(let source, let error):
            return (
                "failed", "\(source) is not followed: \(error.message) (\(error.code.name))",
                [
                    ("source", .string(source)), ("error", .string(error.code.name)),
                    ("reason", .string(error.message)),
                ]
            )
        case .unreachable(let reason):
            return (
                "unreachable", "waiting for the daemon: \(reason)", [("reason", .string(reason))]
            )
        case .reachable: return ("reachable", "the daemon answers again", [])
        }
    }
}

extension HostEvent {
    /// The event's name, a sentence for people, and fields for programs.
    var said: (name: String, text: String, fields: [(String, JSONValue)]) {
        switch self {
        case .measuring(let run, let pid, let step):
            return (
                "measuring", "measuring process \(pid) for run \(run) from step \(step) on",
                [
                    ("run_id", .string("\(run)")), ("pid", .int(Int64(pid))), ("step", .int(step)),
                ]
            )
        case .released(let run):
            return ("released", "run \(run) is over", [("run_id", .string("\(run)"))])
        case .failed(let run, let error):
            return (
                "failed", "run \(run) takes no samples: \(error.message) (\(error.code.name))",
                [
                    ("run_id", .string("\(run)")), ("error", .string(error.code.name)),
                    ("reason", .string(error.message)),
                ]
            )
        case .unreachable(let reason):
            return (
                "unreachable", "the daemon is away, samples are kept: \(reason)",
                [("reason", .string(reason))]
            )
        case .reachable: return ("reachable", "the daemon answers again", [])
        case .dropped(let count):
            return (
                "dropped", "\(count) samples were given up while the daemon was away",
                [("samples", .count(count))]
            )
        }
    }
}
