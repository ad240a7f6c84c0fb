import FoundationEssentials
import LinajeDomain
import NIOPosix

/// The files that AWS's tools share: `~/.aws/credentials` and `~/.aws/config`, by profile. A daemon
/// that systemd has given the credential `linaje.s3` reads that in place of the first.
///
/// Profiles that take their credentials from somewhere else (a role, single sign-on, a process) are
/// refused by name rather than passed over: another place's credentials would be somebody else's.
package struct SharedFiles: CredentialSource {
    /// Longest file that is read.
    static let maximumBytes = 1 << 20

    private let environment: [String: String]
    private let profile: String
    private let isNamed: Bool

    /// - Parameter profile: `nil`: `AWS_PROFILE`, else "default".
    package init(_ environment: [String: String], profile: String?) {
        let named = profile ?? environment["AWS_PROFILE"].flatMap { $0.isEmpty ? nil : $0 }
        self.environment = environment
        self.profile = named ?? "default"
        isNamed = named != nil
    }

    package var name: String { "profile \(profile) of the shared files" }

    package func credentials() async throws -> S3Credentials? {
        guard let values = try await values() else {
            guard isNamed else { return nil }
            throw LinajeError(
                .failedPrecondition,
                "profile \(profile) is in neither \(credentialsPath ?? "~/.aws/credentials") nor "
                    + "\(configPath ?? "~/.aws/config"); add it or name another")
        }
        if let id = values["aws_access_key_id"], let secret = values["aws_secret_access_key"] {
            return S3Credentials(
                accessKeyID: id, secretAccessKey: Secret(secret),
                sessionToken: values["aws_session_token"].map(Secret.init),
                origin: "profile \(profile)")
        }
        let others = [
            "role_arn", "sso_session", "sso_start_url", "credential_process",
            "web_identity_token_file",
        ]
        if let key = others.first(where: { values[$0] != nil }) {
            throw LinajeError(
                .failedPrecondition,
                "profile \(profile) takes its credentials by \(key), which is not supported; "
                    + "export them to the environment (aws configure export-credentials)")
        }
        return nil
    }

    /// What the profile says, the credentials file before the config file; `nil` when neither file
    /// has it.
    package func values() async throws -> [String: String]? {
        let paths = [
            (configPath, profile == "default" ? ["default"] : ["profile \(profile)", profile]),
            (credentialsPath, [profile]),
        ]
        return try await NIOThreadPool.singleton.runIfActive {
            var found: [String: String]?
            for case (let path?, let sections) in paths {
                guard let text = try Self.read(path) else { continue }
                for (section, values) in ProfileFile.parse(text) where sections.contains(section) {
                    found = (found ?? [:]).merging(values) { $1 }
                }
            }
            return found
        }
    }

    private var credentialsPath: String? {
        environment["AWS_SHARED_CREDENTIALS_FILE"] ?? systemdPath
            ?? environment["HOME"].map { $0 + "/.aws/credentials" }
    }

    private var systemdPath: String? {
        guard let folder = environment["CREDENTIALS_DIRECTORY"], !folder.isEmpty else {
            return nil
        }
        let path = folder + "/linaje.s3"
        return FileManager.default.fileExists(atPath: path) ? path : nil
    }

    private var configPath: String? {
        environment["AWS_CONFIG_FILE"] ?? environment["HOME"].map { $0 + "/.aws/config" }
    }

    /// The text of a file; `nil` when there is none.
    private static func read(_ path: String) throws -> String? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        guard let data = FileManager.default.contents(atPath: path), data.count <= maximumBytes
        else {
            throw LinajeError(
                .failedPrecondition,
                "\(path) cannot be read or is larger than \(maximumBytes) bytes; check its "
                    + "permissions")
        }
        return String(decoding: data, as: UTF8.self)
    }
}

/// The grammar of those files: `[section]` lines, `key = value` lines, comments after "#" or ";" at
/// the beginning of a line. Indented lines belong to the key before them and are passed over.
package enum ProfileFile {
    package static func parse(_ text: String) -> [String: [String: String]] {
        var out: [String: [String: String]] = [:]
        var section: String?
        for line in text.split(whereSeparator: \.isNewline) {
            guard let first = line.first, first != "#", first != ";", !first.isWhitespace else {
                continue
            }
            if first == "[" {
                let name = line.dropFirst().prefix { $0 != "]" }
                section = name.split(whereSeparator: \.isWhitespace).joined(separator: " ")
                if let section, out[section] == nil { out[section] = [:] }
            } else if let section, let equals = line.firstIndex(of: "=") {
                let key = trimmed(line[..<equals]).lowercased()
                out[section]?[key] = trimmed(line[line.index(after: equals)...])
            }
        }
        return out
    }

    private static func trimmed(_ text: Substring) -> String {
        var rest = text
        while rest.first?.isWhitespace == true { rest = rest.dropFirst() }
        while rest.last?.isWhitespace == true { rest = rest.dropLast() }
        return String(rest)
    }
}
