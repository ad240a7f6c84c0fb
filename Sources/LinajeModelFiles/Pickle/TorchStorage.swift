/// The id of a storage in a pickle of torch (torch 2, `serialization.py`):
/// `("storage", class, key, location, count[, view])`.
package struct TorchStorage: Sendable {
    /// "FloatStorage", "UntypedStorage", …
    package var type: String
    package var key: String
    package var location: String
    /// How many elements it has.
    package var count: UInt64
    /// Bytes of an element; 0: unknown.
    package var itemBytes: UInt64 { TorchTypes.bytes(of: type) ?? 0 }
    /// The type that descriptions name: "F32", ….
    package var typeName: String { TorchTypes.name(of: type) ?? type }

    init?(_ id: PickleValue, in machine: PickleMachine) {
        let parts = machine.arena.few(id, 6)
        guard parts.count == 5 || parts.count == 6, machine.arena.string(parts[0]) == "storage",
            let type = machine.global(parts[1]), ["torch", "torch.storage"].contains(type.module),
            type.name.hasSuffix("Storage"), let key = machine.arena.string(parts[2]),
            let location = machine.arena.string(parts[3]), parts[4].kind == .int,
            Int64(bitPattern: parts[4].wide) >= 0
        else { return nil }
        self.type = type.name
        self.key = key
        self.location = location
        count = parts[4].wide
    }
}
