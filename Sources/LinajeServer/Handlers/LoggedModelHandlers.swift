import LinajeCatalog
import LinajeDomain
import LinajeServices
import LinajeWire

extension MethodTable {
    mutating func addLoggedModels(_ service: LoggedModelService) {
        unary(Methods.createLoggedModel) { request, context in
            let model = try await service.create(
                NewLoggedModel(
                    id: .orNil(request.id), experimentID: request.experimentID,
                    runID: .orNil(request.runID), name: request.name,
                    modelType: request.modelType,
                    tags: WireFields.items(request.tags, field: "tags", Tag.init),
                    params: WireFields.items(request.params, field: "params", Param.init),
                    tree: .orNil(request.tree, noun: "tree digest"), step: request.step),
                context.change(encode: Linaje_V1_LoggedModel.init, decode: LoggedModel.init))
            return Linaje_V1_LoggedModel(model)
        }
        unary(Methods.getLoggedModel) { request, _ in
            Linaje_V1_LoggedModel(try await service.get(LoggedModelID(request.id)))
        }
        unary(Methods.searchLoggedModels) { request, _ in
            let page = try await service.search(
                LoggedModelQuery(
                    experimentIDs: request.experimentIds, runID: .orNil(request.runID),
                    filter: request.search.filter(for: .loggedModels),
                    order: request.search.order(for: .loggedModels), page: Page(request.page)),
                request.search.wish)
            var answer = Linaje_V1_SearchLoggedModelsResponse()
            answer.models = page.elements.map(Linaje_V1_LoggedModel.init)
            answer.nextPageToken = page.nextPageToken
            answer.facts = Linaje_V1_SearchFacts(page.facts)
            return answer
        }
        unary(Methods.updateLoggedModel) { request, context in
            let model = try await service.update(
                LoggedModelID(request.id),
                LoggedModelUpdate(
                    status: request.hasStatus ? try LoggedModelStatus(request.status) : nil,
                    statusMessage: request.hasStatusMessage ? request.statusMessage : nil,
                    tree: request.hasTree
                        ? try SHA256Digest(request.tree, noun: "tree digest") : nil,
                    tags: TagChanges(request.tags),
                    params: WireFields.items(request.params, field: "params", Param.init)),
                context.change(encode: Linaje_V1_LoggedModel.init, decode: LoggedModel.init))
            return Linaje_V1_LoggedModel(model)
        }
        unary(Methods.deleteLoggedModel) { request, context in
            try await service.delete(LoggedModelID(request.id), context.changeOnly)
            return Linaje_V1_Done()
        }
    }
}
