import LinajeDomain

/// A lineage graph as text: a tree for people, JSON for programs, DOT for Graphviz.
struct LineageDrawing {
    private let graph: LineageGraph
    private let nodes: [String: LineageNode]
    private let edges: [String: [LineageEdge]]

    init(_ graph: LineageGraph) {
        self.graph = graph
        nodes = Dictionary(graph.nodes.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        edges = Dictionary(grouping: graph.edges, by: \.from)
    }

    // MARK: Tree

    /// The lines of a tree from the root down to where it came from. A thing that was drawn before
    /// is named again, without what is below it.
    func tree(_ style: TextStyle) -> [String] {
        var lines: [String] = []
        var drawn: Set<String> = []
        lines.append(title(graph.root, style))
        lines += facts(graph.root, "", hasChildren: !(edges[graph.root] ?? []).isEmpty, style)
        drawn.insert(graph.root)
        branch(graph.root, indent: "", drawn: &drawn, into: &lines, style)
        return lines
    }

    private func branch(
        _ id: String, indent: String, drawn: inout Set<String>, into lines: inout [String],
        _ style: TextStyle
    ) {
        // The graph's depth is bounded by the daemon; the indent bounds it here, too.
        guard indent.count < 4 * (Limits.lineageDepth + 2) else { return }
        let below = edges[id] ?? []
        for (index, edge) in below.enumerated() {
            let isLast = index == below.count - 1
            let isNew = drawn.insert(edge.to).inserted
            let kind = style.dim(edge.kind.rawValue.replacing("_", with: " "))
            let again = isNew || (edges[edge.to] ?? []).isEmpty ? "" : style.dim(" (see above)")
            lines.append(
                indent + (isLast ? "└─ " : "├─ ") + kind + " " + title(edge.to, style) + again)
            guard isNew else { continue }
            let deeper = indent + (isLast ? "   " : "│  ")
            lines += facts(edge.to, deeper, hasChildren: !(edges[edge.to] ?? []).isEmpty, style)
            branch(edge.to, indent: deeper, drawn: &drawn, into: &lines, style)
        }
    }

    private func title(_ id: String, _ style: TextStyle) -> String {
        guard let node = nodes[id] else { return printable(id) }
        let name = node.label.isEmpty || node.label == id ? "" : "  " + printable(node.label)
        return style.bold(printable(id)) + name
    }

    private func facts(
        _ id: String, _ indent: String, hasChildren: Bool, _ style: TextStyle
    ) -> [String] {
        let facts = nodes[id]?.facts.sorted { $0.key < $1.key } ?? []
        return facts.filter { !$0.value.isEmpty }.map { fact in
            let (name, value) = Self.readable(fact.key, fact.value)
            let shown = value.count > 160 ? value.prefix(160) + "…" : value[...]
            return indent + (hasChildren ? "│  " : "   ")
                + style.dim("\(printable(name)): \(printable(String(shown)))")
        }
    }

    /// Times and sizes as people write them.
    private static func readable(_ name: String, _ value: String) -> (String, String) {
        if name.hasSuffix("_us"), let microseconds = Int64(value) {
            let time = Timestamp(microseconds: microseconds)
            return (String(name.dropLast("_us".count)), Rendering.time(time))
        }
        if name == "size", let bytes = UInt64(value) { return (name, "\(ByteCount(bytes))") }
        return (name, value)
    }

    // MARK: JSON

    var json: JSONValue {
        .object([
            ("root", .string(graph.root)),
            (
                "nodes",
                .array(
                    graph.nodes.map {
                        .object([
                            ("id", .string($0.id)), ("kind", .string($0.kind.rawValue)),
                            ("label", .string($0.label)), ("facts", .facts($0.facts)),
                        ])
                    })
            ),
            (
                "edges",
                .array(
                    graph.edges.map {
                        .object([
                            ("from", .string($0.from)), ("to", .string($0.to)),
                            ("kind", .string($0.kind.rawValue)),
                        ])
                    })
            ),
        ])
    }

    // MARK: DOT

    /// The lines of a graph in the DOT language; arrows go from what came to what it came from.
    var dot: [String] {
        var lines = ["digraph lineage {", "  rankdir=LR;", "  node [fontname=\"sans-serif\"];"]
        for node in graph.nodes {
            let label = node.label.isEmpty ? node.id : node.label
            lines.append(
                "  \(Self.quoted(node.id)) [label=\(Self.quoted(label)), "
                    + "shape=\(Self.shape(node.kind)), tooltip=\(Self.quoted(node.id))];")
        }
        for edge in graph.edges {
            lines.append(
                "  \(Self.quoted(edge.from)) -> \(Self.quoted(edge.to)) "
                    + "[label=\(Self.quoted(edge.kind.rawValue))];")
        }
        lines.append("}")
        return lines
    }

    private static func shape(_ kind: LineageNode.Kind) -> String {
        switch kind {
        case .modelVersion, .loggedModel, .model: "box3d"
        case .run: "box"
        case .dataset: "cylinder"
        case .code: "note"
        case .environment: "component"
        }
    }

    private static func quoted(_ text: String) -> String {
        var out = "\""
        for character in printable(text) {
            if character == "\"" || character == "\\" { out.append("\\") }
            out.append(character)
        }
        return out + "\""
    }
}
