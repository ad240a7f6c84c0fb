import LinajeDomain

/// The batches of all writers that wait for the next commit, bounded in bytes, under one lock.
///
/// A *channel* is one open stream of a writer. The committer takes everything that waits at once;
/// while its commit runs, the next one gathers. Callbacks are called without the lock.
final class IngestQueue: Sendable {
    typealias ProgressCallback = @Sendable (MetricWriter.Progress) -> Void
    typealias FailureCallback = @Sendable (LinajeError) -> Void

    /// Whose batches they are.
    struct Key: Sendable, Hashable {
        var run: RunID
        var writer: WriterID
    }

    /// What one writer adds to a commit.
    struct Group: Sendable {
        var channel: UInt64
        var key: Key
        var batches: [MetricBatch]
        var bytes: Int
        /// The number that was durable before.
        var durableBefore: UInt64

        var lastSequence: UInt64 { batches.last?.sequence ?? durableBefore }
    }

    struct Channel {
        var key: Key
        var progress: ProgressCallback
        var failed: FailureCallback
        var isOpening = true
        var isClosed = false
        var failure: LinajeError?
        /// The number the next batch must have.
        var next: UInt64 = 1
        var durable: UInt64 = 0
        var pending: [MetricBatch] = []
        var pendingBytes = 0
        var isCommitting = false
        var finishers: [@Sendable () -> Void] = []
        var drained: [@Sendable () -> Void] = []

        var isIdle: Bool { !isOpening && pending.isEmpty && !isCommitting }
    }

    struct State {
        var channels: [UInt64: Channel] = [:]
        var byKey: [Key: UInt64] = [:]
        var nextChannel: UInt64 = 1
        /// Channels with pending batches, in the order they got their first.
        var ready: [UInt64] = []
        var queuedBytes = 0
        var isStopping = false
        var failure: LinajeError?
        var committer: CheckedContinuation<Void, Never>?
        /// How often the committer took something, and how many of these it is done with.
        var taken: UInt64 = 0
        var finished: UInt64 = 0
        /// Who waits until how many are done with.
        var readers: [UInt64: (round: UInt64, continuation: CheckedContinuation<Void, Never>)] = [:]
        var nextReader: UInt64 = 1
    }

    /// Things to call once the lock is given back.
    typealias Calls = [@Sendable () -> Void]

    /// Bytes of batches that may wait.
    let limit: Int
    let state = Locked(State())

    init(limit: Int) { self.limit = limit }

    /// Bytes of batches that are not durable yet.
    var queuedBytes: Int { state.withLock { $0.queuedBytes } }

    /// The failure that ended all writing.
    var failure: LinajeError? { state.withLock { $0.failure } }

    // MARK: Opening and closing

    /// Registers a new channel and takes over from an older one of the same key, which fails with
    /// `leaseHeld`. Returns once everything the older ones had queued is durable or refused.
    ///
    /// - Throws: the engine's failure; `unavailable` when it stops.
    func open(
        _ key: Key, progress: @escaping ProgressCallback, failed: @escaping FailureCallback
    ) async throws -> UInt64 {
        let (channel, older, calls) = try state.withLock { state in
            try Self.refuse(state)
            let channel = state.nextChannel
            state.nextChannel += 1
            state.channels[channel] = Channel(key: key, progress: progress, failed: failed)
            let older = state.byKey.updateValue(channel, forKey: key)
            let calls = older.map { Self.supersede($0, in: &state) } ?? []
            return (channel, older, calls)
        }
        calls.forEach { $0() }
        if let older {
            await withCheckedContinuation { continuation in
                let isIdle = state.withLock { state in
                    guard state.channels[older]?.isIdle == false else { return true }
                    state.channels[older]?.drained.append { continuation.resume() }
                    return false
                }
                if isIdle { continuation.resume() }
            }
        }
        return channel
    }

    /// Lets batches in after `durable`.
    ///
    /// - Throws: `leaseHeld` when somebody took over in the meantime.
    func activate(_ channel: UInt64, durable: UInt64) throws {
        let (failure, calls) = state.withLock { state -> (LinajeError?, Calls) in
            state.channels[channel]?.isOpening = false
            state.channels[channel]?.durable = durable
            state.channels[channel]?.next = durable &+ 1
            let failure = state.channels[channel]?.failure ?? state.failure
            return (failure, Self.settle(channel, in: &state))
        }
        calls.forEach { $0() }
        if let failure {
            close(channel)
            throw failure
        }
    }

    /// Forgets the channel as soon as nothing of it is queued.
    func close(_ channel: UInt64) {
        let calls = state.withLock { state -> Calls in
            state.channels[channel]?.isClosed = true
            state.channels[channel]?.isOpening = false
            state.channels[channel]?.finishers = []
            return Self.settle(channel, in: &state)
        }
        calls.forEach { $0() }
    }

    // MARK: Batches

    func submit(_ batch: MetricBatch, bytes: Int, to channel: UInt64) throws {
        enum Outcome {
            case queued(CheckedContinuation<Void, Never>?)
            case known(ProgressCallback, MetricWriter.Progress)
        }
        let outcome = try state.withLock { state -> Outcome in
            try Self.refuse(state)
            guard let found = state.channels.index(forKey: channel),
                !state.channels.values[found].isClosed
            else { throw LinajeError(.failedPrecondition, "metric stream is closed; open it") }
            if let failure = state.channels.values[found].failure { throw failure }
            let next = state.channels.values[found].next
            guard batch.sequence == next else {
                guard batch.sequence < next else { throw Self.gap(batch.sequence, next) }
                // A copy costs no memory once this returns, so its credit comes back now.
                return .known(
                    state.channels.values[found].progress,
                    MetricWriter.Progress(
                        durableThrough: state.channels.values[found].durable,
                        releasedBytes: bytes))
            }
            guard bytes <= limit - state.queuedBytes else { throw Self.overloaded(limit) }
            state.queuedBytes += bytes
            state.channels.values[found].next = next &+ 1
            state.channels.values[found].pendingBytes += bytes
            if state.channels.values[found].pending.isEmpty { state.ready.append(channel) }
            state.channels.values[found].pending.append(batch)
            return .queued(state.committer.take())
        }
        switch outcome {
        case .queued(let committer): committer?.resume()
        case .known(let callback, let progress): callback(progress)
        }
    }

    func finish(_ channel: UInt64, _ done: @escaping @Sendable () -> Void) {
        let isDone = state.withLock { state -> Bool in
            guard let found = state.channels.index(forKey: channel),
                !state.channels.values[found].isClosed,
                state.channels.values[found].failure == nil, state.failure == nil
            else { return false }
            if state.channels.values[found].isIdle { return true }
            state.channels.values[found].finishers.append(done)
            return false
        }
        if isDone { done() }
    }

    // MARK: The committer's side

    /// Everything that waits, as soon as something does; `nil` once the queue is stopped and
    /// empty. Called by one task only.
    func take() async -> [Group]? {
        while true {
            let (groups, isOver) = state.withLock { state -> ([Group], Bool) in
                let groups = state.ready.compactMap { Self.takeGroup($0, from: &state) }
                state.ready.removeAll(keepingCapacity: true)
                if !groups.isEmpty { state.taken += 1 }
                return (groups, state.isStopping)
            }
            if !groups.isEmpty { return groups }
            if isOver { return nil }
            await withCheckedContinuation { continuation in
                let isNow = state.withLock { state in
                    guard state.ready.isEmpty, !state.isStopping else { return true }
                    state.committer = continuation
                    return false
                }
                if isNow { continuation.resume() }
            }
        }
    }

    /// Reports the groups as durable; then tells who waits for that.
    func committed(_ groups: [Group]) {
        let reports = state.withLock { state -> Calls in
            var calls: Calls = []
            for group in groups {
                state.queuedBytes -= group.bytes
                guard let found = state.channels.index(forKey: group.channel) else { continue }
                state.channels.values[found].durable = group.lastSequence
                if !state.channels.values[found].isClosed,
                    state.channels.values[found].failure == nil
                {
                    // Only the callback is kept: a copy of the channel would share its batches.
                    let callback = state.channels.values[found].progress
                    let progress = MetricWriter.Progress(
                        durableThrough: group.lastSequence, releasedBytes: group.bytes)
                    calls.append { callback(progress) }
                }
            }
            return calls
        }
        reports.forEach { $0() }
        // Idle only after the reports: whoever asks for the end of a stream in between must hear of
        // it after the last report, not before.
        let calls = state.withLock { state in
            let calls = groups.flatMap { group in
                state.channels[group.channel]?.isCommitting = false
                return Self.settle(group.channel, in: &state)
            }
            return calls + Self.finishRound(in: &state)
        }
        calls.forEach { $0() }
    }

    /// Refuses the groups, and what their writers queued behind them: those writers have to open
    /// again and send what is not durable.
    func refused(_ groups: [Group], _ error: LinajeError) {
        let calls = state.withLock { state -> Calls in
            var calls: Calls = []
            for group in groups {
                state.queuedBytes -= group.bytes
                state.channels[group.channel]?.isCommitting = false
                calls += Self.fail(group.channel, error, in: &state)
            }
            state.ready.removeAll { state.channels[$0]?.pending.isEmpty ?? true }
            return calls + Self.finishRound(in: &state)
        }
        calls.forEach { $0() }
    }

    /// Ends all writing for good: after this, nothing is ever reported as durable.
    func failed(_ error: LinajeError) {
        let calls = state.withLock { state -> Calls in
            guard state.failure == nil else { return [] }
            state.failure = error
            var calls: Calls = []
            for channel in Array(state.channels.keys) {
                state.channels[channel]?.isCommitting = false
                calls += Self.fail(channel, error, in: &state)
            }
            state.ready = []
            state.queuedBytes = 0
            return calls + Self.finishRound(in: &state)
        }
        calls.forEach { $0() }
    }

    /// Lets nothing in any more; `take` returns what is left, then `nil`.
    func stop() {
        let committer = state.withLock { state in
            state.isStopping = true
            return state.committer.take()
        }
        committer?.resume()
    }

    // MARK: Under the lock

    private static func refuse(_ state: State) throws {
        if let failure = state.failure { throw failure }
        if state.isStopping {
            throw LinajeError(.unavailable, "daemon is stopping; try again in a moment")
        }
    }

    private static func takeGroup(_ id: UInt64, from state: inout State) -> Group? {
        guard let found = state.channels.index(forKey: id),
            !state.channels.values[found].pending.isEmpty
        else { return nil }
        let group = Group(
            channel: id, key: state.channels.values[found].key,
            batches: state.channels.values[found].pending,
            bytes: state.channels.values[found].pendingBytes,
            durableBefore: state.channels.values[found].durable)
        state.channels.values[found].pending = []
        state.channels.values[found].pendingBytes = 0
        state.channels.values[found].isCommitting = true
        return group
    }

    /// Makes the channel fail, drops what it has queued and tells its owner.
    static func fail(_ id: UInt64, _ error: LinajeError, in state: inout State) -> Calls {
        guard let found = state.channels.index(forKey: id) else { return [] }
        state.queuedBytes -= state.channels.values[found].pendingBytes
        state.channels.values[found].pendingBytes = 0
        state.channels.values[found].pending = []
        state.channels.values[found].finishers = []
        let channel = state.channels.values[found]
        var calls = settle(id, in: &state)
        if channel.failure == nil {
            state.channels[id]?.failure = error
            if !channel.isClosed { calls.append { channel.failed(error) } }
        }
        return calls
    }

    /// Ends a channel that another one takes over from; what it has queued is still committed.
    private static func supersede(_ id: UInt64, in state: inout State) -> Calls {
        guard let found = state.channels.index(forKey: id) else { return [] }
        let channel = state.channels.values[found]
        guard channel.failure == nil else { return [] }
        let error = LinajeError(
            .leaseHeld,
            "writer \(channel.key.writer) of run \(channel.key.run) was opened by somebody else, "
                + "who took over; use a writer id of your own")
        state.channels.values[found].failure = error
        state.channels.values[found].finishers = []
        return channel.isClosed ? [] : [{ channel.failed(error) }]
    }

    /// Once nothing of the channel is queued: tells who waits for that, forgets a closed channel.
    static func settle(_ id: UInt64, in state: inout State) -> Calls {
        guard let found = state.channels.index(forKey: id), state.channels.values[found].isIdle
        else { return [] }
        let calls =
            state.channels.values[found].finishers + state.channels.values[found].drained
        state.channels.values[found].drained = []
        state.channels.values[found].finishers = []
        if state.channels.values[found].isClosed {
            let key = state.channels.values[found].key
            state.channels.remove(at: found)
            if state.byKey[key] == id { state.byKey[key] = nil }
        }
        return calls
    }

    private static func gap(_ sequence: UInt64, _ next: UInt64) -> LinajeError {
        LinajeError(
            .failedPrecondition,
            "metric batch \(sequence) is ahead of the next number \(next); send the ones between",
            details: ["next": String(next)])
    }

    private static func overloaded(_ limit: Int) -> LinajeError {
        let error = LinajeError(
            .overloaded,
            "more than \(ByteCount(UInt64(max(0, limit)))) of metric batches wait to be stored; "
                + "send the batch again a moment later")
        IngestMetrics.refused(1, error)
        return error
    }
}
