package import LinajeDomain

/// What a pickle takes from a module, and what it does with it.
package struct PickleGlobal: Sendable, Hashable {
    package struct Uses: OptionSet, Sendable, Hashable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        /// It is called with arguments: a function, or a class with its constructor.
        package static let call = Uses(rawValue: 1)
        /// An instance of it is made without its constructor.
        package static let new = Uses(rawValue: 2)
        /// It is passed on as a value.
        package static let data = Uses(rawValue: 4)
    }

    package var module: String
    package var name: String
    package internal(set) var uses: Uses = []
    let policy: GlobalPolicy

    /// "module.name".
    package var path: String { "\(module).\(name)" }

    package static func == (left: PickleGlobal, right: PickleGlobal) -> Bool {
        left.module == right.module && left.name == right.name && left.uses == right.uses
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(module)
        hasher.combine(name)
    }
}

/// What may be done with something of a module.
enum GlobalPolicy: Sendable {
    /// Harmless with any arguments: these uses, and as a value.
    case allowed(PickleGlobal.Uses)
    /// Harmless only when its arguments are looked at: called at once, never passed on.
    case checked(CheckedCall)
    /// On no list.
    case unknown
    /// Does harm, or reaches what does.
    case dangerous(String)
}

/// Functions that are harmless with the right arguments.
enum CheckedCall: Sendable {
    /// `copyreg._reconstructor(class, base, state)`.
    case reconstructor
    /// `copyreg.__newobj__(class, …)`.
    case newObject
    /// `_codecs.encode(text, "latin1")`: how old protocols write bytes.
    case encodeLatin
    /// `torch.storage._load_from_bytes(bytes)`: another file inside this one.
    case loadFromBytes
    /// `torch._tensor._rebuild_from_type_v2(function, type, args, state)`.
    case rebuildFromType
}

/// Something noticed in a pickle.
package struct PickleProblem: Sendable, Hashable {
    package var verdict: ScanVerdict
    package var message: String
    /// Where in the file.
    package var offset: UInt64
}
