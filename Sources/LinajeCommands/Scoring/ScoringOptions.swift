import ArgumentParser

/// Which model is scored with, and by what.
struct ScoringOptions: ParsableArguments {
    /// What computes.
    enum Engine: String, ExpressibleByArgument, CaseIterable {
        case auto, native, python
    }

    /// Where the Python worker's packages come from.
    enum EnvironmentManager: String, ExpressibleByArgument, CaseIterable {
        case venv, local
    }

    @Option(
        name: .shortAndLong,
        help: "A models:/ URI, or the folder of a model on this machine.",
        completion: .directory)
    var model: String
    @Option(
        help: "Which output of the model is wanted; the one that its predict gives if not given.")
    var output: String?
    @Option(
        help: """
            What computes: "native" needs no Python, "python" is the model's own library, "auto" the \
            first that can.
            """)
    var engine: Engine = .auto
    @Option(
        name: .customLong("env-manager"),
        help: """
            Where the library comes from: "venv" makes an environment of the model's \
            requirements.txt, "local" takes what the interpreter has.
            """)
    var environmentManager: EnvironmentManager = .venv
    @Option(
        help:
            "The Python interpreter; python3 if not given, for a venv that of the model's version.",
        completion: .file())
    var python: String?
    @Flag(
        name: .customLong("allow-code"),
        help: "Load models that hold code nobody has vouched for: loading runs it.")
    var allowCode = false
}
