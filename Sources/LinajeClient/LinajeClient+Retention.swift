public import LinajeDomain
import LinajeTransport
import LinajeWire

/// What a retention policy would do, or does. One task reads it.
public struct RetentionReading: Sendable, AsyncSequence {
    enum Stream: Sendable {
        case plan(ClientStream<Linaje_V1_PlanRetentionOpened>)
        case application(ClientStream<Linaje_V1_ApplyRetentionOpened>)
    }

    let stream: Stream

    public struct AsyncIterator: AsyncIteratorProtocol {
        let stream: Stream

        /// The next item, at last the sum; `nil` when it is over.
        public mutating func next() async throws -> RetentionNews? {
            let payload: [UInt8]? =
                switch stream {
                case .plan(let stream): try await stream.next()
                case .application(let stream): try await stream.next()
                }
            guard let payload else { return nil }
            return try RetentionNews(Linaje_V1_RetentionNews(payload: payload))
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: stream) }
}

extension LinajeClient {
    /// Sets what is kept of an experiment's checkpoints or a model's versions, in the place of what was set.
    ///
    /// - Throws: `permissionDenied` for anybody but an admin, `notFound`, `invalidArgument`.
    @discardableResult
    public func setRetention(
        of subject: RetentionSubject, _ rules: RetentionRules, automatic: Bool = false
    ) async throws -> RetentionPolicy {
        var request = Linaje_V1_SetRetentionRequest()
        request.subject = Linaje_V1_RetentionSubject(subject)
        request.rules = Linaje_V1_RetentionRules(rules)
        request.automatic = automatic
        return try RetentionPolicy(await call(Methods.setRetention, request))
    }

    /// Removes a policy; what it let go of does not come back.
    ///
    /// - Throws: `permissionDenied` for anybody but an admin, `notFound` when there is none.
    public func removeRetention(of subject: RetentionSubject) async throws {
        var request = Linaje_V1_RemoveRetentionRequest()
        request.subject = Linaje_V1_RetentionSubject(subject)
        _ = try await call(Methods.removeRetention, request)
    }

    /// All policies, or the one of a subject.
    ///
    /// - Throws: `notFound` for a subject that has none.
    public func retentionPolicies(
        of subject: RetentionSubject? = nil
    ) async throws -> [RetentionPolicy] {
        var request = Linaje_V1_ListRetentionRequest()
        if let subject { request.subject = Linaje_V1_RetentionSubject(subject) }
        return try await call(Methods.listRetention, request).policies.map {
            try RetentionPolicy($0)
        }
    }

    /// Says what a policy would do now; with `rules`, what those would do.
    ///
    /// - Throws: while it is read, `notFound` for a subject without a policy.
    public func planRetention(
        of subject: RetentionSubject, rules: RetentionRules? = nil
    ) async throws -> RetentionReading {
        var request = Linaje_V1_PlanRetentionRequest()
        request.subject = Linaje_V1_RetentionSubject(subject)
        if let rules { request.rules = Linaje_V1_RetentionRules(rules) }
        let stream = try await connections.connection().open(Methods.planRetention, request)
        _ = try await stream.response()
        return RetentionReading(stream: .plan(stream))
    }

    /// Does what a plan has shown.
    ///
    /// - Parameter plan: the digest of the plan.
    /// - Throws: `permissionDenied` for anybody but an admin; while it is read, `conflict` when the policy
    ///   would do something else now.
    public func applyRetention(
        of subject: RetentionSubject, plan: SHA256Digest
    ) async throws -> RetentionReading {
        var request = Linaje_V1_ApplyRetentionRequest()
        request.subject = Linaje_V1_RetentionSubject(subject)
        request.plan = plan.data
        let stream = try await connections.connection().open(Methods.applyRetention, request)
        _ = try await stream.response()
        return RetentionReading(stream: .application(stream))
    }
}
