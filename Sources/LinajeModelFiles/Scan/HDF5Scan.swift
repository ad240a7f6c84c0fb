import LinajeDomain

/// HDF5 files (The HDF Group, "HDF5 File Format Specification"), which are not taken apart: Keras keeps a
/// model's configuration in an attribute of one, and that can name code.
package enum HDF5Scan {
    package static let magic: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]
    /// How much of a file is searched, in bytes.
    private static let mostSearchedBytes = 8 << 20
    /// Endings of what is not loaded as HDF5, and may be very long.
    private static let others: Set<String> = ["safetensors", "gguf", "onnx"]
    /// What a configuration with code has.
    private static let dangers = [
        "\"Lambda\"", "\"__lambda__\"", "\"TorchModuleWrapper\"", "\"TFSMLayer\"",
    ]

    /// Where the format begins in a file; `nil`: nowhere.
    ///
    /// That is at its first byte or, after anything, at 512, 1024, 2048 and so on (II.A, "Superblock").
    static func place(in file: ModelFile, _ prefix: [UInt8]) async throws -> UInt64? {
        if prefix.starts(with: magic) { return 0 }
        let isOther = others.contains(CodeScan.ending(of: file.path))
        var place: UInt64 = 512
        while place < file.size {
            if place + UInt64(magic.count) <= UInt64(prefix.count) {
                if prefix[Int(place)...].starts(with: magic) { return place }
            } else {
                guard !isOther else { return nil }
                if try await file.upTo(magic.count, at: place) == magic { return place }
            }
            let (next, overflow) = place.multipliedReportingOverflow(by: 2)
            guard !overflow else { return nil }
            place = next
        }
        return nil
    }

    /// Never safe: what is compressed, or written with escapes, is not found.
    static func scan(_ file: ModelFile, from place: UInt64) async throws -> FileScan {
        var scan = FileScan("hdf5")
        scan.note(
            .unknown, "is an HDF5 file, which is not looked into; save a Keras model as .keras")
        let bytes = try await file.upTo(mostSearchedBytes, at: place)
        for name in dangers where ByteSearch.contains(name, in: bytes) {
            scan.note(.dangerous, "has \(name), by which loading a Keras model runs code")
        }
        return scan
    }
}
