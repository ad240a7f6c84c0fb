import Foundation
import LinajeDomain
import Testing

@testable import LinajeCommands

@Suite("LedgerChain")
struct LedgerChainTests {
    /// The chained events of the golden vectors.
    private func events() throws -> [LedgerEvent] {
        let file = URL(filePath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "proto-spec/vectors/events.json")
        let json = try JSONSerialization.jsonObject(with: Data(contentsOf: file))
        let entries = try #require((json as? [String: Any])?["events"] as? [[String: Any]])
        return try entries.enumerated().map { index, entry in
            func digest(_ name: String) throws -> SHA256Digest {
                try #require(SHA256Digest(hex: entry[name] as? String ?? ""))
            }
            let canonical = try #require(Hex.decode(entry["canonical"] as? String ?? "-"))
            return LedgerEvent(
                sequence: UInt64(index + 1), canonical: canonical,
                previousHash: try digest("previousHash"), hash: try digest("hash"))
        }
    }

    @Test("the events of the golden vectors fit")
    func vectors() throws {
        var chain = LedgerChain()
        for event in try events() { #expect(chain.add(event) == nil) }
        #expect(chain.count > 0)
    }

    @Test("a change of any byte, number or hash is found")
    func changes() throws {
        for event in try events().prefix(1) {
            for index in event.canonical.indices {
                var changed = event
                changed.canonical[index] ^= 1
                var chain = LedgerChain()
                #expect(chain.add(changed) != nil, "byte \(index)")
                #expect(chain.count == 0)
            }
            var moved = event
            moved.sequence += 1
            var chain = LedgerChain()
            #expect(chain.add(moved) != nil)
            var rehung = event
            rehung.previousHash = event.hash
            #expect(chain.add(rehung) != nil)
        }
    }
}
