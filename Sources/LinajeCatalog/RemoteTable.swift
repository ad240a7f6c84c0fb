package import LinajeDomain
import LinajePluginKit

/// Remotes that were added while the daemon ran.
///
/// ```
/// remotes  name*  address  created_at_us
/// ```
enum RemoteTable {
    /// Most remotes.
    static let maximum: Int64 = 100

    static let migration = SQLMigration(
        "15 remotes",
        [
            """
            CREATE TABLE remotes (
                name TEXT NOT NULL PRIMARY KEY,
                address TEXT NOT NULL,
                created_at_us BIGINT NOT NULL)
            """
        ])
}

extension CatalogReader {
    /// All remotes, by name.
    package func remotes() throws -> [Remote] {
        try connection.all("SELECT name, address FROM remotes ORDER BY name", []) {
            Remote(name: try $0.text(0), address: try $0.text(1), isConfigured: false)
        }
    }
}

extension CatalogTransaction {
    /// Adds a remote; the same again changes nothing.
    ///
    /// - Throws: `alreadyExists` for a name that has another address, `limitExceeded`.
    package func addRemote(_ name: String, _ address: RemoteAddress) throws {
        let name = try Names.remote(name)
        let all = try reader.remotes()
        if let known = all.first(where: { $0.name == name }) {
            guard known.address != address.description else { return }
            throw LinajeError(
                .alreadyExists,
                "remote \"\(name)\" is \(known.address) already; remove it first or take another "
                    + "name")
        }
        guard all.count < RemoteTable.maximum else {
            throw LinajeError(
                .limitExceeded,
                "there are \(all.count) remotes, as many as may be; remove one first")
        }
        try connection.execute(
            "INSERT INTO remotes (name, address, created_at_us) VALUES (?, ?, ?)",
            [.text(name), .text(address.description), .time(now)])
    }

    /// Forgets a remote; one that is not known is no error.
    package func removeRemote(_ name: String) throws {
        try connection.execute("DELETE FROM remotes WHERE name = ?", [.text(name)])
    }
}
