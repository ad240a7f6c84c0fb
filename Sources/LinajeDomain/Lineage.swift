/// Things and how they came from each other. Nodes and edges keep the order they were found in.
public struct LineageGraph: Sendable, Hashable {
    /// The id of the node that was asked for.
    public var root: String
    public private(set) var nodes: [LineageNode] = []
    public private(set) var edges: [LineageEdge] = []
    private var known: Set<String> = []

    public init(root: String) { self.root = root }

    public init(root: String, nodes: [LineageNode], edges: [LineageEdge]) {
        self.root = root
        self.nodes = nodes
        self.edges = edges
        known = Set(nodes.map(\.id))
    }

    /// Adds a node unless one with its id is there; says whether it was added.
    @discardableResult
    public mutating func add(_ node: LineageNode) -> Bool {
        guard known.insert(node.id).inserted else { return false }
        nodes.append(node)
        return true
    }

    /// Adds an edge unless it is there.
    public mutating func connect(_ from: String, to: String, as kind: LineageEdge.Kind) {
        let edge = LineageEdge(from: from, to: to, kind: kind)
        if !edges.contains(edge) { edges.append(edge) }
    }
}

/// One thing in a lineage.
public struct LineageNode: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable {
        case modelVersion = "model_version"
        case loggedModel = "logged_model"
        case model
        case run
        case dataset
        case code
        case environment
    }

    /// Unique in the graph: "models:/NAME/1", "runs:/ID", "data:sha256:HEX", "git:COMMIT".
    public var id: String
    public var kind: Kind
    /// For people.
    public var label: String
    public var facts: [String: String]

    public init(id: String, kind: Kind, label: String, facts: [String: String] = [:]) {
        self.id = id
        self.kind = kind
        self.label = label
        self.facts = facts
    }
}

/// That one thing came from another.
public struct LineageEdge: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable {
        case registeredFrom = "registered_from"
        case producedBy = "produced_by"
        case used
        case ranCode = "ran_code"
        case ranIn = "ran_in"
        case partOf = "part_of"
        case derivedFrom = "derived_from"
    }

    /// What came.
    public var from: String
    /// What it came from.
    public var to: String
    public var kind: Kind

    public init(from: String, to: String, kind: Kind) {
        self.from = from
        self.to = to
        self.kind = kind
    }
}
