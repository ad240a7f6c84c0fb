import Foundation
import LinajeConformance
import LinajeDomain
import LinajeServices
import Logging
import Testing

@Suite("Installed flavors")
struct InstalledPluginsTests {
    @Test("a model that ends the flavors in the box is not examined, whatever plugins there are")
    func failure() async throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("linaje-flavors-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let plugin = folder.appendingPathComponent("demo")
        try FileManager.default.createDirectory(at: plugin, withIntermediateDirectories: true)
        let manifest = """
            {"name": "demo", "kind": "model flavor", "version": "1", "protocol": 1,
             "executable": "demo"}
            """
        try Data(manifest.utf8).write(to: plugin.appendingPathComponent("plugin.json"))
        try Data("#!/bin/false\n".utf8).write(to: plugin.appendingPathComponent("demo"))
        for (name, mode) in [("plugin.json", 0o644), ("demo", 0o755), ("", 0o755)] {
            try FileManager.default.setAttributes(
                [.posixPermissions: mode], ofItemAtPath: plugin.appendingPathComponent(name).path)
        }
        let flavors = InstalledPlugins(
            .init(directories: [folder.path], host: "/bin/false", timeout: .seconds(60)),
            logger: Logger(label: "test"))
        try await flavors.refresh { [] }
        #expect(await flavors.reports().map(\.problem) == ["", ""])
        let error = await #expect(throws: LinajeError.self) {
            try await flavors.describe(MemoryModelSource(["model.pkl": [0x80, 4]]))
        }
        #expect(error?.code == .pluginFailed)
        await flavors.shutdown()
    }
}
