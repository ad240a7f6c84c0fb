/// What one part of a maintenance task did (`SQLBackend.maintain`).
public struct SQLMaintenanceStep: Sendable, Hashable {
    /// Pages (`vacuum`, `checkpoint`) or tables (`analyze`) that this part took care of.
    public var done: UInt64
    /// How many are left after it, as far as is known.
    public var left: UInt64
    /// Bytes that this part gave back to the file system.
    public var freedBytes: UInt64
    /// Where the next part begins; `nil`: the task is finished.
    public var next: String?

    public init(
        done: UInt64 = 0, left: UInt64 = 0, freedBytes: UInt64 = 0, next: String? = nil
    ) {
        self.done = done
        self.left = left
        self.freedBytes = freedBytes
        self.next = next
    }
}
