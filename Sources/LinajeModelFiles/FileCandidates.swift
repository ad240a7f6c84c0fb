import LinajeDomain
package import LinajePluginKit

/// Finds the files of a format among those of a model by their names and first bytes.
package enum FileCandidates {
    /// Most files whose first bytes are looked at.
    static let mostFiles = 20_000

    /// The files whose name ends with one of `suffixes` and whose first bytes are right, by path.
    ///
    /// - Parameters:
    ///   - suffixes: In lower case, with their point.
    ///   - count: How many bytes `isRight` gets; fewer of a shorter file.
    /// - Throws: `limitExceeded` when more than 20,000 files have such names: none is left out in silence.
    package static func find(
        in source: any ModelSource, suffixes: [String], first count: Int,
        _ isRight: ([UInt8]) -> Bool
    ) async throws -> [ModelSourceFile] {
        let named = try await source.files().filter { file in
            let path = file.path.lowercased()
            return suffixes.contains { path.hasSuffix($0) }
        }
        guard named.count <= mostFiles else {
            throw LinajeError(
                .limitExceeded,
                "\(named.count) files of the model end with \(suffixes.joined(separator: ", ")); at "
                    + "most \(mostFiles) are looked at")
        }
        let ordered = named.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
        var found: [ModelSourceFile] = []
        for file in ordered where file.size > 0 {
            let bytes = try await source.read(file.path, offset: 0, length: count)
            if isRight(bytes) { found.append(file) }
        }
        return found
    }
}
