import CStorageCalls
import Foundation
import LinajeArtifacts
import LinajeDomain
import LinajePluginKit
import SQLiteBackend
import Synchronization
import Testing

/// Every system call of the storage, SQLite's too, is the last one of its process, or fails.
///
/// `LINAJE_STORAGE_POINTS=all` tries each of them, a number so many; `LINAJE_SEED` chooses which;
/// `LINAJE_STORAGE_POINT="repair inputError 54"` is one of them, as a failure names it.
@Suite("A death or an error at any system call", .timeLimit(.minutes(360)))
struct StorageFaultTests {
    /// What happens at a call.
    enum Blow: CaseIterable {
        case death, tornWrite, short, inputError, inputErrors, full, staysFull

        func plan(_ scope: FaultScope, at: UInt64) {
            switch self {
            case .death: scope.plan(STORAGE_DIES, at: at)
            case .tornWrite: scope.plan(STORAGE_TEARS, at: at)
            case .short: scope.plan(STORAGE_SHORTENS, at: at)
            case .inputError: scope.plan(STORAGE_FAILS_ONCE, at: at, error: EIO)
            case .inputErrors: scope.plan(STORAGE_FAILS, at: at, error: EIO)
            case .full: scope.plan(STORAGE_FAILS_ONCE, at: at, error: ENOSPC)
            case .staysFull: scope.plan(STORAGE_FAILS, at: at, error: ENOSPC)
            }
        }

        var isDeath: Bool { self == .death || self == .tornWrite }
        var isFull: Bool { self == .full || self == .staysFull }
    }

    /// A scenario with the files that it begins with.
    final class Stage: Sendable {
        let scenario: FaultScenario
        let calls: UInt64
        private let template: TemporaryFolder
        private let memory: Memory

        init(_ scenario: FaultScenario) async throws {
            self.scenario = scenario
            template = try TemporaryFolder(below: StorageFaultTests.quickFolder)
            memory = Memory()
            let made = try TemporaryFolder(below: StorageFaultTests.quickFolder)
            let life = try await StoreLife(made.path, memory)
            try await scenario.prepare(life)
            if scenario.isLeftOpen { try Stage.copy(made.path, template.path) }
            await life.close()
            if !scenario.isLeftOpen { try Stage.copy(made.path, template.path) }
            try scenario.damage(template.path)
            let trial = try await Trial(scenario, template.path, memory.copy())
            calls = try await trial.run(nil, at: 0).calls
        }

        func trial() async throws -> Trial {
            try await Trial(scenario, template.path, memory.copy())
        }

        static func copy(_ from: String, _ to: String) throws {
            for name in try FileManager.default.contentsOfDirectory(atPath: from)
            where !name.hasSuffix("-shm") {
                try FileManager.default.copyItem(atPath: "\(from)/\(name)", toPath: "\(to)/\(name)")
            }
        }
    }

    /// What came of one point.
    struct Outcome {
        var calls: UInt64
        var hasFired = false
        var hasFailed = false
    }

    /// One point: the blow, and what is there afterwards.
    struct Trial {
        private let scenario: FaultScenario
        private let folder: TemporaryFolder
        private let memory: Memory
        private let scope: FaultScope

        init(_ scenario: FaultScenario, _ template: String, _ memory: Memory) async throws {
            self.scenario = scenario
            self.memory = memory
            folder = try TemporaryFolder(below: StorageFaultTests.quickFolder)
            scope = try FaultScope(folder.path)
            try Stage.copy(template, folder.path)
        }

        func run(_ blow: Blow?, at call: UInt64) async throws -> Outcome {
            var failure: (any Error)?
            var life: StoreLife?
            func strike() { blow.map { $0.plan(scope, at: call) } ?? scope.rest() }
            do {
                if scenario.act == nil { strike() }
                if let alone = scenario.alone {
                    try await alone(folder.path)
                } else {
                    life = try await StoreLife(folder.path, memory)
                }
                if let act = scenario.act, let life {
                    strike()
                    try await act(life)
                }
            } catch {
                failure = error
            }
            let calls = scope.counts.total
            let fired = scope.fired
            let what = "\(scenario.name), \(blow.map { "\($0)" } ?? "no blow"): \(scope.whatFired)"
            if let blow, !blow.isDeath {
                checkError(
                    blow, fired, failure, what, isNamed: life != nil || scenario.alone != nil)
                scope.rest()
                if let life { await goOn(life, blow, fired, what) }
            }
            await life?.close()
            scope.rest()
            await verify(what, hasFailed: failure != nil)
            return Outcome(calls: calls, hasFired: fired != nil, hasFailed: failure != nil)
        }

        /// What an error is called, and where there must be none. `isNamed`: that of a database
        /// that is opened does not say why.
        private func checkError(
            _ blow: Blow, _ fired: storage_call?, _ failure: (any Error)?, _ what: String,
            isNamed: Bool
        ) {
            guard let failure else { return }
            #expect(fired != nil && blow != .short, "\(what): \(failure)")
            guard blow.isFull, fired != STORAGE_SYNC, isNamed else { return }
            let code = (failure as? LinajeError)?.code
            #expect(code == .storageFull, "\(what): \(failure)")
        }

        /// The same life after an error.
        private func goOn(
            _ life: StoreLife, _ blow: Blow, _ fired: storage_call?, _ what: String
        ) async {
            do {
                try await life.put([("next", FaultScenario.noise(77, 9_000))])
                #expect(
                    fired != STORAGE_SYNC || scenario.onlyReads,
                    "\(what): something is taken after a failed fsync")
            } catch {
                let code = (error as? LinajeError)?.code
                #expect(code == .storageFailed, "\(what), then: \(error)")
                let mayStop =
                    fired == STORAGE_SYNC || (fired != nil && !blow.isFull && blow != .short)
                #expect(
                    mayStop && !scenario.onlyReads,
                    "\(what): nothing is taken any more: \(error)")
            }
        }

        /// Whatever happened, a new start finds everything and goes on.
        private func verify(_ what: String, hasFailed: Bool) async {
            do {
                let wrong = try await scenario.settle?(folder.path, hasFailed) ?? []
                #expect(wrong.isEmpty, "\(what): \(wrong)")
                let state = scenario.state.isEmpty ? "" : "/\(scenario.state)"
                let life = try await StoreLife(folder.path + state, memory)
                if let repair = scenario.repair { try await life.check(repair) }
                let lost = await life.losses()
                #expect(lost.isEmpty, "\(what): \(lost)")
                let found = try await life.check()
                #expect(found.isEmpty, "\(what): \(found)")
                let more = try await scenario.after?(life, hasFailed) ?? []
                #expect(more.isEmpty, "\(what): \(more)")
                try await life.put([("after", FaultScenario.noise(78, 5_000))])
                try await life.collect()
                try await life.collect()
                let then = await life.losses()
                #expect(then.isEmpty, "\(what), then collected: \(then)")
                let left = try await life.check(CheckOptions())
                #expect(left.isEmpty, "\(what), then collected: \(left)")
                await life.close()
            } catch {
                Issue.record("\(what), then: \(error)")
            }
        }
    }

    static let quickFolder: String? =
        FileManager.default.isWritableFile(atPath: "/dev/shm") ? "/dev/shm" : nil

    @Test("nothing that was acknowledged is lost, and the next start goes on")
    func everyCall() async throws {
        let environment = ProcessInfo.processInfo.environment
        var points: [(stage: Stage, blow: Blow, call: UInt64)] = []
        var counted = ""
        for scenario in FaultScenario.all {
            let stage = try await Stage(scenario)
            counted += " \(scenario.name) \(stage.calls),"
            for blow in Blow.allCases {
                for call in 1...stage.calls { points.append((stage, blow, call)) }
            }
        }
        #expect(points.count > 5_000, "the scenarios make fewer calls than thought")
        let wanted = environment["LINAJE_STORAGE_POINTS"] ?? "1000"
        let count = min(points.count, wanted == "all" ? points.count : Int(wanted) ?? 1_000)
        let seed = environment["LINAJE_SEED"].flatMap { UInt64($0) } ?? 1_859
        var generator = SplitMix64(seed: seed)
        let shift = Int(generator.next() % UInt64(points.count))
        let chosen = (0..<count).map { points[($0 * points.count / count + shift) % points.count] }
        let sum = Shared((fired: 0, failed: 0))
        let plan = chosen
        try await twoAtATime(count, of: "storage faults") { index in
            let trial = try await plan[index].stage.trial()
            let outcome = try await trial.run(plan[index].blow, at: plan[index].call)
            sum.with {
                $0.fired += outcome.hasFired ? 1 : 0
                $0.failed += outcome.hasFailed ? 1 : 0
            }
        }
        let (fired, failed) = sum.now
        Campaign.report(
            "storage faults: \(count) of \(points.count) points (calls:\(counted) each with "
                + "\(Blow.allCases.count) blows), seed \(seed); \(fired) fell, \(failed) failed the "
                + "operation")
        // Most must come to what they are about.
        #expect(fired > count * 3 / 4 && failed > count / 4)
    }

    @Test("an index that cannot be read for once is no damage of the packs that are repaired")
    func indexErrors() async throws {
        let stage = try await Stage(.repair)
        // The first calls on the database come after the first pack was read.
        try await twoAtATime(24) { index in
            _ = try await stage.trial().run(.inputError, at: UInt64(44 + index))
        }
    }

    @Test(
        "one point again",
        .enabled(if: ProcessInfo.processInfo.environment["LINAJE_STORAGE_POINT"] != nil))
    func onePoint() async throws {
        let words = try #require(ProcessInfo.processInfo.environment["LINAJE_STORAGE_POINT"])
            .split(separator: " ")
        let scenario = try #require(FaultScenario.all.first { $0.name == words[0] })
        let blow = try #require(Blow.allCases.first { "\($0)" == words[1] })
        let trial = try await Stage(scenario).trial()
        print(try await trial.run(blow, at: try #require(UInt64(words[2]))))
    }

    @Test("a scope counts its own calls and no others, and those of SQLite")
    func counts() async throws {
        let folder = try TemporaryFolder(below: Self.quickFolder)
        let other = try TemporaryFolder(below: Self.quickFolder)
        let scope = try FaultScope(folder.path)
        let bystander = try await StoreLife(other.path, Memory())
        try await bystander.put([("a", [1, 2, 3])])
        await bystander.close()
        #expect(scope.counts.total == 0)
        let life = try await StoreLife(folder.path, Memory())
        scope.rest()
        try await life.put([("a", [1, 2, 3])])
        let calls = withUnsafeBytes(of: scope.counts.calls) {
            Array($0.bindMemory(to: UInt64.self))
        }
        // The pack and its folder, the folder above, and the commit in the log.
        #expect(calls[Int(STORAGE_SYNC.rawValue)] >= 4, "\(calls)")
        #expect(calls[Int(STORAGE_RENAME.rawValue)] == 1, "\(calls)")
        #expect(calls[Int(STORAGE_WRITE.rawValue)] >= 4, "\(calls)")
        await life.close()
    }
}
