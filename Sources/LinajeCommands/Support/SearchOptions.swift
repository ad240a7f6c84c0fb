import ArgumentParser
import LinajeClient
import LinajeDomain

/// What every list takes to choose and order its entries.
struct SearchOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Only what passes this filter: \"metrics.loss < 0.1 AND params.lr = '0.1'\".",
            valueName: "filter"))
    var filter = ""
    @Option(
        name: .customLong("order-by"),
        help: ArgumentHelp(
            "Order by this field, with DESC behind it downwards; may be given again.",
            valueName: "key"))
    var order: [String] = []
    @Flag(help: "Print how many there are instead of a list.")
    var count = false
    @Flag(help: "Print how the search is answered instead of the answer.")
    var explain = false

    /// What the client is asked for.
    private var terms: SearchTerms {
        SearchTerms(
            filter: filter, order: order,
            wish: explain ? .explanation(ofCount: count) : count ? .count : .page)
    }

    /// Searches and shows what was asked for. JSON is printed page by page, so that a list of any
    /// length takes no memory.
    ///
    /// - Parameters:
    ///   - most: show at most that many; `nil`: all.
    ///   - list: asks for one page.
    ///   - table: shows the list for people.
    func show<Element>(
        _ options: GlobalOptions, most: Int?, _ client: LinajeClient,
        list: @escaping @Sendable (SearchTerms, Page) async throws -> UnreadPage<Element>,
        json: (Element) -> JSONValue, table: ([Element]) -> Void
    ) async throws {
        try Arguments.checkLimit(most)
        let terms = terms
        do {
            guard !count, !explain else {
                return show(try await list(terms, Page(limit: 1)).page().facts, options)
            }
            guard options.json else {
                return table(
                    try await client.all(most: most) {
                        try await list(terms, $0).page()
                    })
            }
            var printed = JSONArrayOutput()
            try await client.eachPage(most: most, { try await list(terms, $0) }) { elements in
                for element in elements { printed.add(json(element)) }
            }
            printed.end()
        } catch let error as LinajeError {
            throw pointed(error)
        }
    }

    private func show(_ facts: SearchFacts, _ options: GlobalOptions) {
        if let count = facts.count {
            return Output.line(
                options.json ? JSONValue.object([("count", .uint(count))]).text : "\(count)")
        }
        if options.json {
            return Output.line(JSONValue.object([("plan", .strings(facts.plan))]).text)
        }
        for line in facts.plan { Output.line(line) }
    }

    /// The error with the text that it points into, for `LinajeProgram`.
    private func pointed(_ error: LinajeError) -> LinajeError {
        guard error.details["position"] != nil, let argument = error.details["argument"] else {
            return error
        }
        var error = error
        if argument == "filter" { error.details["text"] = filter }
        for (index, key) in order.enumerated() where argument == "order_by[\(index)]" {
            error.details["text"] = key
        }
        return error
    }
}

/// An array of JSON values on one line of standard output, written as it comes.
struct JSONArrayOutput {
    private var isEmpty = true

    mutating func add(_ value: JSONValue) {
        Output.json(value, after: isEmpty ? "[" : ",")
        isEmpty = false
    }

    /// Without anything added, an empty array.
    func end() { Output.line(isEmpty ? "[]" : "]") }
}

/// Where in a text an error is.
enum ErrorPlace {
    /// The line of the text with a caret below the place, if the error names one.
    static func lines(of error: LinajeError) -> [String] {
        guard let text = error.details["text"], let position = error.details["position"],
            let column = Int(position), column > 0
        else { return [] }
        var line = ""
        var caret = 0
        for (index, scalar) in text.unicodeScalars.enumerated() {
            if scalar == "\n" {
                guard index < column - 1 else { break }
                line = ""
                caret = 0
                continue
            }
            if index < column - 1 { caret += 1 }
            line.unicodeScalars.append(scalar == "\t" ? " " : scalar)
        }
        return ["  " + line, "  " + String(repeating: " ", count: caret) + "^"]
    }
}
