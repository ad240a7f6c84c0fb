import LinajeDomain
import LinajePluginKit

extension Search {
    init(_ query: RunQuery) throws {
        var parts: [Filter] = []
        if let lifecycle = query.lifecycle { parts.append(.is(.lifecycle, lifecycle.rawValue)) }
        parts += try .of(.experimentID, query.experimentIDs.map { .integer($0) }, "experiments")
        parts += try .of(.status, query.statuses.map { .text($0.rawValue) }, "statuses")
        parts += try .tagged(query.tags)
        if let parent = query.parentID { parts.append(.is(.parentID, "\(parent)")) }
        self.init(
            table: .runs, filter: Filter.all(parts).and(query.filter), order: query.order,
            page: query.page)
    }

    init(_ query: ExperimentQuery) {
        let lifecycle = query.lifecycle.map { Filter.is(.lifecycle, $0.rawValue) }
        self.init(
            table: .experiments, filter: (lifecycle ?? .everything).and(query.filter),
            order: query.order, page: query.page)
    }

    init(_ query: RegisteredModelQuery) throws {
        self.init(
            table: .registeredModels,
            filter: Filter.all(try .tagged(query.tags)).and(query.filter), order: query.order,
            page: query.page)
        if !query.nameContains.isEmpty {
            // A pattern would need an escape; this is exact in every database.
            more.append(
                SQLText(
                    "REPLACE(registered_models.name, ?, '') <> registered_models.name",
                    [.text(query.nameContains)]))
        }
    }

    init(_ query: ModelVersionQuery) throws {
        var parts: [Filter] = []
        if let name = query.name { parts.append(.is(.name, name)) }
        if let run = query.runID { parts.append(.is(.runID, "\(run)")) }
        parts += try .of(.stage, query.stages.map { .text($0.rawValue) }, "stages")
        parts += try .tagged(query.tags)
        self.init(
            table: .modelVersions, filter: Filter.all(parts).and(query.filter),
            order: query.order, page: query.page)
    }

    init(_ query: LoggedModelQuery) throws {
        var parts: [Filter] = []
        parts += try .of(.experimentID, query.experimentIDs.map { .integer($0) }, "experiments")
        if let run = query.runID { parts.append(.is(.runID, "\(run)")) }
        self.init(
            table: .loggedModels, filter: Filter.all(parts).and(query.filter),
            order: query.order, page: query.page)
    }

    init(_ query: DatasetQuery) {
        self.init(
            table: .datasets, filter: query.filter, order: query.order, page: query.page)
    }
}

extension Filter {
    fileprivate static func `is`(_ attribute: SearchAttribute, _ text: String) -> Filter {
        .test(.attribute(attribute), .compare(.equal, .text(text)))
    }
}

extension [Filter] {
    /// One of the values; no values: anything.
    fileprivate static func of(
        _ attribute: SearchAttribute, _ values: [FilterLiteral], _ noun: String
    ) throws -> [Filter] {
        guard !values.isEmpty else { return [] }
        guard values.count <= CatalogLimits.searchIDs else {
            throw LinajeError(
                .limitExceeded,
                "search names \(values.count) \(noun); at most \(CatalogLimits.searchIDs) are "
                    + "allowed")
        }
        return [.test(.attribute(attribute), .oneOf(values, isNegated: false))]
    }

    /// All the tags, with their values.
    fileprivate static func tagged(_ tags: [Tag]) throws -> [Filter] {
        guard tags.count <= CatalogLimits.searchTags else {
            throw LinajeError(
                .limitExceeded,
                "search names \(tags.count) tags; at most \(CatalogLimits.searchTags) are allowed")
        }
        return tags.map { .test(.tag($0.key), .compare(.equal, .text($0.value))) }
    }
}
