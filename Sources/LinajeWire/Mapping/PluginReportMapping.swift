import FoundationEssentials
package import LinajeDomain

extension Linaje_V1_PluginReport {
    package init(_ report: PluginReport) {
        self.init()
        name = report.name
        kind = report.kind
        version = report.version
        description_p = report.summary
        license = report.license
        url = report.url
        folder = report.folder
        if let digest = report.digest { sha256 = digest.data }
        pinned = report.isPinned
        readable = report.readable
        enabled = report.isEnabled
        disabledBy = report.disabledBy
        disabledAtUs = report.disabledAt?.microseconds ?? 0
        problem = report.problem
        flavors = report.flavors
        calls = report.calls
        failures = report.failures
        lastFailure = report.lastFailure
        processes = UInt32(clamping: report.processes)
    }
}

extension PluginReport {
    /// - Throws: `badMessage` for a digest that is none.
    package init(_ message: Linaje_V1_PluginReport) throws {
        self.init(
            name: message.name, kind: message.kind, version: message.version,
            summary: message.description_p, license: message.license, url: message.url,
            folder: message.folder,
            digest: message.sha256.isEmpty
                ? nil : try SHA256Digest(message.sha256, noun: "SHA-256 of a plugin"),
            isPinned: message.pinned, readable: message.readable, isEnabled: message.enabled,
            disabledBy: message.disabledBy,
            disabledAt: message.disabledAtUs == 0
                ? nil : Timestamp(microseconds: message.disabledAtUs),
            problem: message.problem, flavors: message.flavors, calls: message.calls,
            failures: message.failures, lastFailure: message.lastFailure,
            processes: Int(message.processes))
    }
}
