import FoundationEssentials
package import LinajeDomain

extension Linaje_V1_Digest {
    package init(_ digest: ContentDigest) {
        self.init()
        algorithm = digest.algorithm
        value = Data(digest.value)
    }
}

extension ContentDigest {
    /// - Throws: `invalidArgument` for an unknown algorithm or a wrong length.
    package init(_ message: Linaje_V1_Digest) throws {
        try self.init(algorithm: message.algorithm, value: Array(message.value))
    }
}

extension Linaje_V1_Tag {
    package init(_ tag: Tag) {
        self.init()
        key = tag.key
        value = tag.value
    }
}

extension Tag {
    /// - Throws: when the key or value breaks a bound.
    package init(_ message: Linaje_V1_Tag) throws {
        self = try Tag(key: message.key, value: message.value).checked()
    }
}

extension Linaje_V1_TagChanges {
    package init(_ changes: TagChanges) {
        self.init()
        set = changes.set.map(Linaje_V1_Tag.init)
        remove = changes.remove
    }
}

extension TagChanges {
    /// - Throws: when a key or value breaks a bound, there are too many, or a key is both set and
    ///   removed.
    package init(_ message: Linaje_V1_TagChanges) throws {
        let set = try WireFields.items(message.set, field: "tags.set") { try Tag($0) }
        let remove = try WireFields.items(message.remove, field: "tags.remove") {
            try Names.key($0, of: "tag")
        }
        let removed = Set(remove)
        if let both = set.first(where: { removed.contains($0.key) }) {
            throw LinajeError(
                .invalidArgument,
                "tag \"\(both.key)\" is in both tags.set and tags.remove; name it once")
        }
        self.init(set: set, remove: remove)
    }
}

extension Linaje_V1_Param {
    package init(_ param: Param) {
        self.init()
        key = param.key
        value =
            switch param.value {
            case .string(let text): .stringValue(text)
            case .int(let number): .intValue(number)
            case .double(let number): .doubleValue(number)
            case .bool(let flag): .boolValue(flag)
            }
    }
}

extension Param {
    /// - Throws: when the key or value breaks a bound, or there is no value.
    package init(_ message: Linaje_V1_Param) throws {
        let key = try Names.key(message.key, of: "param")
        switch message.value {
        case .stringValue(let text):
            guard text.utf8.count <= Limits.paramValueBytes else {
                throw LinajeError(
                    .limitExceeded,
                    "value of param \"\(key)\" has \(text.utf8.count) bytes; at most "
                        + "\(Limits.paramValueBytes) are allowed")
            }
            self.init(key: key, value: .string(text))
        case .intValue(let number): self.init(key: key, value: .int(number))
        case .doubleValue(let number): self.init(key: key, value: .double(number))
        case .boolValue(let flag): self.init(key: key, value: .bool(flag))
        case nil:
            throw LinajeError(
                .invalidArgument,
                "param \"\(key)\" has no value; send a text, a number or a truth value")
        }
    }
}

extension Linaje_V1_Page {
    package init(_ page: Page) {
        self.init()
        limit = UInt32(page.limit)
        token = page.token
    }
}

extension Page {
    /// - Throws: `limitExceeded` for a limit out of bounds.
    package init(_ message: Linaje_V1_Page) throws {
        try self.init(limit: Int(message.limit), token: message.token)
    }
}

extension Linaje_V1_Lifecycle {
    package init(_ lifecycle: Lifecycle) {
        switch lifecycle {
        case .active: self = .active
        case .deleted: self = .deleted
        }
    }

    /// What a search asks for; `nil` stands for both.
    package init(filter: Lifecycle?) {
        self = filter.map(Linaje_V1_Lifecycle.init) ?? .any
    }

    /// What a search asks for: ACTIVE when it does not say, `nil` for both.
    ///
    /// - Throws: `invalidArgument` for an unknown value.
    package func filter() throws -> Lifecycle? {
        switch self {
        case .unspecified, .active: .active
        case .deleted: .deleted
        case .any: nil
        case .UNRECOGNIZED(let number):
            throw WireFields.unknown("lifecycle", number, allowed: "ACTIVE, DELETED or ANY")
        }
    }
}

extension Lifecycle {
    /// - Throws: `invalidArgument` for any value but ACTIVE and DELETED.
    package init(_ message: Linaje_V1_Lifecycle) throws {
        switch message {
        case .active: self = .active
        case .deleted: self = .deleted
        case .unspecified, .any, .UNRECOGNIZED:
            throw WireFields.unknown(
                "lifecycle", message.rawValue, allowed: "ACTIVE or DELETED")
        }
    }
}
