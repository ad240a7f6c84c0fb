import LinajeDomain
import LinajeServices
import LinajeWire

extension MethodTable {
    mutating func addRetention(_ service: RetentionService) {
        unary(Methods.setRetention) { request, context in
            let policy = try await service.set(
                try RetentionSubject(request.subject), RetentionRules(request.rules),
                automatic: request.automatic,
                context.change(
                    encode: Linaje_V1_RetentionPolicy.init, decode: RetentionPolicy.init))
            return Linaje_V1_RetentionPolicy(policy)
        }
        unary(Methods.removeRetention) { request, context in
            try await service.remove(try RetentionSubject(request.subject), context.changeOnly)
            return Linaje_V1_Done()
        }
        unary(Methods.listRetention) { request, _ in
            let subject = request.hasSubject ? try RetentionSubject(request.subject) : nil
            var answer = Linaje_V1_ListRetentionResponse()
            answer.policies = try await service.policies(of: subject).map {
                Linaje_V1_RetentionPolicy($0)
            }
            return answer
        }
        stream(Methods.planRetention) { request, _, stream in
            let subject = try RetentionSubject(request.subject)
            let rules = request.hasRules ? RetentionRules(request.rules) : nil
            try stream.respond(Linaje_V1_PlanRetentionOpened())
            try await service.plan(subject, rules) {
                try await stream.send(Linaje_V1_RetentionNews($0))
            }
            stream.end()
        }
        stream(Methods.applyRetention) { request, context, stream in
            let subject = try RetentionSubject(request.subject)
            let plan = try SHA256Digest(request.plan, noun: "digest of the plan")
            try stream.respond(Linaje_V1_ApplyRetentionOpened())
            try await service.apply(subject, plan: plan, by: context.principal) {
                try await stream.send(Linaje_V1_RetentionNews($0))
            }
            stream.end()
        }
    }
}
