import LinajeDomain
import LinajeWire
import NIOCore
import Synchronization

/// The state of a client's connection, shared by its callers and the event loop.
///
/// One lock guards it all: the rules (`ClientConnectionStateMachine`), the bytes that wait for the
/// next flush, and who waits for what. Frames are put into `outgoing` under the lock, which makes
/// their order on the wire the order in which streams were numbered. Many frames leave in one
/// write. Continuations are resumed after the lock is let go: a cancellation handler, which takes the
/// lock too, may run while the runtime holds locks that resuming needs.
final class ConnectionCore: Sendable {
    struct State {
        var machine = ClientConnectionStateMachine()
        var channel: (any Channel)?
        var outgoing = ByteBuffer()
        var flushIsScheduled = false
        var streams: [UInt32: StreamEntry] = [:]
        var openings = CircularBuffer<Opening>()
        var nextOpening: UInt64 = 0
        /// Whom to tell that the daemon wants this client to leave, by stream.
        var leaving: [UInt32: @Sendable () -> Void] = [:]
        var isLeaving = false
        var pings: [UInt64: CheckedContinuation<Void, any Error>] = [:]
        var nextPing: UInt64 = 1
        var greeting: Greeting = .awaited(nil)
        /// Why the connection is over.
        var failure: LinajeError?
        /// What to do once the lock is let go: resume whoever waited.
        var wakeups: [@Sendable () -> Void] = []
    }

    enum Greeting {
        case awaited(CheckedContinuation<Linaje_V1_ServerHello, any Error>?)
        case arrived(Linaje_V1_ServerHello)
    }

    /// A request that waits for credit or for a free stream.
    struct Opening {
        var token: UInt64
        var opcode: UInt16
        var payload: [UInt8]
        var hasData: Bool
        var continuation: CheckedContinuation<UInt32, any Error>
    }

    /// What came on a stream and who waits for it.
    struct StreamEntry {
        enum End: Sendable {
            case finished
            case failed(any Error)
        }

        var answer: [UInt8]?
        var answerWaiter: CheckedContinuation<[UInt8], any Error>?
        var inbox = CircularBuffer<[UInt8]>()
        var inboxWaiter: CheckedContinuation<[UInt8]?, any Error>?
        var creditWaiter: CheckedContinuation<Void, any Error>?
        var end: End?
    }

    private let state = Mutex(State())

    /// Works on the state, then resumes whoever need not wait any more.
    func locked<Value: Sendable, Failure: Error>(
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

    /// Appends a frame to what leaves with the next flush.
    static func enqueue(
        _ header: FrameHeader, _ payload: ArraySlice<UInt8>, _ state: inout State,
        _ core: ConnectionCore
    ) {
        guard state.failure == nil else { return }
        state.outgoing.writeInteger(UInt32(header.length))
        state.outgoing.writeInteger(header.stream)
        state.outgoing.writeInteger(header.type.rawValue)
        state.outgoing.writeInteger(header.flags)
        state.outgoing.writeInteger(header.opcode)
        state.outgoing.writeBytes(payload)
        core.scheduleFlush(&state)
    }

    static func enqueue(
        _ type: FrameType, stream: UInt32 = 0, payload: [UInt8] = [], _ state: inout State,
        _ core: ConnectionCore
    ) {
        enqueue(
            FrameHeader(length: payload.count, stream: stream, type: type), payload[...], &state,
            core)
    }

    func scheduleFlush(_ state: inout State) {
        guard !state.flushIsScheduled, let channel = state.channel else { return }
        state.flushIsScheduled = true
        channel.eventLoop.execute { self.flush() }
    }

    private func flush() {
        let (channel, bytes) = locked { state -> ((any Channel)?, ByteBuffer) in
            state.flushIsScheduled = false
            let bytes = state.outgoing
            state.outgoing = ByteBuffer()
            return (state.channel, bytes)
        }
        guard bytes.readableBytes > 0 else { return }
        // A write that fails makes the channel inactive, which fails every stream.
        channel?.writeAndFlush(bytes, promise: nil)
    }

    // MARK: Opening streams

    /// Sends a request; waits while there is no credit or no free stream. Requests leave in the
    /// order of the calls.
    func open(opcode: UInt16, payload: [UInt8], hasData: Bool) async throws -> UInt32 {
        let token = locked { state in
            state.nextOpening += 1
            return state.nextOpening
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isCancelled = Task.isCancelled
                locked { state in
                    if isCancelled {
                        state.wakeups.append { continuation.resume(throwing: CancellationError()) }
                        return
                    }
                    if let failure = state.failure {
                        state.wakeups.append { continuation.resume(throwing: failure) }
                        return
                    }
                    state.openings.append(
                        Opening(
                            token: token, opcode: opcode, payload: payload, hasData: hasData,
                            continuation: continuation))
                    openWaiting(&state)
                }
            }
        } onCancel: {
            locked { state in
                guard let index = state.openings.firstIndex(where: { $0.token == token }) else {
                    return
                }
                let opening = state.openings.remove(at: index)
                state.wakeups.append {
                    opening.continuation.resume(throwing: CancellationError())
                }
            }
        }
    }

    /// Opens as many of the waiting streams as may be opened now.
    private func openWaiting(_ state: inout State) {
        while let next = state.openings.first {
            switch state.machine.open(requestBytes: next.payload.count, hasData: next.hasData) {
            case .wait: return
            case .refused(let error):
                state.openings.removeFirst()
                state.wakeups.append { next.continuation.resume(throwing: error) }
            case .opened(let stream):
                state.openings.removeFirst()
                state.streams[stream] = StreamEntry()
                let header = FrameHeader(
                    length: next.payload.count, stream: stream, type: .request,
                    flags: next.hasData ? 0 : FrameHeader.endFlag, opcode: next.opcode)
                Self.enqueue(header, next.payload[...], &state, self)
                state.wakeups.append { next.continuation.resume(returning: stream) }
            }
        }
    }

    // MARK: Receiving

    /// Takes a frame in, on the event loop.
    ///
    /// - Throws: when the server broke the rules; the connection must be closed.
    func receive(_ header: FrameHeader, _ payload: [UInt8]) throws {
        try locked { state in
            let action = try state.machine.receive(header, payload: payload)
            switch action {
            case .welcome(let hello):
                if case .awaited(let waiter) = state.greeting {
                    state.wakeups.append { waiter?.resume(returning: hello) }
                }
                state.greeting = .arrived(hello)
                openWaiting(&state)
            case .response(let stream, let bytes, let isEnd):
                answer(stream, bytes, isEnd: isEnd, &state)
            case .data(let stream, let bytes): deliver(bytes, stream, &state)
            case .finished(let stream): end(stream, .finished, &state)
            case .failed(let stream, let failure):
                end(stream, .failed(LinajeError(failure)), &state)
            case .rejected(let failure): throw LinajeError(failure)
            case .credit(let stream):
                wakeSenders(stream, &state)
                if stream == 0 { openWaiting(&state) }
            case .answerPing(let bytes): Self.enqueue(.pong, payload: bytes, &state, self)
            case .pong(let number):
                let waiter = state.pings.removeValue(forKey: number)
                state.wakeups.append { waiter?.resume() }
            case .goaway:
                state.isLeaving = true
                state.wakeups += state.leaving.values
                state.leaving.removeAll()
                openWaiting(&state)
            case .ignore: break
            }
        }
    }

    private func answer(_ stream: UInt32, _ bytes: [UInt8], isEnd: Bool, _ state: inout State) {
        if let waiter = state.streams[stream]?.answerWaiter {
            state.streams[stream]?.answerWaiter = nil
            state.wakeups.append { waiter.resume(returning: bytes) }
        } else {
            state.streams[stream]?.answer = bytes
        }
        if isEnd { end(stream, .finished, &state) }
    }

    private func deliver(_ bytes: [UInt8], _ stream: UInt32, _ state: inout State) {
        if let waiter = state.streams[stream]?.inboxWaiter {
            state.streams[stream]?.inboxWaiter = nil
            used(bytes.count, stream, &state)
            state.wakeups.append { waiter.resume(returning: bytes) }
        } else {
            state.streams[stream]?.inbox.append(bytes)
        }
    }

    /// Tells the server that a consumer has taken bytes.
    func used(_ bytes: Int, _ stream: UInt32, _ state: inout State) {
        guard let granted = state.machine.used(bytes, stream: stream) else { return }
        grant(granted, stream, &state)
    }

    /// Sends a credit frame.
    func grant(_ bytes: Int, _ stream: UInt32, _ state: inout State) {
        var credit = Linaje_V1_Credit()
        credit.bytes = UInt32(clamping: bytes)
        guard let payload = try? credit.payload() else { return }
        Self.enqueue(.credit, stream: stream, payload: payload, &state, self)
    }

    /// The stream is over: everybody who waits on it learns it.
    func end(_ stream: UInt32, _ end: StreamEntry.End, _ state: inout State) {
        defer { openWaiting(&state) }
        guard var entry = state.streams[stream] else { return }
        entry.end = end
        let error =
            switch end {
            case .finished: Self.streamOver as any Error
            case .failed(let error): error
            }
        let (answer, credit, inbox) = (entry.answerWaiter, entry.creditWaiter, entry.inboxWaiter)
        (entry.answerWaiter, entry.creditWaiter, entry.inboxWaiter) = (nil, nil, nil)
        state.wakeups.append {
            answer?.resume(throwing: error)
            credit?.resume(throwing: error)
            switch end {
            case .finished: inbox?.resume(returning: nil)
            case .failed(let error): inbox?.resume(throwing: error)
            }
        }
        state.streams[stream] = entry
    }

    private func wakeSenders(_ stream: UInt32, _ state: inout State) {
        let ids = stream == 0 ? Array(state.streams.keys) : [stream]
        for id in ids {
            guard let waiter = state.streams[id]?.creditWaiter else { continue }
            state.streams[id]?.creditWaiter = nil
            state.wakeups.append { waiter.resume() }
        }
    }

    // MARK: The end

    /// The connection is over; everybody who waits learns why. Later reasons are ignored.
    func fail(_ error: LinajeError) {
        let channel = locked { state -> (any Channel)? in
            guard state.failure == nil else { return nil }
            state.failure = error
            if case .awaited(let waiter) = state.greeting {
                state.wakeups.append { waiter?.resume(throwing: error) }
                state.greeting = .awaited(nil)
            }
            for opening in state.openings {
                state.wakeups.append { opening.continuation.resume(throwing: error) }
            }
            state.openings.removeAll()
            for ping in state.pings.values {
                state.wakeups.append { ping.resume(throwing: error) }
            }
            state.pings.removeAll()
            for stream in Array(state.streams.keys) where state.streams[stream]?.end == nil {
                end(stream, .failed(error), &state)
            }
            return state.channel
        }
        channel?.close(promise: nil)
    }

    static let streamOver = LinajeError(
        .unavailable, "the daemon ended the stream before all was sent; try again")
}
