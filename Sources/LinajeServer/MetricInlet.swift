import LinajeDomain
import LinajeMetrics
import LinajeServices
import LinajeTransport
import LinajeWire
import NIOCore

/// A metric stream on its event loop: decodes batches and hands them to the ingest queue.
///
/// A client may send before it knows that the stream is open: what comes early waits, bounded by
/// the stream's credit.
final class MetricInlet: Sendable {
    private struct State {
        var writer: MetricWriter?
        var early: [[UInt8]] = []
        var isFinished: Bool
        var isClosed = false
    }

    /// Told when the stream ends by itself, with the error that ended it.
    typealias Over = @Sendable (LinajeError.Code?) -> Void

    private let connection: ServerConnection
    private let stream: UInt32
    private let opcode: UInt16
    private let state: NIOLoopBoundBox<State>
    private let over: Over

    /// Called on the event loop.
    ///
    /// - Parameter over: called on the event loop when the stream ends by itself.
    init(
        connection: ServerConnection, stream: UInt32, opcode: UInt16, hasData: Bool,
        over: @escaping Over
    ) {
        self.over = over
        self.connection = connection
        self.stream = stream
        self.opcode = opcode
        state = NIOLoopBoundBox(State(isFinished: !hasData), eventLoop: connection.eventLoop)
    }

    /// What opens the writer, to run as a task.
    func opener(
        _ request: Linaje_V1_StreamMetricsRequest, _ service: MetricService
    ) throws -> @Sendable () async throws -> Void {
        let run = try RunID(request.runID)
        let writerID = try WriterID(request.writerID)
        let replay = request.replay
        let connection = connection
        let stream = stream
        return { [self] in
            let writer = try await service.openWriter(
                run: run, writer: writerID, replay: replay,
                onDurable: { progress in
                    var ack = Linaje_V1_MetricAck()
                    ack.durableThrough = progress.durableThrough
                    connection.acknowledge(
                        (try? ack.payload()) ?? [], releasing: progress.releasedBytes,
                        stream: stream)
                },
                onFailure: { [over] error in
                    connection.fail(stream: stream, error)
                    connection.eventLoop.execute { over(error.code) }
                })
            connection.eventLoop.execute { self.opened(writer) }
        }
    }

    /// A batch has come; on the event loop.
    ///
    /// - Throws: what is wrong with it; the stream must end.
    func take(_ payload: [UInt8]) throws {
        guard let writer = state.value.writer else {
            state.value.early.append(payload)
            return
        }
        let batch = try MetricBatch(try Linaje_V1_MetricBatch(payload: payload))
        try writer.submit(batch, bytes: payload.count)
    }

    /// The client has sent all; on the event loop.
    func finish() {
        state.value.isFinished = true
        let connection = connection
        let stream = stream
        state.value.writer?.finish { [over] in
            // Behind the acknowledgements that the committer has handed to the loop: the last one
            // must leave before the end.
            connection.eventLoop.execute {
                connection.end(stream: stream)
                over(nil)
            }
        }
    }

    /// The stream is over; on the event loop.
    func close() {
        state.value.isClosed = true
        state.value.writer?.close()
        state.value.writer = nil
        state.value.early = []
    }

    private func opened(_ writer: MetricWriter) {
        guard !state.value.isClosed else {
            writer.close()
            return
        }
        var answer = Linaje_V1_MetricStreamOpened()
        answer.durableThrough = writer.durableThrough
        connection.respond(
            stream: stream, opcode: opcode, payload: (try? answer.payload()) ?? [], end: false)
        state.value.writer = writer
        let early = state.value.early
        state.value.early = []
        do {
            for payload in early { try take(payload) }
            if state.value.isFinished { finish() }
        } catch {
            let error =
                (error as? LinajeError)
                ?? LinajeError(.internalError, "the daemon has a fault; its log says more")
            connection.fail(stream: stream, error)
            over(error.code)
        }
    }
}
