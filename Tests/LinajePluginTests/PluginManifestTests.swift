import Foundation
import LinajeConformance
import LinajeDomain
import LinajePluginKit
import Testing

@Suite("Plugin manifests")
struct PluginManifestTests {
    static let whole = """
        {"name": "demo", "kind": "model flavor", "version": "0.1.0", "protocol": 1, "future": [1, {}],
         "executable": "linaje-flavor-demo", "sha256": "\(String(repeating: "0a", count: 32))",
         "description": "a demo", "license": "MIT", "url": "https://example.org", "read": ["/opt/x"]}
        """

    private func parse(_ text: String) throws -> PluginManifest {
        try PluginManifest(parsing: Array(text.utf8), path: "/p/plugin.json")
    }

    @Test("are read as they were written, members of a later version passed over")
    func right() throws {
        let manifest = try parse(Self.whole)
        let wanted = PluginDescriptor(name: "demo", kind: .modelFlavor, version: "0.1.0")
        #expect(manifest.descriptor == wanted)
        #expect(manifest.executable == "linaje-flavor-demo" && manifest.readable == ["/opt/x"])
        #expect(manifest.sha256?.description == String(repeating: "0a", count: 32))
        #expect(manifest.summary == "a demo" && manifest.license == "MIT")
    }

    @Test(
        "that are wrong are refused with the member's name",
        arguments: [
            ("\"demo\"", "\"Demo\"", "name"), ("\"demo\"", "\"../demo\"", "name"),
            ("model flavor", "toaster", "kind"), ("\"version\": \"0.1.0\",", "", "version"),
            ("\"protocol\": 1,", "", "protocol"), ("linaje-flavor-demo", "../demo", "executable"),
            ("linaje-flavor-demo", "..", "executable"), ("0a0a", "0a0g", "sha256"),
            ("linaje-flavor-demo", "../\u{301}demo", "executable"),
            ("/opt/x", "opt/x", "read"), ("/opt/x", "/", "read"),
        ])
    func wrong(from: String, to: String, member: String) throws {
        let error = #expect(throws: LinajeError.self) {
            try parse(Self.whole.replacing(from, with: to, maxReplacements: 1))
        }
        #expect(error?.message.contains("\"\(member)\"") == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("/p/plugin.json") == true)
    }

    @Test("torn anywhere or with any bytes changed are an error or a manifest")
    func damaged() {
        let bytes = Array(Self.whole.utf8)
        for length in bytes.indices {
            #expect(throws: LinajeError.self) {
                try PluginManifest(parsing: Array(bytes[..<length]), path: "torn")
            }
        }
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<2_000 {
            var changed = bytes
            for _ in 0...Int.random(in: 0..<3, using: &generator) {
                changed[Int.random(in: changed.indices, using: &generator)] = UInt8.random(
                    in: 0...255, using: &generator)
            }
            do {
                let manifest = try PluginManifest(parsing: changed, path: "changed")
                #expect(!manifest.executable.utf8.contains(UInt8(ascii: "/")))
                #expect(PluginManifest.isName(manifest.descriptor.name))
            } catch {
                #expect(error is LinajeError)
            }
        }
    }
}

@Suite("FlavorPool")
struct FlavorPoolTests {
    private let model = MemoryModelSource(["model.safetensors": SafetensorsBytes.good])

    private func pool(width: Int) -> FlavorPool {
        FlavorPool(
            PluginDescriptor(name: "box", kind: .modelFlavor, version: "1"), width: width
        ) { PluginScript.process() }
    }

    @Test("calls at once share its processes, and one after the other need one")
    func width() async throws {
        let pool = pool(width: 2)
        for _ in 0..<3 { #expect(try await pool.describe(model).flavors.isEmpty == false) }
        #expect(await pool.statistics.processes == 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<6 { group.addTask { _ = try await pool.describe(model) } }
            try await group.waitForAll()
        }
        let counts = await pool.statistics
        #expect(counts.processes == 2 && counts.calls == 9 && counts.failures == 0)
        await pool.shutdown()
        let error = await #expect(throws: LinajeError.self) { try await pool.describe(model) }
        #expect(error?.message.contains("shut down or disabled") == true)
    }

    @Test("a process that has described many models is replaced")
    func replaced() async throws {
        let pool = pool(width: 1)
        for _ in 0..<FlavorPool.modelsPerProcess { _ = try await pool.describe(model) }
        #expect(await pool.statistics.processes == 0)
        _ = try await pool.describe(model)
        #expect(await pool.statistics.processes == 1)
        await pool.shutdown()
    }

    @Test("a failure is counted, and told")
    func failures() async throws {
        let pool = FlavorPool(
            PluginDescriptor(name: "broken", kind: .modelFlavor, version: "1")
        ) { PluginProcess(executable: "/bin/false", name: "broken") }
        await #expect(throws: LinajeError.self) { try await pool.describe(model) }
        let counts = await pool.statistics
        #expect(counts.failures == 1 && counts.lastFailure.contains("\"broken\""))
        await pool.shutdown()
    }
}
