package import LinajeDomain

extension Linaje_V1_Search {
    package init(_ terms: SearchTerms) {
        self.init()
        filter = terms.filter
        orderBy = terms.order
        switch terms.wish {
        case .page: break
        case .count: count = true
        case .explanation(let ofCount):
            count = ofCount
            explain = true
        }
    }

    /// What is wanted of the search.
    package var wish: SearchWish {
        explain ? .explanation(ofCount: count) : count ? .count : .page
    }

    /// The filter, read.
    ///
    /// - Throws: `invalidArgument`, `limitExceeded` with the place in the filter.
    package func filter(for schema: SearchSchema) throws -> Filter {
        try Filter.parse(filter, for: schema)
    }

    /// The order, read.
    ///
    /// - Throws: `invalidArgument`, `limitExceeded` with the place in the key.
    package func order(for schema: SearchSchema) throws -> [SortKey] {
        try SortKey.parse(orderBy, for: schema)
    }
}

extension Linaje_V1_SearchFacts {
    package init(_ facts: SearchFacts) {
        self.init()
        if let number = facts.count { count = number }
        plan = facts.plan
    }
}

extension SearchFacts {
    package init(_ message: Linaje_V1_SearchFacts) {
        self.init(count: message.hasCount ? message.count : nil, plan: message.plan)
    }
}

extension Linaje_V1_RunMetric {
    package init(_ metric: RunMetric) {
        self.init()
        key = metric.key
        value = metric.value
        step = metric.step
        timeUs = metric.time
    }
}

extension RunMetric {
    package init(_ message: Linaje_V1_RunMetric) {
        self.init(
            key: message.key, value: message.value, step: message.step, time: message.timeUs)
    }
}

extension Linaje_V1_FoundDataset {
    package init(_ found: FoundDataset) {
        self.init()
        runID = found.runID.data
        dataset = Linaje_V1_DatasetInput(found.dataset)
    }
}

extension FoundDataset {
    /// - Throws: `invalidArgument` or `limitExceeded` naming the field that is not right.
    package init(_ message: Linaje_V1_FoundDataset) throws {
        self.init(
            runID: try RunID(message.runID), dataset: try DatasetInput(message.dataset))
    }
}
