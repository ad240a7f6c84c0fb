package import LinajeDomain

extension Linaje_V1_LoggedModelStatus {
    package init(_ status: LoggedModelStatus) {
        switch status {
        case .pending: self = .pending
        case .ready: self = .ready
        case .uploadFailed: self = .uploadFailed
        case .released: self = .released
        }
    }
}

extension LoggedModelStatus {
    /// - Throws: `invalidArgument` for a status that is not given or not known.
    package init(_ message: Linaje_V1_LoggedModelStatus) throws {
        switch message {
        case .pending: self = .pending
        case .ready: self = .ready
        case .uploadFailed: self = .uploadFailed
        case .released: self = .released
        case .unspecified, .UNRECOGNIZED:
            throw WireFields.unknown(
                "status", message.rawValue, allowed: "PENDING, READY or UPLOAD_FAILED")
        }
    }
}

extension Linaje_V1_LoggedModel {
    package init(_ model: LoggedModel) {
        self.init()
        id = model.id.data
        experimentID = model.experimentID
        if let run = model.runID { runID = run.data }
        name = model.name
        status = Linaje_V1_LoggedModelStatus(model.status)
        statusMessage = model.statusMessage
        modelType = model.modelType
        if let digest = model.tree { tree = digest.data }
        size = model.size
        createdAtUs = model.createdAt.microseconds
        updatedAtUs = model.updatedAt.microseconds
        tags = model.tags.map(Linaje_V1_Tag.init)
        params = model.params.map(Linaje_V1_Param.init)
        self.model = Linaje_V1_ModelDescription(model.model)
        registrations = model.registrations.map(Linaje_V1_VersionName.init)
        step = model.step
    }
}

extension LoggedModel {
    /// - Throws: `invalidArgument` or `limitExceeded` naming the field that is not right.
    package init(_ message: Linaje_V1_LoggedModel) throws {
        self.init(
            id: try LoggedModelID(message.id), experimentID: message.experimentID,
            runID: try RunID.orNil(message.runID), name: try Names.loggedModel(message.name),
            status: try LoggedModelStatus(message.status), statusMessage: message.statusMessage,
            modelType: message.modelType,
            tree: try SHA256Digest.orNil(message.tree, noun: "tree of the logged model"),
            size: message.size, step: message.step,
            createdAt: Timestamp(microseconds: message.createdAtUs),
            updatedAt: Timestamp(microseconds: message.updatedAtUs),
            tags: try message.tags.map { try Tag($0) },
            params: try message.params.map { try Param($0) },
            model: try ModelDescription(message.model),
            registrations: message.registrations.map { VersionName($0) })
    }
}
