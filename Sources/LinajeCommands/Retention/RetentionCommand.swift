import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje retention`
struct RetentionCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "retention",
        abstract: "Say which checkpoints and model versions are kept.",
        discussion: """
            A policy of an experiment is about its checkpoints: its logged models, and the folders of \
            its runs that are named after a step ("checkpoint-500", "ckpt_500", "step=500", \
            "global_step500", "epoch-3", "iter_500"). A policy of a model is about its versions. What \
            any rule keeps stays; of an experiment's runs all but the content of checkpoints stays \
            in any case: params, metrics, tags, logs and other artifacts. A logged model that is let \
            go of is RELEASED; a version is deleted, with what it was registered from.

            Never let go of is what is held, what has an alias or a stage, what is registered, what \
            has the tag linaje.keep (itself or its run), what a run needs that has not ended, and \
            what belongs to a run that is marked as deleted.

            "plan" shows what would go, "apply" does what was shown, and the bytes are freed by the \
            garbage collection with its grace time ("linaje gc --help").

            EXAMPLES
              linaje retention set --experiment fraud --best 3 --metric val_loss --last 2 --per-run
              linaje retention plan --experiment fraud
              linaje retention apply --experiment fraud --plan 0a1b…
              linaje retention set --model fraud-detector --last 10 --younger-than 90d --automatic
              linaje retention list
            """,
        subcommands: [
            RetentionSetCommand.self, RetentionShowCommand.self, RetentionListCommand.self,
            RetentionRemoveCommand.self, RetentionPlanCommand.self, RetentionApplyCommand.self,
        ])
}

/// What a policy is about.
struct RetentionSubjectOptions: ParsableArguments {
    @Option(help: "The number or name of an experiment.")
    var experiment: String?
    @Option(help: "The name of a registered model.")
    var model: String?

    func validate() throws {
        guard (experiment == nil) != (model == nil) else {
            throw ValidationError("say --experiment NAME or --model NAME")
        }
    }

    func subject(_ client: LinajeClient) async throws -> RetentionSubject {
        if let model { return .model(model) }
        return .experiment(try await Arguments.experiment(experiment ?? "", client).id)
    }

    /// As it is written in a command.
    var text: String {
        if let model { return "--model \(model)" }
        return "--experiment \(experiment ?? "")"
    }
}

/// Which items stay.
struct RetentionRuleOptions: ParsableArguments {
    @Option(help: "Keep the best so many by --metric.")
    var best: Int?
    @Option(
        help: """
            The metric of --best, less is better: of a checkpoint, as it was at its step; of a version, \
            as it was logged about its model or else as its run ended.
            """)
    var metric: String?
    @Flag(help: "More of --metric is better.")
    var maximize = false
    @Option(help: "Keep the newest so many.")
    var last: Int?
    @Option(help: "Keep what is younger: 12h, 30d, 8w.")
    var youngerThan: String?
    @Option(help: "Keep each checkpoint whose step (version whose number) is a multiple of it.")
    var everyStep: Int64?
    @Option(
        help: """
            Let the oldest of what is kept go until the rest has at most so many bytes, the best last: \
            500MiB, 20GiB.
            """)
    var maxBytes: String?
    @Flag(help: "Count within each run rather than over all.")
    var perRun = false

    func validate() throws {
        for (name, number) in [
            ("--best", best.map(Int64.init)), ("--last", last.map(Int64.init)),
            ("--every-step", everyStep),
        ] {
            if let number, number < 1 { throw ValidationError("\(name) must be at least 1") }
        }
        guard (best == nil) == (metric == nil) else {
            throw ValidationError("--best N and --metric NAME belong together")
        }
        guard !maximize || metric != nil else {
            throw ValidationError("--maximize is about --metric; say which")
        }
        guard !perRun || isGiven else { throw ValidationError("--per-run needs a rule") }
    }

    /// Whether any rule is.
    var isGiven: Bool {
        best != nil || last != nil || youngerThan != nil || everyStep != nil || maxBytes != nil
    }

    func rules() throws -> RetentionRules {
        RetentionRules(
            best: best ?? 0, metric: metric ?? "", isMaximum: maximize, last: last ?? 0,
            maxAge: try youngerThan.map { try Arguments.age($0) } ?? .zero,
            everyStep: everyStep ?? 0,
            maxBytes: try maxBytes.map { try Arguments.bytes($0).bytes } ?? 0, isPerRun: perRun)
    }
}

extension RetentionPolicy {
    /// What it is about, by name where the client knows it.
    func shown(_ experiments: [ExperimentID: String] = [:]) -> String {
        switch subject {
        case .model(let name): "model \(printable(name))"
        case .experiment(let id):
            "experiment \(id)" + (experiments[id].map { " (\(printable($0)))" } ?? "")
        }
    }

    var json: JSONValue {
        let about: (String, JSONValue) =
            switch subject {
            case .experiment(let id): ("experiment_id", .int(id))
            case .model(let name): ("model", .string(name))
            }
        return .object(
            [about, ("rules", rules.json), ("automatic", .bool(isAutomatic))]
                + [("principal", .string(principal))] + JSONValue.time("set_at", setAt)
                + [("last_application", lastApplication?.json ?? .null)])
    }
}

extension RetentionRules {
    var json: JSONValue {
        .object([
            ("best", .count(best)), ("metric", .string(metric)), ("maximize", .bool(isMaximum)),
            ("last", .count(last)), ("younger_than_s", .int(maxAge.components.seconds)),
            ("every_step", .int(everyStep)), ("max_bytes", .uint(maxBytes)),
            ("per_run", .bool(isPerRun)), ("text", .string(text)),
        ])
    }
}

extension RetentionApplication {
    var json: JSONValue {
        .object(
            JSONValue.time("at", at) + [
                ("items", .uint(items)), ("bytes", .uint(bytes)), ("automatic", .bool(isAutomatic)),
            ])
    }

    /// "4 let go of (1.2 GiB) at …, by the daemon".
    var text: String {
        "\(Rendering.grouped(items)) let go of (\(ByteCount(bytes))) at \(Rendering.shortTime(at))"
            + (isAutomatic ? ", by the daemon" : "")
    }
}
