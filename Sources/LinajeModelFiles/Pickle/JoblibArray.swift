/// An array whose data joblib writes between the operations of its pickle (joblib 1.6,
/// `numpy_pickle.py`).
///
/// ```
/// array = … BUILD of a NumpyArrayWrapper | padding length u8 | 0xff × padding length | data
/// object array = … BUILD of a NumpyArrayWrapper | pickle
/// ```
struct JoblibArray: Sendable {
    static let module = "joblib.numpy_pickle"
    static let name = "NumpyArrayWrapper"
    /// Longest element in bytes.
    private static let mostItemBytes: UInt64 = 1 << 20
    private static let mostDimensions = 64

    /// Bytes of the data; `nil` when it is a pickle.
    var bytes: UInt64?
    /// Whether padding stands before it, so that another unpickler cannot take it for operations.
    var isAligned: Bool

    /// - Throws: `PickleFault` when the state of the wrapper does not say how long the data is.
    init(state: PickleValue, in machine: PickleMachine) throws(PickleFault) {
        guard state.kind == .dict, machine.arena.container(of: state)?.isCut == false else {
            throw PickleFault("has a joblib array without a description")
        }
        var fields: [String: PickleValue] = [:]
        let elements = machine.arena.few(state, 32)
        for index in stride(from: 0, to: elements.count - 1, by: 2) {
            guard let key = machine.arena.string(elements[index]),
                fields.updateValue(elements[index + 1], forKey: key) == nil
            else { throw PickleFault("has a joblib array with odd fields") }
        }
        guard let dtype = fields["dtype"].flatMap({ NumpyType($0, in: machine) }),
            let shape = fields["shape"], shape.kind == .tuple
        else { throw PickleFault("has a joblib array without a type or a shape") }
        switch fields["numpy_array_alignment_bytes"] {
        case nil: isAligned = false
        case let value? where value.kind == .int && value.wide == 16: isAligned = true
        default: throw PickleFault("has a joblib array with an odd alignment")
        }
        if dtype.hasObjects {
            bytes = nil
            isAligned = true
            return
        }
        let dimensions = machine.arena.few(shape, UInt32(Self.mostDimensions))
        guard dimensions.count <= Self.mostDimensions, dtype.size <= Self.mostItemBytes,
            machine.arena.container(of: shape)?.count == UInt32(dimensions.count)
        else { throw PickleFault("has a joblib array without a size") }
        var total = dtype.size
        for dimension in dimensions {
            let (product, overflow) = total.multipliedReportingOverflow(by: dimension.wide)
            guard dimension.kind == .int, Int64(bitPattern: dimension.wide) >= 0, !overflow,
                product < 1 << 62
            else { throw PickleFault("has a joblib array without a size") }
            total = product
        }
        bytes = total
    }
}
