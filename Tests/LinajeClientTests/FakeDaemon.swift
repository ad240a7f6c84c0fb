import Foundation
import Glibc
import LinajeDomain
import LinajeWire
import Synchronization

/// A daemon that follows a script: it says hello, and what it does about each frame after that is
/// the test's. It serves one connection after the other on a thread of its own.
final class FakeDaemon: Sendable {
    /// A frame that a client sent.
    struct Received: Sendable {
        var header: FrameHeader
        var payload: [UInt8]
    }

    /// What to do about a frame.
    enum Reply: Sendable {
        case frames([Frame])
        /// Close the connection without a word.
        case hangUp
    }

    let socket: String
    private let listener: Int32
    private let folder: TemporaryFolder
    private let script: @Sendable (_ connection: Int, Received) -> Reply
    private let saysHello: Bool

    init(
        saysHello: Bool = true, _ script: @escaping @Sendable (Int, Received) -> Reply
    ) throws {
        folder = try TemporaryFolder()
        socket = folder.at("s")
        self.script = script
        self.saysHello = saysHello
        let opened = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        listener = opened
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let path = Array(socket.utf8)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(opened, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0, listen(opened, 8) == 0 else {
            throw LinajeError(.internalError, "the fake daemon cannot listen")
        }
        let serve = serve
        Thread.detachNewThread {
            var number = 0
            while true {
                let connection = accept(opened, nil, nil)
                guard connection >= 0 else { return }
                serve(connection, number)
                close(connection)
                number += 1
            }
        }
    }

    /// Ends the thread.
    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    private var serve: @Sendable (Int32, Int) -> Void {
        let (script, saysHello) = (script, saysHello)
        return { connection, number in
            guard Self.read(connection, 8) == FrameHeader.preface else { return }
            while let received = Self.frame(connection) {
                var frames: [Frame] = []
                if received.header.type == .hello {
                    if saysHello { frames = Self.greeting }
                } else {
                    guard case .frames(let replies) = script(number, received) else { return }
                    frames = replies
                }
                for frame in frames {
                    let bytes = frame.bytes
                    guard send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL)) > 0
                    else { return }
                }
            }
        }
    }

    private static var greeting: [Frame] {
        var hello = Linaje_V1_ServerHello()
        hello.agent = "fake"
        hello.connectionCredit = 32_768
        hello.streamCredit = 262_144
        hello.principal = "uid:1"
        hello.role = "writer"
        return [
            Frame(.hello, payload: (try? hello.payload()) ?? []), credit(4 << 20, stream: 0),
        ]
    }

    static func credit(_ bytes: Int, stream: UInt32) -> Frame {
        var message = Linaje_V1_Credit()
        message.bytes = UInt32(bytes)
        return Frame(.credit, stream: stream, payload: (try? message.payload()) ?? [])
    }

    private static func frame(_ connection: Int32) -> Received? {
        guard let head = read(connection, FrameHeader.size),
            let header = try? head.withUnsafeBytes({ try FrameHeader(parsing: $0) }),
            let payload = read(connection, header.length)
        else { return nil }
        return Received(header: header, payload: payload)
    }

    private static func read(_ connection: Int32, _ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var got = 0
        while got < count {
            let result = bytes.withUnsafeMutableBytes { raw in
                recv(connection, raw.baseAddress.map { $0 + got }, count - got, 0)
            }
            guard result > 0 else { return nil }
            got += result
        }
        return bytes
    }
}

/// The metric side of a fake daemon: keeps batches by number and hangs up now and then after it
/// stored a batch and before it said so.
final class FakeMetricStore: Sendable {
    struct State {
        var batches: [Linaje_V1_MetricBatch] = []
        var sinceHangUp = 0
        var opened = 0
        /// Numbers that came although they were stored already.
        var repeated = 0
    }

    let state = Mutex(State())
    /// Hang up after so many new batches; `nil`: never.
    private let hangUpAfter: Int?

    init(hangUpAfter: Int?) { self.hangUpAfter = hangUpAfter }

    func reply(to received: FakeDaemon.Received) -> FakeDaemon.Reply {
        state.withLock { state in
            let stream = received.header.stream
            switch received.header.type {
            case .request:
                state.opened += 1
                state.sinceHangUp = 0
                var answer = Linaje_V1_MetricStreamOpened()
                answer.durableThrough = UInt64(state.batches.count)
                return .frames([
                    Frame(
                        .response, stream: stream, opcode: 0x0401,
                        payload: (try? answer.payload()) ?? [])
                ])
            case .data:
                guard let batch = try? Linaje_V1_MetricBatch(payload: received.payload) else {
                    return .hangUp
                }
                if batch.sequence == UInt64(state.batches.count) + 1 {
                    state.batches.append(batch)
                    state.sinceHangUp += 1
                } else {
                    state.repeated += 1
                }
                if state.sinceHangUp == hangUpAfter { return .hangUp }
                return .frames([
                    acknowledgement(state, stream),
                    FakeDaemon.credit(received.payload.count, stream: stream),
                    FakeDaemon.credit(received.payload.count, stream: 0),
                ])
            case .end:
                return .frames([acknowledgement(state, stream), Frame(.end, stream: stream)])
            default: return .frames([])
            }
        }
    }

    private func acknowledgement(_ state: State, _ stream: UInt32) -> Frame {
        var ack = Linaje_V1_MetricAck()
        ack.durableThrough = UInt64(state.batches.count)
        return Frame(.data, stream: stream, payload: (try? ack.payload()) ?? [])
    }
}
