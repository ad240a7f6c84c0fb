package import LinajeDomain

extension Linaje_V1_Experiment {
    package init(_ experiment: Experiment) {
        self.init()
        id = experiment.id
        name = experiment.name
        lifecycle = Linaje_V1_Lifecycle(experiment.lifecycle)
        createdAtUs = experiment.createdAt.microseconds
        updatedAtUs = experiment.updatedAt.microseconds
        tags = experiment.tags.map(Linaje_V1_Tag.init)
    }
}

extension Experiment {
    /// - Throws: `invalidArgument` or `limitExceeded` naming the field that is not right.
    package init(_ message: Linaje_V1_Experiment) throws {
        self.init(
            id: message.id, name: try Names.name(message.name, of: "experiment"),
            lifecycle: try Lifecycle(message.lifecycle),
            createdAt: Timestamp(microseconds: message.createdAtUs),
            updatedAt: Timestamp(microseconds: message.updatedAtUs),
            tags: try message.tags.map { try Tag($0) })
    }
}
