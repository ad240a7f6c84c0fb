import LinajeDomain
import Metrics

/// What the daemon counts about its connections (docs/telemetry.md).
struct ConnectionMetrics: Sendable {
    private let open = Meter(label: "linaje_connections")
    private let accepted = Counter(label: "linaje_connections_accepted_total")
    private let framesReceived = Counter(label: "linaje_frames_received_total")
    private let framesSent = Counter(label: "linaje_frames_sent_total")
    private let bytesReceived = Counter(label: "linaje_received_bytes_total")
    private let bytesSent = Counter(label: "linaje_sent_bytes_total")

    func opened() { open.increment() }

    func closed() { open.decrement() }

    /// The hello was answered.
    func greeted() { accepted.increment() }

    /// Counts what came with one read.
    func received(bytes: Int) { bytesReceived.increment(by: bytes) }

    /// Counts the frames that were taken in a row.
    func received(frames: Int) { framesReceived.increment(by: frames) }

    /// Counts what left with one write.
    func sent(frames: Int, bytes: Int) {
        framesSent.increment(by: frames)
        bytesSent.increment(by: bytes)
    }

    /// The daemon ends a connection: one that was not let in yet is refused, any other is cut.
    func ended(by code: LinajeError.Code, wasGreeted: Bool) {
        let name =
            wasGreeted ? "linaje_connections_cut_total" : "linaje_connections_refused_total"
        Counter(label: name, dimensions: [("reason", code.name)]).increment()
    }
}
