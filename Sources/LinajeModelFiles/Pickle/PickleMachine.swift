import LinajeDomain

/// Reads the operations of a pickle and follows what they would make, without making it.
///
/// It works on what the unpickler works on, a stack, marks and a memo, with values that stand for
/// objects (Python 3.14, `Lib/pickle.py` and `Lib/pickletools.py`; protocols 0 to 5). Every name that
/// is resolved and every call is noted when it is read, whatever becomes of its result. Where the two
/// unpicklers of Python differ, and where joblib's reads on by itself, what they differ in is a fault.
struct PickleMachine: Sendable {
    /// Most values on the stack.
    static let mostStack = 4 << 20
    /// Most places of the memo.
    static let mostMemo = 4 << 20
    /// Most names that one pickle resolves.
    static let mostGlobals = 16_384
    /// Most storages of torch.
    static let mostStorages = 262_144
    /// Most problems that are kept.
    static let mostProblems = 64
    /// Most problems that are compared with those before.
    static let mostNotes = 4_096
    /// Longest line: a name, a number or a text of protocol 0.
    static let mostLineBytes = 1 << 20
    /// Longest bytes that are kept because they look as if they were to be loaded.
    static let mostNestedBytes: UInt64 = 16 << 20

    /// Why `run` returned.
    enum Outcome: Sendable {
        /// At least so many bytes from the machine's position on are needed.
        case more(Int)
        /// So many bytes of data follow, which say nothing.
        case skip(UInt64)
        /// The data of a joblib array begins here.
        case array(JoblibArray)
        /// STOP was read.
        case stopped
    }

    var arena = PickleArena()
    var stack: [PickleValue] = []
    var marks: [Int] = []
    var memo: [PickleValue] = []
    var memoCount: UInt32 = 0
    var globals: [PickleGlobal] = []
    var globalNumbers: [GlobalKey: UInt32] = [:]
    var problems: [PickleProblem] = []
    private var notes = 0
    var verdict = ScanVerdict.safe
    /// Calls, instances and states: what makes bytes a pickle that does something.
    var actions = 0
    var operations: UInt64 = 0
    /// How many values types may still be searched for.
    var typeLooks = NumpyType.mostLooksInAll
    var protocolVersion = 0
    /// Blobs that are loaded as files.
    var loadedBlobs: Set<Int> = []
    /// Storages of torch by their key.
    var storages: [String: TorchStorage] = [:]
    /// The pickles that joblib wrote for arrays of objects, by the number of their object.
    var innerArrays: [UInt32: PickleMemory] = [:]
    /// What STOP returned.
    var root = PickleValue.none
    /// Where in the file the machine is.
    var position: UInt64
    /// Where the pickle began.
    let start: UInt64
    /// Where the current frame ends.
    var frameEnd: UInt64 = 0
    let rules: GlobalRules
    let context: Context

    /// Who loads the pickle.
    struct Context: Sendable, Hashable {
        /// Whether ids of storages are resolved, as `torch.load` does.
        var hasStorages = false
        /// How many files this one is inside of.
        var depth = 0
    }

    struct GlobalKey: Hashable, Sendable {
        var module: String
        var name: String
    }

    init(at position: UInt64, rules: GlobalRules, context: Context) {
        self.position = position
        start = position
        self.rules = rules
        self.context = context
    }

    // MARK: Running

    /// Reads operations from a window of the file.
    ///
    /// - Parameters:
    ///   - window: Bytes of the file.
    ///   - index: Where in the window the machine's position is; moved on.
    ///   - isEnd: Whether the file ends with the window.
    /// - Throws: `PickleFault` for what no pickle has.
    mutating func run(
        _ window: [UInt8], _ index: inout Int, isEnd: Bool
    ) throws(PickleFault) -> Outcome {
        let origin = position &- UInt64(index)
        while true {
            index = try runCommon(window, index, origin)
            position = origin &+ UInt64(index)
            guard index < window.count else {
                if isEnd { throw PickleFault("ends before its STOP") }
                return .more(1)
            }
            let operation = window[index]
            let fixed = Int(PickleOpcode.fixedBytes[Int(operation)])
            position = origin &+ UInt64(index)
            guard fixed >= 0 else {
                throw PickleFault("has the unknown operation \(operation)")
            }
            let available = window.count - index - 1
            guard available >= fixed else {
                if isEnd { throw PickleFault("ends inside an operation") }
                return .more(1 + fixed)
            }
            operations &+= 1
            var used = 1 + fixed
            if PickleOpcode.isVariable[Int(operation)] {
                switch try counted(operation, window, index, isEnd: isEnd) {
                case .inside(let count): used = count
                case .outside(let outcome, let header):
                    if case .more = outcome { return outcome }
                    index += header
                    position = origin &+ UInt64(index)
                    return outcome
                }
            }
            let end = position &+ UInt64(used)
            if position < frameEnd, end > frameEnd {
                throw PickleFault("has an operation that reaches over the end of its frame")
            }
            let before = position
            index += used
            position = end
            if let outcome = try perform(operation, window, index - used, used, before) {
                return outcome
            }
        }
    }

    /// Does the operations that most of a pickle consists of, as long as they come and are whole. The
    /// others, and all that is odd, are left to `run`.
    private mutating func runCommon(
        _ window: [UInt8], _ first: Int, _ origin: UInt64
    ) throws(PickleFault) -> Int {
        var index = first
        // What has room up to here is in the window and in the frame.
        let frame = frameEnd > origin ? Int(clamping: frameEnd &- origin) : Int.max
        let end = min(window.count, frame > index ? frame : Int.max)
        while index &+ 9 <= end, stack.count < Self.mostStack {
            let operation = window[index]
            switch operation {
            case 0x4b:  // BININT1
                stack.append(.int(Int64(window[index &+ 1])))
                index &+= 2
            case 0x4d:  // BININT2
                stack.append(.int(Int64(number(window, index &+ 1, 2))))
                index &+= 3
            case 0x4a:  // BININT
                let bits = UInt32(truncatingIfNeeded: number(window, index &+ 1, 4))
                stack.append(.int(Int64(Int32(bitPattern: bits))))
                index &+= 5
            case 0x47:  // BINFLOAT
                let bits = number(window, index &+ 1, 8).byteSwapped
                stack.append(PickleValue(kind: .float, wide: bits))
                index &+= 9
            case 0x4e:  // NONE
                stack.append(.none)
                index &+= 1
            case 0x88, 0x89:  // NEWTRUE, NEWFALSE
                stack.append(.bool(operation == 0x88))
                index &+= 1
            case 0x94:  // MEMOIZE
                guard memo.count == Int(memoCount), memo.count < Self.mostMemo,
                    stack.count > fence, let value = stack.last
                else { return index }
                memo.append(value)
                memoCount &+= 1
                index &+= 1
            case 0x68:  // BINGET
                let place = Int(window[index &+ 1])
                guard place < memo.count, memo[place].kind != .hole else { return index }
                stack.append(memo[place])
                index &+= 2
            case 0x8c:  // SHORT_BINUNICODE
                let next = index &+ 2 &+ Int(window[index &+ 1])
                guard next <= end else { return index }
                stack.append(arena.text(window[(index &+ 2)..<next]))
                index = next
            default: return index
            }
            operations &+= 1
        }
        return index
    }

    /// Little-endian number of the argument.
    @inline(__always)
    func number(_ window: [UInt8], _ index: Int, _ count: Int) -> UInt64 {
        var value: UInt64 = 0
        var place = index + count
        while place > index {
            place -= 1
            value = value << 8 | UInt64(window[place])
        }
        return value
    }

    /// About how many bytes a copy takes.
    var weight: Int {
        arena.weight + (stack.count + memo.count) * MemoryLayout<PickleValue>.stride
    }

    // MARK: Stack

    /// How deep the stack may be read: to the last mark.
    @inline(__always)
    var fence: Int { marks.last ?? 0 }

    @inline(__always)
    mutating func push(_ value: PickleValue) throws(PickleFault) {
        guard stack.count < Self.mostStack else {
            throw PickleFault("has more than \(Self.mostStack) values on its stack")
        }
        stack.append(value)
    }

    @inline(__always)
    mutating func pop() throws(PickleFault) -> PickleValue {
        guard stack.count > fence, let value = stack.popLast() else {
            throw PickleFault("takes from an empty stack")
        }
        return value
    }

    func top() throws(PickleFault) -> PickleValue {
        guard stack.count > fence, let value = stack.last else {
            throw PickleFault("takes from an empty stack")
        }
        return value
    }

    /// Takes everything above the last mark, and the mark.
    mutating func popMark() throws(PickleFault) -> Range<Int> {
        guard let mark = marks.popLast() else { throw PickleFault("has no mark to go back to") }
        return mark..<stack.count
    }

    mutating func put(_ number: UInt64) throws(PickleFault) {
        guard number < UInt64(Self.mostMemo) else {
            throw PickleFault("remembers a value under the number \(number)")
        }
        let place = Int(number)
        let value = try top()
        if place < memo.count {
            if memo[place].kind == .hole { memoCount += 1 }
            memo[place] = value
            return
        }
        while memo.count < place { memo.append(PickleValue(kind: .hole)) }
        memo.append(value)
        memoCount += 1
    }

    mutating func get(_ number: UInt64) throws(PickleFault) {
        guard number < UInt64(memo.count), memo[Int(number)].kind != .hole else {
            throw PickleFault("takes a value that it does not remember")
        }
        try push(memo[Int(number)])
    }

    // MARK: Noting

    mutating func note(
        _ verdict: ScanVerdict, _ message: String, at offset: UInt64? = nil
    ) {
        self.verdict = max(self.verdict, verdict)
        guard problems.count < Self.mostProblems, notes < Self.mostNotes else { return }
        notes += 1
        guard !problems.contains(where: { $0.message == message }) else { return }
        problems.append(
            PickleProblem(verdict: verdict, message: message, offset: offset ?? position))
    }
}
