import Crypto
import LinajeDomain
import Testing

@testable import LinajeCommands

@Suite("Places of tensors in safetensors files")
struct SafetensorsHeaderTests {
    /// A header with these tensors, places counted from its end.
    private func header(_ places: [(String, Int, Int)]) -> [UInt8] {
        let parts = places.map { name, from, to in
            "\"\(name)\":{\"dtype\":\"U8\",\"shape\":[\(to - from)],\"data_offsets\":[\(from),\(to)]}"
        }
        return Array("{\"__metadata__\":{\"format\":\"pt\"},\(parts.joined(separator: ","))}".utf8)
    }

    private func sum(_ bytes: some Collection<UInt8>) -> [UInt8] {
        Array(SHA256.hash(data: Array(bytes)))
    }

    @Test("each tensor is hashed by itself, in pieces of any size, with gaps and empty ones")
    func hashing() throws {
        let json = header([("b", 10, 25), ("a", 0, 4), ("none", 4, 4), ("last", 40, 40)])
        let start = 8 + UInt64(json.count)
        let parsed = try SafetensorsHeader(parsing: json, name: "f", size: start + 40)
        #expect(parsed.places.map(\.name) == ["a", "none", "b", "last"])
        let data = (0..<40).map { UInt8($0) }
        for size in [1, 3, 7, 40, 64] {
            var hashing = TensorHashing(parsed, from: start)
            for place in Swift.stride(from: 0, to: data.count, by: size) {
                hashing.add(Array(data[place..<min(place + size, data.count)]))
            }
            #expect(
                hashing.digests.mapValues(\.bytes) == [
                    "a": sum(data[0..<4]), "none": sum([]), "b": sum(data[10..<25]),
                    "last": sum([]),
                ], "\(size)")
        }
    }

    @Test("a tensor whose bytes did not all come has no digest")
    func torn() throws {
        let json = header([("a", 0, 4), ("b", 4, 8)])
        let start = 8 + UInt64(json.count)
        var hashing = TensorHashing(
            try SafetensorsHeader(parsing: json, name: "f", size: start + 8), from: start)
        hashing.add([1, 2, 3, 4, 5, 6, 7])
        #expect(hashing.digests.keys.sorted() == ["a"])
    }

    @Test("places that overlap, run backwards or past the end are refused")
    func refused() {
        let wrong: [[(String, Int, Int)]] = [
            [("a", 0, 5), ("b", 4, 8)], [("a", 0, 9)], [("a", 5, 4)], [("a", 2, 6), ("b", 4, 4)],
        ]
        for places in wrong {
            let json = header(places)
            #expect(throws: LinajeError.self, "\(places)") {
                try SafetensorsHeader(
                    parsing: json, name: "f", size: 8 + UInt64(json.count) + 8)
            }
        }
        let huge = Array("{\"a\":{\"data_offsets\":[0,18446744073709551615]}}".utf8)
        for size in [UInt64(0), 8, 8 + UInt64(huge.count), .max] {
            _ = try? SafetensorsHeader(parsing: huge, name: "f", size: size)
        }
        #expect(throws: LinajeError.self) {
            try SafetensorsHeader(parsing: huge, name: "f", size: 100)
        }
    }

    @Test("the length of a header is believed only where the file has room for it")
    func lengths() {
        func start(_ length: UInt64) -> [UInt8] {
            (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * UInt64($0))) }
        }
        #expect(SafetensorsHeader.length(start(92), of: 100) == 92)
        #expect(SafetensorsHeader.length(start(93), of: 100) == nil)
        #expect(SafetensorsHeader.length(start(.max), of: .max) == nil)
        #expect(SafetensorsHeader.length(start(0), of: 7) == nil)
        #expect(SafetensorsHeader.length([1, 2], of: 100) == nil)
    }

    @Test("torn and changed headers are refused or have places inside the file")
    func damaged() throws {
        let whole = header([("a", 0, 4), ("b", 4, 8), ("c", 8, 16)])
        let size = 8 + UInt64(whole.count) + 16
        for end in whole.indices {
            #expect(throws: LinajeError.self) {
                try SafetensorsHeader(parsing: Array(whole[..<end]), name: "f", size: size)
            }
        }
        var generator = SeededBytes(577)
        for _ in 0..<3_000 {
            var bytes = whole
            let place = Int(generator.next() % UInt64(bytes.count))
            bytes[place] = UInt8(truncatingIfNeeded: generator.next())
            guard
                let found = try? SafetensorsHeader(parsing: bytes, name: "f", size: size)
            else { continue }
            #expect(found.places.allSatisfy { $0.bytes.upperBound <= size })
        }
    }
}
