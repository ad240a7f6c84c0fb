import LinajeDomain

/// What readers ask of the queue: that what waits for its commit is seen by them.
extension IngestQueue {
    /// Returns once everything of a run that was queued when this was called is durable or refused,
    /// or `patience` is over. Costs no commit: the committer takes all that waits anyway.
    func waitUntilStored(_ run: RunID, patience: Duration) async {
        guard let reader = reader(of: run) else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.wait(reader.number, reader.round) }
            group.addTask { try? await Task.sleep(for: patience) }
            await group.next()
            group.cancelAll()
        }
    }

    /// Ends the channels of a run that is being deleted, drops what they have queued and returns once
    /// no commit holds anything of it. Nobody may open one meanwhile.
    func expel(_ run: RunID, _ error: LinajeError) async {
        let calls = state.withLock { state -> Calls in
            let mine = state.channels.filter { $0.value.key.run == run }.keys
            let calls = mine.flatMap { Self.fail($0, error, in: &state) }
            state.ready.removeAll { state.channels[$0]?.pending.isEmpty ?? true }
            return calls
        }
        calls.forEach { $0() }
        while let busy = state.withLock({ state in
            state.channels.first { $0.value.key.run == run && $0.value.isCommitting }?.key
        }) {
            await withCheckedContinuation { continuation in
                let isIdle = state.withLock { state in
                    guard state.channels[busy]?.isCommitting == true else { return true }
                    state.channels[busy]?.drained.append { continuation.resume() }
                    return false
                }
                if isIdle { continuation.resume() }
            }
        }
    }

    /// Tells readers whose commit is over; the committer has finished what it took. Under the lock.
    static func finishRound(in state: inout State) -> Calls {
        state.finished = state.taken
        guard !state.readers.isEmpty else { return [] }
        var calls: Calls = []
        for (number, reader) in state.readers
        where reader.round <= state.finished || state.failure != nil {
            state.readers[number] = nil
            calls.append { reader.continuation.resume() }
        }
        return calls
    }

    /// A number for a reader, and which commit it has to wait for; `nil` when nothing is queued.
    private func reader(of run: RunID) -> (number: UInt64, round: UInt64)? {
        state.withLock { state in
            guard !state.ready.isEmpty || state.finished < state.taken, state.failure == nil
            else { return nil }
            var round: UInt64?
            for channel in state.channels.values where channel.key.run == run {
                if !channel.pending.isEmpty {
                    round = state.taken + 1
                } else if channel.isCommitting {
                    round = round ?? state.taken
                }
            }
            guard let round else { return nil }
            defer { state.nextReader += 1 }
            return (state.nextReader, round)
        }
    }

    private func wait(_ number: UInt64, _ round: UInt64) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    guard state.finished < round, state.failure == nil, !Task.isCancelled else {
                        return true
                    }
                    state.readers[number] = (round, continuation)
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.readers.removeValue(forKey: number) }?.continuation.resume()
        }
    }
}
