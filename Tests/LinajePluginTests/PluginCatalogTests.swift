import LinajeConformance
import LinajeDomain
import LinajePluginKit
import PyFuncFlavor
import SafetensorsFlavor
import Testing

@Suite("PluginCatalog")
struct PluginCatalogTests {
    @Test("flavors come in the order of their registration and by name")
    func order() throws {
        var catalog = PluginCatalog()
        try catalog.register(SafetensorsFlavor())
        try catalog.register(PyFuncFlavor())
        #expect(catalog.flavors.map(\.descriptor.name) == ["safetensors", "python_function"])
        #expect(catalog.flavor(named: "python_function") is PyFuncFlavor)
        #expect(catalog.flavor(named: "onnx") == nil)
        #expect(catalog.artifactBackend(named: "safetensors") == nil)
        #expect(catalog.entries.map(\.descriptor.kind) == [.modelFlavor, .modelFlavor])
    }

    @Test("a taken name is refused, unless the second instance gets another")
    func duplicates() throws {
        var catalog = PluginCatalog()
        try catalog.register(SafetensorsFlavor())
        let error = #expect(throws: LinajeError.self) { try catalog.register(SafetensorsFlavor()) }
        #expect(error?.code == .alreadyExists)
        #expect(error?.message.contains("safetensors") == true)
        try catalog.register(SafetensorsFlavor(), named: "safetensors-2")
        #expect(catalog.flavors.count == 2)
    }

    @Test("a name that is none is refused", arguments: ["", "a b", "a/b", "\u{7f}", "ä"])
    func names(name: String) {
        var catalog = PluginCatalog()
        let error = #expect(throws: LinajeError.self) {
            try catalog.register(SafetensorsFlavor(), named: name)
        }
        #expect(error?.code == .invalidArgument)
    }
}
