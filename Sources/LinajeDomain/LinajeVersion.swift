/// The version of Linaje: of its programs, and of the client library.
///
/// `Clients/python/src/linaje/_version.py` says the same of the Python client.
public enum LinajeVersion {
    public static let current = "0.1.0"
}
