/// How much a connection was sent, as the kernel counts it at the very least: each piece costs it
/// some bytes beside its own.
struct SentCount {
    /// The kernel's bookkeeping for a piece, 640 bytes and more for the shortest (`sk_buff` and
    /// `skb_shared_info`). Rather too little than too much.
    private static let pieceBytes: UInt64 = 512

    private var bytes: UInt64 = 0
    private var pieces: UInt64 = 0
    private var countedPieces: UInt64 = 0

    var total: UInt64 { bytes &+ countedPieces &* Self.pieceBytes }

    /// A piece is handed over.
    mutating func add(_ count: Int) {
        bytes &+= UInt64(count)
        pieces &+= 1
    }

    /// All pieces have reached the kernel, one by one; while some wait they may get there as one.
    mutating func countPieces() { countedPieces = pieces }
}
