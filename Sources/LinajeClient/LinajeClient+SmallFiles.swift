import FoundationEssentials
import LinajeDomain
import LinajeTransport
import LinajeWire
import SwiftProtobuf

extension LinajeClient {
    /// Content that goes in one frame, but for one file.
    private static let frameBytes = 128 << 10
    /// Files that go in one frame.
    private static let frameFiles = 512

    /// Sends the small files of a plan in one stream, and names the files that are taken over.
    func putSmall(
        _ plan: UploadPlan, _ session: [UInt8], _ progress: ProgressKeeper
    ) async throws -> PutFiles {
        try await retrying {
            let mark = ProgressMark(progress)
            do {
                let done = try await self.putSmallOnce(plan, session, mark)
                progress.filesDone(done.files.count)
                return done
            } catch {
                mark.takeBack()
                throw error
            }
        }
    }

    private func putSmallOnce(
        _ plan: UploadPlan, _ session: [UInt8], _ progress: ProgressMark
    ) async throws -> PutFiles {
        var request = Linaje_V1_PutFilesRequest()
        request.ingestID = Data(session)
        if let base = plan.base {
            request.baseTree = base.data
            request.kept = Data(plan.kept)
        }
        let stream = try await connections.connection().open(Methods.putFiles, request)
        var sum = PutFiles()
        // The next frame is read while this one is sent.
        var frame = try await Self.readFrame(plan.small[...])
        while frame.taken > 0 {
            let rest = frame.rest
            async let next = Self.readFrame(rest)
            if !frame.put.files.isEmpty { try await stream.send(frame.bytes) }
            sum.add(frame.put)
            progress.add(frame.contentBytes)
            frame = try await next
        }
        stream.finish()
        let response = try await stream.response()
        guard response.files == UInt64(plan.keptFiles.count + sum.files.count) else {
            throw LinajeError(
                .internalError,
                "daemon took \(response.files) files of \(plan.keptFiles.count + sum.files.count); "
                    + "try again")
        }
        sum.newBytes = response.newBytes
        return sum
    }

    /// Files that were read for one frame.
    private struct Frame: Sendable {
        var bytes: [UInt8] = []
        var put = PutFiles()
        /// How many files were looked at, and which are left.
        var taken = 0
        var rest: ArraySlice<LocalFile>
        var contentBytes = 0
    }

    private static func readFrame(_ files: ArraySlice<LocalFile>) async throws -> Frame {
        guard !files.isEmpty else { return Frame(rest: files) }
        return try await BlockingWork.run {
            var frame = Frame(rest: files)
            var message = Linaje_V1_PutFilesFrame()
            while let file = frame.rest.popFirst() {
                frame.taken += 1
                let readAt = SystemClock().now()
                guard let (content, digest, stamp) = try read(file) else {
                    frame.put.grown.append(file)
                    continue
                }
                var entry = Linaje_V1_SmallFile()
                entry.path = file.path.text
                entry.mode = file.mode.rawValue
                entry.content = Data(content)
                entry.sha256 = digest.data
                message.files.append(entry)
                frame.put.files.append(UploadMemory.File(file, stamp, digest, readAt: readAt))
                frame.contentBytes += content.count
                if frame.contentBytes >= frameBytes || frame.taken >= frameFiles { break }
            }
            frame.bytes = try message.serializedBytes()
            return frame
        }
    }

    private static func read(
        _ file: LocalFile
    ) throws -> (content: [UInt8], digest: SHA256Digest, stamp: FileStamp)? {
        guard file.mode == .link else {
            return try LocalFileReading.whole(
                file.source, followingLink: file.isNamed, limit: Limits.smallFileBytes
            ).map { ($0.bytes, $0.digest, $0.stamp) }
        }
        let target = try LocalTree.target(of: file.source)
        return (target, try ContentHash.digest(of: target), file.stamp)
    }
}
