import LinajeCatalog
import LinajeDomain
import LinajeServices
import LinajeWire

extension MethodTable {
    mutating func addRegistry(_ service: RegistryService) {
        unary(Methods.createRegisteredModel) { request, context in
            let model = try await service.createModel(
                name: request.name, description: request.description_p,
                tags: WireFields.items(request.tags, field: "tags", Tag.init),
                context.change(
                    encode: Linaje_V1_RegisteredModel.init, decode: RegisteredModel.init))
            return Linaje_V1_RegisteredModel(model)
        }
        unary(Methods.getRegisteredModel) { request, _ in
            Linaje_V1_RegisteredModel(try await service.model(request.name))
        }
        unary(Methods.searchRegisteredModels) { request, _ in
            let page = try await service.models(
                RegisteredModelQuery(
                    nameContains: request.nameContains,
                    tags: WireFields.items(request.tags, field: "tags", Tag.init),
                    filter: request.search.filter(for: .registeredModels),
                    order: request.search.order(for: .registeredModels),
                    page: Page(request.page)), request.search.wish)
            var answer = Linaje_V1_SearchRegisteredModelsResponse()
            answer.models = page.elements.map(Linaje_V1_RegisteredModel.init)
            answer.nextPageToken = page.nextPageToken
            answer.facts = Linaje_V1_SearchFacts(page.facts)
            return answer
        }
        unary(Methods.updateRegisteredModel) { request, context in
            let model = try await service.updateModel(
                request.name, newName: request.hasNewName ? request.newName : nil,
                description: request.hasDescription_p ? request.description_p : nil,
                tags: TagChanges(request.tags),
                context.change(
                    encode: Linaje_V1_RegisteredModel.init, decode: RegisteredModel.init))
            return Linaje_V1_RegisteredModel(model)
        }
        unary(Methods.deleteRegisteredModel) { request, context in
            try await service.deleteModel(request.name, context.changeOnly)
            return Linaje_V1_Done()
        }
        unary(Methods.setAlias) { request, context in
            try await service.setAlias(
                request.alias, of: request.name, to: request.version,
                expected: request.hasExpectedVersion ? request.expectedVersion : nil,
                context.changeOnly)
            return Linaje_V1_Done()
        }
        unary(Methods.deleteAlias) { request, context in
            try await service.deleteAlias(request.alias, of: request.name, context.changeOnly)
            return Linaje_V1_Done()
        }
        unary(Methods.resolveModel) { request, _ in
            var answer = Linaje_V1_ResolveModelResponse()
            switch try await service.resolve(request.uri, toLook: request.toLook) {
            case .version(let version): answer.version = Linaje_V1_ModelVersion(version)
            case .loggedModel(let model): answer.loggedModel = Linaje_V1_LoggedModel(model)
            }
            return answer
        }
        unary(Methods.setScanPolicy) { request, context in
            let model = try await service.setPolicy(
                of: request.name, try ScanPolicyChanges(request),
                context.change(
                    encode: Linaje_V1_RegisteredModel.init, decode: RegisteredModel.init))
            return Linaje_V1_RegisteredModel(model)
        }
        unary(Methods.acceptRisk) { request, context in
            let version = try await service.acceptRisk(
                of: request.name, request.version, reason: request.reason,
                withdraw: request.withdraw,
                expected: try request.hasExpectedTree
                    ? SHA256Digest(request.expectedTree, noun: "expected tree") : nil,
                context.change(encode: Linaje_V1_ModelVersion.init, decode: ModelVersion.init))
            return Linaje_V1_ModelVersion(version)
        }
    }

    mutating func addVersions(_ service: RegistryService) {
        unary(Methods.createModelVersion) { request, context in
            let version = try await service.register(
                RegistryService.VersionRequest(
                    name: request.name, createModel: request.createModel, source: request.source,
                    runID: .orNil(request.runID), description: request.description_p,
                    tags: WireFields.items(request.tags, field: "tags", Tag.init)),
                context.change(encode: Linaje_V1_ModelVersion.init, decode: ModelVersion.init))
            return Linaje_V1_ModelVersion(version)
        }
        unary(Methods.getModelVersion) { request, _ in
            Linaje_V1_ModelVersion(try await service.version(request.name, request.version))
        }
        unary(Methods.searchModelVersions) { request, _ in
            let page = try await service.versions(
                ModelVersionQuery(
                    name: request.name.isEmpty ? nil : request.name,
                    runID: .orNil(request.runID),
                    stages: WireFields.items(request.stages, field: "stages", Stage.init),
                    tags: WireFields.items(request.tags, field: "tags", Tag.init),
                    filter: request.search.filter(for: .modelVersions),
                    order: request.search.order(for: .modelVersions), page: Page(request.page)),
                request.search.wish)
            var answer = Linaje_V1_SearchModelVersionsResponse()
            answer.versions = page.elements.map(Linaje_V1_ModelVersion.init)
            answer.nextPageToken = page.nextPageToken
            answer.facts = Linaje_V1_SearchFacts(page.facts)
            return answer
        }
        unary(Methods.updateModelVersion) { request, context in
            let version = try await service.updateVersion(
                request.name, request.version,
                description: request.hasDescription_p ? request.description_p : nil,
                tags: TagChanges(request.tags),
                context.change(encode: Linaje_V1_ModelVersion.init, decode: ModelVersion.init))
            return Linaje_V1_ModelVersion(version)
        }
        unary(Methods.deleteModelVersion) { request, context in
            try await service.deleteVersion(request.name, request.version, context.changeOnly)
            return Linaje_V1_Done()
        }
        unary(Methods.transitionStage) { request, context in
            let version = try await service.transition(
                request.name, request.version, to: request.stage,
                archiveExisting: request.archiveExisting, comment: request.comment,
                context.change(encode: Linaje_V1_ModelVersion.init, decode: ModelVersion.init))
            return Linaje_V1_ModelVersion(version)
        }
    }
}
