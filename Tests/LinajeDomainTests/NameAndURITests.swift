import LinajeDomain
import Testing

@Suite("ModelURI")
struct ModelURITests {
    @Test(
        "every form is read, and written the same way",
        arguments: [
            "models:/a model/3", "models:/a/latest", "models:/a/Production", "models:/a@champion",
            "models:/a@b@c", "models:/m-00112233445566778899aabbccddeeff",
        ])
    func forms(_ text: String) throws {
        #expect(try ModelURI(parsing: text).description == text)
    }

    @Test("stages and latest are read in any case; an alias stands after the last @")
    func details() throws {
        #expect(try ModelURI(parsing: "models:/a/LATEST") == .latest(name: "a"))
        #expect(
            try ModelURI(parsing: "models:/a/pRoduction") == .stage(name: "a", stage: .production))
        #expect(try ModelURI(parsing: "models:/a@b@c") == .alias(name: "a@b", alias: "c"))
    }

    @Test(
        "anything else is refused with the forms that exist",
        arguments: [
            "", "models:", "models:/", "models:/a", "models://a/1", "models:/a/1/2", "models:/a/0",
            "models:/a/99999999999999999999", "models:/a/nostage", "models:/a@", "models:/@x",
            "models:/a@latest", "models:/a@v1", "models:/a:b/1", "models:/m-0011", "runs:/a/1",
        ])
    func refused(_ text: String) {
        let error = #expect(throws: LinajeError.self) { try ModelURI(parsing: text) }
        #expect(error?.code == .invalidArgument)
    }

    @Test("content is named by runs:/, models:/ and tree:sha256:")
    func content() throws {
        let hex = String(repeating: "ab", count: 32)
        for text in [
            "runs:/00112233445566778899aabbccddeeff",
            "runs:/00112233445566778899aabbccddeeff/model/x", "models:/a/1", "tree:sha256:\(hex)",
        ] {
            #expect(try ContentURI(parsing: text).description == text)
        }
        for text in [
            "runs:/xyz", "runs://00112233445566778899aabbccddeeff", "tree:md5:00", "file:///etc",
            "runs:/00112233445566778899aabbccddeeff/../x", "tree:sha256:\(hex.uppercased())",
        ] {
            #expect(throws: LinajeError.self, "\(text)") { try ContentURI(parsing: text) }
        }
    }
}

@Suite("Names")
struct NameTests {
    @Test("a key is bounded in bytes, not empty and printable")
    func keys() throws {
        #expect(try Names.key("loss/val ü", of: "metric") == "loss/val ü")
        let longest = String(repeating: "k", count: Limits.keyBytes)
        #expect(try Names.key(longest, of: "metric") == longest)
        let tooLong = #expect(throws: LinajeError.self) {
            try Names.key(longest + "k", of: "metric")
        }
        #expect(tooLong?.code == .limitExceeded)
        for bad in ["", "a\nb", "a\u{7f}"] {
            #expect(throws: LinajeError.self) { try Names.key(bad, of: "metric") }
        }
    }

    @Test("a model name cannot break a URI or hide at its ends")
    func models() throws {
        for bad in ["", "a/b", "a:b", " a", "a ", ".", "..", "\u{a0}a"] {
            #expect(throws: LinajeError.self, "\(bad.debugDescription)") {
                try Names.registeredModel(bad)
            }
        }
        #expect(try Names.registeredModel("churn v2 (eu)") == "churn v2 (eu)")
    }

    @Test("reserved and odd aliases are refused")
    func aliases() throws {
        for bad in ["", "latest", "Latest", "v1", "V22", "a b", "a/b", "ü"] {
            #expect(throws: LinajeError.self, "\(bad)") { try Names.alias(bad) }
        }
        for good in ["champion", "v", "v1a", "vx", "a-b_c"] {
            #expect(try Names.alias(good) == good)
        }
    }
}

@Suite("Identifier")
struct IdentifierTests {
    @Test("a new id begins with its time, says what it is and is never the same again")
    func timeOrdered() {
        let early = (0..<100).map { _ in RunID.timeOrdered(at: 1_700_000_000_000) }
        let late = (0..<100).map { _ in RunID.timeOrdered(at: 1_700_000_000_001) }
        #expect(Set(early + late).count == 200)
        for id in early {
            // RFC 9562, section 5.7: version 7, variant 10.
            #expect(id.bytes.high >> 16 == 1_700_000_000_000)
            #expect(id.bytes.high >> 12 & 0xf == 7 && id.bytes.low >> 62 == 0b10)
        }
        let bytes: (RunID) -> [UInt8] = { $0.bytes.array }
        for (first, second) in zip(early, late) {
            #expect(bytes(first).lexicographicallyPrecedes(bytes(second)))
        }
        let now = RunID.timeOrdered().bytes.high >> 16
        #expect(now > 1_577_836_800_000 && now < 1 << 47)
    }

    @Test("an id survives its text and its bytes")
    func roundTrip() throws {
        for _ in 0..<100 {
            let run = RunID.random()
            #expect(try RunID(parsing: run.description) == run)
            #expect(try RunID(run.array) == run)
            let model = LoggedModelID.random()
            #expect(model.description.hasPrefix("m-"))
            #expect(try LoggedModelID(parsing: model.description) == model)
        }
    }

    @Test(
        "other texts are no ids",
        arguments: [
            "", "0", String(repeating: "0", count: 31), String(repeating: "A", count: 32),
            String(repeating: "0", count: 33), " " + String(repeating: "0", count: 31),
        ])
    func refused(_ text: String) {
        #expect(throws: LinajeError.self) { try RunID(parsing: text) }
        #expect(SHA256Digest(hex: text) == nil)
    }

    @Test("an unknown error number survives and can be shown")
    func unknownCode() {
        let code = LinajeError.Code(rawValue: 4_711)
        #expect(code.name == "error 4711")
        #expect(!code.isRetryable)
    }
}
