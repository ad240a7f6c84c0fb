package import LinajeDomain

/// What reading a pickle came to.
package struct PickleReport: Sendable {
    private let memory: PickleMemory
    private var machine: PickleMachine { memory.machine }
    /// Whether its STOP was read.
    package internal(set) var isWhole = true

    init(_ machine: PickleMachine) { memory = PickleMemory(machine) }

    package var verdict: ScanVerdict { machine.verdict }
    package var problems: [PickleProblem] { machine.problems }
    /// The names that it takes, in their order.
    package var globals: [PickleGlobal] { machine.globals }
    /// Calls, instances and states.
    package var actions: Int { machine.actions }
    package var operations: UInt64 { machine.operations }
    package var protocolVersion: Int { machine.protocolVersion }
    /// Where it began, and where it ended.
    package var range: Range<UInt64> { machine.start..<max(machine.start, machine.position) }
    /// What it holds, as far as it was kept.
    package var root: PickleNode { PickleNode(machine.root, memory) }
    /// The storages of torch, by their key.
    package var torchStorages: [String: TorchStorage] { machine.storages }
}

/// What a machine came to, shared by everything that looks at it.
final class PickleMemory: Sendable {
    let machine: PickleMachine

    init(_ machine: PickleMachine) { self.machine = machine }
}

/// What a value of a pickle stands for, to be looked at. Nothing of it was made.
package struct PickleNode: Sendable {
    private let value: PickleValue
    private let memory: PickleMemory
    private var machine: PickleMachine { memory.machine }

    init(_ value: PickleValue, _ memory: PickleMemory) {
        self.value = value
        self.memory = memory
    }

    package var text: String? { machine.arena.string(value) }

    package var int: Int64? {
        value.kind == .int ? Int64(bitPattern: value.wide) : nil
    }

    package var bool: Bool? { value.kind == .bool ? value.wide != 0 : nil }

    package var double: Double? {
        value.kind == .float ? Double(bitPattern: value.wide) : nil
    }

    package var isNone: Bool { value.kind == .none }

    /// The elements of a tuple, list or set that were kept; `nil` for anything else.
    package var elements: [PickleNode]? {
        switch value.kind {
        case .tuple, .list, .set: nodes(machine.arena.elements(of: value))
        default: nil
        }
    }

    /// The keys and values of a dict, or of an object that some were set on, in their order; `nil` for
    /// anything else. A key that comes again is there twice.
    package var entries: [(key: PickleNode, value: PickleNode)]? {
        let flat: [PickleValue]
        if value.kind == .dict {
            flat = machine.arena.elements(of: value)
        } else if let object = machine.arena.object(of: value),
            object.content != PickleArena.nothing
        {
            flat = machine.arena.content(of: object)
        } else {
            return nil
        }
        return stride(from: 0, to: flat.count - 1, by: 2).map {
            (PickleNode(flat[$0], memory), PickleNode(flat[$0 + 1], memory))
        }
    }

    /// The value under a text key of `entries`, the last one.
    package subscript(key key: String) -> PickleNode? {
        entries?.last { $0.key.text == key }?.value
    }

    /// The name that it is.
    package var global: PickleGlobal? { machine.global(value) }

    /// What made an object.
    package var maker: PickleGlobal? {
        guard value.kind == .object, let object = machine.arena.object(of: value),
            object.global != PickleArena.nothing,
            machine.globals.indices.contains(Int(object.global))
        else { return nil }
        return machine.globals[Int(object.global)]
    }

    /// The arguments of the call that made an object; none of them when there are more than any such
    /// call has, as an object may be looked at as often as the file names it.
    package var arguments: [PickleNode] {
        guard let object = machine.arena.object(of: value) else { return [] }
        return nodes(machine.arena.few(object.args, Self.mostArguments))
    }

    /// Most arguments that are looked at.
    private static let mostArguments: UInt32 = 64

    /// The elements, when there are at most so many.
    package func elements(most: UInt32) -> [PickleNode]? {
        guard let container = machine.arena.container(of: value), container.count <= most else {
            return nil
        }
        return elements
    }

    /// The state that an object was given.
    package var state: PickleNode? {
        guard let object = machine.arena.object(of: value), object.hasState else { return nil }
        return PickleNode(object.state, memory)
    }

    /// The elements of a small NumPy array, as text; `nil` for anything else and for data that was not
    /// kept.
    package var arrayTexts: [String]? {
        if let inner = joblibArray { return inner.arrayTexts }
        guard let maker else { return nil }
        if maker.name == "_frombuffer", arguments.count >= 3 {
            return NumpyTexts.read(arguments[0], type: arguments[1])
        }
        guard maker.name == "_reconstruct", let parts = state?.elements, parts.count >= 5 else {
            return nil
        }
        if let objects = parts[4].elements {
            let texts = objects.compactMap { $0.text ?? $0.int.map { String($0) } }
            return texts.count == objects.count ? texts : nil
        }
        return NumpyTexts.read(parts[4], type: parts[2])
    }

    /// What joblib wrote for an array of objects.
    private var joblibArray: PickleNode? {
        guard value.kind == .object, let inner = machine.innerArrays[value.small] else {
            return nil
        }
        return PickleNode(inner.machine.root, inner)
    }

    /// Few bytes; protocols before 3 write them as a text to encode.
    var bytes: [UInt8]? {
        if let bytes = machine.arena.bytes(value) { return bytes }
        guard maker?.path == "_codecs.encode", let text = arguments.first?.text else { return nil }
        let bytes = text.unicodeScalars.compactMap { UInt8(exactly: $0.value) }
        return bytes.count == text.unicodeScalars.count ? bytes : nil
    }

    /// The type of an array's elements.
    var numpyType: NumpyType? { NumpyType(value, in: machine) }

    /// The storage that the loader resolves.
    package var torchStorage: TorchStorage? {
        guard value.kind == .persistent, let object = machine.arena.object(of: value) else {
            return nil
        }
        return TorchStorage(object.args, in: machine)
    }

    private func nodes(_ values: [PickleValue]) -> [PickleNode] {
        values.map { PickleNode($0, memory) }
    }
}

extension PickleMachine {
    /// Takes over what another machine found in the same file.
    mutating func take(over other: PickleMachine) {
        for problem in other.problems { note(problem.verdict, problem.message, at: problem.offset) }
        verdict = max(verdict, other.verdict)
        actions += other.actions
        operations &+= other.operations
        if !other.loadedBlobs.isEmpty {
            note(.unknown, "loads bytes inside an array of objects, which are not looked at")
        }
        take(globals: other.globals)
    }

    /// Takes over names that do harm.
    mutating func take(denied other: PickleMachine) {
        for global in other.globals.dropFirst(globals.count) {
            let parts = global.name.split(separator: ".", omittingEmptySubsequences: false)
            guard let reason = DeniedGlobals.reason(module: global.module, parts: parts),
                !rules.allows(module: global.module, name: global.name)
            else { continue }
            note(
                .dangerous,
                "takes \(global.path.prefix(160)) when joblib does not load it, which \(reason)")
        }
    }

    mutating func take(globals others: [PickleGlobal]) {
        for other in others {
            let key = GlobalKey(module: other.module, name: other.name)
            if let known = globalNumbers[key] {
                globals[Int(known)].uses.formUnion(other.uses)
            } else if globals.count < Self.mostGlobals {
                globalNumbers[key] = UInt32(globals.count)
                globals.append(other)
            }
        }
    }
}
