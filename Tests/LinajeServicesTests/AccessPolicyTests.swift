import Glibc
import LinajeDomain
import LinajeServices
import Testing

@Suite("AccessPolicy")
struct AccessPolicyTests {
    @Test("root and the daemon's own user are admin, strangers are refused")
    func defaults() throws {
        let policy = try AccessPolicy()
        #expect(try policy.principal(uid: 0, gid: 0, groups: []).role == .admin)
        #expect(try policy.principal(uid: getuid(), gid: 0, groups: []).role == .admin)
        let error = #expect(throws: LinajeError.self) {
            try policy.principal(uid: 54_321, gid: 54_321, groups: [])
        }
        #expect(error?.code == .permissionDenied)
    }

    @Test("the highest role of a user and its groups wins")
    func highest() throws {
        let policy = try AccessPolicy(
            users: ["54321": .reader], groups: ["600": .writer, "601": .approver])
        #expect(try policy.principal(uid: 54_321, gid: 1, groups: []).role == .reader)
        #expect(try policy.principal(uid: 54_321, gid: 600, groups: []).role == .writer)
        #expect(try policy.principal(uid: 54_321, gid: 600, groups: [601]).role == .approver)
        #expect(try policy.principal(uid: 7, gid: 7, groups: [601]).name == "uid:7")
    }

    @Test("a user that the machine does not know is an error that names it")
    func unknown() {
        let error = #expect(throws: LinajeError.self) {
            try AccessPolicy(users: ["nobody-of-that-name": .writer])
        }
        #expect(error?.message.contains("nobody-of-that-name") == true)
    }

    @Test("each role may do what the ones before it may, and no more")
    func roles() {
        for (rank, role) in Role.allCases.enumerated() {
            let principal = Principal(name: "uid:1", role: role)
            for (needed, other) in Role.allCases.enumerated() {
                let allowed = (try? principal.require(other, for: "Test")) != nil
                #expect(allowed == (rank >= needed))
            }
        }
    }
}
