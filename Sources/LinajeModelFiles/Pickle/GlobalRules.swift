/// Which names a pickle may take: exact names of what does no harm, names of what does, and everything
/// else, which is unknown.
///
/// Nothing is allowed because of the module it is in: most modules also hold `os`, or a function that
/// loads, runs or imports what its argument says. What is on the list does no harm whatever it is
/// given, with three exceptions: classes that are only made without their constructor, functions whose
/// arguments are looked at (`CheckedCall`), and the memory and time that any data can take.
package struct GlobalRules: Sendable {
    private let allowed: [String: [String: GlobalPolicy]]

    /// The list in the box.
    package static let standard = GlobalRules(
        tables: [
            AllowedGlobals.python, AllowedGlobals.numpy, AllowedGlobals.scipy,
            AllowedGlobals.pandas, AllowedGlobals.sklearn, AllowedGlobals.boosting,
            AllowedGlobals.torch,
        ], checked: AllowedGlobals.checked)

    /// - Parameter tables: Lines of `uses module name name …`; the uses are "call", "new" or "data".
    init(tables: [String], checked: [(module: String, name: String, check: CheckedCall)]) {
        var allowed: [String: [String: GlobalPolicy]] = [:]
        for table in tables {
            for line in table.split(separator: "\n") {
                let words = line.split(separator: " ")
                guard words.count > 2 else { continue }
                let uses: PickleGlobal.Uses =
                    switch words[0] {
                    case "call": [.call, .new, .data]
                    case "new": [.new, .data]
                    default: .data
                    }
                for name in words[2...] {
                    allowed[String(words[1]), default: [:]][String(name)] = .allowed(uses)
                }
            }
        }
        for (module, name, check) in checked {
            allowed[module, default: [:]][name] = .checked(check)
        }
        self.allowed = allowed
    }

    /// Everything on the list, as "module.name".
    package var names: [String] {
        allowed.flatMap { module, names in names.keys.map { "\(module).\($0)" } }.sorted()
    }

    /// Whether a name is on the list for some use.
    package func allows(module: String, name: String) -> Bool { allowed[module]?[name] != nil }

    func policy(module: String, name: String) -> GlobalPolicy {
        if let policy = allowed[module]?[name] { return policy }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        let modules = module.split(separator: ".", omittingEmptySubsequences: false)
        guard (parts + modules).allSatisfy({ Self.isIdentifier($0) }) else {
            return .dangerous("is no name that Python writes")
        }
        if let reason = DeniedGlobals.reason(module: module, parts: parts) {
            return .dangerous(reason)
        }
        if parts.contains(where: { $0.hasPrefix("__") && !$0.hasPrefix("__pyx_unpickle_") }) {
            return .dangerous("reaches into the machinery of Python")
        }
        // A class inside a class is written with a point; anything else would reach from one module
        // into another.
        if parts.count > 1, !parts.dropLast().allSatisfy({ $0.first?.isUppercase == true }) {
            return .dangerous("reaches through one module into another")
        }
        return .unknown
    }

    private static func isIdentifier(_ part: Substring) -> Bool {
        guard let first = part.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return part.utf8.allSatisfy { byte in
            byte == 0x5f || (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
                || (0x61...0x7a).contains(byte) || byte >= 0x80
        }
    }

    /// What Python 3 takes for a name that Python 2 wrote (`Lib/_compat_pickle.py`).
    static func python3(_ module: String, _ name: String) -> (String, String) {
        switch (module, name) {
        case ("__builtin__", "unicode"): ("builtins", "str")
        case ("__builtin__", "long"): ("builtins", "int")
        case ("__builtin__", "xrange"): ("builtins", "range")
        case ("__builtin__", _): ("builtins", name)
        case ("copy_reg", _): ("copyreg", name)
        case ("exceptions", _): ("builtins", name)
        case ("cPickle", _): ("pickle", name)
        case ("commands", _): ("subprocess", name)
        default: (module, name)
        }
    }
}
