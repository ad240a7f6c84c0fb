import LinajeDomain

/// The package that `linaje plugin new flavor` writes.
struct FlavorTemplate {
    /// Where the package of Linaje is.
    enum Source {
        case folder(String)
        case url(String)
    }

    var name: String
    var package: Source

    /// The name of the Swift type: "DemoFlavor".
    var typeName: String {
        name.split { $0 == "-" || $0 == "_" }.map { $0.prefix(1).uppercased() + $0.dropFirst() }
            .joined() + "Flavor"
    }

    /// What manifests import. Apart, as it is none of our own imports.
    private static let manifestModule = "PackageDescription"

    private var program: String { "linaje-flavor-\(name)" }

    /// The files by path.
    var files: [(path: String, text: String)] {
        [
            ("Package.swift", manifest), ("Sources/\(typeName).swift", flavor),
            ("plugin.json", plugin), ("README.md", readme), (".gitignore", ".build/\n"),
            ("conformance/good/small/model.\(name).json", Self.good),
            ("conformance/bad/no-version/model.\(name).json", "{\"parameters\": 12}\n"),
        ]
    }

    private var manifest: String {
        let linaje =
            switch package {
            case .folder(let path): "name: \"linaje\", path: \(Self.literal(path))"
            case .url(let url): "url: \(Self.literal(url)), branch: \"main\""
            }
        return """
            // swift-tools-version: 6.2
            import \(Self.manifestModule)

            let package = Package(
                name: "\(program)",
                dependencies: [
                    .package(\(linaje))
                ],
                targets: [
                    .executableTarget(
                        name: "\(program)",
                        dependencies: [
                            .product(name: "LinajeDomain", package: "linaje"),
                            .product(name: "LinajePluginKit", package: "linaje"),
                        ],
                        path: "Sources",
                        // The plugin runs locked up: what it needs of Swift it brings along.
                        linkerSettings: [
                            .unsafeFlags([
                                "-static-stdlib", "-l_FoundationCShims", "-l_FoundationCollections",
                            ])
                        ])
                ])

            """
    }

    private var flavor: String {
        """
        import LinajeDomain
        import LinajePluginKit

        /// Models of the format "\(name)": a file "….\(name).json" that says what it is.
        ///
        /// This is where your format goes. It reads files that nobody vouches for: every length and count
        /// has a bound, sums are checked for overflow, and what is malformed is an error that names the file.
        @main
        struct \(typeName): FlavorPlugin {
            let descriptor = PluginDescriptor(name: "\(name)", kind: .modelFlavor, version: "0.1.0")

            /// Looks at names only, or at a few bytes.
            func recognizes(_ source: any ModelSource) async throws -> Bool {
                try await source.files().contains { isModel($0.path) }
            }

            func describe(_ source: any ModelSource) async throws -> ModelDescription {
                var description = ModelDescription()
                for file in try await source.files() where isModel(file.path) {
                    // Large files are read in ranges: source.read(path, offset:length:).
                    let bytes = try await source.small(file.path, limit: 1 << 20)
                    let (version, parameters) = try read(bytes, of: file.path)
                    if description.flavors.isEmpty {
                        description.flavors = [FlavorDescription(name: "\(name)", version: version)]
                    }
                    let (sum, overflow) = description.parameters.addingReportingOverflow(parameters)
                    guard !overflow else {
                        throw LinajeError(.invalidArgument, "\\(file.path) has too many parameters")
                    }
                    description.parameters = sum
                }
                return description
            }

            private func read(
                _ bytes: [UInt8], of path: String
            ) throws -> (version: String, parameters: UInt64) {
                var reader = JSONReader(bytes, name: path)
                var (version, parameters) = ("", UInt64(0))
                try reader.object(limit: 100) { key, reader in
                    switch key {
                    case "version": version = try reader.string()
                    case "parameters": parameters = try reader.unsigned()
                    default: try reader.skip()
                    }
                }
                try reader.finish()
                guard !version.isEmpty else {
                    throw LinajeError(.invalidArgument, "\\(path) has no \\"version\\"; is it a \(name) model?")
                }
                return (version, parameters)
            }

            private func isModel(_ path: String) -> Bool { path.hasSuffix(".\(name).json") }
        }

        """
    }

    private var plugin: String {
        """
        {
          "name": "\(name)",
          "kind": "model flavor",
          "version": "0.1.0",
          "protocol": 1,
          "executable": "\(program)",
          "description": "models of the format \(name)",
          "license": ""
        }

        """
    }

    private var readme: String {
        """
        # \(name)

        A flavor of models for Linaje.

            swift build -c release
            linaje plugin check .
            linaje plugin install .

        `conformance/good` holds models that it must know, `conformance/bad` such that it must refuse or warn of.

        """
    }

    private static let good = """
        {"version": "1.0", "parameters": 12}

        """

    /// A text as a Swift literal.
    private static func literal(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
