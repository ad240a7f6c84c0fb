import FoundationEssentials
import Glibc
import LinajeDomain

/// The file that `linaje model predict` reads.
struct PredictInput {
    enum Format: String {
        case csv, json, parquet
    }

    /// Most bytes of a file that is read whole.
    static let mostBytes = 1 << 30
    private static let pieceBytes = 1 << 20

    /// `nil`: standard input.
    private let path: String?
    private let descriptor: Int32
    let format: Format
    /// Bytes of the file; 0: unknown.
    let size: UInt64
    /// What has been read already to see what it is.
    private var first: [UInt8]

    /// Opens a file. Its format is what its name says, else what it begins with.
    ///
    /// - Parameter path: "-": standard input.
    init(_ path: String) async throws {
        self.path = path == "-" ? nil : path
        if let path = self.path {
            descriptor = open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else {
                throw LinajeError(
                    errno == ENOENT ? .notFound : .readOnly,
                    "\(path) cannot be read: \(String(cString: strerror(errno)))")
            }
        } else {
            descriptor = STDIN_FILENO
        }
        var status = stat()
        let isFile = fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
        size = isFile ? UInt64(clamping: status.st_size) : 0
        first = try await Self.read(descriptor, path)
        let text = first.drop { " \t\r\n".utf8.contains($0) }
        format =
            if path.hasSuffix(".parquet") || first.starts(with: "PAR1".utf8) {
                .parquet
            } else if path.hasSuffix(".csv") {
                .csv
            } else if path.hasSuffix(".json") || text.first == UInt8(ascii: "{") {
                .json
            } else {
                .csv
            }
        guard format != .parquet || self.path != nil else {
            throw LinajeError(
                .invalidArgument, "a Parquet file cannot come from standard input; give its path")
        }
    }

    /// The absolute path of the file.
    func absolutePath() throws -> String { try PluginPackage.absolute(path ?? "-") }

    /// The next bytes; none at the end.
    mutating func next() async throws -> [UInt8] {
        if !first.isEmpty {
            defer { first = [] }
            return first
        }
        return try await Self.read(descriptor, path ?? "standard input")
    }

    /// All of it.
    mutating func whole() async throws -> [UInt8] {
        var all: [UInt8] = []
        while case let piece = try await next(), !piece.isEmpty {
            guard all.count + piece.count <= Self.mostBytes else {
                throw LinajeError(
                    .limitExceeded,
                    "\(path ?? "the input") has more than \(ByteCount(UInt64(Self.mostBytes))), which "
                        + "must be read whole; give it as CSV, or in parts")
            }
            all += piece
        }
        return all
    }

    private static func read(_ descriptor: Int32, _ path: String) async throws -> [UInt8] {
        try await BlockingThread.run {
            var bytes = [UInt8](repeating: 0, count: pieceBytes)
            while true {
                let got = Glibc.read(descriptor, &bytes, bytes.count)
                if got < 0, errno == EINTR { continue }
                guard got >= 0 else {
                    throw LinajeError(
                        .readOnly, "\(path) cannot be read: \(String(cString: strerror(errno)))")
                }
                return got == bytes.count ? bytes : Array(bytes[..<got])
            }
        }
    }
}
