import LinajeDomain

/// Walks back from one thing to everything it came from, breadth first.
struct LineageWalk {
    /// A thing that has more behind it.
    enum Subject {
        case version(ModelVersion)
        case loggedModel(LoggedModel)
        case run(Run)
    }

    let reader: CatalogReader
    let depth: Int
    private var nodes: [LineageNode] = []
    private var edges: [LineageEdge] = []
    private var known: Set<String> = []
    private var connected: Set<LineageEdge> = []
    private var queue: [(subject: Subject, steps: Int)] = []
    private var isTruncated = false

    init(reader: CatalogReader, depth: Int) {
        self.reader = reader
        self.depth = depth
    }

    /// The whole graph.
    mutating func graph(from root: Subject) throws -> LineageGraph {
        let node = LineageFacts.node(root)
        _ = add(node)
        queue.append((root, 0))
        var next = 0
        while next < queue.count {
            let (subject, steps) = queue[next]
            next += 1
            guard steps < depth else { continue }
            switch subject {
            case .version(let version): try expand(version, steps)
            case .loggedModel(let model): try expand(model, steps)
            case .run(let run): try expand(run, steps)
            }
        }
        if isTruncated, !nodes.isEmpty {
            nodes[0].facts["truncated"] = "only the first \(Limits.lineageNodes) nodes are shown"
        }
        return LineageGraph(root: node.id, nodes: nodes, edges: edges)
    }

    private mutating func expand(_ version: ModelVersion, _ steps: Int) throws {
        let id = LineageFacts.id(version)
        var maker: RunID?
        if let logged = version.loggedModelID {
            try link(id, toLoggedModel: logged, as: .registeredFrom, steps)
            maker = try reader.loggedModelIfThere(logged).flatMap { try run(that: $0) }
        } else if let source = try reader.sourceVersion(of: version) {
            try link(id, to: .version(source), as: .registeredFrom, steps)
        }
        if let run = version.runID, run != maker {
            try link(id, toRun: run, as: .producedBy, steps)
        }
    }

    private mutating func expand(_ model: LoggedModel, _ steps: Int) throws {
        guard let run = try run(that: model) else { return }
        try link("models:/\(model.id)", toRun: run, as: .producedBy, steps)
    }

    private mutating func expand(_ run: Run, _ steps: Int) throws {
        let id = "runs:/\(run.id)"
        for dataset in run.datasets {
            connect(id, LineageFacts.node(dataset), .used)
        }
        for stored in try reader.links(of: run.id, .input) {
            try link(id, toInput: stored, steps)
        }
        if let provenance = run.provenance {
            if let code = LineageFacts.code(provenance) { connect(id, code, .ranCode) }
            if let place = LineageFacts.environment(provenance) { connect(id, place, .ranIn) }
        }
        if let parent = run.parentID { try link(id, toRun: parent, as: .partOf, steps) }
    }

    /// A model that a run used: a version or logged model of the catalog, or only a name.
    private mutating func link(_ from: String, toInput stored: StoredLink, _ steps: Int) throws {
        let link = stored.link
        let kind: LineageEdge.Kind = link.role == "derived_from" ? .derivedFrom : .used
        if let id = link.loggedModelID ?? LineageFacts.loggedModelID(in: link.uri) {
            try self.link(from, toLoggedModel: id, as: kind, steps)
        } else if let id = stored.versionID, let version = try reader.modelVersion(id: id) {
            try self.link(from, to: .version(version), as: kind, steps)
        } else {
            let facts = link.role.isEmpty ? [:] : ["role": link.role]
            connect(
                from, LineageNode(id: link.uri, kind: .model, label: link.uri, facts: facts), kind)
        }
    }

    private mutating func link(
        _ from: String, toLoggedModel id: LoggedModelID, as kind: LineageEdge.Kind, _ steps: Int
    ) throws {
        guard !known.contains("models:/\(id)") else {
            return connect(from, "models:/\(id)", kind)
        }
        if let model = try reader.loggedModelIfThere(id) {
            try link(from, to: .loggedModel(model), as: kind, steps)
        } else {
            connect(from, LineageFacts.gone("models:/\(id)", .loggedModel, "\(id)"), kind)
        }
    }

    private mutating func link(
        _ from: String, toRun id: RunID, as kind: LineageEdge.Kind, _ steps: Int
    ) throws {
        guard !known.contains("runs:/\(id)") else { return connect(from, "runs:/\(id)", kind) }
        try link(from, to: .run(try reader.run(id)), as: kind, steps)
    }

    private mutating func link(
        _ from: String, to subject: Subject, as kind: LineageEdge.Kind, _ steps: Int
    ) throws {
        if connect(from, LineageFacts.node(subject), kind) {
            queue.append((subject, steps + 1))
        }
    }

    /// Adds an edge and, if it is new, the node at its end; says whether it is new.
    @discardableResult
    private mutating func connect(
        _ from: String, _ node: LineageNode, _ kind: LineageEdge.Kind
    ) -> Bool {
        let isNew = add(node)
        connect(from, node.id, kind)
        return isNew
    }

    /// Adds an edge to a node, unless the node found no place.
    private mutating func connect(_ from: String, _ to: String, _ kind: LineageEdge.Kind) {
        guard known.contains(to) else { return }
        let edge = LineageEdge(from: from, to: to, kind: kind)
        if connected.insert(edge).inserted { edges.append(edge) }
    }

    private mutating func add(_ node: LineageNode) -> Bool {
        guard !known.contains(node.id) else { return false }
        guard nodes.count < Limits.lineageNodes else {
            isTruncated = true
            return false
        }
        known.insert(node.id)
        nodes.append(node)
        return true
    }

    /// The run that made a logged model: as the model says, else as a run says.
    private func run(that model: LoggedModel) throws -> RunID? {
        try model.runID ?? reader.producer(of: model.id)
    }
}
