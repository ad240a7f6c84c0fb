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

extension Linaje_V1_SearchRunsResponse {
    /// The token of the next page in an answer that is not read otherwise.
    package static func nextPageToken(in answer: [UInt8]) -> String {
        ProtobufBytes.text(field: 2, in: answer)
    }
}

extension Linaje_V1_RunMetrics {
    package init(_ metrics: [RunMetric]) {
        self.init()
        names = metrics.map(\.key)
        value = metrics.map(\.value)
        step = metrics.map(\.step)
        timeUs = metrics.map(\.time)
    }
}

extension [RunMetric] {
    /// - Throws: `badMessage` when the columns differ in length.
    package init(_ message: Linaje_V1_RunMetrics) throws {
        let (keys, values) = (message.names, message.value)
        let (steps, times) = (message.step, message.timeUs)
        let lengths = [values.count, steps.count, times.count]
        guard lengths.allSatisfy({ $0 == keys.count }) else {
            throw LinajeError(
                .badMessage,
                "metrics of a run have \(keys.count) names, but \(lengths) values, steps and times")
        }
        self = keys.indices.map {
            RunMetric(key: keys[$0], value: values[$0], step: steps[$0], time: times[$0])
        }
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
