import LinajeDomain

/// What must be installed to load a model that says nothing of it: the library of each of its flavors, in the
/// version that wrote it, where that is known.
enum LibraryRequirement {
    /// The package that loads what a flavor describes.
    private static let packages = [
        "catboost": "catboost", "keras": "keras", "lightgbm": "lightgbm", "onnx": "onnxruntime",
        "pytorch": "torch", "safetensors": "safetensors", "sklearn": "scikit-learn",
        "tensorflow": "tensorflow", "transformers": "transformers", "xgboost": "xgboost",
    ]
    /// Those whose flavor's version is the package's.
    private static let versioned: Set<String> = [
        "catboost", "keras", "sklearn", "tensorflow", "transformers", "xgboost",
    ]

    /// Lines as in requirements.txt, by name.
    static func lines(_ flavors: [FlavorDescription]) -> [String] {
        flavors.compactMap { flavor in
            packages[flavor.name].map { package in
                let isExact = versioned.contains(flavor.name) && isRelease(flavor.version)
                return isExact ? "\(package)==\(flavor.version)" : package
            }
        }.sorted()
    }

    /// Whether a version that a model names is one of a release, such as 3.1.0 or 4.0.0rc1 (PEP 440). What
    /// is built from a branch is in no index.
    private static func isRelease(_ version: String) -> Bool {
        let parts = version.split(separator: ".", omittingEmptySubsequences: false)
        guard (2...4).contains(parts.count) else { return false }
        return parts.enumerated().allSatisfy { place, part in
            let digits = part.utf8.prefix { (0x30...0x39).contains($0) }
            guard (1...9).contains(digits.count) else { return false }
            let rest = part.utf8.dropFirst(digits.count)
            guard !rest.isEmpty else { return true }
            guard place == parts.count - 1, rest.starts(with: "rc".utf8) else { return false }
            let number = rest.dropFirst(2)
            return (1...3).contains(number.count)
                && number.allSatisfy { (0x30...0x39).contains($0) }
        }
    }
}
