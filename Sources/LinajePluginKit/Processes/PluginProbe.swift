import LinajeDomain
package import LinajeWire

/// A process of a plugin's that is spoken to frame by frame, by whoever wants to know whether it keeps to
/// the protocol.
package final class PluginProbe: Sendable {
    /// How the process ended.
    package struct Ending: Sendable {
        /// "exited with status 0"
        package var how: String
        /// By itself, neither by a signal nor because nobody waited any longer.
        package var isItsOwn: Bool
        /// What it said last on standard error, or empty.
        package var lastLine: String
    }

    private let child: ChildProcess
    private let channel: FrameChannel
    private let errors: StandardErrorTail
    private let lane: BlockingLane

    /// Starts the program, locked up as the daemon does it. Nothing has been said to it then.
    ///
    /// - Throws: `pluginFailed` with the system's reason.
    package init(
        confined program: String, of manifest: PluginManifest, by host: String
    ) async throws {
        let lane = BlockingLane()
        let words = PluginProcess.confinement(of: program, manifest, memory: nil)
        let child = try await lane.run { try ChildProcess.spawn(host, words) }
        self.lane = lane
        self.child = child
        channel = FrameChannel(input: child.socket, output: child.socket, ownership: .owned)
        errors = StandardErrorTail(child.errors)
    }

    /// Sends bytes. A process that is gone is noticed by the next `receive`.
    package func send(_ bytes: [UInt8]) async { try? await channel.send(bytes) }

    /// The next frame; `nil` when the process has closed its side.
    ///
    /// - Throws: `deadlineExceeded`, after which the process is ended; an error of the frame that says
    ///   what is wrong with it.
    package func receive(within patience: Duration) async throws -> Frame? {
        do {
            return try await withDeadline(.now + patience) {
                try await withTaskCancellationHandler {
                    try await self.channel.receive()
                } onCancel: {
                    self.child.kill()
                    self.channel.hangUp()
                }
            }
        } catch is DeadlineExpired {
            throw LinajeError(.deadlineExceeded, "nothing came within \(patience)")
        }
    }

    /// Tells the process that nothing more will come.
    package func endInput() { channel.endOutput() }

    /// Waits for the end of the process, and ends it when it takes longer.
    package func end(within patience: Duration) async -> Ending {
        let child = child
        let start = ContinuousClock.now
        let exit = (try? await lane.run { child.reap(grace: patience) }) ?? .unknown
        let isInTime = ContinuousClock.now - start < patience
        channel.hangUp()
        var isItsOwn = false
        if case .status = exit { isItsOwn = isInTime }
        return Ending(
            how: "\(exit)", isItsOwn: isItsOwn, lastLine: await errors.finish())
    }
}
