/// One parser that is fed with bytes.
struct FuzzTarget: Sendable {
    let name: String
    /// Feeds the parser. Errors are answers; what cannot be right ends in `FuzzProgram.fail`.
    let run: @Sendable ([UInt8]) -> Void

    init(_ name: String, _ run: @escaping @Sendable ([UInt8]) -> Void) {
        self.name = name
        self.run = run
    }

    /// All of them, in the order in which they run.
    static let all = scans + archives + texts + flavors + sockets

    #if WIRE
        private static let sockets = wire
    #else
        private static let sockets: [FuzzTarget] = []
    #endif
}

/// A number made of bytes, the same in each run: by it an input chooses what else is tried with it.
func mark(of bytes: [UInt8]) -> UInt64 {
    // FNV-1a, 64 bits.
    bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
}
