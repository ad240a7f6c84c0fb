import LinajeDomain
import LinajeWire

extension FuzzTarget {
    /// What comes by a socket.
    static let wire: [FuzzTarget] = [FuzzTarget("frames", frames), FuzzTarget("call", call)]

    /// Frames as a server takes them, one after the other until one is refused.
    private static func frames(_ bytes: [UInt8]) {
        var machine = ServerConnectionStateMachine()
        var rest = bytes[...]
        while rest.count >= FrameHeader.size {
            let head = Array(rest.prefix(FrameHeader.size))
            guard let header = try? head.withUnsafeBytes({ try FrameHeader(parsing: $0) })
            else {
                return
            }
            var written: [UInt8] = []
            header.write(to: &written)
            guard written == head else { FuzzProgram.fail("a header is written otherwise") }
            rest = rest.dropFirst(FrameHeader.size)
            guard (try? machine.admit(header)) != nil, rest.count >= header.length else {
                return
            }
            let payload = Array(rest.prefix(header.length))
            rest = rest.dropFirst(header.length)
            guard let action = try? machine.receive(header, payload: payload) else { return }
            follow(action, &machine)
            guard machine.openStreams <= Limits.concurrentStreams else {
                FuzzProgram.fail("\(machine.openStreams) streams are open")
            }
        }
    }

    /// What a server does about an action.
    private static func follow(
        _ action: ServerConnectionStateMachine.Action,
        _ machine: inout ServerConnectionStateMachine
    ) {
        switch action {
        case .open(let stream, let opcode, let payload, _):
            machine.grantConnection(payload.count)
            if opcode % 3 == 0 { machine.close(stream) }
            if opcode == 0xffff { machine.drain() }
        case .data(let stream, let payload):
            machine.grantConnection(payload.count)
            _ = machine.grant(payload.count, stream: stream)
        case .refuse(_, _, let bytes), .drop(let bytes): machine.grantConnection(bytes)
        case .cancelled(let stream): machine.close(stream)
        case .credit(_, let bytes):
            guard bytes > 0 else { FuzzProgram.fail("\(bytes) bytes of credit are granted") }
        case .greet, .finished, .pong, .ignore: break
        }
    }

    private static func call(_ bytes: [UInt8]) {
        guard let payload = try? CallPayload(parsing: bytes) else { return }
        guard payload.message.count <= bytes.count - 2 else {
            FuzzProgram.fail("a message is longer than its payload")
        }
    }
}
