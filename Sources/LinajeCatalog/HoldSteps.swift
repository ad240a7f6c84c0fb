import LinajePluginKit

/// What keeps content without a run or a model.
///
/// ```
/// artifact_holds   tree*  reason  principal  placed_at_us     until somebody lifts it
/// artifact_leases  tree*  ends_at_us                          until then: put, and belongs to nothing
/// ```
enum HoldSteps {
    static let migration = SQLMigration(
        "14 holds and leases",
        [
            """
            CREATE TABLE artifact_holds (
                tree {blob} NOT NULL PRIMARY KEY,
                reason TEXT NOT NULL,
                principal TEXT NOT NULL,
                placed_at_us BIGINT NOT NULL)
            """,
            """
            CREATE TABLE artifact_leases (
                tree {blob} NOT NULL PRIMARY KEY,
                ends_at_us BIGINT NOT NULL)
            """,
            "CREATE INDEX artifact_leases_by_end ON artifact_leases (ends_at_us)",
        ])
}
