import LinajeDomain
import LinajeModelFiles
import Testing

@Suite("HDF5 files in scans")
struct HDF5ScanTests {
    private static let file = ForeignModels.file("keras-hdf5/model.h5")
    private static let lambda = file + Array("{\"class_name\": \"Lambda\"}".utf8)

    @Test(
        "an HDF5 file is unknown by its content, whatever its name",
        arguments: ["m.h5", "model.weights.h5", "tf_model.h5", "m.bin", "m"])
    func unknown(name: String) async throws {
        let found = try #require(try await scan(Self.file, as: name))
        #expect(found.verdict == .unknown)
        #expect(found.format == "hdf5")
        #expect(try await scan(Self.lambda, as: name)?.verdict == .dangerous)
    }

    @Test("it is found behind what stands before it")
    func userBlock() async throws {
        for (count, name) in [(512, "m"), (2_048, "m.bin"), (65_536, "m.h5"), (1 << 20, "m.keras")]
        {
            let block = [UInt8](repeating: UInt8(ascii: "x"), count: count)
            let found = try #require(try await scan(block + Self.lambda, as: name))
            #expect(found.verdict == .dangerous, "\(count) \(name)")
            // Nothing that opens HDF5 looks there.
            #expect(try await scan(block.dropLast(12) + Self.lambda, as: name) == nil)
        }
        let pickle = Array("cos\nsystem\n(S'id'\ntR.".utf8)
        let block = pickle + [UInt8](repeating: 0, count: 512 - pickle.count)
        let both = try #require(try await scan(block + Self.file, as: "m.h5"))
        #expect(both.verdict == .dangerous)
        #expect(both.problems.contains { $0.message.contains("os.system") }, "\(both.problems)")
    }

    @Test(
        "the weights of a Keras archive are weights; any other HDF5 file in an archive is unknown")
    func archives() async throws {
        let both = ["config.json", "metadata.json"]
        let cases: [([String], ScanVerdict?)] = [
            (both + ["model.weights.h5"], nil), (both + ["a.h5"], .unknown),
            (["model.weights.h5"], .unknown),
        ]
        for (names, verdict) in cases {
            let members = names.map {
                ZIPBytes.Member($0, $0.hasSuffix(".h5") ? Self.file : Array("{}".utf8))
            }
            #expect(try await scan(ZIPBytes(members).bytes, as: "m.keras")?.verdict == verdict)
        }
    }
}
