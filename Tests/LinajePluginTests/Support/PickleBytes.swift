/// Pickles put together operation by operation.
enum PickleBytes {
    /// A pickle of protocol 4 with these operations.
    static func pickle(_ parts: [UInt8]...) -> [UInt8] {
        [0x80, 4] + parts.flatMap(\.self) + [UInt8(ascii: ".")]
    }

    static func text(_ text: String) -> [UInt8] {
        [0x8c, UInt8(text.utf8.count)] + Array(text.utf8)
    }

    static func global(_ module: String, _ name: String) -> [UInt8] {
        Array("c\(module)\n\(name)\n".utf8)
    }

    static func ops(_ text: String) -> [UInt8] { Array(text.utf8) }

    static let empty = ops(")")
    static let build = ops("b")
    static let reduce = ops("R")
    static let new: [UInt8] = [0x81]

    static func dict(_ entries: (String, [UInt8])...) -> [UInt8] {
        ops("}(") + entries.flatMap { text($0.0) + $0.1 } + ops("u")
    }

    /// A small estimator as scikit-learn's would be written.
    static let estimator = pickle(
        global("sklearn.linear_model._logistic", "LogisticRegression"), empty, new,
        dict(
            ("C", [UInt8(ascii: "G"), 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]), ("penalty", text("l2")),
            ("fit_intercept", [0x88]), ("n_features_in_", [UInt8(ascii: "K"), 3]),
            ("_sklearn_version", text("1.9.1"))), build)

    /// A state dict with one tensor of 2 × 3 floats, as `torch.save` would write it.
    static let state: [UInt8] =
        [0x80, 2] + global("collections", "OrderedDict") + empty + reduce + text("w")
        + global("torch._utils", "_rebuild_tensor_v2") + ops("((") + text("storage")
        + global("torch", "FloatStorage") + text("0") + text("cpu") + [UInt8(ascii: "K"), 6]
        + ops("tQK") + [0] + ops("K") + [2, UInt8(ascii: "K"), 3, 0x86, UInt8(ascii: "K"), 3]
        + ops("K") + [1, 0x86, 0x89] + global("collections", "OrderedDict") + empty + reduce
        + ops("tRs.")

    /// An archive of torch with that state dict.
    static let torch = ZIPBytes.of(
        ("m/data.pkl", state), ("m/byteorder", ops("little")),
        ("m/data/0", [UInt8](repeating: 0, count: 24)), ("m/version", ops("3\n")))
}
