/// The one error type at boundaries: what crosses the wire, what a command prints.
///
/// The message is lower case, names the object and says what to do.
public struct LinajeError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of error it is.
    public var code: Code
    /// What happened, to which object, and what to do, for people.
    public var message: String
    /// Facts for programs, by name.
    public var details: [String: String]

    public init(_ code: Code, _ message: String, details: [String: String] = [:]) {
        self.code = code
        self.message = message
        self.details = details
    }

    /// Whether the same request may succeed later without a change.
    public var isRetryable: Bool { code.isRetryable }

    public var description: String { "\(code.name): \(message)" }
}

extension LinajeError {
    /// The number of an error, as `proto-spec/ERRORS.md` lists it.
    ///
    /// Numbers this build does not know survive: a newer peer may send them.
    public struct Code: RawRepresentable, Sendable, Hashable {
        public let rawValue: UInt32

        public init(rawValue: UInt32) { self.rawValue = rawValue }

        /// Number, name and retryable bit of each known error, in the order of ERRORS.md.
        public static let known: [(code: Code, name: String, isRetryable: Bool)] = [
            (.badPreface, "bad_preface", false),
            (.badFrame, "bad_frame", false),
            (.frameTooLarge, "frame_too_large", false),
            (.versionUnsupported, "version_unsupported", false),
            (.flowControl, "flow_control", false),
            (.badStream, "bad_stream", false),
            (.handshakeTimeout, "handshake_timeout", true),
            (.tooManyConnections, "too_many_connections", true),
            (.slowClient, "slow_client", true),
            (.unknownMethod, "unknown_method", false),
            (.badMessage, "bad_message", false),
            (.invalidArgument, "invalid_argument", false),
            (.limitExceeded, "limit_exceeded", false),
            (.notFound, "not_found", false),
            (.alreadyExists, "already_exists", false),
            (.failedPrecondition, "failed_precondition", false),
            (.permissionDenied, "permission_denied", false),
            (.unauthenticated, "unauthenticated", false),
            (.idempotencyConflict, "idempotency_conflict", false),
            (.deadlineExceeded, "deadline_exceeded", true),
            (.cancelled, "cancelled", true),
            (.conflict, "conflict", false),
            (.runNotActive, "run_not_active", false),
            (.leaseHeld, "lease_held", false),
            (.incomplete, "incomplete", false),
            (.invalidPath, "invalid_path", false),
            (.unavailable, "unavailable", true),
            (.overloaded, "overloaded", true),
            (.storageFull, "storage_full", true),
            (.storageFailed, "storage_failed", false),
            (.corrupt, "corrupt", false),
            (.pluginFailed, "plugin_failed", true),
            (.readOnly, "read_only", false),
            (.storeTooNew, "store_too_new", false),
            (.alreadyRunning, "already_running", false),
            (.internalError, "internal", true),
        ]

        /// The error's name; "error 999" for a number this build does not know.
        public var name: String {
            Self.table[rawValue]?.name ?? "error \(rawValue)"
        }

        /// Whether the same request may succeed later without a change.
        public var isRetryable: Bool { Self.table[rawValue]?.isRetryable ?? false }

        private static let table = Dictionary(
            uniqueKeysWithValues: known.map {
                ($0.code.rawValue, (name: $0.name, isRetryable: $0.isRetryable))
            })
    }
}

extension LinajeError.Code {
    // Of the connection: it ends.
    public static let badPreface = Self(rawValue: 1)
    public static let badFrame = Self(rawValue: 2)
    public static let frameTooLarge = Self(rawValue: 3)
    public static let versionUnsupported = Self(rawValue: 4)
    public static let flowControl = Self(rawValue: 5)
    public static let badStream = Self(rawValue: 6)
    public static let handshakeTimeout = Self(rawValue: 7)
    public static let tooManyConnections = Self(rawValue: 8)
    public static let slowClient = Self(rawValue: 9)
    // Of a request.
    public static let unknownMethod = Self(rawValue: 100)
    public static let badMessage = Self(rawValue: 101)
    public static let invalidArgument = Self(rawValue: 102)
    public static let limitExceeded = Self(rawValue: 103)
    public static let notFound = Self(rawValue: 104)
    public static let alreadyExists = Self(rawValue: 106)
    public static let failedPrecondition = Self(rawValue: 107)
    public static let permissionDenied = Self(rawValue: 108)
    public static let unauthenticated = Self(rawValue: 109)
    public static let idempotencyConflict = Self(rawValue: 110)
    public static let deadlineExceeded = Self(rawValue: 111)
    public static let cancelled = Self(rawValue: 112)
    public static let conflict = Self(rawValue: 113)
    public static let runNotActive = Self(rawValue: 114)
    public static let leaseHeld = Self(rawValue: 115)
    public static let incomplete = Self(rawValue: 116)
    public static let invalidPath = Self(rawValue: 117)
    // Of the daemon.
    public static let unavailable = Self(rawValue: 200)
    public static let overloaded = Self(rawValue: 201)
    public static let storageFull = Self(rawValue: 202)
    public static let storageFailed = Self(rawValue: 203)
    public static let corrupt = Self(rawValue: 204)
    public static let pluginFailed = Self(rawValue: 205)
    public static let readOnly = Self(rawValue: 206)
    public static let storeTooNew = Self(rawValue: 207)
    public static let alreadyRunning = Self(rawValue: 208)
    public static let internalError = Self(rawValue: 299)
}
