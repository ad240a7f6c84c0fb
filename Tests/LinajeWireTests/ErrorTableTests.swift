import LinajeDomain
import Testing

@Suite("Error table")
struct ErrorTableTests {
    @Test("the known errors are the rows of ERRORS.md, in their order")
    func matchesSpecification() throws {
        let rows = Specification.rows(try Specification.text("ERRORS.md"))
            .filter { UInt32($0[0]) != nil }
        let written = rows.map { "\($0[0]) \($0[1]) \($0[3])" }
        let known = LinajeError.Code.known.map {
            "\($0.code.rawValue) \($0.name) \($0.isRetryable ? "yes" : "no")"
        }
        #expect(written == known)
        #expect(known.count > 30)
    }

    @Test("numbers below 100 end the connection and no other does always")
    func connectionErrors() throws {
        for row in Specification.rows(try Specification.text("ERRORS.md")) {
            guard let number = UInt32(row[0]) else { continue }
            #expect((row[2] == "the connection") == (number < 100), "error \(number)")
        }
    }
}
