import LinajeDomain
import LinajePluginKit

extension SQLBackendSuite {
    /// Derives the number of each thing from its name, three things a batch.
    private static let backfilled = SQLMigration(
        "numbers",
        ["CREATE TABLE numbers (id BIGINT NOT NULL PRIMARY KEY, number BIGINT NOT NULL)"],
        backfill: SQLBackfill(total: "SELECT COUNT(*) FROM things") { connection, place in
            let ids = try connection.all(
                "SELECT id FROM things WHERE id > ? ORDER BY id LIMIT 3",
                [.integer(Int64(place) ?? -1)]
            ) { try $0.int(0) }
            for id in ids {
                try connection.execute(
                    "INSERT INTO numbers (id, number) VALUES (?, ?)",
                    [.integer(id), .integer(id * 2)])
            }
            return SQLBackfill.Batch(
                rows: ids.count, next: ids.count < 3 ? nil : ids.last.map { String($0) })
        })

    static func backfills(_ make: @escaping Make) -> [ConformanceCase] {
        let all = [table, backfilled]
        return [
            ConformanceCase("a backfill of an empty table is finished with its migration") {
                try await with(make, all) { database in
                    try requireEqual(
                        try await database.backfill(namespace, all), nil, "what is left to do")
                    try require(
                        try await database.read { try $0.isBackfilled(namespace, "numbers") },
                        "the backfill is not finished")
                }
            },
            ConformanceCase("a backfill goes on batch by batch and says how far it is") {
                try await with(make, [table]) { database in
                    try await fill(database, 0..<7)
                    try await database.migrate(namespace, all)
                    var seen: [String] = []
                    while let progress = try await database.backfill(namespace, all) {
                        let pending = try await database.pendingBackfills()
                        try requireEqual(
                            pending, progress.isFinished ? [] : [progress], "what is pending")
                        try requireEqual(
                            try await database.read { try $0.isBackfilled(namespace, "numbers") },
                            progress.isFinished, "whether it is finished")
                        seen.append("\(progress.done)/\(progress.total) \(progress.percent)")
                        // As a start of the same version in the middle does.
                        try await database.migrate(namespace, all)
                    }
                    try requireEqual(seen, ["3/7 42", "6/7 85", "7/7 100"], "the progress")
                    try requireEqual(try await numbers(database), 7, "the numbers made")
                }
            },
            ConformanceCase("a batch that fails leaves nothing and is done again") {
                let broken = SQLMigration(
                    "numbers", backfilled.statements,
                    backfill: SQLBackfill(total: "SELECT COUNT(*) FROM things") { connection, _ in
                        try connection.execute("INSERT INTO numbers (id, number) VALUES (0, 0)")
                        throw Stop()
                    })
                try await with(make, [table]) { database in
                    try await fill(database, 0..<4)
                    try await database.migrate(namespace, [table, broken])
                    do {
                        _ = try await database.backfill(namespace, [table, broken])
                        throw ConformanceFailure("backfill swallows the error of its batch")
                    } catch is Stop {}
                    try requireEqual(try await numbers(database), 0, "the numbers after failure")
                    while try await database.backfill(namespace, all) != nil {}
                    try requireEqual(try await numbers(database), 4, "the numbers made")
                }
            },
            ConformanceCase("batches that two ask for at once are done once") {
                try await with(make, [table]) { database in
                    try await fill(database, 0..<30)
                    try await database.migrate(namespace, all)
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        for _ in 0..<4 {
                            group.addTask {
                                while try await database.backfill(namespace, all) != nil {}
                            }
                        }
                        try await group.waitForAll()
                    }
                    try requireEqual(try await numbers(database), 30, "the numbers made")
                }
            },
        ]
    }

    static func upkeep(_ make: @escaping Make) -> [ConformanceCase] {
        [
            ConformanceCase("maintenance comes to an end, and what was written stays") {
                try await with(make, [table]) { database in
                    try await fill(database, 0..<100)
                    for task in MaintenanceTask.allCases {
                        var cursor: String?
                        var steps = 0
                        repeat {
                            cursor = try await database.maintain(task, from: cursor).next
                            steps += 1
                            try require(steps < 10_000, "\(task.rawValue) comes to no end")
                            // Commits go in between.
                            try await fill(database, 100 * steps..<100 * steps)
                        } while cursor != nil
                    }
                    try requireEqual(try await names(in: database).count, 100, "the things")
                }
            }
        ]
    }

    private static func fill(_ database: any SQLBackend, _ ids: Range<Int>) async throws {
        try await database.write { connection in
            for id in ids {
                try connection.execute(
                    "INSERT INTO things (id, name) VALUES (?, ?)",
                    [.integer(Int64(id)), .text("thing \(id)")])
            }
        }
    }

    private static func numbers(_ database: any SQLBackend) async throws -> Int64 {
        try await database.read { connection in
            try connection.first("SELECT COUNT(*) FROM numbers") { try $0.int(0) } ?? -1
        }
    }
}
