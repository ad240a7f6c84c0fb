public import LinajeDomain
import LinajeTransport
import LinajeWire
import NIOCore
import Synchronization

/// The series that batches of a stream speak of, checked and encoded once.
public struct MetricSeriesSet: Sendable {
    public let series: [MetricSeries]
    let encoding: MetricBatchEncoding

    /// - Throws: `invalidArgument` or `limitExceeded` naming the series that is not right.
    public init(_ series: [MetricSeries]) throws {
        // The rules are those of a batch, so a batch of one point is made to check them.
        _ = try MetricBatch(
            sequence: 1, series: series, seriesIndex: series.count == 1 ? [] : [0],
            columns: MetricColumns(steps: [0], times: [0], values: [0]))
        self.series = series
        encoding = MetricBatchEncoding(series)
    }
}

/// A stream of metric points of one writer into one run.
///
/// `send` numbers a batch and returns when it is on its way; `durableThrough` tells which batches
/// are on the daemon's disk. Batches that are not are kept, at most `unacknowledgedBytes`, and sent
/// again after a reconnect; the daemon stores each once. A stream ends by `finish` or `abandon`;
/// until then it keeps its connection.
public final class MetricStream: Sendable {
    /// Bytes of batches that may wait for their acknowledgement; more makes `send` wait.
    public static let unacknowledgedBytes = 16 << 20

    public let run: RunID
    public let writer: WriterID

    private typealias WireStream = ClientStream<Linaje_V1_MetricStreamOpened>

    private struct Batch {
        var sequence: UInt64
        var payload: [UInt8]
    }

    private enum Goal {
        case durable(UInt64)
        case room
        case ended
    }

    private struct Waiter {
        var token: UInt64
        var goal: Goal
        var continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var stream: WireStream?
        /// Batches without acknowledgement, by number; the first `sent` of them are on their way.
        var kept = CircularBuffer<Batch>()
        var sent = 0
        var keptBytes = 0
        var lastNumber: UInt64 = 0
        var durable: UInt64 = 0
        var isFinishing = false
        /// The daemon wants us to leave: the stream is ended in order and opened on another
        /// connection.
        var isLeaving = false
        var hasEnded = false
        var failure: (any Error)?
        var waiters: [Waiter] = []
        var nextToken: UInt64 = 0
        var pump: CheckedContinuation<Void, Never>?
        var conversation: Task<Void, Never>?
        /// What the daemon takes in one batch: what a stream may send before it gets more credit.
        var batchBytes = Limits.streamCredit
        var batchPoints = Limits.batchPoints
        /// What to do once the lock is let go: resume whoever waited.
        var wakeups: [@Sendable () -> Void] = []

        /// Lets the pump look again.
        mutating func wakePump() {
            guard let waiting = pump else { return }
            pump = nil
            wakeups.append { waiting.resume() }
        }
    }

    private enum Step {
        case broken(any Error)
        case idle
        case credit(Int)
        case done
    }

    private let client: LinajeClient
    private let replay: Bool
    private let reconnects: Bool
    private let state = Mutex(State())

    init(client: LinajeClient, run: RunID, writer: WriterID, replay: Bool, reconnects: Bool) {
        self.client = client
        self.run = run
        self.writer = writer
        self.replay = replay
        self.reconnects = reconnects
    }

    /// Works on the state, then resumes whoever need not wait any more; never under the lock, which
    /// cancellation handlers take too.
    private func locked<Value: Sendable, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let (result, wakeups) = state.withLock { state in
            let result: Result<Value, Failure>
            do throws(Failure) {
                result = .success(try body(&state))
            } catch {
                result = .failure(error)
            }
            let wakeups = state.wakeups
            if !wakeups.isEmpty { state.wakeups = [] }
            return (result, wakeups)
        }
        for wakeup in wakeups { wakeup() }
        return try result.get()
    }

    // MARK: Sending

    /// The highest batch number that is durable: fsynced, not only received.
    public var durableThrough: UInt64 { locked { $0.durable } }

    /// The number of the last batch that was sent.
    public var lastNumber: UInt64 { locked { $0.lastNumber } }

    /// Sends points of one series. More than fit in a batch become several.
    ///
    /// - Returns: the number of the last batch made of them; wait for it with `durable(through:)`.
    /// - Throws: `invalidArgument` for columns of different lengths; why the stream has failed.
    @discardableResult
    public func send(_ columns: MetricColumns, of series: MetricSeries) async throws -> UInt64 {
        try await send(columns, of: MetricSeriesSet([series]))
    }

    /// Sends points of several series; `index` tells for each point its place in `series`, and may
    /// be empty when there is one.
    @discardableResult
    public func send(
        _ columns: MetricColumns, of series: MetricSeriesSet, index: [UInt32] = []
    ) async throws -> UInt64 {
        let count = columns.count
        guard columns.steps.count == count, columns.times.count == count,
            series.series.count == 1 && index.isEmpty || index.count == count,
            index.allSatisfy({ Int($0) < series.series.count })
        else {
            throw LinajeError(
                .invalidArgument,
                "columns of the points differ in length or a series index points nowhere; give "
                    + "one step, time, value and index for each point")
        }
        let most = pointsPerBatch(series)
        if count <= most, count > 0 { return try await enqueue(columns, series, index) }
        var last = lastNumber
        for start in stride(from: 0, to: count, by: most) {
            let range = start..<min(start + most, count)
            let part = MetricColumns(
                steps: Array(columns.steps[range]), times: Array(columns.times[range]),
                values: Array(columns.values[range]))
            last = try await enqueue(part, series, index.isEmpty ? [] : Array(index[range]))
        }
        return last
    }

    /// Waits until the batch of this number is durable.
    ///
    /// - Throws: why the stream has failed.
    public func durable(through number: UInt64) async throws {
        try await wait(for: .durable(number))
    }

    /// Waits until everything is durable and ends the stream.
    ///
    /// - Returns: the last durable batch number.
    /// - Throws: why the stream has failed.
    @discardableResult
    public func finish() async throws -> UInt64 {
        locked { state in
            state.isFinishing = true
            state.wakePump()
        }
        try await wait(for: .ended)
        return durableThrough
    }

    /// Ends the stream at once; batches that are not durable may be lost.
    public func abandon() {
        let conversation = locked { state in
            fail(CancellationError(), &state)
            return state.conversation
        }
        conversation?.cancel()
    }

    private func pointsPerBatch(_ series: MetricSeriesSet) -> Int {
        let (bytes, points) = locked { ($0.batchBytes, $0.batchPoints) }
        let room = bytes - series.encoding.overheadBytes
        return max(1, min(points, room / MetricBatchEncoding.bytesPerPoint))
    }

    private func enqueue(
        _ columns: MetricColumns, _ series: MetricSeriesSet, _ index: [UInt32]
    ) async throws -> UInt64 {
        if locked({ $0.keptBytes > Self.unacknowledgedBytes }) {
            try await wait(for: .room)
        }
        return try locked { state in
            if let failure = state.failure { throw failure }
            guard !state.isFinishing else {
                throw LinajeError(.failedPrecondition, "metric stream of \(run) is finished")
            }
            let number = state.lastNumber + 1
            let payload = series.encoding.encode(
                sequence: number, seriesIndex: index, columns: columns)
            state.lastNumber = number
            state.kept.append(Batch(sequence: number, payload: payload))
            state.keptBytes += payload.count
            // The usual case leaves from here; without credit, or when the stream broke, the pump
            // takes over.
            if case .idle = push(&state) { return number }
            state.wakePump()
            return number
        }
    }

    /// Sends what can be sent now, in order.
    private func push(_ state: inout State) -> Step {
        guard let stream = state.stream else { return .idle }
        while state.sent < state.kept.count {
            let index = state.kept.index(state.kept.startIndex, offsetBy: state.sent)
            let payload = state.kept[index].payload
            do {
                guard try stream.trySend(payload) else { return .credit(payload.count) }
            } catch {
                return .broken(error)
            }
            state.sent += 1
        }
        return state.isFinishing ? .done : .idle
    }

    // MARK: The conversation with the daemon

    /// Opens the stream for the first time and keeps it going.
    func start() async throws {
        let stream = try await open()
        // Unstructured because acknowledgements come, and connections break, for as long as the
        // stream lives, whoever sends on it. It ends with `finish`, `abandon` or a failure.
        let task = Task { await self.converse(on: stream) }
        locked { $0.conversation = task }
    }

    private func open() async throws -> WireStream {
        var request = Linaje_V1_StreamMetricsRequest()
        request.runID = run.data
        request.writerID = writer.data
        request.replay = replay
        let connection = try await client.connections.connection()
        let stream = try await connection.open(Methods.streamMetrics, request)
        let durable = try await stream.response().durableThrough
        try locked { state in
            if let failure = state.failure { throw failure }
            guard durable >= state.durable else {
                throw LinajeError(
                    .corrupt,
                    "the daemon knows batches up to \(durable) of writer \(writer), but had "
                        + "acknowledged \(state.durable): its state is older than it was")
            }
            state.lastNumber = max(state.lastNumber, durable)
            state.sent = 0
            state.isLeaving = false
            state.batchBytes = min(state.batchBytes, Int(connection.hello.streamCredit))
            if connection.hello.limits.batchPoints > 0 {
                state.batchPoints = Int(connection.hello.limits.batchPoints)
            }
            acknowledge(durable, &state)
            state.stream = stream
        }
        return stream
    }

    private func converse(on first: WireStream) async {
        var stream: WireStream? = first
        while true {
            do {
                let current: WireStream
                if let stream { current = stream } else { current = try await reopen() }
                try await exchange(on: current)
                locked { end(&$0) }
                return
            } catch {
                stream = nil
                let mayRetry = (error as? LinajeError)?.isRetryable ?? false
                let isOver = locked { state in
                    state.stream = nil
                    if !(mayRetry && reconnects) { fail(error, &state) }
                    return state.failure != nil
                }
                if isOver { return }
            }
        }
    }

    /// Connects anew until it works or the client's patience ends.
    private func reopen() async throws -> WireStream {
        let deadline = ContinuousClock.now + client.configuration.patience
        var backoff = Backoff()
        while true {
            do {
                return try await open()
            } catch let error as LinajeError {
                guard error.isRetryable else { throw error }
                guard ContinuousClock.now < deadline else {
                    // No longer retryable by this stream: the caller decides.
                    throw GaveUp(last: error)
                }
            }
            try await backoff.wait()
        }
    }

    /// What ends a stream whose patience is over.
    private struct GaveUp: Error {
        var last: LinajeError
    }

    /// Sends and reads acknowledgements until the daemon has ended the stream.
    private func exchange(on stream: WireStream) async throws {
        if reconnects { stream.whenLeaving { [weak self] in self?.leave() } }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.readAcknowledgements(stream) }
            group.addTask { try await self.pump(stream) }
            // The first failure ends the other task, too.
            while try await group.next() != nil {}
        }
    }

    /// Sends nothing more on this stream; the pump ends it.
    private func leave() {
        locked { state in
            state.isLeaving = true
            state.stream = nil
            state.wakePump()
        }
    }

    private func readAcknowledgements(_ stream: WireStream) async throws {
        while let payload = try await stream.next() {
            let durable = try Linaje_V1_MetricAck(payload: payload).durableThrough
            locked { acknowledge(durable, &$0) }
        }
        let isComplete = locked { $0.isFinishing && $0.kept.isEmpty }
        guard isComplete else {
            throw LinajeError(.unavailable, "the daemon ended the metric stream of \(run)")
        }
    }

    private func pump(_ stream: WireStream) async throws {
        while !Task.isCancelled {
            if locked({ $0.isLeaving }) {
                stream.finish()
                return
            }
            switch locked({ push(&$0) }) {
            case .done:
                stream.finish()
                return
            case .broken(let error): throw error
            case .credit(let bytes): try await stream.credit(bytes)
            case .idle: await idle()
            }
        }
        throw CancellationError()
    }

    /// Waits until there is something to send that `send` could not send itself.
    private func idle() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isCancelled = Task.isCancelled
                locked { state in
                    let hasWork = state.sent < state.kept.count || state.isFinishing
                    if isCancelled || state.isLeaving || hasWork && state.stream != nil {
                        state.wakeups.append { continuation.resume() }
                    } else {
                        state.pump = continuation
                    }
                }
            }
        } onCancel: {
            locked { state in
                state.wakePump()
            }
        }
    }

    // MARK: Progress

    private func acknowledge(_ durable: UInt64, _ state: inout State) {
        state.durable = max(state.durable, durable)
        while let first = state.kept.first, first.sequence <= durable {
            state.kept.removeFirst()
            state.keptBytes -= first.payload.count
            state.sent = max(0, state.sent - 1)
        }
        wake(&state)
    }

    private func end(_ state: inout State) {
        state.hasEnded = true
        state.stream = nil
        wake(&state)
    }

    private func fail(_ error: any Error, _ state: inout State) {
        guard state.failure == nil, !state.hasEnded else { return }
        state.failure = (error as? GaveUp)?.last ?? error
        state.stream = nil
        wake(&state)
    }

    private func wake(_ state: inout State) {
        if state.waiters.isEmpty { return }
        var resumed: [@Sendable () -> Void] = []
        state.waiters = state.waiters.filter { waiter in
            guard let result = outcome(waiter.goal, state) else { return true }
            resumed.append { waiter.continuation.resume(with: result) }
            return false
        }
        state.wakeups += resumed
    }

    private func outcome(_ goal: Goal, _ state: State) -> Result<Void, any Error>? {
        switch goal {
        case .durable(let number) where state.durable >= number: return .success(())
        case .room where state.keptBytes <= Self.unacknowledgedBytes / 2: return .success(())
        case .ended where state.hasEnded: return .success(())
        default: return state.failure.map { .failure($0) }
        }
    }

    private func wait(for goal: Goal) async throws {
        let token = locked { state in
            state.nextToken += 1
            return state.nextToken
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation {
                (continuation: CheckedContinuation<Void, any Error>) in
                let isCancelled = Task.isCancelled
                locked { state in
                    if isCancelled {
                        state.wakeups.append {
                            continuation.resume(throwing: CancellationError())
                        }
                    } else if let result = outcome(goal, state) {
                        state.wakeups.append { continuation.resume(with: result) }
                    } else {
                        state.waiters.append(
                            Waiter(token: token, goal: goal, continuation: continuation))
                    }
                }
            }
        } onCancel: {
            locked { state in
                guard let index = state.waiters.firstIndex(where: { $0.token == token }) else {
                    return
                }
                let waiter = state.waiters.remove(at: index)
                state.wakeups.append {
                    waiter.continuation.resume(throwing: CancellationError())
                }
            }
        }
    }
}
