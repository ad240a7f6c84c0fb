/// How many columns text takes on a terminal.
enum TerminalWidth {
    /// Wide and zero-width characters by ranges (Unicode 15, East_Asian_Width W and F, and combining
    /// marks): what differs between terminals is left out.
    static func of(_ character: Character) -> Int {
        guard let scalar = character.unicodeScalars.first else { return 0 }
        switch scalar.value {
        case ..<0x300: return 1
        case 0x300..<0x370, 0x200B...0x200F, 0xFE00...0xFE0F: return 0
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF,
            0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1FAFF,
            0x20000...0x3FFFD:
            return 2
        default: return 1
        }
    }

    static func of(_ text: String) -> Int { text.reduce(0) { $0 + of($1) } }

    /// As much of the text as fits, with "…" when some does not.
    static func cut(_ text: String, to width: Int) -> String {
        guard of(text) > width else { return text }
        guard width > 1 else { return width == 1 ? "…" : "" }
        var left = width - 1
        return String(
            text.prefix { character in
                left -= of(character)
                return left >= 0
            }) + "…"
    }

    /// Cut or filled to exactly that many columns.
    static func fitted(_ text: String, to width: Int, right: Bool = false) -> String {
        let text = cut(text, to: width)
        let space = String(repeating: " ", count: max(0, width - of(text)))
        return right ? space + text : text + space
    }
}
