import Testing

@testable import LinajeArtifacts

@Suite("The turn of collections, repairs and backups")
struct UpkeepTurnTests {
    @Test("whoever waits is told for what, and they go in the order they came")
    func order() async throws {
        let turn = UpkeepTurn()
        let (opened, open) = AsyncStream.makeStream(of: Void.self)
        let (told, tell) = AsyncStream.makeStream(of: String.self)
        let done = Shared<[String]>([])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await turn.take("a backup") {
                    tell.yield("begun")
                    for await _ in opened { break }
                    done.with { $0.append("a backup") }
                }
            }
            var told = told.makeAsyncIterator()
            #expect(await told.next() == "begun")
            for (name, before) in [
                ("a repair", "a backup"), ("a collection", "a backup, then a repair"),
            ] {
                group.addTask {
                    try await turn.take(name, waiting: { tell.yield($0) }) {
                        done.with { $0.append(name) }
                    }
                }
                #expect(await told.next() == before)
            }
            #expect(done.now.isEmpty)
            open.yield()
            try await group.waitForAll()
        }
        #expect(done.now == ["a backup", "a repair", "a collection"])
    }

    @Test("one that is cancelled while it waits is not run, and keeps nobody waiting")
    func cancelled() async throws {
        let turn = UpkeepTurn()
        let (told, tell) = AsyncStream.makeStream(of: String.self)
        let hasRun = Shared(false)
        try await turn.take("a backup") {
            let waiter = Task {
                try await turn.take("a collection", waiting: { tell.yield($0) }) {
                    hasRun.with { $0 = true }
                }
            }
            var told = told.makeAsyncIterator()
            #expect(await told.next() == "a backup")
            waiter.cancel()
            await #expect(throws: CancellationError.self) { try await waiter.value }
        }
        #expect(!hasRun.now)
        try await turn.take("a repair", waiting: { Issue.record("it waits for \($0)") }) {}
    }
}
