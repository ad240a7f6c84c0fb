import LinajeDomain

/// The last lines of what a command wrote to standard error, as a person would have seen them.
enum LastLines {
    /// - Parameters:
    ///   - bytes: the end of what was written.
    ///   - isCut: whether there was more before it.
    static func of(_ bytes: [UInt8], isCut: Bool) -> [String] {
        var lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
        if lines.last?.isEmpty ?? false { lines.removeLast() }
        // The first one is only the end of a line.
        if isCut, lines.count > 1 { lines.removeFirst() }
        return lines.suffix(Limits.lastErrorLines).map(visible)
    }

    /// What stays of a line on a terminal: the text after the last carriage return (a progress bar
    /// writes over itself), without escape sequences and other control characters.
    static func visible(_ line: ArraySlice<UInt8>) -> String {
        let parts = line.split(separator: 0x0D)
        var kept: [UInt8] = []
        var rest = (parts.last ?? [])[...]
        while let byte = rest.popFirst() {
            if byte == 0x1B {
                guard rest.first == UInt8(ascii: "[") else {
                    rest = rest.dropFirst()
                    continue
                }
                // A control sequence ends with a byte from 0x40 to 0x7E (ECMA-48, 5.4).
                rest = rest.dropFirst().drop { !(0x40...0x7E).contains($0) }.dropFirst()
            } else if byte >= 0x20 && byte != 0x7F || byte == 0x09 {
                kept.append(byte)
            }
        }
        return String(decoding: kept, as: UTF8.self)
    }
}
