import LinajeCatalog
import LinajeDomain
import LinajePluginKit
import SQLiteBackend
import Testing

@Suite struct SchemaTests {
    @Test("preparing a catalog again changes nothing")
    func prepareTwice() async throws {
        try await CatalogFixture.with { fixture in
            let before = try await fixture.read { try $0.experiment(id: 0) }
            fixture.clock.advance(.seconds(60))
            try await fixture.store.prepare()
            #expect(try await fixture.read { try $0.experiment(id: 0) } == before)
        }
    }

    @Test("a catalog that a newer version has migrated is refused")
    func newerCatalog() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.backend.migrate(
                CatalogSchema.namespace,
                CatalogSchema.migrations + [
                    SQLMigration("99 the future", ["CREATE TABLE future (id BIGINT)"])
                ])
            await expectError(.storeTooNew) { try await fixture.store.prepare() }
        }
    }

    @Test("what was committed is there after the database was closed and opened again")
    func reopen() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.model("iris", versions: 2)
            try await fixture.backend.close()
            let backend = try SQLiteBackend(path: fixture.path)
            let store = CatalogStore(backend: backend, clock: fixture.clock)
            try await store.prepare()
            let (model, ledger) = try await store.read {
                (try $0.registeredModel("iris"), try $0.verifyLedger())
            }
            #expect(model.latestVersions.map(\.version) == [2])
            #expect(ledger.firstBad == 0)
            #expect(ledger.events == 3)
            try await backend.close()
        }
    }

    @Test(
        "searches and look-ups use an index rather than read a whole table",
        arguments: [
            "SELECT 1 FROM runs WHERE experiment_id = 1 ORDER BY started_at_us DESC, id DESC",
            "SELECT 1 FROM runs WHERE parent_id = x'00' ORDER BY started_at_us DESC, id DESC",
            "SELECT 1 FROM runs ORDER BY started_at_us DESC, id DESC LIMIT 5",
            """
            SELECT 1 FROM runs WHERE lease_kind <> 'detached' AND status = 'RUNNING'
            """,
            "SELECT 1 FROM logged_models WHERE run_id = x'00' ORDER BY created_at_us DESC, id DESC",
            "SELECT 1 FROM model_versions WHERE model_id = 1 ORDER BY id DESC",
            """
            SELECT 1 FROM model_versions WHERE model_id = 1 AND stage = 'None'
            ORDER BY version DESC LIMIT 1
            """,
            "SELECT 1 FROM model_versions WHERE logged_model_id = x'00'",
            "SELECT 1 FROM events WHERE model = 'a' ORDER BY sequence",
            "SELECT 1 FROM events WHERE model = 'a' AND version = 1 ORDER BY sequence",
            "SELECT 1 FROM events WHERE new_name = 'a'",
            "SELECT 1 FROM catalog_idempotency WHERE created_at_us < 1",
            "SELECT 1 FROM run_models WHERE logged_model_id = x'00' AND direction = 'output'",
        ])
    func indexes(_ query: String) async throws {
        try await CatalogFixture.with { fixture in
            let plan = try await fixture.backend.read { connection in
                try connection.all("EXPLAIN QUERY PLAN \(query)") { try $0.text(3) }
            }
            let text = plan.joined(separator: "; ")
            #expect(text.contains("INDEX"), "\(text)")
            #expect(!text.contains("TEMP B-TREE"), "\(text)")
        }
    }
}
