public import LinajeDomain

extension ModelDescription {
    /// Bounds of what a description may hold, so that it fits into a frame and a database row.
    public enum Bounds {
        /// Most tensors shown.
        public static let tensors = 10_000
        /// Most flavors.
        public static let flavors = 100
        /// Most facts of one flavor.
        public static let facts = 1_000
        /// Most lines of requirements.
        public static let requirements = 10_000
        /// Most findings.
        public static let findings = 1_000
        /// Longest single text (a name, a fact, a message) in bytes.
        public static let textBytes = 8_192
        /// Most bytes of each part: tensors, facts, requirements, findings, signature.
        public static let partBytes = 512 << 10
        /// Most files shown with their roles.
        public static let files = 2_000
        /// Most fields of the model card.
        public static let cardFields = 500
        /// Most bytes of each small part: files, card.
        public static let smallPartBytes = 128 << 10
    }

    /// The description within its bounds. What had to be left out is said in a finding.
    public func bounded() -> ModelDescription {
        var left: [String] = []
        var out = ModelDescription(
            parameters: parameters, memoryBytes: memoryBytes,
            license: Self.clipped(license, Bounds.textBytes), verdict: verdict)

        out.flavors = Self.fitting(flavors.map(Self.bounded), most: Bounds.flavors) { flavor in
            flavor.facts.reduce(flavor.name.utf8.count + flavor.version.utf8.count) {
                $0 + $1.key.utf8.count + $1.value.utf8.count + 8
            }
        }
        let factsBefore = flavors.reduce(0) { $0 + $1.facts.count }
        let factsAfter = out.flavors.reduce(0) { $0 + $1.facts.count }
        if factsAfter < factsBefore { left.append("\(factsBefore - factsAfter) facts") }
        if out.flavors.count < flavors.count {
            left.append("\(flavors.count - out.flavors.count) flavors")
        }

        if signature.utf8.count <= Bounds.partBytes {
            out.signature = signature
        } else {
            left.append("the signature of \(signature.utf8.count) bytes")
        }

        out.requirements = Self.fitting(
            requirements.filter { $0.utf8.count <= Bounds.textBytes }, most: Bounds.requirements
        ) { $0.utf8.count + 8 }
        if out.requirements.count < requirements.count {
            left.append("\(requirements.count - out.requirements.count) requirements")
        }

        out.tensors = Self.fitting(
            tensors.filter { $0.name.utf8.count <= Bounds.textBytes }, most: Bounds.tensors
        ) { $0.name.utf8.count + $0.dtype.utf8.count + $0.shape.count * 10 + 12 }
        if out.tensors.count < tensors.count {
            left.append("\(tensors.count - out.tensors.count) of \(tensors.count) tensors")
        }

        out.files = Self.fitting(
            files.filter { $0.path.utf8.count <= Limits.pathBytes }, most: Bounds.files,
            bytes: Bounds.smallPartBytes
        ) { $0.path.utf8.count + 20 }
        if out.files.count < files.count {
            left.append("\(files.count - out.files.count) of \(files.count) files")
        }

        out.card = Self.fitting(card)
        if out.card.count < card.count {
            left.append("\(card.count - out.card.count) fields of the model card")
        }

        out.findings = Self.fitting(
            findings.map { finding in
                Finding(
                    severity: finding.severity,
                    path: Self.clipped(finding.path, Limits.pathBytes),
                    message: Self.clipped(finding.message, Bounds.textBytes))
            }, most: Bounds.findings
        ) { $0.path.utf8.count + $0.message.utf8.count + 16 }
        if out.findings.count < findings.count {
            left.append("\(findings.count - out.findings.count) findings")
        }
        if !left.isEmpty {
            out.findings.append(
                Finding(
                    severity: .info,
                    message: "the description leaves out \(left.joined(separator: ", "))"))
        }
        return out
    }

    private static func bounded(_ flavor: FlavorDescription) -> FlavorDescription {
        let facts = flavor.facts.sorted { $0.key < $1.key }.filter {
            $0.key.utf8.count <= Bounds.textBytes && $0.value.utf8.count <= Bounds.textBytes
        }
        return FlavorDescription(
            name: clipped(flavor.name, Limits.nameBytes),
            version: clipped(flavor.version, Limits.nameBytes),
            facts: Dictionary(
                facts.prefix(Bounds.facts).map { ($0.key, $0.value) },
                uniquingKeysWith: { first, _ in first }))
    }

    /// The fields of a card that fit, by name.
    private static func fitting(_ card: [String: String]) -> [String: String] {
        let fields = card.sorted { $0.key < $1.key }.filter {
            $0.key.utf8.count <= Limits.keyBytes && $0.value.utf8.count <= Bounds.textBytes
        }
        let kept = fitting(fields, most: Bounds.cardFields, bytes: Bounds.smallPartBytes) {
            $0.key.utf8.count + $0.value.utf8.count + 8
        }
        return Dictionary(
            kept.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
    }

    /// The first elements that fit into `most` elements and `limit` bytes.
    private static func fitting<Element>(
        _ elements: [Element], most: Int, bytes limit: Int = Bounds.partBytes,
        _ weight: (Element) -> Int
    ) -> [Element] {
        var total = 0
        var out: [Element] = []
        for element in elements.prefix(most) {
            total += weight(element)
            guard total <= limit else { break }
            out.append(element)
        }
        return out
    }

    private static func clipped(_ text: String, _ limit: Int) -> String {
        guard text.utf8.count > limit else { return text }
        return String(decoding: text.utf8.prefix(limit - 4), as: UTF8.self) + "…"
    }
}
