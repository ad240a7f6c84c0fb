package import LinajeDomain

/// Which events of the ledger are wanted; `nil` excludes nothing.
package struct EventQuery: Sendable, Hashable {
    /// Only about the model of this name.
    package var model: String?
    /// Only about this version.
    package var version: UInt64?
    /// Only from this moment on.
    package var since: Timestamp?
    /// Only before this moment.
    package var until: Timestamp?
    package var page: Page

    package init(
        model: String? = nil, version: UInt64? = nil, since: Timestamp? = nil,
        until: Timestamp? = nil, page: Page
    ) {
        self.model = model
        self.version = version
        self.since = since
        self.until = until
        self.page = page
    }

    /// Whether an event happened between `since` and `until`, by its own text.
    func contains(_ event: LedgerEvent) -> Bool {
        guard let moment = EventTimes.moment(event.canonical) else { return false }
        return moment >= since?.microseconds ?? .min && moment < until?.microseconds ?? .max
    }
}
