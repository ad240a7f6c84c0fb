import FilesystemStorage
import FoundationEssentials
import LinajeConformance
import LinajeDomain
import LinajeWire
import Testing

@testable import LinajePluginKit

/// Both ends of a storage plugin without the process between them: messages are encoded, answered and
/// decoded. With a real process, confined, on a real server: Tests/System/test_storage_plugin.py.
@Suite("storage plugins")
struct PluginBackendTests {
    /// A plugin's process as it answers.
    private struct Peer: BackendPeer {
        let hosted: HostedBackend

        static func open(
            _ place: String, _ make: @escaping BackendHost.Opening
        ) async throws -> Peer {
            let descriptor = PluginDescriptor(
                name: "demo", kind: .artifactBackend, version: "1")
            let peer = Peer(hosted: HostedBackend(descriptor, open: make))
            var request = Linaje_V1_OpenBackendRequest()
            request.place = place
            _ = try await peer.ask(Methods.openBackend, request)
            return peer
        }

        func ask<Request: Sendable, Response: Sendable>(
            _ method: LinajeWire.Method<Request, Response>, _ request: Request
        ) async throws -> Response {
            // As a request that goes to a process, which may not be too long.
            let payload = try CallPayload.encode(header: .init(), message: request)
            let answer = try await hosted.answer(
                method.opcode, Array(try CallPayload(parsing: payload).message))
            #expect(answer.count <= Limits.frameBytes)
            return try Response(payload: answer)
        }

        func shutdown() async {}
    }

    private static func backend(
        _ place: String, _ make: @escaping BackendHost.Opening
    ) async throws -> PluginBackend {
        var peers: [any BackendPeer] = []
        for _ in 0..<PluginBackend.width { peers.append(try await Peer.open(place, make)) }
        return PluginBackend(
            PluginDescriptor(name: "demo", kind: .artifactBackend, version: "1"), processes: peers)
    }

    @Test(
        "a storage plugin is an artifact backend like any other",
        arguments: ArtifactBackendSuite.cases {
            let storage = FilesystemStorage(root: try Scratch.path())
            return try await backend("") { _, _ in storage }
        })
    func conformance(_ each: ConformanceCase) async throws {
        try await Scratch.run(each)
    }

    @Test("a list comes in pages, whole and in order")
    func pages() async throws {
        let backend = try await Self.backend("") { _, _ in Many() }
        let found = try await backend.list(prefix: "k/")
        #expect(found.map(\.key) == Many.keys)
        #expect(found.allSatisfy { $0.size == 7 })
    }

    @Test("an object whose process was started anew is not committed, and trying again helps")
    func restarted() async throws {
        let folder = try TemporaryDirectory()
        let place = folder.path
        let first = try await Peer.open(place) { place, _ in FilesystemStorage(root: place) }
        let second = try await Peer.open(place) { place, _ in FilesystemStorage(root: place) }
        let fickle = Fickle(first, then: second)
        let backend = PluginBackend(
            PluginDescriptor(name: "demo", kind: .artifactBackend, version: "1"),
            processes: [any BackendPeer](repeating: fickle, count: PluginBackend.width))
        let writer = try await backend.put("a")
        try await writer.write([1, 2])
        await fickle.restart()
        await #expect(throws: LinajeError.self) { try await writer.write([3]) }
        let error = await #expect(throws: LinajeError.self) { try await writer.commit() }
        #expect(error?.code == .unavailable && error?.message.contains("a was on its way") == true)
        await writer.abort()
        #expect(try await backend.stat("a") == nil)
    }

    @Test("what a plugin must not say is not taken")
    func nonsense() async throws {
        for lie in Liar.Lie.allCases {
            let backend = PluginBackend(
                PluginDescriptor(name: "demo", kind: .artifactBackend, version: "1"),
                processes: [any BackendPeer](
                    repeating: Liar(lie: lie), count: PluginBackend.width))
            let error = await #expect(throws: LinajeError.self, "\(lie)") {
                switch lie {
                case .tooMany: _ = try await backend.get("a", range: 0..<3)
                default: _ = try await backend.list(prefix: "p/")
                }
            }
            #expect(error?.code == .unavailable && error?.message.contains("\"demo\"") == true)
        }
    }

    @Test("a list that does not end is cut off, at whichever bound comes first")
    func endless() async throws {
        typealias Bounds = PluginBackend.ListingBounds
        let cases: [(bounds: Bounds, code: LinajeError.Code, text: String, pages: Int)] = [
            (Bounds(objects: 10), .limitExceeded, "more than 10 objects", 4),
            // Three keys of ten bytes a page.
            (Bounds(keysBytes: 100), .limitExceeded, "100 bytes of keys", 4),
            (Bounds(keyBytes: 9), .unavailable, "a key of 10 bytes, after \"\"", 1),
            (Bounds(time: .zero), .limitExceeded, "lists 3 objects in 0.0 seconds", 1),
        ]
        for (bounds, code, text, pages) in cases {
            let peer = Endless()
            let backend = PluginBackend(
                PluginDescriptor(name: "demo", kind: .artifactBackend, version: "1"),
                processes: [any BackendPeer](repeating: peer, count: PluginBackend.width),
                bounds: bounds)
            let error = await #expect(throws: LinajeError.self, "\(text)") {
                _ = try await backend.list(prefix: "p/")
            }
            #expect(error?.code == code)
            let message = error?.message ?? ""
            #expect(message.contains("\"demo\"") && message.contains(text), "\(message)")
            #expect(await peer.pages == pages, "\(text)")
        }
    }

    @Test("a list as long as it may be is taken")
    func longest() async throws {
        let backend = PluginBackend(
            PluginDescriptor(name: "demo", kind: .artifactBackend, version: "1"),
            processes: [any BackendPeer](
                repeating: Endless(lastPage: 3), count: PluginBackend.width),
            bounds: .init(objects: 9, keysBytes: 90, keyBytes: 10))
        #expect(try await backend.list(prefix: "p/").count == 9)
    }

    @Test("a process says nothing of objects before it knows the place, and learns it once")
    func order() async throws {
        let descriptor = PluginDescriptor(name: "demo", kind: .artifactBackend, version: "1")
        let hosted = HostedBackend(descriptor) { place, _ in FilesystemStorage(root: place) }
        var stat = Linaje_V1_StatObjectRequest()
        stat.key = "a"
        let early = await #expect(throws: LinajeError.self) {
            _ = try await hosted.answer(Methods.statObject.opcode, try stat.payload())
        }
        #expect(early?.code == .failedPrecondition)
        let folder = try TemporaryDirectory()
        var open = Linaje_V1_OpenBackendRequest()
        open.place = folder.path
        let request = try open.payload()
        _ = try await hosted.answer(Methods.openBackend.opcode, request)
        await #expect(throws: LinajeError.self) {
            _ = try await hosted.answer(Methods.openBackend.opcode, request)
        }
        var long = Linaje_V1_GetObjectRequest()
        long.key = "a"
        for (offset, length) in [(UInt64(0), UInt32.max), (.max, 2)] {
            long.offset = offset
            long.length = length
            let error = await #expect(throws: LinajeError.self) {
                _ = try await hosted.answer(Methods.getObject.opcode, try long.payload())
            }
            #expect(error?.code == .limitExceeded)
        }
    }
}

/// Holds more objects than one answer may name.
private struct Many: ArtifactBackend {
    static let keys = (0..<25_001).map { "k/\(100_000 + $0)" }

    let descriptor = PluginDescriptor(name: "many", kind: .artifactBackend, version: "1")
    let properties = ArtifactBackendProperties(parallelRequests: 1, isRemote: false)

    func put(_ key: String) async throws -> any ArtifactWriter {
        throw LinajeError(.readOnly, "nothing is written")
    }
    func get(_ key: String, range: Range<UInt64>) async throws -> [UInt8] { [] }
    func stat(_ key: String) async throws -> UInt64? { 7 }
    func list(prefix: String) async throws -> [(key: String, size: UInt64)] {
        Self.keys.map { ($0, 7) }
    }
    func remove(_ key: String) async throws {}
}

/// Another process from some moment on.
private actor Fickle: BackendPeer {
    private var now: any BackendPeer
    private let next: any BackendPeer

    init(_ now: any BackendPeer, then next: any BackendPeer) {
        self.now = now
        self.next = next
    }

    func restart() { now = next }

    func ask<Request: Sendable, Response: Sendable>(
        _ method: LinajeWire.Method<Request, Response>, _ request: Request
    ) async throws -> Response {
        try await now.ask(method, request)
    }

    func shutdown() async {}
}

/// Lists on and on, three objects a page.
private actor Endless: BackendPeer {
    private(set) var pages = 0
    private let lastPage: Int?

    init(lastPage: Int? = nil) { self.lastPage = lastPage }

    func ask<Request: Sendable, Response: Sendable>(
        _ method: LinajeWire.Method<Request, Response>, _ request: Request
    ) async throws -> Response {
        // Where nobody ends it the test does.
        guard pages < 100 else { throw LinajeError(.internalError, "asked for too much") }
        var page = Linaje_V1_ListObjectsResponse()
        page.objects = (0..<3).map { place in
            var object = Linaje_V1_StoredObject()
            object.key = "p/\(10_000_000 + pages * 3 + place)"
            return object
        }
        pages += 1
        page.isEnd = pages == lastPage
        return try Response(payload: try page.payload())
    }

    func shutdown() async {}
}

private struct Liar: BackendPeer {
    enum Lie: CaseIterable { case tooMany, outOfOrder, notAsked, emptyPage }

    let lie: Lie

    func ask<Request: Sendable, Response: Sendable>(
        _ method: LinajeWire.Method<Request, Response>, _ request: Request
    ) async throws -> Response {
        var got = Linaje_V1_GetObjectResponse()
        got.data = Data([1, 2, 3, 4])
        var page = Linaje_V1_ListObjectsResponse()
        switch lie {
        case .tooMany, .emptyPage: break
        case .outOfOrder: page.objects = ["p/2", "p/1"].map(Self.object)
        case .notAsked: page.objects = [Self.object("q/1")]
        }
        if method.opcode == Methods.getObject.opcode {
            return try Response(payload: try got.payload())
        }
        return try Response(payload: try page.payload())
    }

    private static func object(_ key: String) -> Linaje_V1_StoredObject {
        var object = Linaje_V1_StoredObject()
        object.key = key
        return object
    }

    func shutdown() async {}
}
