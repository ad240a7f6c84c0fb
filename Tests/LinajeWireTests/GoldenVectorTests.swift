import Foundation
import LinajeDomain
import LinajeWire
import SwiftProtobuf
import Testing

/// `proto-spec/vectors`: the same bytes that the Python client's tests reproduce.
@Suite("Golden vectors")
struct GoldenVectorTests {
    /// The messages that the vectors use, by name.
    private static let types: [String: any Message.Type] = Dictionary(
        uniqueKeysWithValues: ([
            Linaje_V1_CallHeader.self, Linaje_V1_ClientHello.self, Linaje_V1_CreateRunRequest.self,
            Linaje_V1_Credit.self, Linaje_V1_Done.self, Linaje_V1_Failure.self,
            Linaje_V1_GetStatusRequest.self, Linaje_V1_GoAway.self,
            Linaje_V1_LatencyHistogram.self, Linaje_V1_MetricAck.self,
            Linaje_V1_MetricBatch.self, Linaje_V1_MetricPoint.self, Linaje_V1_MetricPoints.self,
            Linaje_V1_Ping.self, Linaje_V1_ServerHello.self, Linaje_V1_SetAliasRequest.self,
            Linaje_V1_StreamMetricsRequest.self, Linaje_V1_UpdateRunRequest.self,
        ] as [any Message.Type]).map {
            ($0.protoMessageName.replacing("linaje.v1.", with: ""), $0)
        })

    private func entries(_ file: String, _ list: String) throws -> [[String: Any]] {
        let entries = try Specification.json("vectors/" + file)[list] as? [[String: Any]] ?? []
        try #require(!entries.isEmpty, "\(file) has no \(list)")
        return entries
    }

    private func hex(_ entry: [String: Any], _ field: String = "hex") throws -> [UInt8] {
        try #require(Hex.decode(entry[field] as? String ?? "-"))
    }

    private func type(_ entry: [String: Any]) throws -> any Message.Type {
        let name = entry["message"] as? String ?? ""
        return try #require(Self.types[name], "message \(name) is not in the test's table")
    }

    private func message(_ entry: [String: Any], _ type: any Message.Type, _ field: String = "json")
        throws -> any Message
    {
        let json = try JSONSerialization.data(withJSONObject: entry[field] ?? [String: Any]())
        return try type.init(jsonUTF8Bytes: json)
    }

    @Test("the preface is that of the vectors")
    func preface() throws {
        let vectors = try Specification.json("vectors/frames.json")
        #expect(vectors["preface"] as? String == Hex.encode(FrameHeader.preface))
    }

    @Test("every frame decodes to its fields and encodes to its bytes")
    func frames() throws {
        for entry in try entries("frames.json", "frames") {
            let name = entry["name"] as? String ?? ""
            let bytes = try hex(entry)
            let payload = try hex(entry, "payload")
            let header = try bytes.prefix(12).withUnsafeBytes { try FrameHeader(parsing: $0) }
            #expect(header.length == entry["length"] as? Int, "\(name)")
            #expect(Int(header.stream) == entry["stream"] as? Int, "\(name)")
            #expect("\(header.type)" == entry["type"] as? String, "\(name)")
            #expect(Int(header.type.rawValue) == entry["typeNumber"] as? Int, "\(name)")
            #expect(Int(header.flags) == entry["flags"] as? Int, "\(name)")
            #expect(Int(header.opcode) == entry["opcode"] as? Int, "\(name)")
            let frame = Frame(
                header.type, stream: header.stream, flags: header.flags, opcode: header.opcode,
                payload: payload)
            #expect(frame.bytes == bytes, "\(name)")
        }
    }

    @Test("every malformed header is refused with its error")
    func malformed() throws {
        for entry in try entries("frames.json", "malformed") {
            let bytes = try hex(entry)
            let number = try #require(entry["error"] as? Int)
            let error = #expect(throws: LinajeError.self, "\(entry["name"] ?? "")") {
                try bytes.withUnsafeBytes { raw in _ = try FrameHeader(parsing: raw) }
            }
            #expect(error?.code.rawValue == UInt32(number), "\(entry["name"] ?? "")")
        }
    }

    @Test("every message encodes to its bytes and decodes to its JSON")
    func messages() throws {
        for entry in try entries("messages.json", "messages") {
            let name = entry["name"] as? String ?? ""
            let type = try type(entry)
            let wanted = try message(entry, type)
            let bytes = try hex(entry)
            #expect(try wanted.payload() == bytes, "\(name)")
            let decoded = try type.init(serializedBytes: bytes)
            #expect(try decoded.payload() == bytes, "\(name)")
            #expect(try decoded.jsonString() == wanted.jsonString(), "\(name)")
        }
    }

    @Test("a batch straight from its columns has the bytes of the vectors")
    func batches() throws {
        var count = 0
        for entry in try entries("messages.json", "messages")
        where entry["message"] as? String == "MetricBatch" {
            let bytes = try hex(entry)
            let message = try Linaje_V1_MetricBatch(serializedBytes: bytes)
            guard let batch = try? MetricBatch(message) else { continue }
            let encoded = MetricBatchEncoding(batch.series).encode(
                sequence: batch.sequence, seriesIndex: batch.seriesIndex, columns: batch.columns)
            #expect(encoded == bytes, "\(entry["name"] ?? "")")
            count += 1
        }
        #expect(count > 0)
    }

    @Test("every request payload splits into its header and message, and is put together again")
    func requestPayloads() throws {
        for entry in try entries("messages.json", "requestPayloads") {
            let name = entry["name"] as? String ?? ""
            let bytes = try hex(entry)
            let payload = try CallPayload(parsing: bytes)
            let header = try message(entry, Linaje_V1_CallHeader.self, "header")
            #expect(try payload.header.payload() == header.payload(), "\(name)")
            let wanted = try message(entry, type(entry))
            #expect(try Array(payload.message) == wanted.payload(), "\(name)")
            #expect(
                try CallPayload.encode(header: payload.header, message: wanted) == bytes, "\(name)")
        }
    }

    @Test("what must be tolerated decodes to its JSON")
    func tolerated() throws {
        for entry in try entries("messages.json", "tolerated") {
            let type = try type(entry)
            let wanted = try message(entry, type)
            let decoded = try type.init(serializedBytes: try hex(entry))
            #expect(
                try decoded.jsonString() == wanted.jsonString(), "\(entry["name"] as? String ?? "")"
            )
        }
    }

    @Test("what is broken does not decode")
    func broken() throws {
        for entry in try entries("messages.json", "broken") {
            let type = try type(entry)
            let bytes = try hex(entry)
            #expect(throws: (any Error).self, "\(entry["name"] as? String ?? "")") {
                _ = try type.init(serializedBytes: bytes)
            }
        }
    }
}
