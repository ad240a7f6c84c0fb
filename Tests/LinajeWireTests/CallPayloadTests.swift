import LinajeDomain
import LinajeWire
import Testing

@Suite("CallPayload")
struct CallPayloadTests {
    @Test("a payload cut at any byte of its header is refused")
    func torn() throws {
        var header = Linaje_V1_CallHeader()
        header.deadlineMs = 5
        header.token = "token"
        var message = Linaje_V1_GetExperimentRequest()
        message.name = "name"
        let bytes = try CallPayload.encode(header: header, message: message)
        let headerEnd = 2 + Int(bytes[0]) << 8 + Int(bytes[1])
        for end in 0..<headerEnd {
            let error = #expect(throws: LinajeError.self, "cut at \(end)") {
                try CallPayload(parsing: Array(bytes[..<end]))
            }
            #expect(error?.code == .badMessage)
        }
        let whole = try CallPayload(parsing: bytes)
        #expect(whole.header == header)
        #expect(try Linaje_V1_GetExperimentRequest(payload: whole.message) == message)
    }

    @Test("a request longer than allowed is refused before it is sent")
    func tooLong() {
        var message = Linaje_V1_GetExperimentRequest()
        message.name = String(repeating: "x", count: Limits.requestBytes)
        let error = #expect(throws: LinajeError.self) {
            try CallPayload.encode(header: Linaje_V1_CallHeader(), message: message)
        }
        #expect(error?.code == .limitExceeded)
    }

    @Test("an error number that is not known survives the travel")
    func unknownErrors() {
        var failure = Linaje_V1_Failure()
        failure.code = 4_000_000_000
        failure.message = "new"
        let error = LinajeError(failure)
        #expect(error.code.rawValue == 4_000_000_000)
        #expect(!error.isRetryable)
        #expect(Linaje_V1_Failure(error).message == "new")
    }

    @Test("random payloads are read or refused")
    func random() {
        for seed in UInt64(1)...2_000 {
            var generator = SeededGenerator(seed: seed)
            var bytes = generator.bytes(Int(generator.next() % 40))
            if !bytes.isEmpty { bytes[0] = 0 }
            _ = try? CallPayload(parsing: bytes)
        }
    }
}
