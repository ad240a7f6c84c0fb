import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje model show`
struct ModelShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show a model, a version or a logged model.",
        discussion: """
            EXAMPLES
              linaje model show fraud-detector
              linaje model show models:/fraud-detector/Production
              linaje model show models:/fraud-detector@champion --json
              linaje model show models:/fraud-detector/3 --tensors
              linaje model show models:/m-ID
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "A model's name, or a models:/ URI.")
    var uri: String
    @Flag(help: "List its tensors: names, types, shapes. With --json they are there anyway.")
    var tensors = false

    func validate() throws {
        guard !tensors || uri.hasPrefix("models:/") else {
            throw ValidationError("--tensors is of a version: give models:/\(uri)/VERSION.")
        }
    }

    func run() async throws {
        guard uri.hasPrefix("models:/") else {
            let client = try await options.connect()
            return try await client.registeredModel(uri).show(options)
        }
        let parsed = try ModelURI(parsing: uri)
        let client = try await options.connect()
        let isList = tensors && !options.json
        switch try await client.resolve(parsed, toLook: true) {
        case .version(let version):
            isList ? show(tensors: version.model.tensors) : version.show(options)
        case .loggedModel(let model):
            isList ? show(tensors: model.model.tensors) : model.show(options)
        }
    }

    private func show(tensors: [TensorDescription]) {
        var table = TextTable([("tensor", .left), ("type", .left), ("shape", .left)])
        for tensor in tensors {
            table.add([
                tensor.name, tensor.dtype,
                "[\(tensor.shape.map(String.init).joined(separator: ", "))]",
            ])
        }
        table.show(options.style, empty: "nothing is known of tensors in \(printable(uri))")
    }
}
