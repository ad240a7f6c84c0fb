import LinajeDomain
import Synchronization

/// The recipes that were read last, by file.
package final class RecipeCache: Sendable {
    private struct State {
        var recipes = LeastRecentlyUsed<Recipe>(capacity: 16 << 20, maximumEntries: 256)
        var changes: UInt64 = 0
    }

    private let state = Mutex(State())

    package init() {}

    /// How often recipes were forgotten; for `insert`.
    var changes: UInt64 { state.withLock { $0.changes } }

    func recipe(of file: SHA256Digest) -> Recipe? { state.withLock { $0.recipes.value(file) } }

    /// - Parameters:
    ///   - weight: bytes of the recipe.
    ///   - changes: as they were before it was looked up: one that was replaced meanwhile is not kept.
    func insert(_ recipe: Recipe, weight: Int, of file: SHA256Digest, unlessChanged changes: UInt64)
    {
        state.withLock { state in
            guard state.changes == changes else { return }
            state.recipes.insert(recipe, weight: weight, for: file)
        }
    }

    /// Forgets recipes that are not those of the index any more.
    func forget(_ files: [SHA256Digest]) {
        guard !files.isEmpty else { return }
        state.withLock { state in
            state.changes += 1
            files.forEach { state.recipes.remove($0) }
        }
    }

    func removeAll() {
        state.withLock { state in
            state.changes += 1
            state.recipes.removeAll()
        }
    }
}
