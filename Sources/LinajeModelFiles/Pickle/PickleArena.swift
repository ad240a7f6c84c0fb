/// What the values of a pickle refer to. Its memory is bounded: of what is past the bounds only that
/// it exists is kept, which costs the description and never the verdict.
struct PickleArena: Sendable {
    /// Longest text that is kept, in bytes.
    static let mostTextBytes = 1_024
    /// Bytes of all texts that are kept.
    static let mostTextsBytes = 16 << 20
    /// Most containers that are kept.
    static let mostContainers = 1 << 20
    /// Most objects that are kept.
    static let mostObjects = 1 << 20
    /// Most elements of all containers.
    static let mostItems = 2 << 20
    /// Most elements of one list, dict or set.
    static let mostItemsEach: UInt32 = 65_536
    /// Bytes of all blobs that are kept because they may be loaded.
    static let mostBlobBytes = 32 << 20

    /// No segment, no global.
    static let nothing = UInt32.max

    struct Container: Sendable {
        /// Of a tuple where its elements begin, of others its first segment.
        var head: UInt32 = nothing
        var tail: UInt32 = nothing
        /// How many elements are kept.
        var count: UInt32 = 0
        /// Whether elements are missing.
        var isCut = false
        /// Whether a key of the dict would be more than data as an attribute of an object.
        var hasOddKeys = false
        /// Whether it was given to an object as its state.
        var isState = false
    }

    struct Object: Sendable {
        /// What made it; `nothing` for what is unknown.
        var global: UInt32
        var args: PickleValue
        var state = PickleValue.none
        var hasState = false
        /// The container of what was appended or set on it.
        var content = nothing
        /// Whether a joblib array stands in the file for it.
        var isArray = false
    }

    private struct Segment: Sendable {
        var start: UInt32
        var count: UInt32
        var next = nothing
    }

    private var texts: [UInt8] = []
    private var items: [PickleValue] = []
    private var segments: [Segment] = []
    private(set) var containers: [Container] = []
    private(set) var objects: [Object] = []
    private(set) var blobs: [[UInt8]] = []
    private var blobBytes = 0

    /// About how many bytes a copy takes.
    var weight: Int {
        texts.count + items.count * MemoryLayout<PickleValue>.stride
            + segments.count * MemoryLayout<Segment>.stride
            + containers.count * MemoryLayout<Container>.stride
            + objects.count * MemoryLayout<Object>.stride
    }

    // MARK: Making

    mutating func text(_ bytes: ArraySlice<UInt8>) -> PickleValue {
        let length = UInt32(clamping: bytes.count)
        guard bytes.count <= Self.mostTextBytes, texts.count < Self.mostTextsBytes else {
            var first: UInt64 = 0
            for byte in bytes.prefix(8).reversed() { first = first << 8 | UInt64(byte) }
            return PickleValue(kind: .cutText, small: length, wide: first)
        }
        let start = UInt64(texts.count)
        // Most texts are short: bytes one by one are quicker than a copy of a slice.
        if bytes.count <= 24 {
            for byte in bytes { texts.append(byte) }
        } else {
            texts += bytes
        }
        return PickleValue(kind: .text, small: length, wide: start)
    }

    mutating func blob(_ bytes: ArraySlice<UInt8>) -> PickleValue {
        guard blobBytes + bytes.count <= Self.mostBlobBytes else {
            return PickleValue(
                kind: .bytes, small: UInt32(clamping: bytes.count), wide: PickleValue.noBlob)
        }
        blobBytes += bytes.count
        blobs.append(Array(bytes))
        return PickleValue(
            kind: .bytes, small: UInt32(clamping: bytes.count), wide: UInt64(blobs.count - 1))
    }

    /// Bytes that are kept because they are few: the elements of a small array.
    mutating func shortBytes(_ bytes: ArraySlice<UInt8>) -> PickleValue {
        var value = text(bytes)
        if value.kind == .text { value.kind = .shortBytes } else { value.kind = .bytes }
        if value.kind == .bytes { value.wide = PickleValue.noBlob }
        return value
    }

    mutating func tuple(_ elements: ArraySlice<PickleValue>) -> PickleValue {
        guard containers.count < Self.mostContainers, items.count < Self.mostItems else {
            return PickleValue(kind: .cut)
        }
        let start = UInt32(items.count)
        for element in elements { items.append(element) }
        containers.append(Container(head: start, count: UInt32(clamping: elements.count)))
        return PickleValue(kind: .tuple, small: UInt32(containers.count - 1))
    }

    mutating func container(_ kind: PickleValue.Kind) -> PickleValue {
        guard containers.count < Self.mostContainers else { return PickleValue(kind: .cut) }
        containers.append(Container())
        return PickleValue(kind: kind, small: UInt32(containers.count - 1))
    }

    mutating func object(_ global: UInt32, _ args: PickleValue) -> PickleValue {
        guard objects.count < Self.mostObjects else { return PickleValue(kind: .cut) }
        objects.append(Object(global: global, args: args))
        return PickleValue(kind: .object, small: UInt32(objects.count - 1))
    }

    mutating func persistent(_ id: PickleValue) -> PickleValue {
        var value = object(Self.nothing, id)
        if value.kind == .object { value.kind = .persistent }
        return value
    }

    // MARK: Changing

    /// Adds elements to a list, dict or set.
    mutating func add(_ elements: ArraySlice<PickleValue>, to number: UInt32) {
        let index = Int(number)
        guard containers.indices.contains(index), !elements.isEmpty else { return }
        let room = Self.mostItemsEach - min(containers[index].count, Self.mostItemsEach)
        let left = Self.mostItems - min(items.count, Self.mostItems)
        let kept = min(elements.count, Int(room), left)
        if kept < elements.count { containers[index].isCut = true }
        // Dicts are read in pairs.
        let even = kept < elements.count ? kept & ~1 : kept
        guard even > 0 else { return }
        let start = UInt32(items.count)
        for element in elements.prefix(even) { items.append(element) }
        containers[index].count += UInt32(even)
        // Elements that come one by one go on where the last ones end.
        let tail = Int(containers[index].tail)
        if segments.indices.contains(tail), segments[tail].start + segments[tail].count == start {
            segments[tail].count += UInt32(even)
            return
        }
        let segment = UInt32(segments.count)
        segments.append(Segment(start: start, count: UInt32(even)))
        if containers[index].tail == Self.nothing {
            containers[index].head = segment
        } else {
            segments[Int(containers[index].tail)].next = segment
        }
        containers[index].tail = segment
    }

    mutating func add(_ elements: ArraySlice<PickleValue>, toObject number: UInt32) {
        let index = Int(number)
        guard objects.indices.contains(index) else { return }
        if objects[index].content == Self.nothing {
            let made = container(.list)
            guard made.kind == .list else { return }
            objects[index].content = made.small
        }
        add(elements, to: objects[index].content)
    }

    mutating func noteOddKey(_ number: UInt32) {
        guard containers.indices.contains(Int(number)) else { return }
        containers[Int(number)].hasOddKeys = true
    }

    mutating func noteState(_ number: UInt32) {
        guard containers.indices.contains(Int(number)) else { return }
        containers[Int(number)].isState = true
    }

    /// Gives an object its state. A second one stays beside the first as unknown.
    mutating func setState(_ state: PickleValue, of number: UInt32) {
        let index = Int(number)
        guard objects.indices.contains(index) else { return }
        objects[index].state = objects[index].hasState ? PickleValue(kind: .cut) : state
        objects[index].hasState = true
    }

    mutating func markArray(_ number: UInt32) {
        guard objects.indices.contains(Int(number)) else { return }
        objects[Int(number)].isArray = true
    }

    // MARK: Reading

    /// The text of a value; `nil` when it is none or was not kept.
    func string(_ value: PickleValue) -> String? {
        guard value.kind == .text else { return nil }
        let start = Int(value.wide)
        let end = start + Int(value.small)
        guard end <= texts.count else { return nil }
        return String(validating: texts[start..<end], as: UTF8.self)
    }

    /// The bytes of a value, when they are few.
    func bytes(_ value: PickleValue) -> [UInt8]? {
        guard value.kind == .shortBytes else { return nil }
        let start = Int(value.wide)
        let end = start + Int(value.small)
        return end <= texts.count ? Array(texts[start..<end]) : nil
    }

    /// Whether a text may be more than a name of data: a dunder, or what `append` and `extend` of an
    /// object are called by.
    func isOddKey(_ value: PickleValue) -> Bool {
        switch value.kind {
        case .none, .bool, .int, .wideInt, .float, .bytes, .shortBytes, .tuple, .global:
            return false
        case .cutText: return value.wide & 0xffff == 0x5f5f
        case .text:
            let start = Int(value.wide)
            let length = Int(value.small)
            guard length >= 3, start + length <= texts.count else { return false }
            if texts[start] == 0x5f { return texts[start + 1] == 0x5f }
            guard length <= 6, texts[start] == 0x61 || texts[start] == 0x65 else { return false }
            let part = texts[start..<(start + length)]
            return part.elementsEqual("append".utf8) || part.elementsEqual("extend".utf8)
                || part.elementsEqual("add".utf8)
        default: return true
        }
    }

    /// The elements of a tuple, list, set or dict (key, value, key, …) that are kept.
    func elements(of value: PickleValue) -> [PickleValue] {
        switch value.kind {
        case .tuple, .list, .set, .dict: elements(inContainer: value.small, value.kind == .tuple)
        default: []
        }
    }

    /// The elements, when there are at most so many; none of them otherwise.
    func few(_ value: PickleValue, _ most: UInt32) -> [PickleValue] {
        guard let container = container(of: value), container.count <= most else { return [] }
        return elements(of: value)
    }

    /// What was appended to an object, or set on it (key, value, …).
    func content(of object: Object) -> [PickleValue] {
        elements(inContainer: object.content, false)
    }

    private func elements(inContainer number: UInt32, _ isTuple: Bool) -> [PickleValue] {
        guard containers.indices.contains(Int(number)) else { return [] }
        let container = containers[Int(number)]
        if isTuple {
            let start = Int(container.head)
            let end = start + Int(container.count)
            return end <= items.count ? Array(items[start..<end]) : []
        }
        var out: [PickleValue] = []
        var next = container.head
        while next != Self.nothing, segments.indices.contains(Int(next)) {
            let segment = segments[Int(next)]
            let start = Int(segment.start)
            out += items[start..<(start + Int(segment.count))]
            next = segment.next
        }
        return out
    }

    func container(of value: PickleValue) -> Container? {
        switch value.kind {
        case .tuple, .list, .set, .dict:
            containers.indices.contains(Int(value.small)) ? containers[Int(value.small)] : nil
        default: nil
        }
    }

    func object(of value: PickleValue) -> Object? {
        guard value.kind == .object || value.kind == .persistent,
            objects.indices.contains(Int(value.small))
        else { return nil }
        return objects[Int(value.small)]
    }
}
