import LinajeDomain

extension ModelDescription {
    func add(to fields: inout TextFields) {
        for flavor in flavors {
            let facts = flavor.facts.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            fields.add(
                "flavor",
                ([flavor.name, flavor.version] + facts).filter { !$0.isEmpty }
                    .joined(separator: "  "))
        }
        if let shown = SignatureRendering(signature) {
            fields.add("inputs", shown.inputs)
            fields.add("outputs", shown.outputs)
            fields.add("params", shown.params)
        } else {
            fields.add("signature", signature)
        }
        fields.add("requires", requirements.joined(separator: ", "))
        fields.add("licence", license)
        for (name, value) in card.sorted(by: { $0.key < $1.key }) {
            fields.add("card", "\(name) = \(value)")
        }
        for role in ModelFileRole.allCases {
            fields.add(role.rawValue, paths(of: role))
        }
        fields.add("parameters", parameters == 0 ? nil : Rendering.grouped(parameters))
        fields.add("memory", memoryBytes == 0 ? nil : "\(ByteCount(memoryBytes))")
        fields.add("tensors", tensors.isEmpty ? nil : Rendering.grouped(tensors.count))
        fields.add("verdict", verdict?.rawValue)
        for finding in findings {
            let place = finding.path.isEmpty ? "" : " (\(finding.path))"
            fields.add(finding.severity.rawValue, finding.message + place)
        }
    }

    /// The first files of a role, and how many more there are.
    private func paths(of role: ModelFileRole) -> String {
        let paths = files.filter { $0.role == role }.map(\.path)
        let shown = paths.prefix(Self.pathsShown).joined(separator: ", ")
        let more = paths.count - Self.pathsShown
        return more > 0 ? "\(shown) and \(Rendering.grouped(more)) more" : shown
    }

    /// Most paths shown of one role; `--json` has all.
    private static let pathsShown = 5

    var json: JSONValue {
        .object([
            (
                "flavors",
                .array(
                    flavors.map {
                        .object([
                            ("name", .string($0.name)), ("version", .string($0.version)),
                            ("facts", .facts($0.facts)),
                        ])
                    })
            ), ("signature", .string(signature)), ("requirements", .strings(requirements)),
            ("license", .string(license)), ("card", .facts(card)),
            (
                "files",
                .array(
                    files.map {
                        .object([
                            ("path", .string($0.path)), ("role", .string($0.role.rawValue)),
                        ])
                    })
            ),
            ("parameters", .uint(parameters)), ("memory_bytes", .uint(memoryBytes)),
            ("verdict", .optional(verdict?.rawValue)),
            (
                "tensors",
                .array(
                    tensors.map {
                        .object([
                            ("name", .string($0.name)), ("dtype", .string($0.dtype)),
                            ("shape", .array($0.shape.map { .uint($0) })),
                        ])
                    })
            ),
            (
                "findings",
                .array(
                    findings.map {
                        .object([
                            ("severity", .string($0.severity.rawValue)),
                            ("path", .string($0.path)), ("message", .string($0.message)),
                        ])
                    })
            ),
        ])
    }
}
