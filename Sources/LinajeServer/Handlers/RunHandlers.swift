import LinajeCatalog
import LinajeDomain
import LinajeHost
import LinajeServices
import LinajeTransport
import LinajeWire

extension MethodTable {
    mutating func addRuns(_ service: RunService) {
        unary(Methods.createRun) { request, context in
            let (lease, owner) = try await Lease(request.lease).owned(by: context)
            let run = try await service.create(
                try NewRun(request, lease), owner: owner,
                context.change(encode: Linaje_V1_Run.init, decode: Run.init))
            return Linaje_V1_Run(run)
        }
        unary(Methods.getRun) { request, _ in
            Linaje_V1_Run(try await service.get(RunID(request.id)))
        }
        encodedUnary(Methods.searchRuns) { request, _ in
            let page: Paged<LabelledRun<EncodedRunLabels>> = try await service.search(
                RunQuery(
                    experimentIDs: request.experimentIds,
                    statuses: WireFields.items(
                        request.statuses, field: "statuses", RunStatus.init),
                    tags: WireFields.items(request.tags, field: "tags", Tag.init),
                    lifecycle: request.lifecycle.filter(), parentID: .orNil(request.parentID),
                    filter: request.search.filter(for: .runs),
                    order: request.search.order(for: .runs), page: Page(request.page)),
                request.search.wish)
            var answer = RunPageEncoding()
            for found in page.elements { try answer.add(found.run, labels: found.labels) }
            var rest = Linaje_V1_SearchRunsResponse()
            rest.nextPageToken = page.nextPageToken
            rest.facts = Linaje_V1_SearchFacts(page.facts)
            return try answer.end(rest)
        }
        unary(Methods.searchDatasets) { request, _ in
            let page = try await service.datasets(
                DatasetQuery(
                    filter: request.search.filter(for: .datasets),
                    order: request.search.order(for: .datasets), page: Page(request.page)),
                request.search.wish)
            var answer = Linaje_V1_SearchDatasetsResponse()
            answer.datasets = page.elements.map(Linaje_V1_FoundDataset.init)
            answer.nextPageToken = page.nextPageToken
            answer.facts = Linaje_V1_SearchFacts(page.facts)
            return answer
        }
        unary(Methods.updateRun) { request, context in
            let run = try await service.update(
                RunID(request.id),
                RunUpdate(
                    status: request.hasStatus ? try RunStatus(request.status) : nil,
                    endedAt: request.hasEndedAtUs
                        ? Timestamp(microseconds: request.endedAtUs) : nil,
                    name: request.hasName ? request.name : nil,
                    lifecycle: request.hasLifecycle ? try Lifecycle(request.lifecycle) : nil,
                    endedCause: request.hasEndedCause ? request.endedCause : nil,
                    processEnd: request.hasProcessEnd ? try ProcessEnd(request.processEnd) : nil,
                    isWish: request.asWish),
                context.change(encode: Linaje_V1_Run.init, decode: Run.init))
            return Linaje_V1_Run(run)
        }
        unary(Methods.logRun) { request, context in
            try await service.log(
                RunID(request.id), try RunAdditions(request), context.changeOnly)
            return Linaje_V1_Done()
        }
        unary(Methods.attachRun) { request, context in
            let (lease, owner) = try await Lease(request.lease).owned(by: context)
            let run = try await service.attach(
                RunID(request.id), lease, owner: owner,
                context.change(encode: Linaje_V1_Run.init, decode: Run.init))
            return Linaje_V1_Run(run)
        }
        unary(Methods.heartbeat) { request, _ in
            try await service.heartbeat(RunID(request.id))
            return Linaje_V1_Done()
        }
    }
}

extension EncodedRunLabels: RunLabels {}

extension Lease {
    /// The lease with the owner that the kernel names, and that process itself where the kernel
    /// hands it out. A process that cannot be watched (it lives in another pid namespace, or /proc
    /// hides it) must send heartbeats: the answer says so. The start time that a process gave in its
    /// hello tells it from a later one with the same number.
    fileprivate func owned(
        by context: CallContext
    ) async -> (lease: Lease, owner: ProcessDescriptor?) {
        guard case .process(_, _, _, let supervises) = self else { return (self, nil) }
        let pid = context.connection.peer.pid
        let owner = await context.connection.peerProcess()
        let seen = ProcessIdentity.start(of: pid)
        guard owner != nil || seen != nil else {
            return (.heartbeat(timeout: Limits.heartbeatTimeout), nil)
        }
        let start = context.processStart == 0 ? seen ?? 0 : context.processStart
        let lease = Lease.process(
            pid: max(0, pid), start: start, boot: ProcessIdentity.boot, supervises: supervises)
        return (lease, owner)
    }
}

extension NewRun {
    fileprivate init(_ message: Linaje_V1_CreateRunRequest, _ lease: Lease) throws {
        let status: RunStatus =
            switch message.status {
            case .unspecified, .running: .running
            case .scheduled: .scheduled
            default:
                throw LinajeError(
                    .invalidArgument, "a new run is RUNNING or SCHEDULED; end it by UpdateRun")
            }
        self.init(
            id: try .orNil(message.id), experimentID: message.experimentID, name: message.name,
            user: message.user, parentID: try .orNil(message.parentID),
            startedAt: message.startedAtUs == 0
                ? nil : Timestamp(microseconds: message.startedAtUs),
            tags: try WireFields.items(message.tags, field: "tags", Tag.init),
            params: try WireFields.items(message.params, field: "params", Param.init),
            provenance: message.hasProvenance ? Provenance(message.provenance) : nil,
            lease: lease, status: status)
    }
}

extension RunAdditions {
    fileprivate init(_ message: Linaje_V1_LogRunRequest) throws {
        self.init(
            params: try WireFields.items(message.params, field: "params", Param.init),
            tags: try TagChanges(message.tags),
            datasets: try WireFields.items(
                message.datasets, field: "datasets", DatasetInput.init),
            modelInputs: try WireFields.items(
                message.modelInputs, field: "model_inputs", ModelLink.init),
            modelOutputs: try WireFields.items(
                message.modelOutputs, field: "model_outputs", ModelLink.init),
            provenance: message.hasProvenance ? Provenance(message.provenance) : nil,
            mergesProvenance: message.mergeProvenance)
    }
}
