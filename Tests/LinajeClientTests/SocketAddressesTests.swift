import Foundation
import Glibc
import LinajeDomain
import LinajeTransport
import Testing

@Suite("SocketAddresses")
struct SocketAddressesTests {
    @Test("the option wins over the variable, the variable over the user's socket")
    func order() throws {
        let folder = try TemporaryFolder()
        let runtime = ["XDG_RUNTIME_DIR": folder.path]
        #expect(
            try SocketAddresses.find(
                explicit: "/a", environment: ["LINAJE_SOCKET": "/b"]) == "/a")
        #expect(
            try SocketAddresses.find(
                environment: runtime.merging(["LINAJE_SOCKET": "/b"]) { $1 }) == "/b")
        #expect(try SocketAddresses.find(environment: runtime) == SocketAddresses.system)
        try folder.write("linaje/linaje.sock", "")
        #expect(
            try SocketAddresses.find(environment: runtime) == folder.at("linaje/linaje.sock"))
    }

    @Test("without a runtime folder the user's socket is in a private temporary folder")
    func temporary() throws {
        let folder = try TemporaryFolder()
        let environment = ["TMPDIR": folder.path + "/"]
        let name = "linaje-\(getuid())"
        #expect(
            SocketAddresses.user(environment: environment) == folder.at(name + "/linaje.sock"))
        #expect(try SocketAddresses.find(environment: environment) == SocketAddresses.system)
        try folder.write(name + "/linaje.sock", "")
        #expect(chmod(folder.at(name), 0o755) == 0)
        let error = #expect(throws: LinajeError.self) {
            try SocketAddresses.find(environment: environment)
        }
        #expect(error?.code == .permissionDenied)
        #expect(chmod(folder.at(name), 0o700) == 0)
        #expect(
            try SocketAddresses.find(environment: environment)
                == folder.at(name + "/linaje.sock"))
    }

    @Test("a path that no socket can have is refused")
    func length() {
        #expect(throws: Never.self) {
            try SocketAddresses.checked("/" + String(repeating: "x", count: 106))
        }
        let error = #expect(throws: LinajeError.self) {
            try SocketAddresses.checked("/" + String(repeating: "x", count: 107))
        }
        #expect(error?.code == .invalidArgument)
    }
}
