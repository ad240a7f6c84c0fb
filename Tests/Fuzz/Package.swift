// swift-tools-version: 6.2
// The parsers once more, built for libFuzzer, and the program that feeds them. Only what they need is
// built, from the sources in their places: no sockets, no databases.

import PackageDescription

let fuzzed: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    // The counters of edges and comparisons by which libFuzzer steers.
    .unsafeFlags(["-sanitize=fuzzer"]),
]

func layer(
    _ name: String, _ dependencies: [Target.Dependency] = [], path: String? = nil,
    exclude: [String] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, path: path ?? "Linked/Sources/\(name)",
        exclude: exclude, swiftSettings: fuzzed)
}

let flavors = [
    "CatBoostFlavor", "GGUFFlavor", "KerasFlavor", "LightGBMFlavor", "ONNXFlavor",
    "PyTorchFlavor", "SafetensorsFlavor", "ScanFlavor", "SklearnFlavor", "TensorFlowFlavor",
    "TransformersFlavor", "XGBoostFlavor",
]
let messages = [
    "artifacts", "backend", "backup", "bundle", "lineage", "metrics", "plugin", "registry",
    "retention", "runlog", "system", "tracking",
]
/// Whether what comes by the socket is there, too: the runtime of protocol buffers takes as long to be
/// built as everything else.
let hasWire = Context.environment["LINAJE_FUZZ_WIRE"] != "0"
let kit: [Target.Dependency] = ["LinajeDomain", "LinajeModelFiles", "LinajePluginKit"]

/// Frames and calls, without the other messages.
let wire =
    hasWire
    ? [
        layer(
            "LinajeWire",
            ["LinajeDomain", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
            exclude: ["ClientConnectionStateMachine.swift", "ClientDebt.swift", "Mapping"]
                + ["Methods.swift"] + messages.map { "Generated/\($0).pb.swift" })
    ] : []

let package = Package(
    name: "linaje-fuzz",
    platforms: [.macOS(.v15)],
    dependencies: [.package(url: "https://github.com/jpsim/Yams", from: "6.2.0")]
        + (hasWire
            ? [.package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0")] : []),
    targets: [
        .systemLibrary(name: "CZlib", path: "Linked/Sources/CZlib"),
        layer("LinajeDomain"),
        // Without what starts programs and speaks with them.
        layer("LinajePluginKit", ["LinajeDomain"], exclude: ["Processes"]),
        layer("LinajeModelFiles", ["CZlib", "LinajeDomain", "LinajePluginKit"]),
        layer("LinajeScoring", ["LinajeDomain"]),
        layer(
            "PyFuncFlavor",
            ["LinajeDomain", "LinajePluginKit", .product(name: "Yams", package: "Yams")],
            path: "Linked/Plugins/PyFuncFlavor"),
    ]
        + flavors.map { layer($0, kit + ["LinajeScoring"], path: "Linked/Plugins/\($0)") }
        + [
            .executableTarget(
                name: "linaje-fuzz",
                dependencies: kit + ["PyFuncFlavor"] + flavors.map { .byName(name: $0) }
                    + (hasWire ? ["LinajeWire"] : []),
                path: "Harness", exclude: hasWire ? [] : ["WireTargets.swift"],
                swiftSettings: [
                    .swiftLanguageMode(.v6),
                    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
                    .unsafeFlags(["-parse-as-library"]),
                ]
                    + (hasWire ? [.define("WIRE")] : []),
                linkerSettings: [.unsafeFlags(["-sanitize=fuzzer"])])
        ] + wire
)
