import LinajeDomain
import LinajeWire
import SwiftProtobuf
import Testing

@Suite("ClientConnectionStateMachine")
struct ClientConnectionStateMachineTests {
    private typealias Machine = ClientConnectionStateMachine

    private func receive(
        _ machine: inout Machine, _ type: FrameType, stream: UInt32 = 0, flags: UInt8 = 0,
        payload: [UInt8] = []
    ) throws -> Machine.Action {
        let header = FrameHeader(length: payload.count, stream: stream, type: type, flags: flags)
        return try machine.receive(header, payload: payload)
    }

    private func refusal(
        _ machine: inout Machine, _ type: FrameType, stream: UInt32 = 0, flags: UInt8 = 0,
        payload: [UInt8] = []
    ) -> LinajeError.Code? {
        do {
            _ = try receive(&machine, type, stream: stream, flags: flags, payload: payload)
            return nil
        } catch let error as LinajeError {
            return error.code
        } catch {
            return nil
        }
    }

    private func hello(
        connection: UInt32 = 100, stream: UInt32 = 50, streams: UInt32 = 3
    ) throws -> [UInt8] {
        var hello = Linaje_V1_ServerHello()
        hello.connectionCredit = connection
        hello.streamCredit = stream
        hello.limits.concurrentStreams = streams
        return try hello.payload()
    }

    private func greeted(
        connection: UInt32 = 100, stream: UInt32 = 50, streams: UInt32 = 3
    ) throws -> Machine {
        var machine = Machine()
        _ = try receive(
            &machine, .hello,
            payload: hello(connection: connection, stream: stream, streams: streams))
        return machine
    }

    private func credit(_ bytes: UInt32) throws -> [UInt8] {
        var message = Linaje_V1_Credit()
        message.bytes = bytes
        return try message.payload()
    }

    private func failure(_ code: UInt32) throws -> (Linaje_V1_Failure, [UInt8]) {
        var failure = Linaje_V1_Failure()
        failure.code = code
        return (failure, try failure.payload())
    }

    @Test("requests wait for the server's hello")
    func waitsForHello() throws {
        var machine = Machine()
        #expect(machine.open(requestBytes: 1, hasData: false) == .wait)
        guard case .welcome(let hello) = try receive(&machine, .hello, payload: hello()) else {
            Issue.record("the hello was not taken")
            return
        }
        #expect(hello.connectionCredit == 100)
        #expect(machine.open(requestBytes: 1, hasData: false) == .opened(1))
    }

    @Test("a server may answer the hello with an error, and with nothing else")
    func refusedHello() throws {
        let (message, payload) = try failure(8)
        var machine = Machine()
        #expect(try receive(&machine, .error, payload: payload) == .rejected(message))
        for type in FrameType.allCases where type != .hello && type != .error {
            var machine = Machine()
            #expect(refusal(&machine, type) == .badFrame, "\(type)")
        }
    }

    @Test("streams are numbered 1, 3, 5")
    func numbers() throws {
        var machine = try greeted()
        #expect(machine.open(requestBytes: 1, hasData: false) == .opened(1))
        #expect(machine.open(requestBytes: 1, hasData: true) == .opened(3))
        #expect(machine.open(requestBytes: 1, hasData: true) == .opened(5))
        #expect(machine.open(requestBytes: 1, hasData: true) == .wait)
        _ = try receive(&machine, .response, stream: 1, flags: 1)
        #expect(machine.open(requestBytes: 1, hasData: true) == .opened(7))
    }

    @Test("a request waits until the connection has credit for it")
    func requestCredit() throws {
        var machine = try greeted()
        #expect(machine.open(requestBytes: 101, hasData: false) == .wait)
        #expect(machine.open(requestBytes: 60, hasData: false) == .opened(1))
        #expect(machine.open(requestBytes: 41, hasData: false) == .wait)
        #expect(try receive(&machine, .credit, payload: credit(1)) == .credit(stream: 0))
        #expect(machine.open(requestBytes: 41, hasData: false) == .opened(3))
    }

    @Test("data is sent within the credit of the stream and of the connection")
    func dataCredit() throws {
        var machine = try greeted()
        _ = machine.open(requestBytes: 10, hasData: true)
        #expect(machine.reserve(60, least: 60, stream: 1) == 0)
        #expect(machine.reserve(60, least: 1, stream: 1) == 50)
        #expect(machine.reserve(1, least: 1, stream: 1) == 0)
        _ = try receive(&machine, .credit, stream: 1, payload: credit(1_000))
        #expect(machine.hasCredit(40, stream: 1))
        #expect(!machine.hasCredit(41, stream: 1))
        #expect(machine.reserve(1_000, least: 1, stream: 1) == 40)
    }

    @Test("credit that adds up past every number is no trap")
    func endlessCredit() throws {
        var machine = try greeted()
        _ = machine.open(requestBytes: 1, hasData: true)
        for _ in 0..<10 {
            _ = try receive(&machine, .credit, payload: credit(UInt32(Int32.max)))
            _ = try receive(&machine, .credit, stream: 1, payload: credit(UInt32(Int32.max)))
        }
        #expect(machine.hasCredit(4 << 20, stream: 1))
        for bytes in [0, UInt32(Int32.max) + 1] {
            #expect(refusal(&machine, .credit, payload: try credit(bytes)) == .badFrame)
        }
    }

    @Test("a unary answer ends its stream")
    func unary() throws {
        var machine = try greeted()
        _ = machine.open(requestBytes: 1, hasData: false)
        #expect(
            try receive(&machine, .response, stream: 1, flags: 1, payload: [7])
                == .response(stream: 1, payload: [7], isEnd: true))
        #expect(machine.openStreams == 0)
        #expect(refusal(&machine, .response, stream: 1, flags: 1) == .badStream)
        #expect(refusal(&machine, .data, stream: 1) == .badStream)
    }

    @Test("data comes after the answer, and the end after data")
    func streaming() throws {
        var machine = try greeted()
        _ = machine.open(requestBytes: 1, hasData: false)
        #expect(refusal(&machine, .data, stream: 1, payload: [1]) == .badFrame)
        #expect(refusal(&machine, .end, stream: 1) == .badFrame)
        _ = try receive(&machine, .response, stream: 1)
        #expect(refusal(&machine, .response, stream: 1) == .badFrame)
        #expect(
            try receive(&machine, .data, stream: 1, payload: [1])
                == .data(stream: 1, payload: [1]))
        #expect(try receive(&machine, .end, stream: 1) == .finished(stream: 1))
        #expect(refusal(&machine, .end, stream: 1) == .badStream)
    }

    @Test("a server that sends more than it was granted is refused")
    func receiveCredit() throws {
        var machine = try greeted()
        _ = machine.open(requestBytes: 1, hasData: false)
        _ = try receive(&machine, .response, stream: 1)
        let whole = [UInt8](repeating: 0, count: Machine.receiveWindow)
        #expect(refusal(&machine, .data, stream: 1, payload: whole) == nil)
        #expect(refusal(&machine, .data, stream: 1, payload: [0]) == .flowControl)
        #expect(machine.used(Machine.receiveWindow / 4 - 1, stream: 1) == nil)
        #expect(machine.used(1, stream: 1) == Machine.receiveWindow / 4)
        #expect(refusal(&machine, .data, stream: 1, payload: [0]) == nil)
    }

    @Test("a stream that was widened may be sent so much more, and grants come less often")
    func widened() throws {
        var machine = try greeted()
        let isEarly = machine.widen(1, stream: 1)
        #expect(!isEarly)
        _ = machine.open(requestBytes: 1, hasData: false)
        _ = try receive(&machine, .response, stream: 1)
        let whole = [UInt8](repeating: 0, count: Machine.receiveWindow)
        let isWidened = machine.widen(3 * Machine.receiveWindow, stream: 1)
        #expect(isWidened)
        for _ in 0..<4 { #expect(refusal(&machine, .data, stream: 1, payload: whole) == nil) }
        #expect(refusal(&machine, .data, stream: 1, payload: [0]) == .flowControl)
        #expect(machine.used(Machine.receiveWindow - 1, stream: 1) == nil)
        #expect(machine.used(1, stream: 1) == Machine.receiveWindow)
    }

    @Test("an error ends its stream, or on stream 0 the connection")
    func errors() throws {
        let (message, payload) = try failure(104)
        var machine = try greeted()
        _ = machine.open(requestBytes: 1, hasData: true)
        #expect(
            try receive(&machine, .error, stream: 1, payload: payload)
                == .failed(stream: 1, message))
        #expect(machine.openStreams == 0)
        #expect(machine.reserve(1, least: 1, stream: 1) == 0)
        #expect(machine.finish(1) == false)
        #expect(machine.cancel(1) == false)
        #expect(try receive(&machine, .error, payload: payload) == .rejected(message))
    }

    @Test("what comes on a cancelled stream is ignored until it is over")
    func cancelled() throws {
        var machine = try greeted()
        _ = machine.open(requestBytes: 1, hasData: true)
        #expect(machine.cancel(1) == true)
        #expect(machine.cancel(1) == false)
        #expect(!machine.maySend(1))
        #expect(try receive(&machine, .response, stream: 1) == .ignore)
        #expect(try receive(&machine, .data, stream: 1, payload: [1]) == .ignore)
        #expect(try receive(&machine, .credit, stream: 1, payload: credit(1)) != .ignore)
        #expect(
            try receive(&machine, .error, stream: 1, payload: failure(112).1) == .ignore)
        #expect(machine.openStreams == 0)
        #expect(try receive(&machine, .credit, stream: 1, payload: credit(1)) == .ignore)
    }

    @Test("data stops at the client's own end")
    func finish() throws {
        var machine = try greeted()
        _ = machine.open(requestBytes: 1, hasData: true)
        #expect(machine.finish(1) == true)
        #expect(machine.finish(1) == false)
        #expect(machine.reserve(1, least: 1, stream: 1) == 0)
        _ = machine.open(requestBytes: 1, hasData: false)
        #expect(machine.finish(3) == false)
    }

    @Test("after goaway open streams go on and new ones are refused with its reason")
    func goaway() throws {
        var machine = try greeted()
        _ = machine.open(requestBytes: 1, hasData: false)
        var message = Linaje_V1_GoAway()
        message.reason = "restart"
        #expect(
            try receive(&machine, .goaway, payload: message.payload())
                == .goaway(reason: "restart"))
        guard case .refused(let error) = machine.open(requestBytes: 1, hasData: false) else {
            Issue.record("a stream was opened after goaway")
            return
        }
        #expect(error.code == .unavailable && error.message.contains("restart"))
        #expect(
            try receive(&machine, .response, stream: 1, flags: 1)
                == .response(stream: 1, payload: [], isEnd: true))
    }

    @Test("pings are answered and belong to stream 0")
    func ping() throws {
        var machine = try greeted()
        var message = Linaje_V1_Ping()
        message.number = 77
        let payload = try message.payload()
        #expect(try receive(&machine, .ping, payload: payload) == .answerPing(payload))
        #expect(try receive(&machine, .pong, payload: payload) == .pong(77))
        for type in [FrameType.ping, .pong, .goaway] {
            #expect(refusal(&machine, type, stream: 1, payload: payload) == .badFrame)
        }
    }

    @Test("any sequence of frames is taken or refused, never a trap")
    func randomFrames() throws {
        for seed in UInt64(1)...200 {
            var generator = SeededGenerator(seed: seed)
            var machine = try greeted(connection: 32_768, stream: 1_000, streams: 8)
            for _ in 0..<200 {
                let stream = UInt32(generator.next() % 24)
                switch generator.next() % 6 {
                case 0:
                    _ = machine.open(
                        requestBytes: Int(generator.next() % 3_000), hasData: stream % 2 == 0)
                case 1: _ = machine.reserve(Int(generator.next() % 2_000), least: 1, stream: stream)
                case 2: _ = machine.cancel(stream)
                default:
                    let type = FrameType.allCases[Int(generator.next() % 11)]
                    _ = refusal(
                        &machine, type, stream: stream,
                        flags: type.allowedFlags & UInt8(generator.next() % 2),
                        payload: generator.bytes(Int(generator.next() % 20)))
                }
                #expect(machine.openStreams <= 8, "seed \(seed)")
            }
        }
    }
}
