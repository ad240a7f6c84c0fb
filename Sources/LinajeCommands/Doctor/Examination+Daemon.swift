import LinajeDomain

extension Examination {
    /// What the daemon says of itself.
    func daemonFindings() -> [Diagnosis] {
        guard let facts else { return [] }
        return [versionFinding(facts), changesFinding(facts)] + pluginFindings(facts)
    }

    private func versionFinding(_ facts: DaemonFacts) -> Diagnosis {
        guard facts.version != version else {
            return .ok("version", "daemon and command line are \(version)")
        }
        return .warning(
            "version", "the daemon is \(facts.version), this command line \(version)",
            "restart the daemon if it was upgraded: "
                + (scope == .system
                    ? "sudo systemctl restart linajed" : "systemctl --user restart linajed")
                + "; else call the \"linaje\" of its installation")
    }

    private func changesFinding(_ facts: DaemonFacts) -> Diagnosis {
        guard let failure = facts.failure else {
            return .ok("changes", "the daemon accepts changes")
        }
        return .failure(
            "changes", "the daemon accepts no changes any more: \(failure)",
            "mend the disk, then restart the daemon; it checks what it has when it starts")
    }

    private func pluginFindings(_ facts: DaemonFacts) -> [Diagnosis] {
        let broken = facts.plugins.filter { $0.failure != nil }.map { plugin in
            Diagnosis.failure(
                "plugins", "\(plugin.name) (\(plugin.kind)): \(plugin.failure ?? "")",
                "look at what the daemon has logged, then restart it")
        }
        let names = facts.plugins.map(\.name).joined(separator: ", ")
        let all = broken.isEmpty ? [Diagnosis.ok("plugins", names)] : broken
        guard !facts.plugins.contains(where: { $0.kind == "model flavor" }) else { return all }
        return all + [
            .warning(
                "flavors", "models are not examined: the daemon has no linaje-flavor-host",
                Self.flavorHint)
        ]
    }

    static let flavorHint =
        "install it in libexec/linaje beside the daemon's bin, or set flavors.host in linaje.toml"
}
