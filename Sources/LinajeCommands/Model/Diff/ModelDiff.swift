import LinajeDomain

/// What two models differ in.
struct ModelDiff: Sendable, Equatable {
    /// One thing that differs.
    struct Entry: Sendable, Equatable {
        enum Kind: String, Sendable {
            case added, removed, changed
        }

        var kind: Kind
        var name: String
        /// `nil` for what was added.
        var before: String?
        /// `nil` for what was removed.
        var after: String?
        /// What follows from it, for people; may be empty.
        var note = ""
        /// Whether callers of the first cannot rely on the second. Only of signatures.
        var isBreaking = false

        static func added(_ name: String, _ after: String, note: String = "") -> Entry {
            Entry(kind: .added, name: name, after: after, note: note)
        }

        static func removed(_ name: String, _ before: String, note: String = "") -> Entry {
            Entry(kind: .removed, name: name, before: before, note: note)
        }

        static func changed(
            _ name: String, _ before: String, _ after: String, note: String = ""
        ) -> Entry {
            Entry(kind: .changed, name: name, before: before, after: after, note: note)
        }

        func breaking(_ flag: Bool) -> Entry {
            var entry = self
            entry.isBreaking = flag
            return entry
        }
    }

    /// The parts, the most important first.
    enum Part: String, Sendable, CaseIterable {
        case signature, verdict, tensors, files, metrics, params, data, code, dependencies
        case environment, flavors, license, card, tags
    }

    /// One part, and what could not be compared of it.
    struct Section: Sendable, Equatable {
        var part: Part
        var entries: [Entry]
        /// What could not be found out, for people.
        var notes: [String] = []
    }

    var sections: [Section]
    /// What could not be compared at all, for people.
    var notes: [String]

    /// Parts that neither differ nor have a note are left out.
    init(_ sections: [Section], notes: [String] = []) {
        self.sections = sections.filter { !$0.entries.isEmpty || !$0.notes.isEmpty }
        self.notes = notes
    }

    /// Whether nothing that was compared differs.
    var isSame: Bool { sections.allSatisfy { $0.entries.isEmpty } }

    /// Whether callers of the first cannot rely on the second.
    var isBreaking: Bool { sections.contains { $0.entries.contains { $0.isBreaking } } }
}

extension ModelDiff {
    /// What differs between two tables of texts, by key.
    static func entries(_ before: [String: String], _ after: [String: String]) -> [Entry] {
        Set(before.keys).union(after.keys).sorted().compactMap { key in
            switch (before[key], after[key]) {
            case (let old?, let new?): old == new ? nil : .changed(key, old, new)
            case (let old?, nil): .removed(key, old)
            case (nil, let new?): .added(key, new)
            case (nil, nil): nil
            }
        }
    }
}
