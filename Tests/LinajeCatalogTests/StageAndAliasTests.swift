import Foundation
import LinajeCatalog
import LinajeDomain
import Testing

@Suite struct StageAndAliasTests {
    @Test("archive_existing moves the other versions of the stage, each with its event")
    func archiveExisting() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.model("iris", versions: 4)
            try await fixture.change { catalog in
                for version in UInt64(1)...2 {
                    _ = try catalog.transitionStage("iris", version, to: .production)
                }
                _ = try catalog.transitionStage("iris", 3, to: .staging)
                let moved = try catalog.transitionStage(
                    "iris", 4, to: .production, archiveExisting: true, comment: "better F1")
                #expect(moved.stage == .production)
            }
            let model = try await fixture.read { try $0.registeredModel("iris") }
            #expect(model.latestVersions.map(\.stage) == [.staging, .production, .archived])
            #expect(model.latestVersions.map(\.version) == [3, 4, 2])
            let events = try await fixture.read {
                try $0.events(EventQuery(model: "iris", page: Page(limit: 1_000))).elements
            }
            let last = try events.suffix(3).map {
                try JSONDecoder().decode(EventFacts.self, from: Data($0.canonical))
            }
            #expect(last.map(\.version) == [1, 2, 4])
            #expect(
                last.map(\.from) == [.text("Production"), .text("Production"), .text("None")])
            #expect(last.map(\.to) == ["Archived", "Archived", "Production"])
            #expect(last.last?.comment == "better F1")
            #expect(last.last?.principal == "uid:1000")
            #expect(last.last?.door == "socket")
            #expect(last.last?.at == fixture.clock.now().microseconds)
        }
    }

    @Test("archive_existing is for Staging and Production only", arguments: Stage.allCases)
    func archiveWhere(_ stage: Stage) async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.model("iris")
            let move: @Sendable (CatalogTransaction) throws -> Void = {
                _ = try $0.transitionStage("iris", 1, to: stage, archiveExisting: true)
            }
            guard !stage.isExclusive else { return try await fixture.change(move) }
            await expectError(.invalidArgument, "archive_existing", stage.rawValue) {
                try await fixture.change(move)
            }
        }
    }

    @Test("every form of models:/ URI resolves, stages in any case")
    func resolve() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.model("iris", versions: 4)
            try await fixture.change { catalog in
                _ = try catalog.createLoggedModel(
                    NewLoggedModel(id: .of(1), experimentID: 0, name: "m"))
                for version in UInt64(1)...2 {
                    _ = try catalog.transitionStage("iris", version, to: .production)
                }
                try catalog.setAlias("iris", "champion", 3)
                try catalog.deleteModelVersion("iris", 4)
            }
            let expected: [(String, UInt64)] = [
                ("models:/iris/1", 1), ("models:/iris/latest", 3), ("models:/iris/Latest", 3),
                ("models:/iris/Production", 2), ("models:/iris/pRODUCTION", 2),
                ("models:/iris/none", 3), ("models:/iris@champion", 3),
            ]
            for (uri, version) in expected {
                let target = try await fixture.read {
                    try $0.resolve(try ModelURI(parsing: uri))
                }
                guard case .version(let found) = target else {
                    Issue.record("\(uri) is no version")
                    continue
                }
                #expect(found.version == version, "\(uri)")
            }
            let target = try await fixture.read { try $0.resolve(.loggedModel(.of(1))) }
            guard case .loggedModel(let found) = target else {
                Issue.record("no logged model")
                return
            }
            #expect(found.id == .of(1))
        }
    }

    @Test(
        "a URI that points at nothing says which part is missing",
        arguments: [
            ("models:/rose/1", "\"rose\""), ("models:/iris/9", "version 9"),
            ("models:/iris/Staging", "Staging"), ("models:/iris@champion", "\"champion\""),
            ("models:/empty/latest", "no version"), ("models:/rose@a", "\"rose\""),
            ("models:/iris/18446744073709551615", "18446744073709551615"),
            ("models:/m-00000000000000090000000000000001", "m-0000"),
        ])
    func missing(_ uri: String, _ words: String) async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.model("iris")
            try await fixture.change { _ = try $0.createRegisteredModel(name: "empty") }
            await expectError(.notFound, words) {
                _ = try await fixture.read { try $0.resolve(try ModelURI(parsing: uri)) }
            }
        }
    }

    @Test(
        "an alias is set only where it is what is expected",
        arguments: [
            (nil, nil, true), (1, nil, true), (nil, 0, true), (1, 1, true),
            (1, 0, false), (nil, 1, false), (1, 2, false), (2, 1, false),
        ] as [(UInt64?, UInt64?, Bool)])
    func compareAndSet(_ before: UInt64?, _ expected: UInt64?, _ works: Bool) async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.model("iris", versions: 3)
            if let before {
                try await fixture.change { try $0.setAlias("iris", "champion", before) }
            }
            let set: @Sendable (CatalogTransaction) throws -> Void = {
                try $0.setAlias("iris", "champion", 3, expected: expected)
            }
            if works {
                try await fixture.change(set)
            } else {
                let word = before.map { "version \($0)" } ?? "does not exist"
                await expectError(.conflict, "champion", word) { try await fixture.change(set) }
            }
            let aliases = try await fixture.read { try $0.registeredModel("iris").aliases }
            #expect(aliases["champion"] == (works ? 3 : before))
            let version = try await fixture.read { try $0.modelVersion("iris", 3) }
            #expect(version.aliases == (works ? ["champion"] : []))
        }
    }

    @Test("an alias needs its model, its version and a proper name; without them nothing changes")
    func aliasErrors() async throws {
        try await CatalogFixture.with { fixture in
            try await fixture.model("iris")
            await expectError(.notFound, "version 2") {
                try await fixture.change { try $0.setAlias("iris", "a", 2) }
            }
            await expectError(.notFound, "\"rose\"") {
                try await fixture.change { try $0.setAlias("rose", "a", 1) }
            }
            await expectError(.invalidArgument, "reserved") {
                try await fixture.change { try $0.setAlias("iris", "v1", 1) }
            }
            await expectError(.notFound, "\"rose\"") {
                try await fixture.change { try $0.deleteAlias("rose", "a") }
            }
            #expect(try await fixture.operations().count == 2)
        }
    }
}
