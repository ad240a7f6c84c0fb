package import LinajeDomain

extension Linaje_V1_DatasetInput {
    package init(_ input: DatasetInput) {
        self.init()
        name = input.name
        digests = input.digests.map(Linaje_V1_Digest.init)
        clientDigest = input.clientDigest
        sourceType = input.sourceType
        source = input.source
        schema = input.schema
        profile = input.profile
        context = input.context
        dvcPointer = input.dvcPointer
        size = input.size
        tags = input.tags.map(Linaje_V1_Tag.init)
    }
}

extension DatasetInput {
    /// - Throws: `invalidArgument` or `limitExceeded` naming the field that is not right.
    package init(_ message: Linaje_V1_DatasetInput) throws {
        self.init(
            name: try Names.name(message.name, of: "data set"),
            digests: try WireFields.items(message.digests, field: "digests of the data set") {
                try ContentDigest($0)
            },
            clientDigest: message.clientDigest, sourceType: message.sourceType,
            source: message.source, schema: message.schema, profile: message.profile,
            context: message.context, dvcPointer: message.dvcPointer, size: message.size,
            tags: try WireFields.items(message.tags, field: "tags of the data set") {
                try Tag($0)
            })
    }
}

extension Linaje_V1_ModelLink {
    package init(_ link: ModelLink) {
        self.init()
        if let id = link.loggedModelID { loggedModelID = id.data }
        uri = link.uri
        step = link.step
        role = link.role
    }
}

extension ModelLink {
    /// - Throws: `invalidArgument` when neither an id nor a URI says which model; `limitExceeded`
    ///   for a URI or role that is too long.
    package init(_ message: Linaje_V1_ModelLink) throws {
        let id = try LoggedModelID.orNil(message.loggedModelID)
        guard id != nil || !message.uri.isEmpty else {
            throw LinajeError(
                .invalidArgument, "model link has neither logged_model_id nor uri; give one")
        }
        self.init(
            loggedModelID: id, uri: try Names.text(message.uri, of: "uri of a model link"),
            step: message.step, role: try Names.text(message.role, of: "role of a model link"))
    }
}
