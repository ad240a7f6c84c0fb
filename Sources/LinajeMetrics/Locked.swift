import Glibc

/// A value behind a lock, for short critical sections that many threads contend for.
///
/// A plain POSIX mutex: `Synchronization.Mutex` uses a priority-inheriting futex on Linux, which
/// the kernel hands from thread to thread; with eight writers that costs a switch for each batch.
final class Locked<Value: Sendable>: @unchecked Sendable {
    // Safe because the value is Sendable and only reached through withLock, under the mutex.
    private var value: Value
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>

    init(_ value: Value) {
        self.value = value
        mutex = .allocate(capacity: 1)
        let result = pthread_mutex_init(mutex, nil)
        precondition(result == 0, "a mutex could not be made")
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Runs `body` with the value, alone.
    func withLock<Result, Failure: Error>(
        _ body: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&value)
    }
}
