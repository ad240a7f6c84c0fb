import ArgumentParser
import LinajeDomain

/// What a bench found: facts for programs and lines for people, in one order.
struct BenchReport {
    /// Something that must hold for the gate to be passed.
    struct Check {
        enum Bound {
            case atMost(Double)
            case atLeast(Double)
        }

        /// For programs.
        var name: String
        /// For people, with what stands before the number and after: "a change takes", "fdatasyncs".
        var noun: String
        var unit: String
        /// What was found; `nil`: it could not be measured, and the gate is not passed.
        var value: Double?
        var bound: Bound

        var passes: Bool {
            guard let value else { return false }
            return switch bound {
            case .atMost(let most): value <= most
            case .atLeast(let least): value >= least
            }
        }

        var text: String {
            let found = value.map { Rendering.number($0) } ?? "?"
            let wanted =
                switch bound {
                case .atMost(let most): "at most \(Rendering.number(most))"
                case .atLeast(let least): "at least \(Rendering.number(least))"
                }
            return "\(passes ? "passed" : "FAILED"): \(noun) \(found) \(unit) (\(wanted))"
        }

        var json: JSONValue {
            let (key, limit) =
                switch bound {
                case .atMost(let most): ("at_most", most)
                case .atLeast(let least): ("at_least", least)
                }
            return .object([
                ("name", .string(name)), ("value", value.map { .double($0) } ?? .null),
                (key, .double(limit)), ("passed", .bool(passes)),
            ])
        }
    }

    private var facts: [(String, JSONValue)] = [("event", .string("result"))]
    private var lines = TextFields()
    private var checks: [Check] = []

    /// Adds a fact for programs.
    mutating func fact(_ key: String, _ value: JSONValue?) { facts.append((key, value ?? .null)) }

    /// Adds a line for people; one without text is left out.
    mutating func line(_ name: String, _ text: String?) { lines.add(name, text) }

    /// Adds latencies under a key for programs and a name for people.
    mutating func latencies(_ key: String, _ name: String, _ found: Latencies?) {
        fact(key, found?.json)
        line(name, found.map { $0.count > 0 ? $0.text : nil } ?? nil)
    }

    /// Adds what the gate asks for.
    mutating func check(_ check: Check) { checks.append(check) }

    /// Adds what the daemon used between two moments.
    mutating func usage(_ before: DaemonUsage?, _ after: DaemonUsage?) {
        let processor = before.flatMap { before in after.map { $0.processor - before.processor } }
        fact("daemon_cpu_seconds", processor.map { .double($0 / .seconds(1)) })
        fact("daemon_resident_bytes", after.map { .uint($0.resident.bytes) })
        fact("daemon_peak_bytes", after.map { .uint($0.peak.bytes) })
        line(
            "daemon",
            [
                processor.map { "\(Rendering.duration($0)) processor time" },
                after.map { "\($0.resident) resident" }, after.map { "\($0.peak) at most" },
            ].compactMap { $0 }.joined(separator: ", "))
    }

    /// Prints it.
    ///
    /// - Throws: `ExitCode` 1 when the gate is not passed.
    func show(_ options: GlobalOptions) throws {
        let passes = checks.allSatisfy(\.passes)
        if options.json {
            let gate: [(String, JSONValue)] = [
                ("gate", .array(checks.map(\.json))),
                ("gate_passed", checks.isEmpty ? .null : .bool(passes)),
            ]
            Output.line(JSONValue.object(facts + gate).text)
        } else {
            var lines = lines
            for check in checks { lines.add("gate", check.text) }
            lines.show(options.style)
        }
        if !passes { throw ExitCode(ExitCodes.failed) }
    }
}
