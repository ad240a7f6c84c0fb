/// What stands below a folder of a tree: files, and on the next level only, folders with the sum of
/// their files' sizes.
public struct TreeListing: Sendable, Hashable {
    /// One thing of a listing.
    public enum Item: Sendable, Hashable {
        case file(TreeEntry)
        case folder(TreePath, size: UInt64)
    }

    /// The things, each with the path of its first file, which orders them and marks the place
    /// where a page ends.
    public private(set) var items: [(cursor: TreePath, item: Item)] = []

    /// - Parameters:
    ///   - folder: `nil` for the root.
    ///   - recursive: all files below the folder rather than the next level.
    /// - Throws: `notFound` when `folder` is neither a folder nor a file of the tree.
    public init(_ tree: Tree, below folder: TreePath?, recursive: Bool) throws {
        let prefix = folder.map { $0.text + "/" } ?? ""
        for entry in tree.entries {
            guard let rest = folder.map({ entry.path.relative(to: $0) }) ?? entry.path.text else {
                continue
            }
            guard !recursive, let slash = rest.utf8.firstIndex(of: UInt8(ascii: "/")) else {
                items.append((entry.path, .file(entry)))
                continue
            }
            let path = try TreePath(prefix + String(rest[..<slash]))
            if case .folder(path, let size) = items.last?.item {
                items[items.count - 1].item = .folder(path, size: size &+ entry.size)
            } else {
                items.append((entry.path, .folder(path, size: entry.size)))
            }
        }
        if let folder, items.isEmpty {
            guard let file = tree.entry(at: folder) else {
                throw LinajeError(.notFound, "there is no artifact \"\(folder)\"")
            }
            items = [(folder, .file(file))]
        }
    }

    /// The items after `page.token`.
    ///
    /// - Throws: `invalidPath` for a token that no listing gave.
    public func page(_ page: Page) throws -> Paged<Item> {
        let after = try TreePath.orRoot(page.token)
        let rest = items.drop { item in after.map { !($0 < item.cursor) } ?? false }
        let part = rest.prefix(page.limit)
        let more = rest.count > part.count
        return Paged(
            part.map(\.item), nextPageToken: more ? part.last?.cursor.text ?? "" : "")
    }

    public static func == (left: Self, right: Self) -> Bool {
        left.items.elementsEqual(right.items) { $0.cursor == $1.cursor && $0.item == $1.item }
    }

    public func hash(into hasher: inout Hasher) {
        for item in items { hasher.combine(item.item) }
    }
}
