import Synchronization

/// Runs an asynchronous call to its end on this thread. Sources in memory never wait for anything, so
/// this costs a task and no switch of threads.
func runHere<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) throws -> Value
{
    let executor = HereExecutor()
    let result = Mutex<Result<Value, any Error>?>(nil)
    Task(executorPreference: executor) {
        let value: Result<Value, any Error>
        do { value = .success(try await body()) } catch { value = .failure(error) }
        result.withLock { $0 = value }
    }
    executor.drain()
    guard let answer = result.withLock({ $0 }) else {
        FuzzProgram.fail("waits for something that is not its source")
    }
    return try answer.get()
}

/// Keeps jobs until `drain` runs them.
private final class HereExecutor: TaskExecutor {
    private let jobs = Mutex<[UnownedJob]>([])

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
    }

    func drain() {
        while let job = jobs.withLock({ $0.popLast() }) {
            job.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}
