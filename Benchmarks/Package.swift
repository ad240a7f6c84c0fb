// swift-tools-version: 6.2
// Benchmarks of the parts, in a package of its own: whoever builds Linaje needs none of what they
// need. The targets of Linaje are the same sources, seen through links in Sources/, because what is
// measured is `package` to them (docs/decisions/0021-benchmarks-see-the-sources.md).

import PackageDescription

let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")
let lifecycle: Target.Dependency =
    .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

func layer(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: house)
}

func benchmark(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: "\(name)Benchmarks",
        dependencies: [.product(name: "Benchmark", package: "package-benchmark")] + dependencies,
        path: "Benchmarks/\(name)", swiftSettings: house,
        plugins: [.plugin(name: "BenchmarkPlugin", package: "package-benchmark")])
}

let package = Package(
    name: "linaje-benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        // Without its traits it counts no allocations and needs no library to do so.
        .package(
            url: "https://github.com/ordo-one/package-benchmark", from: "1.38.1", traits: []),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .target(name: "CLinux"),
        .systemLibrary(
            name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        layer("LinajeDomain", []),
        layer("LinajeHost", ["CLinux", "LinajeDomain"]),
        layer("LinajeWire", ["LinajeDomain", protobuf]),
        layer("LinajePluginKit", ["LinajeDomain", "LinajeHost", "LinajeWire", protobuf]),
        layer(
            "SQLiteBackend",
            [
                "LinajeDomain", "LinajePluginKit", metrics,
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ]),
        layer(
            "LinajeArtifacts",
            ["CZstd", "LinajeDomain", "LinajePluginKit", metrics, crypto, deque, logging]),
        layer("LinajeCatalog", ["LinajeDomain", "LinajePluginKit", metrics, crypto]),
        layer(
            "LinajeMetrics",
            ["LinajeDomain", "LinajePluginKit", metrics, crypto, logging, lifecycle]),

        benchmark("Wire", ["LinajeDomain", "LinajeWire"]),
        benchmark("Metrics", ["LinajeDomain", "LinajeMetrics", "SQLiteBackend", logging]),
        benchmark("Artifacts", ["LinajeArtifacts", "LinajeDomain"]),
        benchmark("Catalog", ["LinajeCatalog", "LinajeDomain", "SQLiteBackend"]),
    ]
)
