import LinajeConformance
import LinajeDomain
import LinajeModelFiles
import LinajePluginKit

/// Scans bytes as a file of that name.
func scan(_ bytes: [UInt8], as name: String = "m.pkl") async throws -> FileScan? {
    let source = MemoryModelSource([name: bytes])
    let file = ModelSourceFile(path: name, size: UInt64(bytes.count))
    return try await CodeScan().scan(ModelFile(file, in: source))
}
