import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje model diff`
struct ModelDiffCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Show what two models differ in.",
        discussion: """
            Signatures (breaking: a call that the first takes is refused by the second, or an \
            answer that it promises is not given), verdicts, tensors, files, dependencies, and of \
            the runs that made them metrics, params, data, code and environment. What tensors hold \
            is compared for safetensors files; up to 1 GiB is read for that, with --read-data any \
            size. Ends with 0; with --exit-code with 0 when nothing differs, 3 when something \
            does, 4 when the signature breaks callers.

            EXAMPLES
              linaje model diff models:/fraud-detector/1 models:/fraud-detector/2
              linaje model diff models:/fraud-detector@champion models:/m-ID --json
              linaje model diff models:/a/Production models:/a/latest --exit-code
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "A models:/ URI.")
    var before: String
    @Argument(help: "The models:/ URI of what it is compared with.")
    var after: String
    @Flag(help: "Read what tensors hold, whatever their size.")
    var readData = false
    @Flag(help: "Show all of long lists.")
    var all = false
    @Flag(help: "End with 3 when something differs, with 4 when the signature breaks callers.")
    var exitCode = false

    func run() async throws {
        let (first, second) = (try ModelURI(parsing: before), try ModelURI(parsing: after))
        let client = try await options.connect()
        var old = try await ModelSide(first, client)
        var new = try await ModelSide(second, client)
        let notes = try await TensorReading(
            client: client, limit: readData ? .max : TensorReading.standardBytes
        ).read(&old, &new)
        let diff = ModelDiff(old, new, tensorNotes: notes)
        if options.json {
            Output.line(diff.json(before: old.uri, after: new.uri).text)
        } else {
            let shown = all ? Int.max : ModelDiff.shown
            for line in diff.lines(
                options.style, before: old.uri, after: new.uri, most: shown)
            {
                Output.line(line)
            }
        }
        guard exitCode, !diff.isSame else { return }
        Output.flush()
        throw ExitCode(diff.isBreaking ? ExitCodes.breaks : ExitCodes.differs)
    }
}
