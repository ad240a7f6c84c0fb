import LinajeDomain

/// What each operation does.
extension PickleMachine {
    /// Does an operation that is all in the window.
    ///
    /// - Parameters:
    ///   - start: Where in the window the operation is.
    ///   - count: How many bytes it has.
    ///   - offset: Where in the file it is.
    /// - Returns: why to return from `run`.
    mutating func perform(
        _ operation: UInt8, _ window: [UInt8], _ start: Int, _ count: Int, _ offset: UInt64
    ) throws(PickleFault) -> Outcome? {
        switch operation {
        case UInt8(ascii: "("): try mark()
        case UInt8(ascii: "."):
            root = try pop()
            return .stopped
        case UInt8(ascii: "0"): try drop()
        case UInt8(ascii: "1"): stack.removeSubrange(try popMark())
        case UInt8(ascii: "2"): try push(try top())
        case UInt8(ascii: "N"): try push(.none)
        case 0x88: try push(.bool(true))
        case 0x89: try push(.bool(false))
        case UInt8(ascii: "K"): try push(.int(Int64(window[start + 1])))
        case UInt8(ascii: "M"): try push(.int(Int64(number(window, start + 1, 2))))
        case UInt8(ascii: "J"):
            let bits = UInt32(truncatingIfNeeded: number(window, start + 1, 4))
            try push(.int(Int64(Int32(bitPattern: bits))))
        case UInt8(ascii: "G"):
            try push(PickleValue(kind: .float, wide: number(window, start + 1, 8).byteSwapped))
        case UInt8(ascii: "X"): try pushText(window[(start + 5)..<(start + count)])
        case 0x8c: try pushText(window[(start + 2)..<(start + count)])
        case 0x8d: try pushText(window[(start + 9)..<(start + count)])
        case UInt8(ascii: "T"): try pushText(window[(start + 5)..<(start + count)])
        case UInt8(ascii: "U"): try pushText(window[(start + 2)..<(start + count)])
        case UInt8(ascii: "B"): try pushBytes(window[(start + 5)..<(start + count)])
        case UInt8(ascii: "C"): try pushBytes(window[(start + 2)..<(start + count)])
        case 0x8e, 0x96: try pushBytes(window[(start + 9)..<(start + count)])
        case 0x8a: try pushLong(window[(start + 2)..<(start + count)])
        case 0x8b: try pushLong(window[(start + 5)..<(start + count)])
        case UInt8(ascii: "q"): try put(UInt64(window[start + 1]))
        case UInt8(ascii: "r"): try put(number(window, start + 1, 4))
        case 0x94: try put(UInt64(memoCount))
        case UInt8(ascii: "h"): try get(UInt64(window[start + 1]))
        case UInt8(ascii: "j"): try get(number(window, start + 1, 4))
        case 0x95: try frame(number(window, start + 1, 8))
        case 0x80: try version(window[start + 1], offset)
        default: return try compose(operation, window[(start + 1)..<(start + count)], offset)
        }
        return nil
    }

    /// Operations that put values together, and those of protocol 0.
    private mutating func compose(
        _ operation: UInt8, _ argument: ArraySlice<UInt8>, _ offset: UInt64
    ) throws(PickleFault) -> Outcome? {
        switch operation {
        case UInt8(ascii: ")"): try push(arena.tuple([]))
        case 0x85: try tuple(1)
        case 0x86: try tuple(2)
        case 0x87: try tuple(3)
        case UInt8(ascii: "t"): try collect(.tuple)
        case UInt8(ascii: "]"): try push(arena.container(.list))
        case UInt8(ascii: "l"): try collect(.list)
        case UInt8(ascii: "}"): try push(arena.container(.dict))
        case UInt8(ascii: "d"): try collect(.dict)
        case 0x8f: try push(arena.container(.set))
        case 0x91: try collect(.set)
        case UInt8(ascii: "a"): try extend(stack.count - 1..<stack.count)
        case UInt8(ascii: "e"), 0x90: try extend(try popMark())
        case UInt8(ascii: "s"): try assign(stack.count - 2..<stack.count)
        case UInt8(ascii: "u"): try assign(try popMark())
        case UInt8(ascii: "R"):
            let arguments = try pop()
            let callable = try pop()
            try push(call(callable, arguments, .call, offset))
        case 0x81:
            let arguments = try pop()
            let callable = try pop()
            try push(call(callable, arguments, .new, offset))
        case 0x92:
            let named = try pop()
            let arguments = try pop()
            let callable = try pop()
            let made = call(callable, arguments, .new, offset)
            noteData([named])
            try push(made)
        case UInt8(ascii: "b"): return try build(offset)
        case 0x93: try stackGlobal(offset)
        case UInt8(ascii: "c"):
            let (module, name) = try names(argument)
            try push(global(module, name, offset))
        case UInt8(ascii: "i"): try instance(argument, offset)
        case UInt8(ascii: "o"): try object(offset)
        case 0x82, 0x83, 0x84:
            throw PickleFault("takes a class from the registry of extensions, which says nothing")
        case UInt8(ascii: "Q"): try persistent(try pop(), offset)
        case 0x97:
            note(.unknown, "takes memory that the loader must supply", at: offset)
            try push(PickleValue(kind: .buffer))
        case 0x98: _ = try top()
        default: try line(operation, argument.dropLast(), offset)
        }
        return nil
    }

    /// Operations whose argument is a line.
    private mutating func line(
        _ operation: UInt8, _ line: ArraySlice<UInt8>, _ offset: UInt64
    ) throws(PickleFault) {
        switch operation {
        case UInt8(ascii: "I"): try pushDecimal(line, isLong: false)
        case UInt8(ascii: "L"): try pushDecimal(line, isLong: true)
        case UInt8(ascii: "F"):
            guard line.count <= 400, let value = Double(String(decoding: line, as: UTF8.self))
            else { throw PickleFault("has a number that is none") }
            try push(.float(value))
        case UInt8(ascii: "S"): try pushQuoted(line)
        case UInt8(ascii: "V"): try pushLine(line)
        case UInt8(ascii: "p"): try put(try lineNumber(line))
        case UInt8(ascii: "g"): try get(try lineNumber(line))
        case UInt8(ascii: "P"): try persistent(arena.text(line), offset)
        default: throw PickleFault("has the unknown operation \(operation)")
        }
    }

    // MARK: Containers

    private mutating func mark() throws(PickleFault) {
        guard marks.count < Self.mostStack else {
            throw PickleFault("has more than \(Self.mostStack) marks")
        }
        marks.append(stack.count)
    }

    /// POP also takes a mark that nothing stands on.
    private mutating func drop() throws(PickleFault) {
        if stack.count > fence {
            stack.removeLast()
        } else if marks.popLast() == nil {
            throw PickleFault("takes from an empty stack")
        }
    }

    private mutating func tuple(_ count: Int) throws(PickleFault) {
        guard stack.count - fence >= count else { throw PickleFault("takes from an empty stack") }
        let value = makeTuple(stack[(stack.count - count)...])
        stack.removeLast(count)
        try push(value)
    }

    // The elements are handed on as a slice of the stack, which must be gone before the stack changes.
    private mutating func makeTuple(_ elements: ArraySlice<PickleValue>) -> PickleValue {
        noteData(elements)
        return arena.tuple(elements)
    }

    /// TUPLE, LIST, DICT and FROZENSET: everything above the mark.
    private mutating func collect(_ kind: PickleValue.Kind) throws(PickleFault) {
        let range = try popMark()
        let value: PickleValue
        switch kind {
        case .tuple: value = makeTuple(stack[range])
        case .dict:
            guard range.count.isMultiple(of: 2) else {
                throw PickleFault("has a dict with a key without a value")
            }
            value = arena.container(.dict)
            try set(stack[range], on: value)
        default:
            value = arena.container(kind)
            try add(stack[range], to: value)
        }
        stack.removeLast(range.count)
        try push(value)
    }

    /// APPEND, APPENDS and ADDITEMS.
    private mutating func extend(_ range: Range<Int>) throws(PickleFault) {
        guard range.lowerBound > fence else { throw PickleFault("takes from an empty stack") }
        try add(stack[range], to: stack[range.lowerBound - 1])
        stack.removeLast(range.count)
    }

    /// SETITEM and SETITEMS.
    private mutating func assign(_ range: Range<Int>) throws(PickleFault) {
        guard range.lowerBound > fence else { throw PickleFault("takes from an empty stack") }
        guard range.count.isMultiple(of: 2) else {
            throw PickleFault("has a dict with a key without a value")
        }
        try set(stack[range], on: stack[range.lowerBound - 1])
        stack.removeLast(range.count)
    }

    // MARK: Frames and versions

    private mutating func frame(_ length: UInt64) throws(PickleFault) {
        guard position >= frameEnd || frameEnd == 0 else {
            throw PickleFault("has a frame inside a frame")
        }
        let (end, overflow) = position.addingReportingOverflow(length)
        guard !overflow, length < 1 << 62 else { throw PickleFault("has a frame without end") }
        frameEnd = end
    }

    private mutating func version(_ number: UInt8, _ offset: UInt64) throws(PickleFault) {
        guard number <= 5 else { throw PickleFault("is of the unknown protocol \(number)") }
        if offset != start {
            note(.dangerous, "says its protocol where something stands before", at: offset)
        }
        protocolVersion = Int(number)
    }
}
