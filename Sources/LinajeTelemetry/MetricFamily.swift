/// A metric of the daemon: everything that is exported under one name.
package struct MetricFamily: Sendable, Hashable {
    /// What kind of numbers they are.
    package enum Kind: Sendable, Hashable {
        /// Only grows; 0 at the daemon's start.
        case counter
        /// Goes up and down.
        case gauge
        /// How often a value fell in each bucket.
        case histogram(HistogramBuckets)
    }

    /// The name with its unit, as exported: "linaje_ingest_commit_seconds".
    package var name: String
    package var kind: Kind
    /// One sentence for people.
    package var help: String
    /// Whether a series appears only once something of it has happened, because most never do.
    package var isSparse: Bool

    package init(_ name: String, _ kind: Kind, _ help: String, isSparse: Bool = false) {
        self.name = name
        self.kind = kind
        self.help = help
        self.isSparse = isSparse
    }
}
