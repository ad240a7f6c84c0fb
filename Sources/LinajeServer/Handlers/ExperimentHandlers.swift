import LinajeCatalog
import LinajeDomain
import LinajeServices
import LinajeWire

extension MethodTable {
    mutating func addExperiments(_ service: ExperimentService) {
        unary(Methods.createExperiment) { request, context in
            let experiment = try await service.create(
                name: request.name, tags: WireFields.items(request.tags, field: "tags", Tag.init),
                getExisting: request.getExisting,
                context.change(encode: Linaje_V1_Experiment.init, decode: Experiment.init))
            return Linaje_V1_Experiment(experiment)
        }
        unary(Methods.getExperiment) { request, _ in
            switch request.by {
            case .id(let id): Linaje_V1_Experiment(try await service.get(id: id))
            case .name(let name): Linaje_V1_Experiment(try await service.get(name: name))
            case nil:
                throw LinajeError(
                    .invalidArgument, "experiment is not named; set its id or its name")
            }
        }
        unary(Methods.searchExperiments) { request, _ in
            let page = try await service.search(
                ExperimentQuery(
                    lifecycle: request.lifecycle.filter(),
                    filter: request.search.filter(for: .experiments),
                    order: request.search.order(for: .experiments), page: Page(request.page)),
                request.search.wish)
            var answer = Linaje_V1_SearchExperimentsResponse()
            answer.experiments = page.elements.map(Linaje_V1_Experiment.init)
            answer.nextPageToken = page.nextPageToken
            answer.facts = Linaje_V1_SearchFacts(page.facts)
            return answer
        }
        unary(Methods.updateExperiment) { request, context in
            let experiment = try await service.update(
                id: request.id, name: request.hasName ? request.name : nil,
                lifecycle: request.hasLifecycle ? try Lifecycle(request.lifecycle) : nil,
                tags: TagChanges(request.tags),
                context.change(encode: Linaje_V1_Experiment.init, decode: Experiment.init))
            return Linaje_V1_Experiment(experiment)
        }
    }
}
