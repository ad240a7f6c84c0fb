import LinajeDomain
import LinajeModelFiles
import LinajePluginKit

/// The configuration of a Keras 3 model: objects with module, class and settings, inside each other
/// (keras-team/keras, `src/saving/serialization_lib.py`).
struct KerasConfiguration {
    /// Deepest nesting of the JSON.
    static let mostDepth = 200

    private let root: JSONValue
    private let path: String
    private var classes: [String: Int] = [:]
    private var told: Set<String> = []
    private(set) var findings: [Finding] = []
    private(set) var verdict: ScanVerdict = .safe

    /// How many objects of Keras it has.
    private(set) var objects = 0

    init(_ root: JSONValue, path: String) {
        self.root = root
        self.path = path
        walk(root)
    }

    mutating func note(_ severity: Finding.Severity, _ message: String) {
        if severity == .danger { verdict = .dangerous }
        if severity == .warning { verdict = max(verdict, .unknown) }
        guard findings.count < ModelDescription.Bounds.findings, told.insert(message).inserted
        else { return }
        findings.append(Finding(severity: severity, path: path, message: message))
    }

    // MARK: Facts

    var facts: [String: String] {
        var facts: [String: String] = [:]
        facts["class"] = className
        facts["name"] = root["config"]?["name"]?.text
        let layers = layers
        facts["layers"] = layers.isEmpty ? nil : String(layers.count)
        var kinds: [String: Int] = [:]
        for layer in layers { kinds[layer["class_name"]?.text ?? "?", default: 0] += 1 }
        let counts = kinds.sorted { $0.key < $1.key }.prefix(200)
        facts["layer_counts"] = counts.map { "\($0.key):\($0.value)" }.joined(separator: ",")
        let compiled = root["compile_config"]
        facts["optimizer"] =
            compiled?["optimizer"]?["class_name"]?.text ?? compiled?["optimizer"]?.text
        facts["loss"] = compiled?["loss"]?["class_name"]?.text ?? compiled?["loss"]?.text
        return facts
    }

    /// The class of the whole.
    var className: String? { root["class_name"]?.text }

    /// The layers of the outermost model.
    private var layers: [JSONValue] { root["config"]?["layers"]?.elements ?? [] }

    // MARK: Signature

    /// The inputs, in MLflow's form. What comes out is only known to Keras.
    var signature: String {
        var inputs: [ModelSignature.Tensor] = []
        for layer in layers where layer["class_name"]?.text == "InputLayer" {
            let config = layer["config"]
            guard let shape = Self.shape(config?["batch_shape"] ?? config?["batch_input_shape"])
            else { return "" }
            let dtype = config?["dtype"]?.text ?? config?["dtype"]?["config"]?["name"]?.text
            inputs.append(
                .init(
                    name: config?["name"]?.text ?? "", dtype: Self.numpy(dtype ?? "float32"),
                    shape: shape))
        }
        if inputs.isEmpty, let shape = Self.shape(root["build_config"]?["input_shape"]) {
            inputs = [.init(dtype: "float32", shape: shape)]
        }
        return inputs.isEmpty ? "" : ModelSignature(inputs: .tensors(inputs), outputs: nil).json
    }

    private static func numpy(_ dtype: String) -> String { dtype == "string" ? "str" : dtype }

    /// A shape of whole numbers, null for any length.
    private static func shape(_ json: JSONValue?) -> [Int64]? {
        guard let elements = json?.elements, !elements.isEmpty, elements.count <= 64 else {
            return nil
        }
        var shape: [Int64] = []
        for element in elements {
            guard element.isNull || element.integer != nil else { return nil }
            shape.append(element.integer ?? -1)
        }
        return shape
    }

    // MARK: Findings

    /// Modules whose classes do nothing but calculate, with "keras.src." in front too.
    private static let modules: Set<String> = [
        "keras", "keras.layers", "keras.models", "keras.activations", "keras.initializers",
        "keras.regularizers", "keras.constraints", "keras.losses", "keras.metrics",
        "keras.optimizers", "keras.dtype_policies", "keras.quantizers", "keras.random",
        "keras.ops", "keras.operations",
    ]
    /// Libraries of the same authors that Keras imports from, too.
    private static let siblings: Set<String> = ["keras_hub", "keras_nlp", "keras_cv"]
    /// Classes by which loading a model runs code or reads what is not the model's.
    private static let dangerous: [String: String] = [
        "Lambda": "is a Lambda layer: loading it can run its Python bytecode",
        "__lambda__": "is Python bytecode, which loading it can run",
        "TorchModuleWrapper": "unpickles a PyTorch module",
        "TFSMLayer": "loads a SavedModel from a path", "JaxLayer": "runs a function by its name",
        "FlaxLayer": "runs a function by its name",
    ]
    /// Layers that read a file when their vocabulary is a text.
    private static let lookups: Set<String> = [
        "StringLookup", "IntegerLookup", "TextVectorization", "IndexLookup",
    ]

    /// Looks at every object. The depth of the JSON bounds the recursion.
    private mutating func walk(_ json: JSONValue) {
        for element in json.elements ?? [] { walk(element) }
        guard let members = json.members else { return }
        if let name = json["class_name"]?.text {
            if json["config"] != nil || json["module"] != nil { objects += 1 }
            judge(name, json)
        }
        for member in members {
            if member.value.text == "enable_unsafe_deserialization" {
                note(.danger, "it names enable_unsafe_deserialization, which turns checks off")
            }
            walk(member.value)
        }
    }

    private mutating func judge(_ name: String, _ json: JSONValue) {
        // Plain values that have a class.
        let plain: Set = ["__keras_tensor__", "__tensor__", "__numpy__", "__tuple__", "__bytes__"]
        guard !plain.contains(name) else { return }
        let shown = name.prefix(100)
        let registered = json["registered_name"]?.text
        // Where a module has no such class, Keras takes the one by the other name.
        for name in Set([name, registered].compactMap(\.self)) {
            if let what = Self.dangerous[name] { note(.danger, "\(name.prefix(100)) \(what)") }
            if Self.lookups.contains(name), let file = json["config"]?["vocabulary"]?.text {
                note(
                    .danger,
                    "\(name.prefix(100)) reads the file \"\(file.prefix(200))\" when it is loaded")
            }
        }
        if let registered, !registered.contains(">"), name != "function", registered != name {
            note(
                .danger, "\(shown) is registered as \(registered.prefix(100)): either may be loaded"
            )
        }
        if let registered, registered.contains(">") {
            note(.warning, "\(shown) is \(registered.prefix(100)), code that the model lacks")
        }
        guard let module = json["module"]?.text else {
            if json["module"] != nil, registered?.contains(">") != true {
                note(.warning, "\(shown) is of no module: code that the model lacks")
            }
            return
        }
        if module == "builtins" {
            let function = json["config"]?.text ?? name
            note(.warning, "\(function.prefix(100)) is a function that the model lacks")
        } else if ["keras", "keras.models"].contains(module), callee(name, json).isFunction {
            note(
                .danger,
                "\(callee(name, json).name.prefix(100)) of \(module) is a function that loads or "
                    + "saves, not a layer")
        } else if Self.siblings.contains(module.split(separator: ".").first.map(String.init) ?? "")
        {
            note(.warning, "\(shown) is of \(module.prefix(100)), a library that the model lacks")
        } else if !Self.isKeras(module) {
            note(
                .danger,
                "\(shown) is of the module \"\(module.prefix(100))\": loading it imports that")
        }
    }

    /// What an object stands for: functions are named in its settings.
    private func callee(_ name: String, _ json: JSONValue) -> (name: String, isFunction: Bool) {
        let name = name == "function" ? json["config"]?.text ?? name : name
        return (name, name.first?.isLowercase == true)
    }

    /// Whether a module is one of those that only calculate, or below one.
    private static func isKeras(_ module: String) -> Bool {
        var module = module
        if module.hasPrefix("keras.src.") { module = "keras." + module.dropFirst(10) }
        if modules.contains(module) { return true }
        let parts = module.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count >= 3 else { return false }
        return modules.contains(parts.prefix(2).joined(separator: "."))
            && !module.contains("saving") && !module.contains("utils")
    }
}
