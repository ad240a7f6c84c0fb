import LinajeCatalog
import LinajeDomain
import Testing

@Suite struct PageTests {
    @Test("pages of every list hold each entry once, in order, whatever the limit")
    func everyList() async throws {
        try await CatalogFixture.with { fixture in
            try await Self.fill(fixture)
            for list in Self.lists {
                let (all, _) = try await list(fixture, 1_000, "")
                #expect(all.count >= 7)
                #expect(Set(all).count == all.count)
                for limit in [1, 2, 3, 7, all.count] {
                    var collected: [String] = []
                    var token = ""
                    repeat {
                        let (part, next) = try await list(fixture, limit, token)
                        #expect(part.count <= limit)
                        #expect(!part.isEmpty)
                        collected += part
                        token = next
                    } while !token.isEmpty && collected.count <= all.count
                    #expect(collected == all)
                }
            }
        }
    }

    @Test("a token of another list, torn, changed or invented, is an invalid argument")
    func garbageTokens() async throws {
        try await CatalogFixture.with { fixture in
            try await Self.fill(fixture)
            var tokens: [String] = []
            for list in Self.lists { tokens.append(try await list(fixture, 2, "").next) }
            for (number, list) in Self.lists.enumerated() {
                var garbage = tokens
                let own = garbage.remove(at: number)
                garbage += ["0", "00", "x", "é", String(repeating: "0", count: 100_000), " "]
                garbage += (1..<own.count).map { String(own.prefix($0)) }
                garbage.append(own + "00")
                garbage.append(own.uppercased() + "A")
                var digits = Array(own)
                for index in digits.indices {
                    let digit = digits[index]
                    digits[index] = digit == "0" ? "1" : "0"
                    garbage.append(String(digits))
                    digits[index] = digit
                }
                for token in garbage {
                    await expectError(.invalidArgument, "page token") {
                        _ = try await list(fixture, 2, token)
                    }
                }
            }
        }
    }

    @Test("what is added while somebody pages neither repeats nor hides an entry")
    func stable() async throws {
        try await CatalogFixture.with { fixture in
            try await Self.fill(fixture)
            let list = Self.lists[1]
            let (all, _) = try await list(fixture, 1_000, "")
            let (first, token) = try await list(fixture, 3, "")
            try await fixture.change { catalog in
                _ = try catalog.createRun(
                    NewRun(experimentID: 0, startedAt: .init(microseconds: 99)))
            }
            let (rest, _) = try await list(fixture, 1_000, token)
            #expect(first + rest == all)
        }
    }

    @Test("a page ends before its limit when its entries are heavy")
    func heavyEntries() async throws {
        try await CatalogFixture.with { fixture in
            let heavy = Tag(key: "heavy", value: String(repeating: "x", count: 100_000))
            try await fixture.change { catalog in
                for number in UInt64(1)...50 {
                    _ = try catalog.createRun(
                        NewRun(id: .of(number), experimentID: 0, tags: [heavy]))
                }
            }
            var ids: [RunID] = []
            var token = ""
            repeat {
                let page = try await fixture.read { [token] in
                    try $0.runs(RunQuery(page: Page(limit: 50, token: token)))
                }
                #expect(page.elements.count <= Limits.frameBytes / 2 / 100_000)
                ids += page.elements.map(\.id)
                token = page.nextPageToken
            } while !token.isEmpty
            #expect(ids == (UInt64(1)...50).reversed().map(RunID.of))
        }
    }

    @Test("a search with too many tags or ids is refused")
    func searchBounds() async throws {
        try await CatalogFixture.with { fixture in
            await expectError(.limitExceeded, "101 tags") {
                _ = try await fixture.read {
                    try $0.runs(
                        RunQuery(
                            tags: Array(repeating: Tag(key: "k", value: ""), count: 101),
                            page: Page()))
                }
            }
            await expectError(.limitExceeded, "1001 experiments") {
                _ = try await fixture.read {
                    try $0.runs(RunQuery(experimentIDs: Array(0...1_000), page: Page()))
                }
            }
            let tags = (0..<100).map { Tag(key: "k\($0)", value: "") }
            let found = try await fixture.read {
                try $0.runs(
                    RunQuery(experimentIDs: Array(0..<1_000), tags: tags, page: Page()))
            }
            #expect(found.elements.isEmpty)
        }
    }

    private typealias List =
        @Sendable (CatalogFixture, Int, String) async throws -> (entries: [String], next: String)

    /// All lists of the catalog, as descriptions of their entries and the next token.
    private static let lists: [List] = [
        { fixture, limit, token in
            let page = try await fixture.read {
                try $0.experiments(
                    ExperimentQuery(lifecycle: nil, page: Page(limit: limit, token: token)))
            }
            return (page.elements.map { "\($0.id)" }, page.nextPageToken)
        },
        { fixture, limit, token in
            let page = try await fixture.read {
                try $0.runs(RunQuery(page: Page(limit: limit, token: token)))
            }
            return (page.elements.map { "\($0.id)" }, page.nextPageToken)
        },
        { fixture, limit, token in
            let page = try await fixture.read {
                try $0.loggedModels(LoggedModelQuery(page: Page(limit: limit, token: token)))
            }
            return (page.elements.map { "\($0.id)" }, page.nextPageToken)
        },
        { fixture, limit, token in
            let page = try await fixture.read {
                try $0.registeredModels(
                    RegisteredModelQuery(page: Page(limit: limit, token: token)))
            }
            return (page.elements.map(\.name), page.nextPageToken)
        },
        { fixture, limit, token in
            let page = try await fixture.read {
                try $0.modelVersions(ModelVersionQuery(page: Page(limit: limit, token: token)))
            }
            return (page.elements.map { "\($0.name) \($0.version)" }, page.nextPageToken)
        },
        { fixture, limit, token in
            let page = try await fixture.read {
                try $0.events(EventQuery(page: Page(limit: limit, token: token)))
            }
            return (page.elements.map { "\($0.sequence)" }, page.nextPageToken)
        },
    ]

    /// Seven or more entries in each list; runs that started at the same moment among them.
    private static func fill(_ fixture: CatalogFixture) async throws {
        try await fixture.change { catalog in
            for number in UInt64(1)...7 {
                _ = try catalog.createExperiment(name: "e\(number)")
                _ = try catalog.createRun(
                    NewRun(
                        id: .of(number), experimentID: 0,
                        startedAt: Timestamp(microseconds: Int64(number / 3) - 1)))
                _ = try catalog.createLoggedModel(
                    NewLoggedModel(id: .of(number), experimentID: 0, name: "m"))
                _ = try catalog.createModelVersion(
                    NewVersion(
                        name: "é\(number % 4)", createModel: true, tree: .of(1), size: 1,
                        source: "x"))
                _ = try catalog.createRegisteredModel(name: "r\(number)")
            }
        }
    }
}
