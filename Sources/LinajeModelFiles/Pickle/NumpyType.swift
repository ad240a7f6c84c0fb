/// What `numpy.dtype(…)` in a pickle says of the elements.
struct NumpyType: Sendable {
    /// Bytes of an element.
    var size: UInt64
    var hasObjects: Bool
    /// "f8", "i4", …
    var code: String

    /// - Returns: `nil` for anything but `numpy.dtype("f8", …)` with a state that changes no size.
    init?(_ value: PickleValue, in machine: PickleMachine) {
        guard let object = machine.arena.object(of: value), object.global != PickleArena.nothing,
            machine.globals.indices.contains(Int(object.global))
        else { return nil }
        let global = machine.globals[Int(object.global)]
        let arguments = machine.arena.few(object.args, 8)
        guard global.module == "numpy", global.name == "dtype", let first = arguments.first,
            let code = machine.arena.string(first), let kind = code.first
        else { return nil }
        self.code = code
        hasObjects = kind == "O"
        // (version, byte order, base, names, fields, item size, alignment, flags)
        let state = machine.arena.few(object.state, 16)
        let plain = state.count < 5 || state[2].kind == .none && state[4].kind == .none
        if "biufcmM".contains(kind), plain, let size = UInt64(code.dropFirst()) {
            self.size = size
        } else if "SUV".contains(kind), state.count >= 6, state[5].kind == .int,
            Int64(bitPattern: state[5].wide) >= 0
        {
            size = state[5].wide
            // A field may hold objects; the flags say so.
            if state.count >= 8, state[7].kind == .int { hasObjects = state[7].wide & 1 != 0 }
        } else if hasObjects {
            size = 8
        } else {
            return nil
        }
    }

    /// Whether a type has objects among its elements and its flags do not say so: NumPy would take bytes
    /// of the file for addresses.
    static func hidesObjects(
        _ object: PickleArena.Object, state: PickleValue, in machine: PickleMachine,
        looks left: inout Int
    ) -> Bool {
        let parts = machine.arena.few(state, 16)
        let most = min(mostLooks, left)
        var budget = most
        defer { left -= most - budget }
        guard
            isObject(object, in: machine)
                || parts.contains(where: { holdsObjects($0, in: machine, 0, &budget) })
        else { return false }
        guard parts.count >= 8, parts[7].kind == .int else { return parts.count > 5 }
        return parts[7].wide & 1 == 0
    }

    /// Most values that are looked at for one type: fields may be the same value many times.
    private static let mostLooks = 20_000
    /// The same for all types of one pickle, as one type may be given its state again and again.
    static let mostLooksInAll = 10_000_000

    private static func isObject(
        _ object: PickleArena.Object, in machine: PickleMachine
    ) -> Bool {
        let code = machine.arena.few(object.args, 8).first.flatMap(machine.arena.string) ?? ""
        return code.hasPrefix("O") || code.dropFirst().hasPrefix("O")
    }

    private static func holdsObjects(
        _ value: PickleValue, in machine: PickleMachine, _ depth: Int, _ budget: inout Int
    ) -> Bool {
        budget -= 1
        guard depth < 8, budget > 0 else { return true }
        switch value.kind {
        case .tuple, .list, .dict:
            for element in machine.arena.few(value, 8_192)
            where holdsObjects(element, in: machine, depth + 1, &budget) { return true }
            return (machine.arena.container(of: value)?.count ?? 0) > 8_192
        case .object:
            guard let object = machine.arena.object(of: value) else { return true }
            return isObject(object, in: machine)
                || holdsObjects(object.state, in: machine, depth + 1, &budget)
        case .cut: return true
        default: return false
        }
    }
}
