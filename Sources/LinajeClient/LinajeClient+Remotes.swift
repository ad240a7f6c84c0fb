public import LinajeDomain
import LinajeTransport
import LinajeWire

/// What comes of an exchange with a remote, step by step. One task reads it; when it stops reading,
/// the daemon stops after the pack at hand.
public struct RemoteReading: Sendable, AsyncSequence {
    let stream: ClientStream<Linaje_V1_ExchangeWithRemoteOpened>

    public struct AsyncIterator: AsyncIteratorProtocol {
        let stream: ClientStream<Linaje_V1_ExchangeWithRemoteOpened>

        /// How far it is after the next step; `nil` after the last.
        public mutating func next() async throws -> RemoteProgress? {
            guard let payload = try await stream.next() else { return nil }
            return RemoteProgress(try Linaje_V1_RemoteProgress(payload: payload))
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(stream: stream) }
}

extension LinajeClient {
    /// Makes a remote known to the daemon.
    ///
    /// - Throws: `alreadyExists` for a name that has another address; `permissionDenied` for
    ///   anybody but an admin.
    public func addRemote(_ name: String, address: String) async throws {
        var request = Linaje_V1_AddRemoteRequest()
        request.name = name
        request.address = address
        _ = try await call(Methods.addRemote, request)
    }

    /// Forgets a remote; what is in it stays.
    ///
    /// - Throws: `permissionDenied` for anybody but an admin.
    public func removeRemote(_ name: String) async throws {
        var request = Linaje_V1_RemoveRemoteRequest()
        request.name = name
        _ = try await call(Methods.removeRemote, request)
    }

    /// All remotes, by name.
    public func remotes() async throws -> [Remote] {
        try await call(Methods.listRemotes, Linaje_V1_ListRemotesRequest()).remotes.map {
            Remote($0)
        }
    }

    /// Compares the daemon's packs with a remote's, and copies what one of them lacks.
    ///
    /// - Parameter readingData: with `status`, whether every byte of the remote is read and checked.
    /// - Throws: `notFound` for a remote that is not known, once it is read.
    public func exchange(
        _ action: RemoteAction, with remote: String, readingData: Bool = false
    ) async throws -> RemoteReading {
        var request = Linaje_V1_ExchangeWithRemoteRequest()
        request.remote = remote
        request.action = Linaje_V1_RemoteAction(action)
        request.readData = readingData
        let stream = try await connections.connection().open(Methods.exchangeWithRemote, request)
        _ = try await stream.response()
        return RemoteReading(stream: stream)
    }
}
