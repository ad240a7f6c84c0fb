package import LinajeDomain

extension Linaje_V1_ModelDescription {
    package init(_ model: ModelDescription) {
        self.init()
        flavors = model.flavors.map(Linaje_V1_FlavorDescription.init)
        signature = model.signature
        requirements = model.requirements
        tensors = model.tensors.map(Linaje_V1_Tensor.init)
        parameters = model.parameters
        findings = model.findings.map(Linaje_V1_Finding.init)
        files = model.files.map(Linaje_V1_ModelFile.init)
        memoryBytes = model.memoryBytes
        license = model.license
        card = model.card
        verdict = model.verdict?.rawValue ?? ""
    }
}

extension ModelDescription {
    /// - Throws: `invalidArgument` or `limitExceeded` naming the field that is not right.
    package init(_ message: Linaje_V1_ModelDescription) throws {
        self.init(
            flavors: try WireFields.items(message.flavors, field: "flavors of the model") {
                FlavorDescription($0)
            },
            signature: message.signature,
            requirements: try WireFields.items(
                message.requirements, field: "requirements of the model"
            ) { $0 },
            tensors: try WireFields.items(message.tensors, field: "tensors of the model") {
                TensorDescription($0)
            },
            parameters: message.parameters,
            findings: try WireFields.items(message.findings, field: "findings of the model") {
                try Finding($0)
            },
            files: try WireFields.items(message.files, field: "files of the model") {
                ModelFileDescription($0)
            },
            memoryBytes: message.memoryBytes, license: message.license, card: message.card,
            verdict: try Self.verdict(message.verdict))
    }

    private static func verdict(_ text: String) throws -> ScanVerdict? {
        guard !text.isEmpty else { return nil }
        guard let verdict = ScanVerdict(rawValue: text) else {
            throw LinajeError(
                .invalidArgument,
                "verdict \"\(text.prefix(40))\" of a model is not known; use safe, unknown or "
                    + "dangerous")
        }
        return verdict
    }
}

extension Linaje_V1_ModelFile {
    package init(_ file: ModelFileDescription) {
        self.init()
        path = file.path
        role = file.role.rawValue
    }
}

extension ModelFileDescription {
    package init(_ message: Linaje_V1_ModelFile) {
        self.init(path: message.path, role: ModelFileRole(named: message.role))
    }
}

extension Linaje_V1_FlavorDescription {
    package init(_ flavor: FlavorDescription) {
        self.init()
        name = flavor.name
        version = flavor.version
        facts = flavor.facts
    }
}

extension FlavorDescription {
    package init(_ message: Linaje_V1_FlavorDescription) {
        self.init(name: message.name, version: message.version, facts: message.facts)
    }
}

extension Linaje_V1_Tensor {
    package init(_ tensor: TensorDescription) {
        self.init()
        name = tensor.name
        dtype = tensor.dtype
        shape = tensor.shape
    }
}

extension TensorDescription {
    package init(_ message: Linaje_V1_Tensor) {
        self.init(name: message.name, dtype: message.dtype, shape: message.shape)
    }
}

extension Linaje_V1_Finding {
    package init(_ finding: Finding) {
        self.init()
        severity = finding.severity.rawValue
        path = finding.path
        message = finding.message
    }
}

extension Finding {
    /// - Throws: `invalidArgument` for an unknown severity.
    package init(_ message: Linaje_V1_Finding) throws {
        guard let severity = Severity(rawValue: message.severity) else {
            throw LinajeError(
                .invalidArgument,
                "severity \"\(message.severity.prefix(40))\" of a finding is not known; use info, "
                    + "warning or danger")
        }
        self.init(severity: severity, path: message.path, message: message.message)
    }
}
