package import LinajeDomain

extension Linaje_V1_Remote {
    package init(_ remote: Remote) {
        self.init()
        name = remote.name
        address = remote.address
        configured = remote.isConfigured
    }
}

extension Remote {
    package init(_ message: Linaje_V1_Remote) {
        self.init(
            name: message.name, address: message.address, isConfigured: message.configured)
    }
}

extension Linaje_V1_RemoteAction {
    package init(_ action: RemoteAction) {
        switch action {
        case .status: self = .status
        case .push: self = .push
        case .pull: self = .pull
        }
    }
}

extension RemoteAction {
    /// - Throws: `invalidArgument` for an action that is not given or not known.
    package init(_ message: Linaje_V1_RemoteAction) throws {
        switch message {
        case .status: self = .status
        case .push: self = .push
        case .pull: self = .pull
        case .unspecified, .UNRECOGNIZED:
            throw WireFields.unknown("action", message.rawValue, allowed: "STATUS, PUSH or PULL")
        }
    }
}

extension Linaje_V1_RemoteProgress {
    package init(_ progress: RemoteProgress) {
        self.init()
        common = Linaje_V1_PackSum(progress.common)
        missingThere = Linaje_V1_PackSum(progress.missingThere)
        missingHere = Linaje_V1_PackSum(progress.missingHere)
        copied = Linaje_V1_PackSum(progress.copied)
        pack = progress.pack
        finding = progress.finding ?? ""
        finished = progress.isFinished
    }
}

extension RemoteProgress {
    package init(_ message: Linaje_V1_RemoteProgress) {
        self.init()
        common = PackSum(message.common)
        missingThere = PackSum(message.missingThere)
        missingHere = PackSum(message.missingHere)
        copied = PackSum(message.copied)
        pack = message.pack
        finding = message.finding.isEmpty ? nil : message.finding
        isFinished = message.finished
    }
}

extension Linaje_V1_PackSum {
    fileprivate init(_ sum: PackSum) {
        self.init()
        packs = sum.packs
        bytes = sum.size.bytes
    }
}

extension PackSum {
    fileprivate init(_ message: Linaje_V1_PackSum) {
        self.init(packs: message.packs, size: ByteCount(message.bytes))
    }
}
