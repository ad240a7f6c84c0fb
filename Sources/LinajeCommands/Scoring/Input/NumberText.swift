/// Numbers as texts write them, to the nearest double.
enum NumberText {
    /// Powers of ten that a double holds exactly.
    private static let powers: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ]

    /// A decimal number; `nil` for anything else, "inf" and hexadecimal ones too.
    ///
    /// Up to 15 digits with a small exponent are exact in one operation (Clinger, "How to read
    /// floating point numbers accurately", 1990); the rest is left to the standard library.
    static func double(_ text: some RandomAccessCollection<UInt8>) -> Double? {
        var rest = text[...]
        var isNegative = false
        if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            isNegative = sign == UInt8(ascii: "-")
            rest = rest.dropFirst()
        }
        var (mantissa, digits, exponent) = (UInt64(0), 0, 0)
        var (sawDigit, sawPoint) = (false, false)
        while let byte = rest.first {
            if byte == UInt8(ascii: "."), !sawPoint {
                sawPoint = true
            } else if byte &- 0x30 < 10 {
                sawDigit = true
                if digits > 0 || byte > 0x30 { digits += 1 }
                if digits <= 15 { mantissa = mantissa * 10 + UInt64(byte - 0x30) }
                if sawPoint { exponent -= 1 }
            } else {
                break
            }
            rest = rest.dropFirst()
        }
        guard sawDigit else { return nil }
        guard rest.isEmpty, digits <= 15, exponent >= -22 else { return slow(text) }
        let value = Double(mantissa) / powers[-exponent]
        return isNegative ? -value : value
    }

    private static func slow(_ text: some Collection<UInt8>) -> Double? {
        let isDecimal = text.allSatisfy { byte in
            byte &- 0x30 < 10 || "+-.eE".utf8.contains(byte)
        }
        return isDecimal ? Double(String(decoding: text, as: UTF8.self)) : nil
    }
}
