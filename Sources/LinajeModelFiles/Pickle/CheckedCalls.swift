import LinajeDomain

/// Calls whose arguments are looked at.
extension PickleMachine {
    mutating func check(
        _ check: CheckedCall, _ arguments: PickleValue, _ path: String, _ offset: UInt64
    ) {
        let values = arena.few(arguments, 64)
        let isRight =
            switch check {
            case .reconstructor: isReconstruction(values)
            case .newObject: values.first.map { isClass($0) } ?? false
            case .encodeLatin:
                values.count == 2 && values[0].isText
                    && ["latin1", "latin-1"].contains(arena.string(values[1]))
            case .loadFromBytes: isLoaded(values)
            case .rebuildFromType: isRebuilt(values)
            }
        guard arguments.kind != .cut else {
            return note(.unknown, "calls \(path) with what is no longer kept", at: offset)
        }
        if !isRight {
            note(.dangerous, "calls \(path) with other arguments than it is meant for", at: offset)
        }
    }

    /// A class that may be made without its constructor. One that is not known has been noted.
    private mutating func isClass(_ value: PickleValue) -> Bool {
        guard let global = global(value) else { return false }
        globals[Int(value.small)].uses.insert(.new)
        switch global.policy {
        case .allowed(let uses): return uses.contains(.new) || uses.contains(.call)
        case .unknown, .dangerous: return true
        case .checked: return false
        }
    }

    private mutating func isReconstruction(_ values: [PickleValue]) -> Bool {
        guard values.count == 3, let base = global(values[1]) else { return false }
        let bases = ["object", "dict", "list", "tuple", "set", "int", "float", "str", "bytes"]
        return isClass(values[0]) && base.module == "builtins" && bases.contains(base.name)
    }

    private mutating func isRebuilt(_ values: [PickleValue]) -> Bool {
        guard values.count == 4, let function = global(values[0]) else { return false }
        return function.path.hasPrefix("torch._utils._rebuild_") && isClass(values[1])
            && [.dict, .none, .tuple].contains(values[3].kind)
    }

    /// The bytes are a pickle or an archive that is looked at when everything else has been.
    private mutating func isLoaded(_ values: [PickleValue]) -> Bool {
        guard values.count == 1, [.bytes, .shortBytes].contains(values[0].kind) else {
            return false
        }
        guard values[0].kind == .bytes, values[0].wide != PickleValue.noBlob else {
            note(.unknown, "loads bytes that are too long to be looked at, or no file")
            return true
        }
        loadedBlobs.insert(Int(values[0].wide))
        return true
    }
}
