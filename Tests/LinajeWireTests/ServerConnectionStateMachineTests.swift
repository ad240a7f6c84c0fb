import LinajeDomain
import LinajeWire
import Testing

@Suite("ServerConnectionStateMachine")
struct ServerConnectionStateMachineTests {
    private typealias Machine = ServerConnectionStateMachine

    private func send(
        _ machine: inout Machine, _ type: FrameType, stream: UInt32 = 0, flags: UInt8 = 0,
        opcode: UInt16 = 0, payload: [UInt8] = []
    ) throws -> Machine.Action {
        let header = FrameHeader(
            length: payload.count, stream: stream, type: type, flags: flags, opcode: opcode)
        return try machine.receive(header, payload: payload)
    }

    /// The error with which a frame ends the connection.
    private func refusal(
        _ machine: inout Machine, _ type: FrameType, stream: UInt32 = 0, flags: UInt8 = 0,
        payload: [UInt8] = []
    ) -> LinajeError.Code? {
        do {
            _ = try send(&machine, type, stream: stream, flags: flags, payload: payload)
            return nil
        } catch let error as LinajeError {
            return error.code
        } catch {
            return nil
        }
    }

    /// A machine that has said hello and granted a connection's credit.
    private func greeted(credit: Int = Limits.connectionCredit) throws -> Machine {
        var machine = Machine()
        _ = try send(&machine, .hello, payload: [1])
        machine.grantConnection(credit)
        return machine
    }

    private func credit(_ bytes: UInt32) throws -> [UInt8] {
        var message = Linaje_V1_Credit()
        message.bytes = bytes
        return try message.payload()
    }

    @Test("nothing but hello comes first", arguments: FrameType.allCases)
    func helloFirst(type: FrameType) {
        var machine = Machine()
        #expect(refusal(&machine, type) == (type == .hello ? nil : .badFrame))
    }

    @Test("hello belongs to stream 0 and comes once")
    func helloOnce() throws {
        var machine = Machine()
        #expect(refusal(&machine, .hello, stream: 1) == .badFrame)
        machine = try greeted()
        #expect(refusal(&machine, .hello) == .badFrame)
    }

    @Test("what only a server sends is refused", arguments: [FrameType.response, .error])
    func serverFrames(type: FrameType) throws {
        var machine = try greeted()
        #expect(refusal(&machine, type, stream: 1) == .badFrame)
    }

    @Test("streams are odd and each is higher than all before")
    func numbers() throws {
        var machine = try greeted()
        #expect(refusal(&machine, .request, stream: 0) == .badStream)
        #expect(refusal(&machine, .request, stream: 2) == .badStream)
        #expect(
            try send(&machine, .request, stream: 5, flags: 1, opcode: 7, payload: [9])
                == .open(stream: 5, opcode: 7, payload: [9], hasData: false))
        #expect(refusal(&machine, .request, stream: 5) == .badStream)
        #expect(refusal(&machine, .request, stream: 3) == .badStream)
        #expect(machine.highestStream == 5)
        #expect(try send(&machine, .request, stream: .max, opcode: 7) != .ignore)
        #expect(refusal(&machine, .request, stream: 7) == .badStream)
    }

    @Test(
        "a frame for a stream that was never opened ends the connection",
        arguments: [FrameType.data, .end, .cancel])
    func neverOpened(type: FrameType) throws {
        var machine = try greeted()
        #expect(refusal(&machine, type, stream: 9) == .badStream)
    }

    @Test("data flows from request to end, and not after")
    func data() throws {
        var machine = try greeted()
        _ = try send(&machine, .request, stream: 1, opcode: 7)
        #expect(
            try send(&machine, .data, stream: 1, payload: [1, 2])
                == .data(stream: 1, payload: [1, 2]))
        #expect(try send(&machine, .end, stream: 1) == .finished(stream: 1))
        #expect(refusal(&machine, .data, stream: 1, payload: [3]) == .badFrame)
        #expect(refusal(&machine, .end, stream: 1) == .badFrame)
    }

    @Test("data after a request that was the end is refused")
    func dataAfterEndFlag() throws {
        var machine = try greeted()
        _ = try send(&machine, .request, stream: 1, flags: 1, opcode: 7)
        #expect(refusal(&machine, .data, stream: 1, payload: [3]) == .badFrame)
    }

    @Test("end and cancel have no payload", arguments: [FrameType.end, .cancel])
    func emptyFrames(type: FrameType) throws {
        var machine = try greeted()
        _ = try send(&machine, .request, stream: 1, opcode: 7)
        #expect(refusal(&machine, type, stream: 1, payload: [0]) == .badFrame)
    }

    @Test("what a client was still sending when the server closed is dropped")
    func lingering() throws {
        var machine = try greeted()
        _ = try send(&machine, .request, stream: 1, opcode: 7)
        machine.close(1)
        #expect(machine.openStreams == 0)
        #expect(try send(&machine, .data, stream: 1, payload: [1, 2, 3]) == .drop(bytes: 3))
        #expect(try send(&machine, .end, stream: 1) == .ignore)
        #expect(refusal(&machine, .data, stream: 1, payload: [1]) == .badStream)
    }

    @Test("a cancel that crosses the answer is ignored")
    func lateCancel() throws {
        var machine = try greeted()
        _ = try send(&machine, .request, stream: 1, flags: 1, opcode: 7)
        machine.close(1)
        #expect(try send(&machine, .cancel, stream: 1) == .ignore)
        _ = try send(&machine, .request, stream: 3, opcode: 7)
        #expect(try send(&machine, .cancel, stream: 3) == .cancelled(stream: 3))
        #expect(refusal(&machine, .data, stream: 3, payload: [1]) == .badFrame)
    }

    @Test("a request or data past the connection's credit ends the connection")
    func connectionCredit() throws {
        var machine = Machine()
        _ = try send(&machine, .hello)
        let whole = [UInt8](repeating: 0, count: Limits.firstConnectionCredit)
        var other = machine
        #expect(refusal(&other, .request, stream: 1, payload: whole + [0]) == .flowControl)
        _ = try send(&machine, .request, stream: 1, opcode: 7, payload: whole)
        #expect(refusal(&machine, .data, stream: 1, payload: [0]) == .flowControl)
        machine.grantConnection(1)
        #expect(refusal(&machine, .data, stream: 1, payload: [0]) == nil)
        #expect(refusal(&machine, .data, stream: 1, payload: [0]) == .flowControl)
    }

    @Test("data past the stream's credit ends the connection")
    func streamCredit() throws {
        var machine = try greeted()
        _ = try send(&machine, .request, stream: 1, opcode: 7)
        let whole = [UInt8](repeating: 0, count: Limits.streamCredit)
        #expect(refusal(&machine, .data, stream: 1, payload: whole + [0]) == .flowControl)
        #expect(refusal(&machine, .data, stream: 1, payload: whole) == nil)
        #expect(refusal(&machine, .data, stream: 1, payload: [0]) == .flowControl)
        #expect(machine.grant(1, stream: 1) == true)
        #expect(refusal(&machine, .data, stream: 1, payload: [0]) == nil)
        #expect(machine.grant(1, stream: 3) == false)
    }

    @Test("a request longer than allowed is refused even when credit is left")
    func requestLimit() throws {
        let machine = try greeted()
        let header = FrameHeader(length: Limits.requestBytes + 1, stream: 1, type: .request)
        let error = #expect(throws: LinajeError.self) { try machine.admit(header) }
        #expect(error?.code == .frameTooLarge)
    }

    @Test("control frames are short")
    func controlFrames() throws {
        let machine = try greeted()
        for type in FrameType.allCases where type != .request && type != .data {
            let header = FrameHeader(length: Machine.controlBytes + 1, stream: 0, type: type)
            let error = #expect(throws: LinajeError.self, "\(type)") { try machine.admit(header) }
            #expect(error?.code == .frameTooLarge)
        }
    }

    @Test("one stream too many is refused, the others go on")
    func concurrentStreams() throws {
        var machine = try greeted()
        for index in 0..<UInt32(Limits.concurrentStreams) {
            _ = try send(&machine, .request, stream: index * 2 + 1, opcode: 7)
        }
        let next = UInt32(Limits.concurrentStreams) * 2 + 1
        guard
            case .refuse(next, let error, bytes: 3) = try send(
                &machine, .request, stream: next, opcode: 7, payload: [1, 2, 3])
        else {
            Issue.record("stream \(next) was not refused")
            return
        }
        #expect(error.code == .overloaded)
        #expect(try send(&machine, .data, stream: next, payload: [1]) == .drop(bytes: 1))
        machine.close(1)
        #expect(
            try send(&machine, .request, stream: next + 2, flags: 1, opcode: 7)
                == .open(stream: next + 2, opcode: 7, payload: [], hasData: false))
    }

    @Test("while it drains, new streams are refused and open ones go on")
    func draining() throws {
        var machine = try greeted()
        _ = try send(&machine, .request, stream: 1, opcode: 7)
        machine.drain()
        guard
            case .refuse(3, let error, bytes: 0) = try send(
                &machine, .request, stream: 3, opcode: 7)
        else {
            Issue.record("stream 3 was not refused")
            return
        }
        #expect(error.code == .unavailable)
        #expect(
            try send(&machine, .data, stream: 1, payload: [1]) == .data(stream: 1, payload: [1]))
    }

    @Test("credit frames grant 1 to 2^31-1 bytes on open streams")
    func creditFrames() throws {
        var machine = try greeted()
        _ = try send(&machine, .request, stream: 1, flags: 1, opcode: 7)
        #expect(
            try send(&machine, .credit, stream: 1, payload: credit(7))
                == .credit(stream: 1, bytes: 7))
        for bytes in [0, UInt32(Int32.max) + 1, .max] {
            #expect(
                refusal(&machine, .credit, stream: 1, payload: try credit(bytes)) == .badFrame)
        }
        #expect(refusal(&machine, .credit, stream: 1, payload: [0xFF]) == .badFrame)
        #expect(refusal(&machine, .credit, stream: 9, payload: try credit(1)) == .badStream)
        machine.close(1)
        #expect(try send(&machine, .credit, stream: 1, payload: credit(7)) == .ignore)
    }

    @Test("a ping is answered with its payload; ping, pong and goaway belong to stream 0")
    func ping() throws {
        var machine = try greeted()
        #expect(try send(&machine, .ping, payload: [8, 1]) == .pong([8, 1]))
        #expect(try send(&machine, .pong, payload: [8, 1]) == .ignore)
        #expect(try send(&machine, .goaway) == .ignore)
        for type in [FrameType.ping, .pong, .goaway] {
            #expect(refusal(&machine, type, stream: 1) == .badFrame)
        }
    }

    @Test("any sequence of frames is taken or refused, and the machine keeps its bounds")
    func randomFrames() {
        for seed in UInt64(1)...200 {
            var generator = SeededGenerator(seed: seed)
            var machine = Machine()
            machine.grantConnection(1 << 20)
            for step in 0..<200 {
                let type = FrameType.allCases[Int(generator.next() % 11)]
                let stream = UInt32(generator.next() % 40)
                let isEnd: UInt8 = type.allowedFlags & UInt8(generator.next() % 2)
                let payload = generator.bytes(Int(generator.next() % 20))
                _ = refusal(
                    &machine, step == 0 ? .hello : type, stream: step == 0 ? 0 : stream,
                    flags: isEnd, payload: payload)
                if generator.next() % 4 == 0 { machine.close(stream) }
                #expect(machine.openStreams <= Limits.concurrentStreams, "seed \(seed)")
            }
        }
    }
}
