/// A process at one moment, as far as its use of the machine goes.
package struct ProcessReading: Sendable, Hashable {
    package var pid: Int32
    package var parent: Int32
    /// In clock ticks since boot: with `pid` it names one process for certain.
    package var start: UInt64
    /// Ticks that it has used itself.
    package var ownTicks: UInt64
    /// Ticks of its children that have ended and that it has waited for, and of theirs.
    package var childTicks: UInt64
    package var residentPages: UInt64

    /// Which process it is.
    package struct Identity: Sendable, Hashable {
        package var pid: Int32
        package var start: UInt64

        package init(pid: Int32, start: UInt64) {
            self.pid = pid
            self.start = start
        }
    }

    package var identity: Identity { Identity(pid: pid, start: start) }
    package var ticks: UInt64 { ownTicks &+ childTicks }

    package init(
        pid: Int32, parent: Int32, start: UInt64, ownTicks: UInt64, childTicks: UInt64 = 0,
        residentPages: UInt64 = 0
    ) {
        self.pid = pid
        self.parent = parent
        self.start = start
        self.ownTicks = ownTicks
        self.childTicks = childTicks
        self.residentPages = residentPages
    }

    /// Reads the text of a /proc/PID/stat; `nil` when it is torn. The name in field 2 may hold
    /// anything, so fields are counted after its last ")".
    package init?(stat text: ArraySlice<UInt8>) {
        guard let end = text.lastIndex(of: UInt8(ascii: ")")),
            let open = text.firstIndex(of: UInt8(ascii: "(")), open < end,
            let pid = Self.number(text[..<open]), pid > 0, pid <= UInt64(Int32.max)
        else { return nil }
        let fields = text[text.index(after: end)...].split(
            maxSplits: 23, whereSeparator: { $0 == 0x20 || $0 == 0x0A })
        // Field 3 of proc(5) is the first here; one more shows that the last one wanted is whole.
        guard fields.count > 22, let parent = Self.number(fields[1]), parent <= UInt64(Int32.max),
            let user = Self.number(fields[11]), let system = Self.number(fields[12]),
            let childUser = Self.number(fields[13]), let childSystem = Self.number(fields[14]),
            let start = Self.number(fields[19]), let pages = Self.number(fields[21])
        else { return nil }
        self.init(
            pid: Int32(pid), parent: Int32(parent), start: start, ownTicks: user &+ system,
            childTicks: childUser &+ childSystem, residentPages: pages)
    }

    /// A number and spaces around it; a negative one, which cutime may be on old kernels, is 0.
    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        var digits = 0
        for byte in bytes where byte != 0x20 {
            if byte == UInt8(ascii: "-"), digits == 0 { return 0 }
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte), digits < 19 else {
                return nil
            }
            value = value * 10 + UInt64(byte - UInt8(ascii: "0"))
            digits += 1
        }
        return digits > 0 ? value : nil
    }
}
