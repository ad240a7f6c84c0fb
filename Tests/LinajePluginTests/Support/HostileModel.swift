import LinajeConformance
import LinajeDomain
import LinajePluginKit
import Testing

/// Files that a flavor must refuse, and a part of what it says.
struct HostileModel: Sendable, CustomTestStringConvertible {
    var what: String
    var files: [String: [UInt8]]
    /// Sizes to claim for files that are longer than their content here.
    var sizes: [String: UInt64] = [:]
    var says: String
    var testDescription: String { what }

    init(
        _ what: String, _ path: String, _ bytes: [UInt8], size: UInt64? = nil, says: String
    ) {
        self.what = what
        files = [path: bytes]
        self.says = says
        if let size { sizes[path] = size }
    }

    /// As a case of the conformance suite; `nil` when it is only hostile by its size.
    var conformance: ConformanceModel? {
        sizes.isEmpty ? ConformanceModel(what, files: files) : nil
    }

    /// Checks that the flavor refuses it by name, without reading more than there is.
    func expectRefusal(by flavor: any ModelFlavor) async throws {
        let source = MemoryModelSource(files, sizes: sizes)
        let error = await #expect(throws: LinajeError.self) {
            try await flavor.describe(source)
        }
        #expect(error?.code == .invalidArgument)
        let path = try #require(files.keys.first)
        #expect(error?.message.contains(path) == true, "\(error?.message ?? "")")
        #expect(error?.message.contains(says) == true, "\(error?.message ?? "")")
        #expect(source.reads.bytes <= 1 << 20)
    }
}
