import LinajeConformance
import LinajeDomain
import LinajePluginKit
import Synchronization

/// The conformance suite of artifact backends on a storage plugin, each case in a folder of its own of
/// one place.
struct StorageCheck: Sendable {
    let cases: [ConformanceCase]
    private let stores: Stores

    /// - Parameter place: what stands after "plugin:NAME/" in an address, options included.
    /// - Throws: `invalidArgument` for what can be no part of an address.
    init(_ package: PluginPackage, place: String) throws {
        let address = try RemoteAddress(
            parsing: "plugin:\(package.manifest.descriptor.name)/\(place)")
        let stores = Stores(package, host: try PluginPackage.host(), address: address)
        self.stores = stores
        cases = ArtifactBackendSuite.cases(make: { try await stores.make() })
    }

    /// Removes what the cases have left, and ends the processes.
    func close() async { await stores.close() }

    private actor Stores {
        private let package: PluginPackage
        private let host: String
        private let address: RemoteAddress
        private var made: [PluginBackend] = []

        init(_ package: PluginPackage, host: String, address: RemoteAddress) {
            self.package = package
            self.host = host
            self.address = address
        }

        /// An empty store. The one before it is done with.
        func make() async throws -> any ArtifactBackend {
            await close()
            let number = String(UInt64.random(in: 0 ... .max), radix: 36)
            let backend = PluginBackend(
                package.program, of: package.manifest, by: host,
                place: "\(address.path)/check-\(number)", options: address.options)
            made.append(backend)
            return backend
        }

        func close() async {
            let backends = made
            made = []
            for backend in backends {
                for object in (try? await backend.list(prefix: "")) ?? [] {
                    try? await backend.remove(object.key)
                }
                await backend.close()
            }
        }
    }
}
