import Synchronization

/// Waiting for something, but not for ever.
enum Patience {
    /// Waits until `body` is done, at most for `time`. A body that takes longer goes on, cancelled,
    /// and nobody waits for it: it may hang in a call to a daemon that does not answer.
    static func wait(_ time: Duration, for body: @escaping @Sendable () async -> Void) async {
        let (done, finish) = AsyncStream<Void>.makeStream()
        // Unstructured, because a structured child would be waited for.
        let work = Task {
            await body()
            finish.finish()
        }
        let timer = Task {
            try? await Task.sleep(for: time)
            finish.finish()
        }
        for await _ in done {}
        work.cancel()
        timer.cancel()
    }
}
