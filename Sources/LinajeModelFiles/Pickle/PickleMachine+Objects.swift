import LinajeDomain

/// Names, calls and states: what a pickle does.
extension PickleMachine {
    /// Longest name of a module or of what is in it.
    private static let mostNameBytes = 512

    // MARK: Containers

    /// Notes values that become part of another one.
    @inline(__always)
    mutating func noteData(_ elements: ArraySlice<PickleValue>) {
        for element in elements where element.kind == .global { noteData(element) }
    }

    mutating func noteData(_ value: PickleValue) {
        let index = Int(value.small)
        guard value.kind == .global, globals.indices.contains(index) else { return }
        globals[index].uses.insert(.data)
        if case .checked = globals[index].policy {
            note(.unknown, "passes on \(globals[index].path), which is only looked at when called")
        }
    }

    /// Elements for a list or set, or for an object that takes some.
    mutating func add(
        _ elements: ArraySlice<PickleValue>, to target: PickleValue
    ) throws(PickleFault) {
        noteData(elements)
        switch target.kind {
        case .list, .set: arena.add(elements, to: target.small)
        case .object: arena.add(elements, toObject: target.small)
        case .cut: break
        default: throw PickleFault("appends to what is no list")
        }
    }

    /// Keys and values for a dict, or for an object that takes some.
    mutating func set(
        _ elements: ArraySlice<PickleValue>, on target: PickleValue
    ) throws(PickleFault) {
        noteData(elements)
        switch target.kind {
        case .dict:
            arena.add(elements, to: target.small)
            var place = elements.startIndex
            while place < elements.endIndex {
                if arena.isOddKey(elements[place]) { noteOddKey(target) }
                place += 2
            }
        case .object:
            arena.add(elements, toObject: target.small)
            // Some make attributes of their items.
            let isDict = makerPath(target).map { AllowedGlobals.dicts.contains($0) } ?? false
            var place = elements.startIndex
            while place < elements.endIndex, !isDict {
                if arena.isOddKey(elements[place]) {
                    note(.unknown, "sets items of \(makerPath(target) ?? "an object") by odd keys")
                }
                place += 2
            }
        case .cut: break
        case .list: note(.unknown, "sets elements of a list by number")
        default: throw PickleFault("sets a key on what is no dict")
        }
    }

    private mutating func noteOddKey(_ dict: PickleValue) {
        arena.noteOddKey(dict.small)
        if arena.container(of: dict)?.isState == true { noteOddState() }
    }

    private mutating func noteOddState() {
        note(.dangerous, "gives an object an attribute that Python calls by itself")
    }

    // MARK: Names

    /// The two lines of GLOBAL and INST.
    func names(_ lines: ArraySlice<UInt8>) throws(PickleFault) -> (String, String) {
        guard let end = lines.firstIndex(of: UInt8(ascii: "\n")) else {
            throw PickleFault("ends inside a line")
        }
        let second = lines[(end + 1)...].dropLast()
        guard let module = String(validating: lines[..<end], as: UTF8.self),
            let name = String(validating: second, as: UTF8.self)
        else { throw PickleFault("takes a name that is no text") }
        return (module, name)
    }

    mutating func stackGlobal(_ offset: UInt64) throws(PickleFault) {
        let name = try pop()
        let module = try pop()
        guard let moduleText = arena.string(module), let nameText = arena.string(name) else {
            note(.dangerous, "takes a name that is made while loading", at: offset)
            return try push(PickleValue(kind: .global, small: PickleArena.nothing))
        }
        try push(global(moduleText, nameText, offset))
    }

    /// What a module holds under a name; noted.
    mutating func global(
        _ module: String, _ name: String, _ offset: UInt64
    ) throws(PickleFault) -> PickleValue {
        guard module.utf8.count <= Self.mostNameBytes, name.utf8.count <= Self.mostNameBytes else {
            throw PickleFault("takes a name of more than \(Self.mostNameBytes) bytes")
        }
        let key = GlobalKey(module: module, name: name)
        if let known = globalNumbers[key] { return PickleValue(kind: .global, small: known) }
        guard globals.count < Self.mostGlobals else {
            throw PickleFault("takes more than \(Self.mostGlobals) names")
        }
        let (renamed, renamedName) = GlobalRules.python3(module, name)
        let policy = rules.policy(module: renamed, name: renamedName)
        let number = UInt32(globals.count)
        globals.append(PickleGlobal(module: renamed, name: renamedName, policy: policy))
        globalNumbers[key] = number
        let path = "\(renamed).\(renamedName)".prefix(160)
        switch policy {
        case .allowed, .checked: break
        case .unknown: note(.unknown, "takes \(path), which is not known", at: offset)
        case .dangerous(let reason): note(.dangerous, "takes \(path), which \(reason)", at: offset)
        }
        return PickleValue(kind: .global, small: number)
    }

    func global(_ value: PickleValue) -> PickleGlobal? {
        guard value.kind == .global, globals.indices.contains(Int(value.small)) else { return nil }
        return globals[Int(value.small)]
    }

    // MARK: Calls

    /// A call, or an instance without its constructor; noted.
    mutating func call(
        _ callable: PickleValue, _ arguments: PickleValue, _ use: PickleGlobal.Uses,
        _ offset: UInt64
    ) -> PickleValue {
        actions += 1
        guard callable.kind == .global else {
            note(.dangerous, "calls what it made while loading", at: offset)
            return arena.object(PickleArena.nothing, arguments)
        }
        let index = Int(callable.small)
        guard globals.indices.contains(index) else {
            return arena.object(PickleArena.nothing, arguments)
        }
        // The verdict has been changed by the first such call.
        let isFirst = globals[index].uses.insert(use).inserted
        switch globals[index].policy {
        case .allowed(let uses):
            let isAllowed = uses.contains(use) || use == .new && uses.contains(.call)
            if !isAllowed, isFirst {
                note(
                    .unknown,
                    "\(use == .call ? "calls" : "makes an instance of") \(globals[index].path), "
                        + "which is only known as a "
                        + (uses.contains(.new) ? "class without its constructor" : "value"),
                    at: offset)
            }
        case .checked(let check):
            if use == .call {
                self.check(check, arguments, globals[index].path, offset)
            } else {
                note(.unknown, "makes an instance of \(globals[index].path)", at: offset)
            }
        case .unknown, .dangerous: break
        }
        return arena.object(callable.small, arguments)
    }

    /// INST: a class by its name, with everything above the mark as arguments.
    mutating func instance(
        _ lines: ArraySlice<UInt8>, _ offset: UInt64
    ) throws(PickleFault) {
        let range = try popMark()
        let arguments = arguments(stack[range])
        stack.removeLast(range.count)
        let (module, name) = try names(lines)
        let made = try global(module, name, offset)
        try push(call(made, arguments, range.isEmpty ? .new : .call, offset))
    }

    /// OBJ: the class is the first value above the mark.
    mutating func object(_ offset: UInt64) throws(PickleFault) {
        let range = try popMark()
        guard !range.isEmpty else { throw PickleFault("takes from an empty stack") }
        let made = stack[range.lowerBound]
        let arguments = arguments(stack[range.dropFirst()])
        stack.removeLast(range.count)
        try push(call(made, arguments, range.count == 1 ? .new : .call, offset))
    }

    private mutating func arguments(_ elements: ArraySlice<PickleValue>) -> PickleValue {
        noteData(elements)
        return arena.tuple(elements)
    }

    /// An id that the loader resolves.
    mutating func persistent(_ id: PickleValue, _ offset: UInt64) throws(PickleFault) {
        if context.hasStorages {
            if let storage = TorchStorage(id, in: self) {
                if let other = storages.updateValue(storage, forKey: storage.key),
                    other.type != storage.type
                {
                    note(.unknown, "has a storage of two types", at: offset)
                }
                guard storages.count <= Self.mostStorages else {
                    throw PickleFault("has more than \(Self.mostStorages) storages")
                }
                return try push(arena.persistent(id))
            }
            // The class of a module, with its source: ("module", class, path, source).
            let parts = arena.few(id, 4)
            if parts.count == 4, arena.string(parts[0]) == "module", parts[1].kind == .global {
                return try push(parts[1])
            }
        }
        note(.unknown, "takes an object by an id that the loader must resolve", at: offset)
        try push(arena.persistent(id))
    }

    // MARK: States

    /// BUILD: the state of an object.
    mutating func build(_ offset: UInt64) throws(PickleFault) -> Outcome? {
        actions += 1
        let state = try pop()
        let target = try top()
        noteData([state])
        judge(state: state, of: target, offset)
        guard target.kind == .object else {
            switch target.kind {
            case .cut: break
            case .persistent: note(.unknown, "changes an object of the loader", at: offset)
            default: note(.dangerous, "changes \(what(target))", at: offset)
            }
            return nil
        }
        arena.setState(state, of: target.small)
        guard let object = arena.object(of: target), object.global != PickleArena.nothing,
            globals.indices.contains(Int(object.global))
        else { return nil }
        let maker = globals[Int(object.global)]
        if maker.module == "numpy", maker.name == "dtype" {
            var left = typeLooks
            if NumpyType.hidesObjects(object, state: state, in: self, looks: &left) {
                note(.dangerous, "has a NumPy type that takes numbers for objects", at: offset)
            }
            typeLooks = left
        }
        guard maker.module == JoblibArray.module, maker.name == JoblibArray.name else { return nil }
        guard position >= frameEnd else {
            throw PickleFault("has a joblib array inside a frame")
        }
        let array = try JoblibArray(state: state, in: self)
        if !array.isAligned {
            note(
                .unknown, "was written by joblib before 1.2, in a way that can be read in two ways")
        }
        arena.markArray(target.small)
        return .array(array)
    }

    /// A state must not bring attributes that Python calls.
    private mutating func judge(state: PickleValue, of target: PickleValue, _ offset: UInt64) {
        switch state.kind {
        case .dict:
            if arena.container(of: state)?.hasOddKeys == true { noteOddState() }
            arena.noteState(state.small)
        case .tuple:
            // A pair is attributes and slots, but to those that read their state by themselves.
            let parts = arena.few(state, 2)
            if parts.count == 2, !AllowedGlobals.readsPairs.contains(makerPath(target) ?? "") {
                for part in parts where part.kind != .tuple {
                    judge(state: part, of: target, offset)
                }
            }
        case .object, .persistent, .cut:
            note(
                .unknown,
                "gives \(makerPath(target) ?? "an object") a state that it made while loading",
                at: offset)
        default: break
        }
    }

    private func makerPath(_ value: PickleValue) -> String? {
        guard let object = arena.object(of: value), object.global != PickleArena.nothing,
            globals.indices.contains(Int(object.global))
        else { return nil }
        return globals[Int(object.global)].path
    }

    private func what(_ target: PickleValue) -> String {
        global(target).map { "\($0.path), which is no object of it" }
            ?? "a value that has no state"
    }
}
