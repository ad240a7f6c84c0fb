import LinajeDomain

/// Reads one pickle after the other from an input and says what loading them does.
package struct PickleReader {
    /// Most files inside one another.
    static let mostDepth = 4
    /// Most joblib arrays of objects in one pickle: each is a pickle that is read twice.
    static let mostObjectArrays = 4_096
    /// Most bytes that are copied to read them twice.
    private static let mostCopiedBytes = 16 << 30

    private var input: PickleInput
    private var window: [UInt8] = []
    private var index = 0
    private var isEnd = false
    /// Where the window's index is in the input.
    private(set) package var position: UInt64 = 0
    private let rules: GlobalRules
    private var objectArrays = 0
    private var copiedBytes = 0

    package init(
        _ input: PickleInput, at position: UInt64 = 0, rules: GlobalRules = .standard
    ) {
        self.input = input
        self.position = position
        self.rules = rules
    }

    /// Bytes that come next, fewer at the end; they stay.
    package mutating func peek(_ count: Int) async throws -> ArraySlice<UInt8> {
        try await fill(count)
        return window[index..<min(window.count, index + count)]
    }

    /// Drops bytes.
    package mutating func skip(_ count: UInt64) async throws {
        let here = UInt64(window.count - index)
        position = position &+ count
        if count <= here {
            index += Int(count)
            return
        }
        window.removeAll(keepingCapacity: true)
        index = 0
        try await input.skip(count - here)
    }

    /// Reads one pickle, up to its STOP. What is wrong with it is in the report, not an error.
    ///
    /// - Parameter hasStorages: Whether ids of storages are resolved, as `torch.load` does.
    /// - Throws: when the bytes cannot be had.
    package mutating func next(hasStorages: Bool = false, depth: Int = 0) async throws
        -> PickleReport
    {
        var machine = PickleMachine(
            at: position, rules: rules, context: .init(hasStorages: hasStorages, depth: depth))
        do {
            try await run(&machine)
        } catch let fault as PickleFault {
            machine.note(.dangerous, fault.message)
            var report = PickleReport(machine)
            report.isWhole = false
            return report
        } catch let error as LinajeError where error.code == .invalidArgument {
            machine.note(.dangerous, error.message)
            var report = PickleReport(machine)
            report.isWhole = false
            return report
        }
        try await scanLoaded(&machine)
        return PickleReport(machine)
    }

    // MARK: Running

    private mutating func run(_ machine: inout PickleMachine) async throws {
        while true {
            let outcome = try machine.run(window, &index, isEnd: isEnd)
            position = machine.position
            switch outcome {
            case .stopped: return
            case .more(let count):
                try await fill(count)
            case .skip(let count):
                try await skip(count)
                machine.position = position
            case .array(let array):
                try await read(array, &machine)
                machine.position = position
            }
        }
    }

    /// Makes the window hold so many bytes from the index on, or everything that is left.
    private mutating func fill(_ count: Int) async throws {
        guard window.count - index < count, !isEnd else { return }
        window.removeFirst(index)
        index = 0
        while window.count < count {
            guard try await input.more(&window) else {
                isEnd = true
                return
            }
        }
    }

    /// The data of a joblib array: skipped, or a pickle of its own.
    private mutating func read(_ array: JoblibArray, _ machine: inout PickleMachine) async throws {
        guard let bytes = array.bytes else { return try await readObjects(&machine) }
        var length = bytes
        if array.isAligned {
            // Another unpickler goes on with the padding as operations: none begins with a number up
            // to 16 or with 0xff, so it goes no further.
            let first = try await peek(17)
            guard let padding = first.first, (1...16).contains(padding),
                first.dropFirst().prefix(Int(padding)).count == Int(padding),
                first.dropFirst().prefix(Int(padding)).allSatisfy({ $0 == 0xff })
            else { throw PickleFault("has odd bytes before the data of a joblib array") }
            length += UInt64(padding) + 1
        }
        try await skip(length)
    }

    /// An array of objects: joblib reads a pickle with a memo of its own, another unpickler would go on
    /// with the memo of this one and take other texts for names. Both are followed; what the second
    /// takes counts when it does harm, as what is only unknown is mostly no name at all.
    private mutating func readObjects(_ machine: inout PickleMachine) async throws {
        objectArrays += 1
        guard objectArrays <= Self.mostObjectArrays else {
            throw PickleFault("has more than \(Self.mostObjectArrays) joblib arrays of objects")
        }
        copiedBytes += machine.weight
        guard copiedBytes <= Self.mostCopiedBytes else {
            throw PickleFault("has too many joblib arrays of objects for its length")
        }
        var other = machine
        other.problems = []
        var inner = PickleMachine(at: position, rules: rules, context: machine.context)
        // Both read the same bytes: what the second needs must still be there.
        let begin = position
        let content = try await inside(&inner)
        guard inner.context.depth < Self.mostDepth else {
            throw PickleFault("has pickles more than \(Self.mostDepth) deep")
        }
        other.position = begin
        var place = 0
        do {
            _ = try other.run(content, &place, isEnd: true)
        } catch {
            // Only joblib can load it.
        }
        machine.take(denied: other)
        if let wrapper = machine.stack.last, wrapper.kind == .object {
            machine.innerArrays[wrapper.small] = PickleMemory(inner)
        }
        machine.take(over: inner)
    }

    /// Reads an inner pickle and keeps its bytes.
    private mutating func inside(_ inner: inout PickleMachine) async throws -> [UInt8] {
        var content: [UInt8] = []
        while true {
            let begin = index
            let outcome: PickleMachine.Outcome
            outcome = try inner.run(window, &index, isEnd: isEnd)
            content += window[begin..<index]
            position = inner.position
            guard content.count <= Self.mostInnerBytes else {
                throw PickleFault("has an array of objects that is too long to be looked at")
            }
            switch outcome {
            case .stopped: return content
            case .more(let count): try await fill(count)
            case .skip(let count):
                guard count <= UInt64(Self.mostInnerBytes) else {
                    throw PickleFault("has an array of objects that is too long to be looked at")
                }
                content += try await peek(Int(count))
                try await skip(count)
                inner.position = position
            case .array: throw PickleFault("has joblib arrays inside one another")
            }
        }
    }

    /// Longest pickle of an array of objects.
    private static let mostInnerBytes = 64 << 20

    // MARK: Files inside

    /// Looks at the bytes that are loaded as files of their own.
    private func scanLoaded(_ machine: inout PickleMachine) async throws {
        guard !machine.loadedBlobs.isEmpty else { return }
        guard machine.context.depth < Self.mostDepth else {
            return machine.note(
                .dangerous, "has files more than \(Self.mostDepth) deep inside one another")
        }
        for number in machine.loadedBlobs.sorted() {
            guard machine.arena.blobs.indices.contains(number) else { continue }
            var inside = CodeScan(rules: rules)
            inside.depth = machine.context.depth + 1
            let bytes = BlobSource(machine.arena.blobs[number])
            guard let scan = try await inside.scan(bytes.file("bytes")) else {
                machine.note(.unknown, "loads bytes inside it that are no file")
                continue
            }
            for problem in scan.problems {
                machine.note(problem.verdict, "loads bytes inside it: \(problem.message)")
            }
            machine.verdict = max(machine.verdict, scan.verdict ?? .unknown)
            machine.take(globals: scan.globals)
        }
    }
}
