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
        for (count, name) in [
            (512, "m"), (2_048, "m.bin"), (65_536, "m.h5"), (4_096, "model"), (1 << 20, "m.keras"),
        ] {
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

    @Test("an archive that begins as HDF5 is dangerous, as it is without that")
    func archiveBehind() async throws {
        let archive = ZIPBytes([ZIPBytes.Member("config.json", Array("{}".utf8))]).bytes
        let found = try #require(
            try await scan(Array(Self.file.prefix(8)) + archive, as: "m.keras"))
        #expect(found.verdict == .dangerous)
    }

    @Test("a configuration of Keras in an archive that is none of its own is unknown")
    func configurations() async throws {
        let lambda = Array("{\"class_name\":\"Lambda\",\"config\":{}}".utf8)
        let keras = ZIPBytes([
            ZIPBytes.Member("config.json", lambda), ZIPBytes.Member("metadata.json", lambda),
        ]).bytes
        for (name, members) in [
            ("m.zip", [ZIPBytes.Member("config.json", lambda)]),
            ("m.zip", [ZIPBytes.Member("m/config.json", lambda)]),
            ("m.zip", [ZIPBytes.Member("m.keras", keras)]),
            ("m.keras", [ZIPBytes.Member("m.keras", keras)]),
            (
                "m.zip",
                [
                    ZIPBytes.Member("config.json", Array("{}".utf8)),
                    ZIPBytes.Member("metadata.json", Array("{}".utf8)),
                    ZIPBytes.Member("model.weights.h5", Self.file),
                ]
            ),
        ] {
            #expect(
                try await scan(ZIPBytes(members).bytes, as: name)?.verdict == .unknown, "\(name)")
        }
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
