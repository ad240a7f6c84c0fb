import FilesystemStorage
import LinajeConformance
import LinajeDomain
import LinajePluginKit
import PyFuncFlavor
import SQLiteBackend
import SafetensorsFlavor
import Testing

@Suite("conformance of the plugins in the box")
struct ConformanceTests {
    @Test(
        "FilesystemStorage is an artifact backend",
        arguments: ArtifactBackendSuite.cases {
            FilesystemStorage(root: try Scratch.path())
        })
    func filesystemStorage(conformance: ConformanceCase) async throws {
        try await Scratch.run(conformance)
    }

    @Test(
        "SQLiteBackend is a SQL backend",
        arguments: SQLBackendSuite.cases {
            try SQLiteBackend(path: try Scratch.path())
        })
    func sqliteBackend(conformance: ConformanceCase) async throws {
        try await Scratch.run(conformance)
    }

    @Test(
        "SafetensorsFlavor is a model flavor",
        arguments: ModelFlavorSuite.cases(
            flavor: SafetensorsFlavor(),
            good: [
                ConformanceModel(
                    "a safetensors file", files: ["model.safetensors": SafetensorsBytes.good])
            ],
            bad: (SafetensorsFlavorTests.lengths + SafetensorsFlavorTests.texts
                + SafetensorsFlavorTests.layouts).filter { $0.size == nil }.map {
                    ConformanceModel($0.what, files: ["m.safetensors": $0.bytes])
                }))
    func safetensors(conformance: ConformanceCase) async throws {
        try await conformance.body()
    }

    @Test(
        "PyFuncFlavor is a model flavor",
        arguments: ModelFlavorSuite.cases(
            flavor: PyFuncFlavor(),
            good: [ConformanceModel("an MLmodel directory", files: PyFuncFlavorTests.files)],
            bad: [
                ConformanceModel(
                    "an alias bomb", files: ["MLmodel": Array(PyFuncFlavorTests.alias.utf8)]),
                ConformanceModel("an empty MLmodel", files: ["MLmodel": []]),
                ConformanceModel(
                    "an MLmodel without its files",
                    files: ["MLmodel": Array(PyFuncFlavorTests.right.utf8)]),
            ]))
    func pyFunc(conformance: ConformanceCase) async throws {
        try await conformance.body()
    }

    @Test(
        "a flavor process is a model flavor like any other",
        arguments: ModelFlavorSuite.cases(
            flavor: PluginScript.process(),
            good: [
                ConformanceModel(
                    "a safetensors file", files: ["m.safetensors": SafetensorsBytes.good]),
                ConformanceModel("an MLmodel directory", files: PyFuncFlavorTests.files),
            ],
            bad: SafetensorsFlavorTests.layouts.map {
                ConformanceModel($0.what, files: ["m.safetensors": $0.bytes])
            }))
    func flavorProcess(conformance: ConformanceCase) async throws {
        try await conformance.body()
    }

    @Test("a flavor that breaks its promises fails the suite")
    func suiteCanFail() async throws {
        struct Liar: ModelFlavor {
            let descriptor = PluginDescriptor(name: "liar", kind: .modelFlavor, version: "1")
            func recognizes(_ source: any ModelSource) async throws -> Bool { true }
            func describe(_ source: any ModelSource) async throws -> ModelDescription { .init() }
        }
        let model = ConformanceModel("anything", files: ["x": [1]])
        var failed = 0
        for conformance in ModelFlavorSuite.cases(flavor: Liar(), good: [model], bad: [model]) {
            do { try await conformance.body() } catch is ConformanceFailure { failed += 1 }
        }
        #expect(failed == 4)
    }
}
