import LinajeCatalog
import LinajeDomain
import LinajePluginKit
import Testing

@Suite("Policies of verdicts in the catalog")
struct ScanPolicyTests {
    private static let danger = ModelDescription(
        findings: [Finding(severity: .danger, path: "model.pkl", message: "takes os.system")],
        verdict: .dangerous)

    /// Registers the next version of "forest" with a verdict.
    @discardableResult
    private func register(
        _ fixture: CatalogFixture, _ verdict: ScanVerdict?, name: String = "forest",
        from number: Int = 1
    ) async throws -> ModelVersion {
        let model = verdict == .dangerous ? Self.danger : ModelDescription(verdict: verdict)
        return try await fixture.change {
            try $0.createModelVersion(
                NewVersion(
                    name: name, createModel: true, tree: .of(number), size: 10,
                    source: "tree:sha256:\(SHA256Digest.of(number))", model: model))
        }
    }

    private func set(
        _ fixture: CatalogFixture, _ verdict: JudgedAs, _ uses: ModelUse...
    ) async throws {
        let changes = ScanPolicyChanges(set: ScanPolicy([verdict: BlockedUses(Set(uses))]))
        _ = try await fixture.change { try $0.setScanPolicy(of: "forest", changes) }
    }

    @Test("by itself a dangerous version is not promoted, and every other one is")
    func standard() async throws {
        try await CatalogFixture.with { fixture in
            for verdict in [nil] + ScanVerdict.allCases { try await register(fixture, verdict) }
            for version in UInt64(1)...3 {
                try await fixture.change {
                    try $0.setAlias("forest", "champion", version)
                    _ = try $0.transitionStage("forest", version, to: .production)
                }
            }
            let before = try await fixture.operations()
            for stage in [Stage.staging, .production] {
                await expectError(
                    .failedPrecondition, "models:/forest/4 is not promoted", "dangerous",
                    "the daemon's policy blocks promotion",
                    "linaje model accept models:/forest/4 --reason"
                ) {
                    try await fixture.change {
                        _ = try $0.transitionStage(
                            "forest", 4, to: stage, archiveExisting: true)
                    }
                }
            }
            await expectError(.failedPrecondition, "models:/forest/4 is not promoted") {
                try await fixture.change { try $0.setAlias("forest", "champion", 4) }
            }
            // Nothing was kept of the attempts, also not the archiving of the others.
            #expect(try await fixture.operations() == before)
            let model = try await fixture.read { try $0.registeredModel("forest") }
            #expect(model.aliases == ["champion": 3])
            try await fixture.change {
                _ = try $0.transitionStage("forest", 4, to: .archived)
                _ = try $0.transitionStage("forest", 4, to: .none)
            }
            #expect(
                try await fixture.read { try $0.resolveForLoading(.latest(name: "forest")) }
                    == .version(try await fixture.read { try $0.modelVersion("forest", 4) }))
        }
    }

    @Test("the model's own policy wins over the daemon's, verdict by verdict, until it is reset")
    func own() async throws {
        try await CatalogFixture.with { fixture in
            try await register(fixture, .unknown)
            try await register(fixture, .dangerous)
            try await set(fixture, .unknown, .promotion)
            try await set(fixture, .dangerous)
            try await fixture.change { try $0.setAlias("forest", "champion", 2) }
            await expectError(
                .failedPrecondition, "unknown", "the policy of \"forest\" blocks promotion"
            ) {
                try await fixture.change { try $0.setAlias("forest", "champion", 1) }
            }
            var model = try await fixture.read { try $0.registeredModel("forest") }
            #expect(
                model.scanPolicy
                    == ScanPolicy([.unknown: BlockedUses([.promotion]), .dangerous: .nothing]))
            #expect(model.effectivePolicy == model.scanPolicy.over(.standard))

            // What is promoted stays when the policy changes, and may be pointed at again.
            let changes = ScanPolicyChanges(
                set: ScanPolicy([.safe: BlockedUses([.loading])]), reset: [.unknown, .dangerous])
            try await fixture.change { _ = try $0.setScanPolicy(of: "forest", changes) }
            model = try await fixture.read { try $0.registeredModel("forest") }
            #expect(model.aliases == ["champion": 2])
            #expect(model.scanPolicy == ScanPolicy([.safe: BlockedUses([.loading])]))
            try await fixture.change {
                try $0.setAlias("forest", "champion", 2)
                try $0.setAlias("forest", "champion", 1)
            }
            await expectError(.failedPrecondition, "the daemon's policy") {
                try await fixture.change { try $0.setAlias("forest", "champion", 2) }
            }
        }
    }

    @Test("a verdict that blocks registration keeps nothing, not even the model")
    func registration() async throws {
        try await CatalogFixture.with { fixture in
            try await register(fixture, .safe)
            try await set(fixture, .dangerous, .registration)
            let before = try await fixture.operations()
            await expectError(
                .failedPrecondition, "is not registered as a version of \"forest\"",
                "(model.pkl: takes os.system)",
                "linaje model policy forest --dangerous promotion"
            ) { try await register(fixture, .dangerous) }
            #expect(try await fixture.operations() == before)
            #expect(try await register(fixture, .safe).version == 2)

            let strict = CatalogStore(
                backend: fixture.backend, clock: fixture.clock,
                scanPolicy: ScanPolicy([.none: BlockedUses([.registration])]))
            let new = NewVersion(
                name: "tree", createModel: true, tree: .of(1), size: 1, source: "tree:…")
            await expectError(.failedPrecondition, "it has no verdict", "the daemon's policy") {
                _ = try await strict.change(.untracked(by: CatalogFixture.alice)) {
                    try $0.createModelVersion(new)
                }
            }
            await expectError(.notFound) {
                _ = try await fixture.read { try $0.registeredModel("tree") }
            }
        }
    }

    @Test("a verdict that blocks loading lets a version be looked at, but not loaded")
    func loading() async throws {
        try await CatalogFixture.with { fixture in
            try await register(fixture, .dangerous)
            try await register(fixture, .safe)
            try await set(fixture, .dangerous, .loading)
            let uri = ModelURI.version(name: "forest", version: 1)
            await expectError(.failedPrecondition, "models:/forest/1 is not loaded") {
                _ = try await fixture.read { try $0.resolveForLoading(uri) }
            }
            await expectError(.failedPrecondition, "models:/forest/1 is not promoted") {
                try await fixture.change { try $0.setAlias("forest", "champion", 1) }
            }
            guard case .version(let seen) = try await fixture.read({ try $0.resolve(uri) }) else {
                Issue.record("no version")
                return
            }
            #expect(seen.blocked == BlockedUses([.loading]))
            _ = try await fixture.read { try $0.resolveForLoading(.latest(name: "forest")) }
            // It still comes in: until somebody answers for it, it is in quarantine.
            #expect(try await register(fixture, .dangerous).version == 3)
        }
    }

    @Test("who answers for a version lifts what blocks it, for that version and as long as they do")
    func acceptance() async throws {
        try await CatalogFixture.with { fixture in
            try await register(fixture, .dangerous)
            try await register(fixture, .dangerous)
            try await set(fixture, .dangerous, .loading)
            let accepted = try await fixture.change {
                try $0.acceptRisk(of: "forest", 1, reason: "own class, read by Ada")
            }
            #expect(accepted.blocked == .nothing)
            #expect(accepted.acceptance?.verdict == .dangerous)
            #expect(accepted.acceptance?.reason == "own class, read by Ada")
            #expect(accepted.acceptance?.principal == CatalogFixture.alice.name)
            #expect(accepted.acceptance?.at == fixture.clock.now())
            try await fixture.change {
                try $0.setAlias("forest", "champion", 1)
                _ = try $0.transitionStage("forest", 1, to: .staging)
            }
            let alias = ModelURI.alias(name: "forest", alias: "champion")
            _ = try await fixture.read { try $0.resolveForLoading(alias) }
            await expectError(.failedPrecondition, "models:/forest/2") {
                try await fixture.change { try $0.setAlias("forest", "champion", 2) }
            }

            let withdrawn = try await fixture.change {
                try $0.withdrawAcceptance(of: "forest", 1, reason: "issue 81")
            }
            #expect(withdrawn.acceptance == nil && withdrawn.blocked == BlockedUses([.loading]))
            // Where it was promoted to, it stays; it goes no further and is not loaded.
            #expect(withdrawn.aliases == ["champion"] && withdrawn.stage == .staging)
            await expectError(.failedPrecondition, "is not loaded") {
                _ = try await fixture.read { try $0.resolveForLoading(alias) }
            }
            await expectError(.failedPrecondition, "is not promoted") {
                try await fixture.change {
                    _ = try $0.transitionStage("forest", 1, to: .production)
                }
            }
            await expectError(.notFound, "nothing to withdraw") {
                try await fixture.change {
                    _ = try $0.withdrawAcceptance(of: "forest", 1, reason: "")
                }
            }
            #expect(
                try await fixture.operations(model: "forest", version: 1) == [
                    "version.create 1", "risk.accept 1", "alias.set 1", "version.stage 1",
                    "risk.withdraw 1",
                ])
            #expect(try await fixture.read { try $0.verifyLedger().firstBad } == 0)
        }
    }

    @Test("an acceptance is of the verdict that was looked at, and covers no other")
    func otherVerdict() async throws {
        try await CatalogFixture.with { fixture in
            try await register(fixture, .unknown)
            try await set(fixture, .unknown, .promotion)
            try await fixture.change { _ = try $0.acceptRisk(of: "forest", 1, reason: "read") }
            let changed = try await fixture.sql(
                """
                UPDATE model_versions
                SET model = REPLACE(model, '"verdict":"unknown"', '"verdict":"dangerous"')
                WHERE model LIKE '%"verdict":"unknown"%'
                """)
            #expect(changed == 1)
            let version = try await fixture.read { try $0.modelVersion("forest", 1) }
            #expect(version.acceptance != nil)
            #expect(version.blocked == BlockedUses([.promotion]))
        }
    }

    @Test("an acceptance without a reason, or of what is not there, is refused")
    func refused() async throws {
        try await CatalogFixture.with { fixture in
            try await register(fixture, .dangerous)
            for reason in ["", " \n"] {
                await expectError(.invalidArgument, "say why") {
                    try await fixture.change {
                        _ = try $0.acceptRisk(of: "forest", 1, reason: reason)
                    }
                }
            }
            for (name, version) in [("forest", UInt64(2)), ("tree", 1)] {
                await expectError(.notFound) {
                    try await fixture.change {
                        _ = try $0.acceptRisk(of: name, version, reason: "read")
                    }
                }
            }
            await expectError(.notFound) {
                try await fixture.change {
                    _ = try $0.setScanPolicy(of: "tree", ScanPolicyChanges(reset: [.safe]))
                }
            }
            await expectError(.invalidArgument, "no verdict is named") {
                try await fixture.change {
                    _ = try $0.setScanPolicy(of: "forest", ScanPolicyChanges())
                }
            }
        }
    }

    @Test("events name what changed of a policy, and nothing when nothing did")
    func events() async throws {
        try await CatalogFixture.with { fixture in
            try await register(fixture, .safe)
            try await set(fixture, .unknown, .loading)
            try await set(fixture, .unknown, .loading)
            try await fixture.change {
                _ = try $0.setScanPolicy(
                    of: "forest",
                    ScanPolicyChanges(
                        set: ScanPolicy([.safe: .nothing]), reset: [.unknown, .dangerous]))
            }
            let page = try Page(limit: 100)
            let events = try await fixture.read {
                try $0.events(EventQuery(model: "forest", page: page))
            }
            let texts = events.elements.map { String(decoding: $0.canonical, as: UTF8.self) }
                .filter { $0.contains("policy.set") }
            #expect(texts.count == 2, "\(texts)")
            #expect(texts.first?.contains("\"unknown\":\"loading\"") == true)
            #expect(texts.last?.contains("\"safe\":\"nothing\"") == true)
            #expect(texts.last?.contains("\"unknown\":\"default\"") == true)
            #expect(texts.last?.contains("dangerous") == false)
        }
    }

    @Test("policies and acceptances follow a new name, and go with what they are about")
    func lifetimes() async throws {
        try await CatalogFixture.with { fixture in
            try await register(fixture, .dangerous)
            try await register(fixture, .dangerous)
            try await set(fixture, .dangerous, .loading)
            try await fixture.change {
                _ = try $0.acceptRisk(of: "forest", 1, reason: "read")
                _ = try $0.acceptRisk(of: "forest", 2, reason: "read")
                _ = try $0.updateRegisteredModel("forest", newName: "wood")
            }
            let renamed = try await fixture.read { try $0.registeredModel("wood") }
            #expect(renamed.scanPolicy == ScanPolicy([.dangerous: BlockedUses([.loading])]))
            #expect(renamed.latestVersions.first?.acceptance?.reason == "read")
            try await fixture.change { try $0.deleteModelVersion("wood", 1) }
            #expect(try await fixture.count("risk_acceptances") == 1)
            try await fixture.change { try $0.deleteRegisteredModel("wood") }
            #expect(try await fixture.count("risk_acceptances") == 0)
            #expect(try await fixture.count("scan_policies") == 0)
            let again = try await register(fixture, .dangerous, name: "wood")
            #expect(again.acceptance == nil && again.blocked == BlockedUses([.promotion]))
        }
    }

    @Test("who may not change the policy of a model may not put another in its place by a new name")
    func renamed() async throws {
        try await CatalogFixture.with { fixture in
            try await register(fixture, .dangerous)
            let rename: @Sendable (CatalogTransaction) throws -> Void = {
                _ = try $0.updateRegisteredModel("forest", newName: "wood")
            }
            try await set(fixture, .dangerous, .loading)
            await expectError(.permissionDenied, "needs role approver") {
                try await fixture.change(by: CatalogFixture.bob, rename)
            }
            #expect(try await fixture.read { try $0.registeredModel("forest") }.name == "forest")
            try await fixture.change(by: Principal(name: "uid:1002", role: .approver), rename)
            // Without a policy of its own nothing is left behind.
            try await register(fixture, .safe, name: "plain")
            try await fixture.change(by: CatalogFixture.bob) {
                _ = try $0.updateRegisteredModel("plain", newName: "fancy")
            }
        }
    }

    @Test("an acceptance is of the tree that was looked at")
    func expectedTree() async throws {
        try await CatalogFixture.with { fixture in
            let version = try await register(fixture, .dangerous)
            let other = SHA256Digest.of(9)
            await expectError(.conflict, "not the tree that was looked at") {
                try await fixture.change {
                    _ = try $0.acceptRisk(of: "forest", 1, reason: "read", expected: other)
                }
            }
            let accepted = try await fixture.change {
                try $0.acceptRisk(of: "forest", 1, reason: "read", expected: version.tree)
            }
            #expect(accepted.acceptance?.reason == "read")
        }
    }

    @Test("a registry of an earlier release keeps its versions, aliases and stages")
    func migration() async throws {
        try await CatalogFixture.with { fixture in
            try await register(fixture, .dangerous)
            try await set(fixture, .dangerous)
            try await fixture.change {
                try $0.setAlias("forest", "champion", 1)
                _ = try $0.transitionStage("forest", 1, to: .production)
            }
            try await fixture.sql("DROP TABLE scan_policies")
            try await fixture.sql("DROP TABLE risk_acceptances")
            #expect(
                try await fixture.sql(
                    "DELETE FROM linaje_migrations WHERE name = '18 scan policies'") == 1)
            try await fixture.store.prepare()
            let version = try await fixture.read { try $0.modelVersion("forest", 1) }
            #expect(version.aliases == ["champion"] && version.stage == .production)
            #expect(version.blocked == BlockedUses([.promotion]) && version.acceptance == nil)
        }
    }
}
