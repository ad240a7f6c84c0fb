import LinajeCatalog
import LinajeDomain
import Testing

@Suite struct IdempotencyTests {
    @Test("the same key with the same request gives the same answer and changes nothing")
    func replay() async throws {
        try await CatalogFixture.with { fixture in
            let first = try await Self.register(fixture, key: 1, request: 1)
            fixture.clock.advance(.seconds(60))
            let again = try await Self.register(fixture, key: 1, request: 1)
            #expect(again == first)
            #expect(try await fixture.operations() == ["model.create", "version.create 1"])
            #expect(try await fixture.store.remembered(Self.change(key: 1, request: 1)) == first)
            #expect(try await fixture.store.remembered(Self.change(key: 2, request: 1)) == nil)
            let second = try await Self.register(fixture, key: 2, request: 1)
            #expect(second == first + 1)
        }
    }

    @Test("the same key with another request is refused and changes nothing")
    func otherRequest() async throws {
        try await CatalogFixture.with { fixture in
            _ = try await Self.register(fixture, key: 1, request: 1)
            await expectError(.idempotencyConflict, "new key") {
                _ = try await Self.register(fixture, key: 1, request: 2)
            }
            await expectError(.idempotencyConflict) {
                _ = try await fixture.store.remembered(Self.change(key: 1, request: 2))
            }
            #expect(try await fixture.operations().count == 2)
        }
    }

    @Test("a call that fails keeps nothing: neither its changes nor its key")
    func failure() async throws {
        try await CatalogFixture.with { fixture in
            struct Broken: Error {}
            do {
                _ = try await fixture.store.change(Self.change(key: 1, request: 1)) { catalog in
                    _ = try catalog.createRegisteredModel(name: "iris")
                    throw Broken()
                }
                Issue.record("the error was swallowed")
            } catch is Broken {}
            #expect(try await fixture.operations().isEmpty)
            #expect(try await Self.register(fixture, key: 1, request: 2) == 1)
        }
    }

    @Test("keys of two principals have nothing to do with each other")
    func perPrincipal() async throws {
        try await CatalogFixture.with { fixture in
            #expect(try await Self.register(fixture, key: 1, request: 1) == 1)
            let other = try await Self.register(
                fixture, key: 1, request: 2, by: CatalogFixture.bob)
            #expect(other == 2)
        }
    }

    @Test("a key lives for the window, by the clock, whether or not it was cleaned up")
    func expiry() async throws {
        try await CatalogFixture.with { fixture in
            #expect(try await Self.register(fixture, key: 1, request: 1) == 1)
            fixture.clock.advance(Limits.idempotencyWindow - .seconds(1))
            try await fixture.store.expireIdempotency()
            #expect(try await Self.register(fixture, key: 1, request: 1) == 1)
            fixture.clock.advance(.seconds(1))
            #expect(try await Self.register(fixture, key: 1, request: 2) == 2)
            #expect(try await Self.register(fixture, key: 1, request: 2) == 2)
            fixture.clock.advance(Limits.idempotencyWindow)
            try await fixture.store.expireIdempotency()
            #expect(try await fixture.count("catalog_idempotency") == 0)
        }
    }

    /// Registers the next version of a model; answers with its number.
    private static func register(
        _ fixture: CatalogFixture, key: UInt64, request: Int,
        by principal: Principal = CatalogFixture.alice
    ) async throws -> UInt64 {
        try await fixture.store.change(change(key: key, request: request, by: principal)) {
            try $0.createModelVersion(
                NewVersion(
                    name: "iris", createModel: true, tree: .of(1), size: 1, source: "x")
            ).version
        }
    }

    private static func change(
        key: UInt64, request: Int, by principal: Principal = CatalogFixture.alice
    ) -> Change<UInt64> {
        Change(
            principal: principal,
            idempotency: (
                key: IdempotencyKey(bytes: Bytes16(high: 0, low: key)), request: .of(request)
            ),
            encode: { Array("\($0)".utf8) },
            decode: { UInt64(String(decoding: $0, as: UTF8.self)) ?? 0 })
    }
}
