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
            })
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
