import Glibc
import LinajeDomain

/// Paths of this machine.
enum LocalPath {
    /// The path from the root on, with its folder's links resolved. The last part need not exist.
    ///
    /// - Throws: `notFound` when its folder does not exist.
    static func absolute(_ path: String) throws -> String {
        if let whole = realpath(path, nil) {
            defer { free(whole) }
            return String(cString: whole)
        }
        let cut = path.lastIndex(of: "/")
        let folder = cut.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        guard let real = realpath(folder, nil) else {
            throw LinajeError(
                .notFound,
                "folder of \(path) cannot be found: \(String(cString: strerror(errno)))")
        }
        defer { free(real) }
        let name = cut.map { path[path.index(after: $0)...] } ?? path[...]
        let base = String(cString: real)
        return (base == "/" ? "" : base) + "/" + name
    }
}
