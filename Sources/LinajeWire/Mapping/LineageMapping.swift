package import LinajeDomain

extension Linaje_V1_LineageNode {
    package init(_ node: LineageNode) {
        self.init()
        id = node.id
        kind = node.kind.rawValue
        label = node.label
        facts = node.facts
    }
}

extension LineageNode {
    /// - Throws: `invalidArgument` for a kind this build does not know.
    package init(_ message: Linaje_V1_LineageNode) throws {
        guard let kind = Kind(rawValue: message.kind) else {
            throw LinajeError(
                .invalidArgument,
                "kind \"\(message.kind.prefix(40))\" of lineage node \"\(message.id.prefix(80))\" "
                    + "is not known; update the client")
        }
        self.init(id: message.id, kind: kind, label: message.label, facts: message.facts)
    }
}

extension Linaje_V1_LineageEdge {
    package init(_ edge: LineageEdge) {
        self.init()
        from = edge.from
        to = edge.to
        kind = edge.kind.rawValue
    }
}

extension LineageEdge {
    /// - Throws: `invalidArgument` for a kind this build does not know.
    package init(_ message: Linaje_V1_LineageEdge) throws {
        guard let kind = Kind(rawValue: message.kind) else {
            throw LinajeError(
                .invalidArgument,
                "kind \"\(message.kind.prefix(40))\" of a lineage edge is not known; update the "
                    + "client")
        }
        self.init(from: message.from, to: message.to, kind: kind)
    }
}

extension Linaje_V1_LineageGraph {
    package init(_ graph: LineageGraph) {
        self.init()
        root = graph.root
        nodes = graph.nodes.map(Linaje_V1_LineageNode.init)
        edges = graph.edges.map(Linaje_V1_LineageEdge.init)
    }
}

extension LineageGraph {
    /// - Throws: `invalidArgument` naming the field that is not right; `limitExceeded` for too many
    ///   nodes.
    package init(_ message: Linaje_V1_LineageGraph) throws {
        guard message.nodes.count <= Limits.lineageNodes else {
            throw LinajeError(
                .limitExceeded,
                "lineage has \(message.nodes.count) nodes; at most \(Limits.lineageNodes) are "
                    + "allowed")
        }
        self.init(
            root: message.root, nodes: try message.nodes.map { try LineageNode($0) },
            edges: try message.edges.map { try LineageEdge($0) })
    }
}
