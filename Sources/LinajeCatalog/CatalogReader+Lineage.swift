package import LinajeDomain
import LinajePluginKit

extension CatalogReader {
    /// Where a model came from: versions, logged models, runs, data sets, code, environments.
    ///
    /// Nodes are in the order they are found, nearest first. Cycles are followed once. Past
    /// `Limits.lineageNodes` the graph ends; its root then says so in the fact `truncated`.
    /// - Parameter depth: how many steps back, at most `Limits.lineageDepth`; 0 stands for that.
    /// - Throws: `notFound` when the URI points at nothing; `limitExceeded` for the depth.
    package func lineage(of uri: ModelURI, depth: Int = 0) throws -> LineageGraph {
        let depth = try checked(depth)
        switch try resolve(uri) {
        case .version(let version):
            var walk = LineageWalk(reader: self, depth: depth)
            return try walk.graph(from: .version(version))
        case .loggedModel(let model):
            var walk = LineageWalk(reader: self, depth: depth)
            return try walk.graph(from: .loggedModel(model))
        }
    }

    /// Where a run came from and what it used; see `lineage(of:depth:)` for a model.
    package func lineage(of run: RunID, depth: Int = 0) throws -> LineageGraph {
        var walk = LineageWalk(reader: self, depth: try checked(depth))
        return try walk.graph(from: .run(try self.run(run)))
    }

    private func checked(_ depth: Int) throws -> Int {
        guard (0...Limits.lineageDepth).contains(depth) else {
            throw LinajeError(
                .limitExceeded,
                "lineage of \(depth) steps is out of bounds; ask for 1 to \(Limits.lineageDepth)")
        }
        return depth == 0 ? Limits.lineageDepth : depth
    }
}
