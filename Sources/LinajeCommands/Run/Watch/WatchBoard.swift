import LinajeDomain
import Synchronization

/// What the feed has found out, for a screen that draws now and then: what comes in between is one
/// change.
final class WatchBoard: Sendable {
    private struct Inner {
        var state = WatchState()
        var hasChanged = true
    }

    private let inner = Mutex(Inner())

    func apply(_ news: WatchNews) {
        inner.withLock { inner in
            inner.state.apply(news, now: .now)
            inner.hasChanged = true
        }
    }

    var state: WatchState { inner.withLock { $0.state } }

    /// Whether something has changed since this was asked last.
    func takeChange() -> Bool {
        inner.withLock { inner in
            defer { inner.hasChanged = false }
            return inner.hasChanged
        }
    }
}
