import LinajeDomain

/// What of a run the user looks at: which series, from where on.
struct WatchView {
    /// Only series with this text in their names.
    private(set) var filter = ""
    /// What is being typed after "/"; `nil`: nothing is.
    private(set) var typed: String?
    /// How many series are above the first that is shown.
    private(set) var offset = 0

    enum Answer {
        case goOn, quit
    }

    /// What keys do. An escape sequence comes in one piece, as terminals send it.
    mutating func press(_ bytes: [UInt8], page: Int) -> Answer {
        var rest = bytes[...]
        while !rest.isEmpty {
            if let (keys, move) = Self.moves.first(where: { rest.starts(with: $0.key) }) {
                let by = move.by * (move.isPage ? page : 1)
                offset = max(0, move.isWhole ? by : offset + by)
                rest = rest.dropFirst(keys.count)
                continue
            }
            let end = rest.dropFirst().firstIndex(of: 0x1B) ?? rest.endIndex
            for character in String(decoding: rest[..<end], as: UTF8.self) {
                if case .quit = press(character, page: page) { return .quit }
            }
            rest = rest[end...]
        }
        return .goOn
    }

    private mutating func press(_ character: Character, page: Int) -> Answer {
        guard typed == nil else {
            type(character)
            return .goOn
        }
        switch character {
        case "q", "Q": return .quit
        case "/": typed = filter
        case "\u{1B}": filter = ""
        case "j": offset += 1
        case "k": offset = max(0, offset - 1)
        case " ": offset += page
        default: break
        }
        return .goOn
    }

    private mutating func type(_ character: Character) {
        switch character {
        case "\r", "\n":
            filter = typed ?? ""
            typed = nil
            offset = 0
        case "\u{1B}": typed = nil
        case "\u{7F}", "\u{8}": typed = String((typed ?? "").dropLast())
        default:
            guard (typed ?? "").count < Limits.keyBytes else { return }
            typed = (typed ?? "") + String(character)
        }
    }

    /// Not further down than there is something to see.
    mutating func bound(to count: Int, page: Int) { offset = min(offset, max(0, count - page)) }

    func shows(_ name: String) -> Bool {
        let wanted = (typed ?? filter).lowercased()
        return wanted.isEmpty || name.lowercased().contains(wanted)
    }

    private static let moves: [[UInt8]: (by: Int, isPage: Bool, isWhole: Bool)] = [
        Array("\u{1B}[A".utf8): (-1, false, false), Array("\u{1B}[B".utf8): (1, false, false),
        Array("\u{1B}OA".utf8): (-1, false, false), Array("\u{1B}OB".utf8): (1, false, false),
        Array("\u{1B}[5~".utf8): (-1, true, false), Array("\u{1B}[6~".utf8): (1, true, false),
        Array("\u{1B}[H".utf8): (0, false, true), Array("\u{1B}[F".utf8): (1 << 20, false, true),
    ]
}
