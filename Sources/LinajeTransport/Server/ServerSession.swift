import LinajeDomain
package import LinajeWire

/// What a daemon does about a connection. Every method is called on the connection's event loop
/// and must not block; what takes time runs in tasks (`ServerConnection.perform`).
package protocol ServerSession: AnyObject, Sendable {
    /// The client's hello; the answer opens the connection.
    ///
    /// - Throws: an error that is sent and ends the connection.
    func greet(_ hello: Linaje_V1_ClientHello) throws -> Linaje_V1_ServerHello

    /// A new stream with its request. The payload's bytes stay charged until
    /// `ServerConnection.releaseRequest`, so that calls which wait are bounded by credit.
    func open(stream: UInt32, opcode: UInt16, payload: [UInt8], hasData: Bool)

    /// Data on an open stream. The bytes stay charged until `ServerConnection.release`.
    func data(stream: UInt32, payload: [UInt8])

    /// The client has sent all its data on the stream.
    func finished(stream: UInt32)

    /// The client no longer wants the answer.
    func cancelled(stream: UInt32)

    /// The client was asked to leave: the connection takes no new streams and ends with the open
    /// ones.
    func draining()

    /// The connection is gone; no method is called after this one.
    func closed()
}
