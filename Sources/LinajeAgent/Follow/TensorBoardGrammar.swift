import LinajeDomain

/// The records of a TensorBoard event file (TensorFlow's record format):
///
/// ```
/// u64 length | u32 masked CRC32C of those 8 bytes | data | u32 masked CRC32C of the data
/// ```
/// all little-endian. A record that is not there to its end is being written, or its writer died in
/// it: nothing follows it either way, a writer that starts again makes a new file.
package struct TensorBoardGrammar: RecordGrammar {
    package static let name = "tensorboard/1"

    /// Stands before each tag: the sub-directory, where several share a run.
    private let prefix: String

    package init(prefix: String = "") { self.prefix = prefix }

    package mutating func cut(_ bytes: ArraySlice<UInt8>) -> RecordCut {
        guard bytes.count >= 12 else { return .incomplete(needs: 12) }
        let length = ProtobufReader.number(bytes.prefix(8))
        let start = bytes.startIndex
        guard CRC32C.masked(bytes.prefix(8)) == Self.check(bytes, at: start + 8) else {
            return .damaged("the length of a record does not match its CRC")
        }
        guard length <= UInt64(AgentLimits.recordBytes) else {
            guard length <= UInt64(Int64.max) - 16 else {
                return .damaged("a record says that it has \(length) bytes")
            }
            return .tooLong(bytes: length + 16)
        }
        let whole = Int(length) + 16
        guard bytes.count >= whole else { return .incomplete(needs: whole) }
        let data = bytes[(start + 12)..<(start + 12 + Int(length))]
        guard CRC32C.masked(data) == Self.check(bytes, at: data.endIndex) else {
            return .damaged("a record of \(length) bytes does not match its CRC")
        }
        return .record(bytes: whole, record(data))
    }

    private func record(_ data: ArraySlice<UInt8>) -> FollowedRecord {
        let event: TensorBoardEvent
        do {
            event = try TensorBoardEvent(data)
        } catch {
            return FollowedRecord(problem: "a record is no event")
        }
        var record = FollowedRecord(ignored: event.ignored)
        guard let time = Self.microseconds(event.wallTime) else {
            record.ignored += event.scalars.count
            return record
        }
        for (tag, value) in event.scalars {
            guard let key = try? Names.key(prefix + tag, of: "metric") else {
                record.ignored += 1
                continue
            }
            record.points.append(
                FollowedPoint(key: key, step: event.step, time: time, value: value))
        }
        return record
    }

    private static func check(_ bytes: ArraySlice<UInt8>, at index: Int) -> UInt32 {
        UInt32(truncatingIfNeeded: ProtobufReader.number(bytes[index..<(index + 4)]))
    }

    /// `nil` for what is no moment.
    static func microseconds(_ seconds: Double) -> Int64? {
        Int64(exactly: (seconds * 1_000_000).rounded())
    }
}
