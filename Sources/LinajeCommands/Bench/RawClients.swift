import Glibc
import LinajeDomain
import LinajeWire

/// Many connections without a client behind them, that do what no client should. They block; one
/// thread has them all.
struct RawClients {
    /// How long the daemon may take to cut them off before they give up.
    private static let patience = Duration.seconds(45)
    /// How often a second they are looked at.
    private static let passes = 20

    let connected: WorkerProcess.Answer
    private let role: BenchWorkerCommand.Role
    private let sockets: [Int32]
    /// The call whose answer is not read.
    private let call: [UInt8]

    /// Connects and says hello, one after the other.
    ///
    /// - Parameter tree: a tree with one file, which clients ask for that do not read.
    init(
        _ role: BenchWorkerCommand.Role, count: Int, socket: String, tree: SHA256Digest?
    ) throws {
        let start = ContinuousClock.now
        self.role = role
        call = try tree.map { try Self.readArtifact($0) } ?? []
        sockets = try (0..<count).map { _ in try Self.connect(to: socket) }
        connected = WorkerProcess.Answer(
            event: "connected", count: count,
            seconds: (ContinuousClock.now - start) / .seconds(1))
    }

    /// Does what is asked until the orders end.
    func obey() {
        while let order = BenchWorkerCommand.order() {
            guard order == "abuse" else { continue }
            BenchWorkerCommand.say(abuse())
        }
    }

    /// Misbehaves until all have been cut off.
    private func abuse() -> WorkerProcess.Answer {
        switch role {
        case .good, .idle: break
        case .never, .stopped: for socket in sockets { send(socket, call) }
        case .dribble: for socket in sockets { send(socket, Self.frameHeader) }
        }
        // When it hears this the bench stops the process that is to be stopped, and wakes it when
        // all is over.
        BenchWorkerCommand.say(.init(event: "ready", count: sockets.count, seconds: 0))
        return watch()
    }

    /// Waits until the daemon has hung up on all.
    private func watch() -> WorkerProcess.Answer {
        let start = ContinuousClock.now
        var polled = sockets.map { pollfd(fd: $0, events: 0, revents: 0) }
        var last = Duration.zero
        var pass = 0
        while !polled.isEmpty {
            poll(&polled, nfds_t(polled.count), 0)
            let before = polled.count
            polled.removeAll { Int32($0.revents) & (POLLHUP | POLLERR) != 0 }
            let now = ContinuousClock.now - start
            if polled.count < before { last = now }
            guard now < Self.patience else { break }
            // Each is a client of its own: a byte a second from each, not from many at once.
            let dribbling =
                role == .dribble
                ? stride(from: pass % Self.passes, to: polled.count, by: Self.passes)
                    .map { polled[$0].fd } : []
            let pause = useconds_t(1_000_000 / Self.passes / (dribbling.count + 1))
            for socket in dribbling {
                send(socket, [0])
                usleep(pause)
            }
            usleep(pause)
            pass += 1
        }
        return WorkerProcess.Answer(
            event: "cut", count: sockets.count - polled.count, seconds: last / .seconds(1))
    }

    private func send(_ socket: Int32, _ bytes: [UInt8]) {
        _ = Glibc.send(socket, bytes, bytes.count, Int32(MSG_DONTWAIT))
    }

    // MARK: Bytes

    /// The preface, a hello, and the daemon's hello and credit read.
    private static func connect(to path: String) throws -> Int32 {
        let descriptor = socket(
            AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard descriptor >= 0, bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw failure("made", path)
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw failure("connected", path) }
        let hello = FrameHeader.preface + Frame(.hello, payload: []).bytes
        guard Glibc.send(descriptor, hello, hello.count, 0) == hello.count else {
            throw failure("greeted", path)
        }
        for expected in [FrameType.hello, .credit] {
            let header = try FrameHeader(parsing: read(descriptor, FrameHeader.size, path))
            guard header.type == expected else {
                throw LinajeError(.unavailable, "the daemon refuses a connection")
            }
            _ = try read(descriptor, header.length, path)
        }
        return descriptor
    }

    private static func read(_ socket: Int32, _ count: Int, _ path: String) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        guard count == 0 || recv(socket, &bytes, count, Int32(MSG_WAITALL)) == count
        else { throw failure("read", path) }
        return bytes
    }

    private static func failure(_ what: String, _ path: String) -> LinajeError {
        LinajeError(
            .unavailable,
            "a connection to \(path) cannot be \(what): \(String(cString: strerror(errno)))")
    }

    /// The header of a frame whose payload then comes byte by byte.
    private static let frameHeader: [UInt8] = {
        var bytes: [UInt8] = []
        FrameHeader(length: 10_000, stream: 0, type: .ping).write(to: &bytes)
        return bytes
    }()

    /// Asks for the one file of a tree, and lets the daemon send all of it.
    private static func readArtifact(_ tree: SHA256Digest) throws -> [UInt8] {
        var message = Linaje_V1_ReadArtifactRequest()
        message.root.tree = tree.data
        message.path = BenchConnectionsCommand.fileName
        let request = Frame(
            .request, stream: 1, flags: FrameHeader.endFlag,
            opcode: Methods.readArtifact.opcode,
            payload: try CallPayload.encode(header: Linaje_V1_CallHeader(), message: message))
        var credit = Linaje_V1_Credit()
        credit.bytes = UInt32(Int32.max)
        return request.bytes + Frame(.credit, stream: 1, payload: try credit.payload()).bytes
    }
}

extension FrameHeader {
    /// Reads a header from bytes of an array.
    fileprivate init(parsing bytes: [UInt8]) throws {
        let header = try bytes.withUnsafeBytes { try FrameHeader(parsing: $0) }
        self = header
    }
}
