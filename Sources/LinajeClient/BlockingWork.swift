import Glibc
package import LinajeDomain
import NIOPosix

/// Runs calls that may block (files) on threads of their own, never on the pool that tasks share.
enum BlockingWork {
    static func run<Value: Sendable>(
        _ body: @escaping @Sendable () throws -> Value
    ) async throws -> Value {
        try await NIOThreadPool.singleton.runIfActive(body)
    }
}

/// The error of a call of the operating system.
package func fileError(_ doing: String, _ path: String, _ number: Int32) -> LinajeError {
    let code: LinajeError.Code =
        switch number {
        case 2: .notFound
        case 1, 13: .permissionDenied
        case 17: .alreadyExists
        case 28, 122: .storageFull
        case 30: .readOnly
        default: .failedPrecondition
        }
    let text = String(cString: strerror(number))
    return LinajeError(code, "\(path) cannot be \(doing): \(text)")
}
