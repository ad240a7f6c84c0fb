import LinajeDomain
import Yams

/// What libraries for YAML read differently. A file that has it says one thing to what examines it
/// and another to what loads it.
enum YAMLAmbiguity {
    /// - Throws: `invalidArgument` naming the document when it has a merge ("<<"), a key that is no
    ///   text or stands twice in a map, or a map or a list with a tag.
    static func refuse(_ root: Node, name: String) throws {
        var waiting = [root]
        while let node = waiting.popLast() {
            switch node {
            case .mapping(let members):
                try refuseTag(members.tag, besides: .map, name)
                try refuseKeys(of: members, name)
                waiting += members.map(\.value)
            case .sequence(let elements):
                try refuseTag(elements.tag, besides: .seq, name)
                waiting += elements
            default: continue
            }
        }
    }

    private static func refuseKeys(of members: Node.Mapping, _ name: String) throws {
        var known: Set<String> = []
        for (key, _) in members {
            guard let scalar = key.scalar else {
                throw LinajeError(
                    .invalidArgument, "\(name) has a key that is a map or a list; write texts")
            }
            guard scalar.string != "<<", scalar.tag.rawValue != Yams.Tag.Name.merge.rawValue else {
                throw LinajeError(
                    .invalidArgument,
                    "\(name) merges maps (\"<<\"), which not everything that reads it does; write out "
                        + "what it merges")
            }
            guard known.insert(scalar.string).inserted else {
                throw LinajeError(
                    .invalidArgument,
                    "\(name) has the key \"\(scalar.string.prefix(100))\" twice in a map; keep one")
            }
        }
    }

    private static func refuseTag(_ tag: Yams.Tag, besides usual: Yams.Tag.Name, _ name: String)
        throws
    {
        guard tag.rawValue.isEmpty || tag.rawValue == usual.rawValue else {
            throw LinajeError(
                .invalidArgument,
                "\(name) has a map or a list with the tag \(tag.rawValue.prefix(100)); write it "
                    + "without")
        }
    }
}
