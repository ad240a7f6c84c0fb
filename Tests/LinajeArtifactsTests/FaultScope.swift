import CStorageCalls
import Foundation
import Synchronization

/// The system calls of the storage below one folder, counted, and failing where a plan says so.
final class FaultScope: Sendable {
    private let number: Int32

    init(_ folder: String) throws {
        number = storage_faults_begin(folder)
        guard number >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EINVAL) }
    }

    deinit { storage_faults_end(number) }

    /// What happens from now on; counts anew.
    func plan(_ action: storage_action, at: UInt64 = 0, error: Int32 = 0) {
        storage_faults_plan(
            number, storage_plan(action: action, at: at, error: error, kills: 0))
    }

    /// Nothing happens any more.
    func rest() { plan(STORAGE_COUNTS) }

    var counts: storage_counts { storage_faults_counts(number) }

    /// The kind of the call at which the plan first did something; `nil`: none.
    var fired: storage_call? {
        let counts = counts
        return counts.fired == 0 ? nil : storage_call(rawValue: UInt32(counts.fired_call))
    }

    /// The same for people.
    var whatFired: String {
        let names = [
            "open", "close", "read", "write", "sync", "resize", "rename", "unlink", "make folder",
            "list", "status", "mode", "map",
        ]
        let counts = counts
        guard counts.fired > 0 else { return "nothing" }
        var path = [CChar](repeating: 0, count: 512)
        storage_faults_fired_on(number, &path, path.count)
        let text = path.withUnsafeBytes { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return "call \(counts.fired), \(names[Int(counts.fired_call)]) of \(text)"
    }
}

/// A value that several tasks change.
final class Shared<Value: Sendable>: Sendable {
    let value: Mutex<Value>

    init(_ value: Value) { self.value = Mutex(value) }

    func with(_ body: (inout Value) -> Void) { value.withLock { body(&$0) } }
    var now: Value { value.withLock { $0 } }
}

/// What long campaigns say while they run.
enum Campaign {
    /// Prints a result at once, also where nobody but a file listens.
    static func report(_ text: String) {
        print(text)
        fflush(nil)
    }

    /// Says on standard error how far a long campaign is, twenty times in all.
    static func progress(_ index: Int, of count: Int, _ noun: String) {
        guard count >= 5_000, index.isMultiple(of: count / 20) else { return }
        FileHandle.standardError.write(Data("\(noun): \(index) of \(count)\n".utf8))
    }
}

/// Runs `body` for each number below `count`, two at a time.
func twoAtATime(
    _ count: Int, of noun: String = "parts", _ body: @Sendable @escaping (Int) async throws -> Void
) async throws {
    let next = Shared(0)
    try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<2 {
            group.addTask {
                while true {
                    let index = next.value.withLock { next in
                        defer { next += 1 }
                        return next
                    }
                    guard index < count else { return }
                    Campaign.progress(index, of: count, noun)
                    try await body(index)
                }
            }
        }
        try await group.waitForAll()
    }
}
