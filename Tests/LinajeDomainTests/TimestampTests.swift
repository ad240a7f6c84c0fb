import LinajeDomain
import Testing

@Suite("Timestamp")
struct TimestampTests {
    @Test(
        "texts of moments are read",
        arguments: [
            ("1970-01-01", 0), ("2000-02-29", 951_782_400_000_000),
            ("2026-01-31T09:30", 1_769_851_800_000_000),
            ("2026-01-31 09:30:05", 1_769_851_805_000_000),
            ("2026-01-31T09:30:05Z", 1_769_851_805_000_000),
            ("2026-01-31t09:30:05.5z", 1_769_851_805_500_000),
            ("2026-01-31T09:30:05.1234567Z", 1_769_851_805_123_456),
            ("2026-01-31T09:30:05+01:30", 1_769_846_405_000_000),
            ("2026-01-31T09:30:05-01:30", 1_769_857_205_000_000),
            ("1969-12-31T23:59:59.999999Z", -1), ("0001-01-01", -62_135_596_800_000_000),
        ])
    func read(_ text: String, _ microseconds: Int64) {
        #expect(Timestamp(text: text)?.microseconds == microseconds)
    }

    @Test(
        "texts that are no moment are refused",
        arguments: [
            "", "2026", "2026-1-1", "2026-13-01", "2026-00-01", "2026-02-29", "2026-04-31",
            "2026-01-00", "2026-01-01T", "2026-01-01T24:00", "2026-01-01T09:60", "2026-01-01T09",
            "2026-01-01T09:30:60", "2026-01-01T09:30:05.", "2026-01-01T09:30+1", "2026-01-01X09:30",
            "2026-01-01T09:30Zz", " 2026-01-01", "-026-01-01", "2026-01-01T09:30:05+25:00",
        ])
    func refused(_ text: String) {
        #expect(Timestamp(text: text) == nil)
    }

    @Test("what is written is read again")
    func roundTrip() {
        var day: Int64 = -62_135_596_800_000_000
        while day < 253_402_300_800_000_000 {
            let moment = Timestamp(microseconds: day)
            #expect(Timestamp(text: moment.text) == moment)
            day += 86_399_123_456 * 97
        }
    }
}
