/// The operations of pickles (`Lib/pickletools.py`).
enum PickleOpcode {
    /// Bytes of the argument that every one of them has; -1: no such operation.
    static let fixedBytes: [Int8] = {
        var table = [Int8](repeating: -1, count: 256)
        for operation in "(.012INRSPQVabcdegijlopstu})]FL".utf8 { table[Int(operation)] = 0 }
        table[Int(UInt8(ascii: "o"))] = 0
        for operation in 0x81...0x81 { table[operation] = 0 }
        for (operation, count) in [
            ("J", 4), ("K", 1), ("M", 2), ("G", 8), ("h", 1), ("j", 4), ("q", 1), ("r", 4),
            ("T", 4), ("U", 1), ("X", 4), ("B", 4), ("C", 1), ("Q", 0),
        ] as [(StaticString, Int8)] {
            table[Int(operation.utf8Start.pointee)] = count
        }
        for (operation, count) in [
            (0x80, 1), (0x82, 1), (0x83, 2), (0x84, 4), (0x85, 0), (0x86, 0), (0x87, 0), (0x88, 0),
            (0x89, 0), (0x8a, 1), (0x8b, 4), (0x8c, 1), (0x8d, 8), (0x8e, 8), (0x8f, 0), (0x90, 0),
            (0x91, 0), (0x92, 0), (0x93, 0), (0x94, 0), (0x95, 8), (0x96, 8), (0x97, 0), (0x98, 0),
        ] as [(Int, Int8)] {
            table[operation] = count
        }
        return table
    }()

    /// Those whose length stands in their argument, and those that end with a line.
    static let isVariable: [Bool] = {
        var table = [Bool](repeating: false, count: 256)
        for operation in "TUXBCISVFLgpPci".utf8 { table[Int(operation)] = true }
        for operation in [0x8a, 0x8b, 0x8c, 0x8d, 0x8e, 0x96] { table[operation] = true }
        return table
    }()

    /// How many lines one of them ends with.
    static func lines(_ operation: UInt8) -> Int {
        switch operation {
        case UInt8(ascii: "I"), UInt8(ascii: "S"), UInt8(ascii: "V"), UInt8(ascii: "F"),
            UInt8(ascii: "L"), UInt8(ascii: "g"), UInt8(ascii: "p"), UInt8(ascii: "P"):
            1
        case UInt8(ascii: "c"), UInt8(ascii: "i"): 2
        default: 0
        }
    }

    /// Whether its data is bytes and no text.
    static func isBytes(_ operation: UInt8) -> Bool {
        operation == UInt8(ascii: "B") || operation == UInt8(ascii: "C") || operation == 0x8e
            || operation == 0x96
    }
}
