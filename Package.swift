// swift-tools-version: 6.2
// One section for each layer, lowest first; inside a section, targets in alphabetical order.
// The arrows are those of docs/ARCHITECTURE.md; scripts/check-layers compares each target's
// imports with the dependencies declared here.

import PackageDescription

let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
]
let argumentParser: Target.Dependency =
    .product(name: "ArgumentParser", package: "swift-argument-parser")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")
let lifecycle: Target.Dependency =
    .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

func layer(_ name: String, _ dependencies: [Target.Dependency], path: String? = nil) -> Target {
    .target(name: name, dependencies: dependencies, path: path, swiftSettings: house)
}

/// A flavor of models: it sees a model by the plugin kit and reads its bytes with LinajeModelFiles.
func flavor(_ name: String, _ more: [Target.Dependency] = []) -> Target {
    layer(
        name, ["LinajeDomain", "LinajeModelFiles", "LinajePluginKit"] + more,
        path: "Plugins/\(name)")
}

func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: house)
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []
) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: house)
}

let package = Package(
    name: "linaje",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "linaje", targets: ["linaje"]),
        .executable(name: "linaje-flavor-host", targets: ["linaje-flavor-host"]),
        .executable(name: "linajed", targets: ["linajed"]),
        .library(name: "LinajeClient", targets: ["LinajeClient"]),
        .library(name: "LinajeConformance", targets: ["LinajeConformance"]),
        .library(name: "LinajeDomain", targets: ["LinajeDomain"]),
        .library(name: "LinajePluginKit", targets: ["LinajePluginKit"]),
    ],
    traits: [
        .trait(
            name: "S3",
            description: "Artifacts in buckets of S3; brings AsyncHTTPClient and its TLS along."),
        .default(enabledTraits: ["S3"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // C shims: what Swift cannot see by itself.
        .target(name: "CLinux"),
        .target(name: "CNVML"),
        .systemLibrary(
            name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .target(name: "CSQLiteCalls", dependencies: ["CSQLite", "CStorageCalls"]),
        .target(name: "CStorageCalls"),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(
            name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),

        // Values and bytes.
        layer("LinajeDomain", []),
        layer("LinajeHost", ["CLinux", "LinajeDomain"]),
        layer("LinajeTelemetry", [metrics]),
        layer("LinajeWire", ["LinajeDomain", protobuf]),

        // Sockets and the client library.
        layer(
            "LinajeTransport",
            [
                "CLinux", "LinajeDomain", "LinajeHost", "LinajeWire", metrics, protobuf,
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
            ] + nio),
        layer(
            "LinajeClient",
            ["CLinux", "LinajeDomain", "LinajeTransport", "LinajeWire", crypto, protobuf] + nio),

        // The protocols plugins implement, and the plugins in the box.
        layer("LinajePluginKit", ["LinajeDomain", "LinajeHost", "LinajeWire", protobuf]),
        layer("LinajeModelFiles", ["CZlib", "LinajeDomain", "LinajePluginKit"]),
        layer("LinajeScoring", ["LinajeDomain"]),
        layer("LinajeConformance", ["LinajeDomain", "LinajePluginKit", "LinajeWire"]),
        flavor("CatBoostFlavor"),
        layer(
            "FilesystemStorage", ["CStorageCalls", "LinajeDomain", "LinajePluginKit"],
            path: "Plugins/FilesystemStorage"),
        flavor("GGUFFlavor"),
        flavor("KerasFlavor"),
        flavor("LightGBMFlavor", ["LinajeScoring"]),
        flavor("ONNXFlavor", ["LinajeScoring"]),
        layer(
            "PyFuncFlavor",
            ["LinajeDomain", "LinajePluginKit", .product(name: "Yams", package: "Yams")],
            path: "Plugins/PyFuncFlavor"),
        layer(
            "PyTorchFlavor", ["LinajeDomain", "LinajeModelFiles", "LinajePluginKit"],
            path: "Plugins/PyTorchFlavor"),
        layer(
            "S3Storage",
            [
                "LinajeDomain", "LinajePluginKit", crypto,
                .product(
                    name: "AsyncHTTPClient", package: "async-http-client",
                    condition: .when(traits: ["S3"])),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ] + nio,
            path: "Plugins/S3Storage"),
        flavor("SafetensorsFlavor"),
        layer(
            "ScanFlavor", ["LinajeDomain", "LinajeModelFiles", "LinajePluginKit"],
            path: "Plugins/ScanFlavor"),
        layer(
            "SklearnFlavor", ["LinajeDomain", "LinajeModelFiles", "LinajePluginKit"],
            path: "Plugins/SklearnFlavor"),
        layer(
            "SQLiteBackend",
            [
                "CSQLiteCalls", "CStorageCalls", "LinajeDomain", "LinajePluginKit", metrics,
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            path: "Plugins/SQLiteBackend"),
        flavor("TensorFlowFlavor"),
        flavor("TransformersFlavor"),
        flavor("XGBoostFlavor", ["LinajeScoring"]),

        // The engines of the daemon, its use cases and its door.
        layer(
            "LinajeArtifacts",
            ["CZstd", "LinajeDomain", "LinajePluginKit", metrics, crypto, deque, logging]),
        layer("LinajeCatalog", ["LinajeDomain", "LinajePluginKit", metrics, crypto]),
        layer(
            "LinajeDecorators", ["LinajeDomain", "LinajePluginKit", metrics, crypto, deque]),
        layer(
            "LinajeMetrics",
            ["CZstd", "LinajeDomain", "LinajePluginKit", metrics, crypto, logging, lifecycle]),
        layer(
            "LinajeRunLogs",
            ["CZstd", "LinajeDomain", "LinajePluginKit", crypto, logging, lifecycle]),
        layer(
            "LinajeServices",
            [
                "CStorageCalls", "LinajeArtifacts", "LinajeCatalog", "LinajeDomain", "LinajeHost",
                "LinajeMetrics", "LinajePluginKit", "LinajeRunLogs", "LinajeTelemetry", metrics,
                logging, lifecycle,
            ]),
        layer(
            "LinajeServer",
            [
                "LinajeArtifacts", "LinajeCatalog", "LinajeDomain", "LinajeHost", "LinajeMetrics",
                "LinajePluginKit", "LinajeRunLogs", "LinajeServices", "LinajeTelemetry",
                "LinajeTransport", "LinajeWire", deque, metrics, logging, lifecycle, protobuf,
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ] + nio),

        // The command line, and the agent that it can be.
        layer(
            "LinajeAgent",
            ["CLinux", "CNVML", "LinajeClient", "LinajeDomain", "LinajeHost", crypto]),
        layer(
            "LinajeCommands",
            [
                "CLinux", "CSQLite", "CStorageCalls", "CZstd", "LinajeAgent", "LinajeArtifacts",
                "LinajeClient", "LinajeConformance", "LinajeDomain", "LinajeHost",
                "LinajePluginKit", "LinajeTransport", "LinajeWire", argumentParser, crypto,
                .product(name: "Histogram", package: "hdrhistogram-swift"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ] + nio),

        // Programs: one composition root each.
        program("linaje", ["LinajeCommands"]),
        program(
            "linaje-flavor-host",
            [
                "CatBoostFlavor", "GGUFFlavor", "KerasFlavor", "LightGBMFlavor", "LinajeDomain",
                "LinajeHost", "LinajePluginKit", "ONNXFlavor", "PyFuncFlavor", "PyTorchFlavor",
                "SafetensorsFlavor", "ScanFlavor", "SklearnFlavor", "TensorFlowFlavor",
                "TransformersFlavor", "XGBoostFlavor",
            ]),
        program(
            "linajed",
            [
                "CLinux", "CStorageCalls", "FilesystemStorage", "LinajeArtifacts", "LinajeCatalog",
                "LinajeDecorators", "LinajeDomain", "LinajeHost", "LinajeMetrics",
                "LinajePluginKit", "LinajeRunLogs", "LinajeServer", "LinajeServices",
                "LinajeTelemetry", "LinajeTransport", "LinajeWire", "S3Storage", "SQLiteBackend",
                argumentParser, metrics, logging, lifecycle, nio[1],
                .product(name: "TOMLKit", package: "TOMLKit"),
            ]),

        // An example of what third parties write, built and tested like everything else.
        .executableTarget(
            name: "linaje-flavor-libsvm", dependencies: ["LinajeDomain", "LinajePluginKit"],
            path: "Plugins/Examples/libsvm-swift/Sources", swiftSettings: house),

        // Tests, one target for each layer. The real programs together: Tests/System.
        tests("LinajeAgentTests", ["LinajeAgent"]),
        tests(
            "LinajeArtifactsTests",
            [
                "CStorageCalls", "FilesystemStorage", "LinajeArtifacts", "LinajeClient",
                "LinajeCommands", "LinajeDomain", "LinajePluginKit", "LinajeServices",
                "SQLiteBackend", crypto, logging,
            ]),
        tests(
            "LinajeCatalogTests",
            ["LinajeCatalog", "LinajeDomain", "LinajePluginKit", "SQLiteBackend"]),
        tests(
            "LinajeClientTests",
            [
                "LinajeArtifacts", "LinajeClient", "LinajeCommands", "LinajeDomain", "LinajeHost",
                "LinajePluginKit", "LinajeTransport", "LinajeWire", crypto,
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ]),
        tests(
            "LinajeDecoratorsTests",
            [
                "FilesystemStorage", "LinajeConformance", "LinajeDecorators", "LinajeDomain",
                "LinajePluginKit",
            ]),
        tests("LinajeDomainTests", ["LinajeDomain"]),
        tests("LinajeHostTests", ["LinajeDomain", "LinajeHost"]),
        tests(
            "LinajeMetricsTests",
            [
                "LinajeConformance", "LinajeDomain", "LinajeMetrics", "LinajePluginKit",
                "SQLiteBackend", crypto, logging,
            ]),
        tests(
            "LinajePluginTests",
            [
                "CatBoostFlavor", "FilesystemStorage", "GGUFFlavor", "KerasFlavor",
                "LightGBMFlavor", "LinajeConformance", "LinajeDecorators", "LinajeDomain",
                "LinajeModelFiles", "LinajePluginKit", "LinajeScoring", "LinajeWire", "ONNXFlavor",
                "PyFuncFlavor", "PyTorchFlavor", "S3Storage", "SafetensorsFlavor", "ScanFlavor",
                "SklearnFlavor",
                "SQLiteBackend", "TensorFlowFlavor", "TransformersFlavor", "XGBoostFlavor",
            ], exclude: ["Fixtures"]),
        tests(
            "LinajeRunLogsTests",
            [
                "LinajeConformance", "LinajeDomain", "LinajePluginKit", "LinajeRunLogs",
                "SQLiteBackend", logging,
            ]),
        tests(
            "LinajeServicesTests",
            [
                "LinajeArtifacts", "LinajeCatalog", "LinajeConformance", "LinajeDomain",
                "LinajeMetrics", "LinajePluginKit", "LinajeRunLogs", "LinajeServices",
                "SQLiteBackend", logging,
            ]),
        tests("LinajeTelemetryTests", ["LinajeTelemetry", metrics]),
        tests(
            "LinajeTransportTests",
            [
                "LinajeDomain", "LinajeTransport", "LinajeWire",
                .product(name: "NIOPosix", package: "swift-nio"),
            ]),
        tests("LinajeWireTests", ["LinajeDomain", "LinajeWire", protobuf]),
    ]
)
