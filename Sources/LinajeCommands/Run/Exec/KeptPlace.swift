import Synchronization

/// The place of one run in the folder of kept runs, made when it is first needed.
final class KeptPlace: Sendable {
    private let kept: KeptRuns?
    private let id: String
    private let place = Mutex<KeptRuns.Place?>(nil)

    init(_ kept: KeptRuns?, id: String) {
        self.kept = kept
        self.id = id
    }

    /// The place, if it was made.
    var existing: KeptRuns.Place? { place.withLock { $0 } }

    /// The place, made if it is not there; `nil` when it cannot be.
    func make() -> KeptRuns.Place? {
        place.withLock { place in
            if place == nil { place = kept?.place(id) }
            return place
        }
    }
}
