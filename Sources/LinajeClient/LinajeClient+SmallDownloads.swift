import FoundationEssentials
import LinajeDomain
import LinajeTransport
import LinajeWire
import SwiftProtobuf
import Synchronization

extension LinajeClient {
    /// Entries that one request can choose from.
    private static let entriesPerRequest = 1 << 20
    /// Frames whose files are written at a time.
    private static let framesAtOnce = 3

    typealias Written = (entry: Int, file: UploadMemory.File)

    /// Fetches small files and links, all in one stream. What has been written when a connection
    /// breaks is not fetched again.
    ///
    /// - Parameter numbers: of entries, in order.
    func fetchSmall(
        _ numbers: [Int], _ source: TreeSource, _ folder: DestinationFolder, protected: Bool,
        _ progress: ProgressKeeper
    ) async throws -> [Written] {
        let done = Mutex<[Int: UploadMemory.File]>([:])
        var rest = numbers[...]
        while let first = rest.first {
            let part = rest.prefix { $0 - first < Self.entriesPerRequest }
            rest = rest.dropFirst(part.count)
            try await retrying {
                let missing = done.withLock { done in part.filter { done[$0] == nil } }
                guard !missing.isEmpty else { return }
                try await self.fetchSmallOnce(missing, source, folder, protected) { written in
                    done.withLock { done in
                        for (number, file) in written { done[number] = file }
                    }
                    progress.add(written.reduce(0) { $0 + Int(clamping: $1.file.stamp.size) })
                    progress.filesDone(written.count)
                }
            }
        }
        return done.withLock { done in done.map { ($0.key, $0.value) } }
    }

    private func fetchSmallOnce(
        _ numbers: [Int], _ source: TreeSource, _ folder: DestinationFolder, _ protected: Bool,
        _ note: @escaping @Sendable ([Written]) -> Void
    ) async throws {
        let stream = try await connections.connection().open(
            Methods.readFiles, Self.request(numbers, source))
        guard try await stream.response().files == UInt64(numbers.count) else {
            throw LinajeError(.internalError, "daemon offers other files than were asked for")
        }
        let wanted = Set(numbers)
        let count = try await withThrowingTaskGroup(of: Int.self) { group in
            var (count, running) = (0, 0)
            while let bytes = try await stream.next() {
                if running == Self.framesAtOnce {
                    count += try await group.next() ?? 0
                    running -= 1
                }
                running += 1
                group.addTask {
                    try await BlockingWork.run {
                        let written = try Self.write(
                            bytes, wanted, source.tree, folder, protected)
                        note(written)
                        return written.count
                    }
                }
            }
            while let part = try await group.next() { count += part }
            return count
        }
        guard count == numbers.count else {
            throw LinajeError(
                .internalError, "daemon sent \(count) files of \(numbers.count); try again")
        }
    }

    private static func request(
        _ numbers: [Int], _ source: TreeSource
    ) -> Linaje_V1_ReadFilesRequest {
        var request = Linaje_V1_ReadFilesRequest()
        request.root = source.place.root
        request.path = source.place.path?.text ?? ""
        request.tree = source.digest.data
        guard let first = numbers.first, let last = numbers.last else { return request }
        var wanted = [UInt8](repeating: 0, count: (last - first) / 8 + 1)
        for number in numbers { wanted[(number - first) >> 3] |= 1 << UInt8((number - first) & 7) }
        request.first = UInt64(first)
        request.wanted = Data(wanted)
        return request
    }

    /// Checks and writes the files of a frame.
    private static func write(
        _ frame: [UInt8], _ wanted: Set<Int>, _ tree: Tree, _ folder: DestinationFolder,
        _ protected: Bool
    ) throws -> [Written] {
        try Linaje_V1_ReadFilesFrame(payload: frame).files.map { file in
            guard let number = Int(exactly: file.entry), wanted.contains(number) else {
                throw LinajeError(
                    .badMessage, "daemon sent entry \(file.entry), which was not asked for")
            }
            let entry = tree.entries[number]
            let content = Array(file.content)
            guard try ContentHash.digest(of: content) == entry.sha256 else {
                throw corrupt(entry)
            }
            return (
                number,
                UploadMemory.File(
                    entry, try write(content, entry, folder, protected), isSure: false)
            )
        }
    }

    private static func write(
        _ content: [UInt8], _ entry: TreeEntry, _ folder: DestinationFolder, _ protected: Bool
    ) throws -> FileStamp {
        guard entry.mode != .link else {
            try folder.link(entry.path, to: content)
            // Of links nothing is believed: reading one is as quick as looking at it.
            return FileStamp(size: entry.size, modified: 0, changed: 0, inode: 0, device: 0)
        }
        let partial = try folder.begin(entry.path, executable: entry.mode == .executable)
        try partial.write(content)
        if protected { try partial.protect() }
        return try partial.commit()
    }
}
