import LinajeDomain

/// The plugins of a process, by kind and name. Filled once at start, in the one registration file
/// of each program; read afterwards.
public struct PluginCatalog: Sendable {
    /// A registered plugin.
    public enum Instance: Sendable {
        case artifactBackend(any ArtifactBackend)
        case sqlBackend(any SQLBackend)
        case modelFlavor(any ModelFlavor)

        /// What the plugin is.
        public var descriptor: PluginDescriptor {
            switch self {
            case .artifactBackend(let backend): backend.descriptor
            case .sqlBackend(let backend): backend.descriptor
            case .modelFlavor(let flavor): flavor.descriptor
            }
        }
    }

    /// A plugin under its name in the catalog.
    public struct Entry: Sendable {
        /// Unique among the plugins of its kind.
        public let name: String
        public let instance: Instance
        public var descriptor: PluginDescriptor { instance.descriptor }
    }

    /// All plugins, in the order of their registration.
    public private(set) var entries: [Entry] = []

    public init() {}

    /// Registers a store of objects.
    ///
    /// - Parameter name: What the catalog calls it; the descriptor's name by default. Two
    ///   instances of one plugin need two names.
    /// - Throws: `alreadyExists` when the name is taken, `invalidArgument` when it is no name.
    public mutating func register(_ backend: any ArtifactBackend, named name: String? = nil) throws
    {
        try add(.artifactBackend(backend), named: name)
    }

    /// Registers a database. - Throws: as for a store of objects.
    public mutating func register(_ backend: any SQLBackend, named name: String? = nil) throws {
        try add(.sqlBackend(backend), named: name)
    }

    /// Registers a flavor; flavors are asked in the order of their registration.
    /// - Throws: as for a store of objects.
    public mutating func register(_ flavor: any ModelFlavor, named name: String? = nil) throws {
        try add(.modelFlavor(flavor), named: name)
    }

    /// The store of objects of that name, or `nil`.
    public func artifactBackend(named name: String) -> (any ArtifactBackend)? {
        for case .artifactBackend(let backend) in instances(named: name) { return backend }
        return nil
    }

    /// The database of that name, or `nil`.
    public func sqlBackend(named name: String) -> (any SQLBackend)? {
        for case .sqlBackend(let backend) in instances(named: name) { return backend }
        return nil
    }

    /// The flavor of that name, or `nil`.
    public func flavor(named name: String) -> (any ModelFlavor)? {
        for case .modelFlavor(let flavor) in instances(named: name) { return flavor }
        return nil
    }

    /// The flavors, in the order in which they are asked.
    public var flavors: [any ModelFlavor] {
        entries.compactMap { entry in
            if case .modelFlavor(let flavor) = entry.instance { flavor } else { nil }
        }
    }

    private func instances(named name: String) -> [Instance] {
        entries.filter { $0.name == name }.map(\.instance)
    }

    private mutating func add(_ instance: Instance, named given: String?) throws {
        let descriptor = instance.descriptor
        let name = given ?? descriptor.name
        guard !name.isEmpty, name.utf8.count <= Limits.nameBytes,
            name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") })
        else {
            throw LinajeError(
                .invalidArgument,
                "\"\(name.prefix(80))\" is no name for a \(descriptor.kind.rawValue): use letters, "
                    + "digits, \"-\", \"_\" and \".\"")
        }
        let taken = entries.contains { $0.name == name && $0.descriptor.kind == descriptor.kind }
        guard !taken else {
            throw LinajeError(
                .alreadyExists,
                "\(descriptor.kind.rawValue) \"\(name)\" is registered already; give it another "
                    + "name or remove one of the two")
        }
        entries.append(Entry(name: name, instance: instance))
    }
}
