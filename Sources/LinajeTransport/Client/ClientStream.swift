import LinajeDomain
import LinajeWire
import NIOCore
package import SwiftProtobuf
import Synchronization

/// One call on a connection: its answer, the data that comes and the data that goes.
///
/// One task at a time may wait for the answer, one for data, one for credit. A stream that is let
/// go before its end is cancelled.
package final class ClientStream<Response: Message & Sendable>: Sendable {
    private let connection: ClientConnection
    private let id: UInt32
    private var core: ConnectionCore { connection.core }

    init(connection: ClientConnection, id: UInt32) {
        self.connection = connection
        self.id = id
    }

    deinit {
        let (core, id) = (connection.core, id)
        core.locked { state in
            if state.machine.cancel(id) {
                ConnectionCore.enqueue(.cancel, stream: id, &state, core)
            }
            state.streams[id] = nil
            state.leaving[id] = nil
        }
    }

    /// Calls `body` once when the daemon asks this client to leave: what is open goes on for a
    /// moment, whatever is new needs another connection. At once when it has asked already.
    package func whenLeaving(_ body: @escaping @Sendable () -> Void) {
        let id = id
        core.locked { state in
            if state.isLeaving {
                state.wakeups.append(body)
            } else {
                state.leaving[id] = body
            }
        }
    }

    // MARK: What comes

    /// Waits for the answer of the method.
    ///
    /// - Throws: the daemon's error; `badMessage` when the answer is something else.
    package func response() async throws -> Response {
        try Response(payload: try await answer())
    }

    /// Waits for the bytes of the answer, which may be anything yet.
    ///
    /// - Throws: the daemon's error.
    package func answer() async throws -> [UInt8] {
        let (core, id) = (core, id)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isCancelled = Task.isCancelled
                core.locked { state in
                    if isCancelled {
                        state.wakeups.append { continuation.resume(throwing: CancellationError()) }
                    } else if let answer = state.streams[id]?.answer {
                        state.streams[id]?.answer = nil
                        state.wakeups.append { continuation.resume(returning: answer) }
                    } else if let end = state.streams[id]?.end {
                        state.wakeups.append { continuation.resume(throwing: Self.error(end)) }
                    } else {
                        state.streams[id]?.answerWaiter = continuation
                    }
                }
            }
        } onCancel: {
            cancel()
        }
    }

    /// Waits for the next data; `nil` after the last.
    ///
    /// - Throws: the daemon's error.
    package func next() async throws -> [UInt8]? {
        let (core, id) = (core, id)
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let isCancelled = Task.isCancelled
                core.locked { state in
                    if isCancelled {
                        state.wakeups.append { continuation.resume(throwing: CancellationError()) }
                    } else if let bytes = state.streams[id]?.inbox.popFirst() {
                        core.used(bytes.count, id, &state)
                        state.wakeups.append { continuation.resume(returning: bytes) }
                    } else if let end = state.streams[id]?.end {
                        switch end {
                        case .finished: state.wakeups.append { continuation.resume(returning: nil) }
                        case .failed(let error):
                            state.wakeups.append { continuation.resume(throwing: error) }
                        }
                    } else {
                        state.streams[id]?.inboxWaiter = continuation
                    }
                }
            }
        } onCancel: {
            cancel()
        }
    }

    /// Waits for the next data, and takes with it what else has come, about `bytes` of it at most;
    /// nothing after the last.
    ///
    /// - Throws: the daemon's error.
    package func nextBatch(upTo bytes: Int) async throws -> [[UInt8]] {
        guard let first = try await next() else { return [] }
        let (core, id) = (core, id)
        return core.locked { state in
            var batch = [first]
            var more = 0
            while first.count + more < bytes, let next = state.streams[id]?.inbox.popFirst() {
                more += next.count
                batch.append(next)
            }
            if more > 0 { core.used(more, id, &state) }
            return batch
        }
    }

    /// Lets the daemon send that many bytes more ahead of what is taken.
    package func widen(by bytes: Int) {
        let (core, id) = (core, id)
        core.locked { state in
            if state.machine.widen(bytes, stream: id) { core.grant(bytes, id, &state) }
        }
    }

    // MARK: What goes

    /// Sends a message in one data frame if there is credit for it now; says whether it did.
    ///
    /// - Throws: `limitExceeded` when it is longer than a stream's first credit, the stream's error
    ///   when it is over.
    package func trySend(_ message: [UInt8]) throws -> Bool {
        let (core, id) = (core, id)
        return try core.locked { state in
            try Self.checkOpen(state, id)
            guard message.count <= state.machine.firstStreamCredit else {
                throw LinajeError(
                    .limitExceeded,
                    "message of \(message.count) bytes is longer than a stream may send at once, "
                        + "\(state.machine.firstStreamCredit) bytes: split it")
            }
            let count = state.machine.reserve(message.count, least: message.count, stream: id)
            guard count == message.count else { return false }
            ConnectionCore.enqueue(
                FrameHeader(length: count, stream: id, type: .data), message[...], &state, core)
            return true
        }
    }

    /// Sends a message in one data frame; waits while there is no credit.
    package func send(_ message: [UInt8]) async throws {
        while try !trySend(message) { try await credit(message.count) }
    }

    /// Sends bytes in as many data frames as the credit makes of them; waits while there is none.
    package func send(bytes: [UInt8]) async throws {
        let (core, id) = (core, id)
        var sent = 0
        while sent < bytes.count {
            let count = try core.locked { state in
                try Self.checkOpen(state, id)
                let wanted = min(bytes.count - sent, ClientLimits.dataFrameBytes)
                let count = state.machine.reserve(wanted, least: 1, stream: id)
                guard count > 0 else { return 0 }
                ConnectionCore.enqueue(
                    FrameHeader(length: count, stream: id, type: .data),
                    bytes[sent..<(sent + count)], &state, core)
                return count
            }
            sent += count
            if count == 0 { try await credit(1) }
        }
    }

    /// Waits until `bytes` may be sent, or more credit came; the caller tries again.
    package func credit(_ bytes: Int) async throws {
        let (core, id) = (core, id)
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation {
                (continuation: CheckedContinuation<Void, any Error>) in
                let isCancelled = Task.isCancelled
                core.locked { state in
                    if isCancelled {
                        state.wakeups.append { continuation.resume(throwing: CancellationError()) }
                    } else if let end = state.streams[id]?.end {
                        state.wakeups.append { continuation.resume(throwing: Self.error(end)) }
                    } else if state.machine.hasCredit(bytes, stream: id) {
                        state.wakeups.append { continuation.resume() }
                    } else {
                        state.streams[id]?.creditWaiter = continuation
                    }
                }
            }
        } onCancel: {
            cancel()
        }
    }

    /// Says that no more data follows.
    package func finish() {
        let (core, id) = (core, id)
        core.locked { state in
            guard state.machine.finish(id) else { return }
            ConnectionCore.enqueue(.end, stream: id, &state, core)
        }
    }

    /// Ends the stream; who waits on it gets `CancellationError`.
    package func cancel() { fail(CancellationError()) }

    /// Ends the stream with `deadlineExceeded` unless it is over by then.
    func failAfter(_ deadline: Duration, method: String) -> Scheduled<Void>? {
        let loop = core.locked { $0.channel?.eventLoop }
        // The daemon ends the call itself; this is for a daemon that hangs.
        return loop?.scheduleTask(in: TimeAmount(deadline + .seconds(1))) { [weak self] in
            self?.fail(
                LinajeError(.deadlineExceeded, "\(method) was not answered within \(deadline)"))
        }
    }

    private func fail(_ error: any Error) {
        let (core, id) = (core, id)
        core.locked { state in
            if state.machine.cancel(id) {
                ConnectionCore.enqueue(.cancel, stream: id, &state, core)
            }
            if let entry = state.streams[id], entry.end == nil {
                core.end(id, .failed(error), &state)
            }
        }
    }

    private static func checkOpen(_ state: ConnectionCore.State, _ id: UInt32) throws {
        if let end = state.streams[id]?.end { throw error(end) }
        guard state.machine.maySend(id) else {
            throw LinajeError(.failedPrecondition, "stream \(id) takes no more data")
        }
    }

    private static func error(_ end: ConnectionCore.StreamEntry.End) -> any Error {
        switch end {
        case .finished: ConnectionCore.streamOver
        case .failed(let error): error
        }
    }
}

/// Bounds of the client that the protocol leaves open.
package enum ClientLimits {
    /// Longest data frame of a file: small enough for several to be under way in a stream's credit.
    package static let dataFrameBytes = 64 << 10
}
