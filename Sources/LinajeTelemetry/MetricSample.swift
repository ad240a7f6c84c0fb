/// A value that is looked up when somebody asks, instead of being counted as it changes: memory of
/// the process, bytes of the store.
package struct MetricSample: Sendable, Hashable {
    /// The family's name.
    package var name: String
    package var labels: [MetricLabel]
    package var value: Double

    package init(_ name: String, _ value: Double, _ labels: [MetricLabel] = []) {
        self.name = name
        self.labels = labels
        self.value = value
    }
}

/// A name and a value that tell the series of one family apart.
package struct MetricLabel: Sendable, Hashable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}
