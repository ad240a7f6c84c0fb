package import LinajeDomain

/// One open stream of numbered batches of one (run, writer).
///
/// Only one is open at a time for each: opening it again takes over, and the older one ends with
/// `leaseHeld`. All methods may be called from any thread and never wait.
package final class MetricWriter: Sendable {
    /// What the owner of a writer is told after a commit.
    package struct Progress: Sendable, Hashable {
        /// Every batch with a number up to this one is fsynced. Numbers may repeat; when two
        /// reports cross, the higher one holds.
        package var durableThrough: UInt64
        /// Bytes of batches that no longer wait, whose credit may be given back.
        package var releasedBytes: Int

        package init(durableThrough: UInt64, releasedBytes: Int) {
            self.durableThrough = durableThrough
            self.releasedBytes = releasedBytes
        }
    }

    /// The highest batch number that was durable when the writer was opened; 0 for none.
    package let durableThrough: UInt64

    private let queue: IngestQueue
    private let channel: UInt64

    init(queue: IngestQueue, channel: UInt64, durableThrough: UInt64) {
        self.queue = queue
        self.channel = channel
        self.durableThrough = durableThrough
    }

    deinit { queue.close(channel) }

    /// Queues a batch for the next commit.
    ///
    /// A batch that is durable already is reported again; one that is queued already is not
    /// queued twice.
    ///
    /// - Parameter bytes: what the batch cost on the wire; it comes back in `releasedBytes`.
    /// - Throws: `failedPrecondition` for a batch ahead of the next number, `overloaded` when too
    ///   much waits already (the batch may be sent again), the writer's failure after one,
    ///   `unavailable` when the engine stops.
    package func submit(_ batch: MetricBatch, bytes: Int) throws {
        try queue.submit(batch, bytes: max(0, bytes), to: channel)
    }

    /// Calls `done` once everything submitted is durable, which may be at once; never after a
    /// failure, which `onFailure` tells.
    package func finish(_ done: @escaping @Sendable () -> Void) {
        queue.finish(channel, done)
    }

    /// Ends the stream. What is queued is still committed, but nothing is reported any more.
    package func close() { queue.close(channel) }
}
