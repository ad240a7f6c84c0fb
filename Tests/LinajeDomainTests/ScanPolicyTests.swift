import LinajeDomain
import Testing

@Suite("What verdicts block")
struct ScanPolicyTests {
    @Test("what may not be registered or loaded may not be promoted either")
    func implied() {
        #expect(!BlockedUses.nothing.contains(.promotion))
        for uses in [[ModelUse.registration], [.loading], [.registration, .loading]] {
            #expect(BlockedUses(Set(uses)).contains(.promotion))
        }
        #expect(!BlockedUses([.loading]).contains(.registration))
    }

    @Test(
        "a text stands for what it says",
        arguments: [
            ("nothing", []), ("promotion", [ModelUse.promotion]),
            ("registration", [.registration]), ("loading", [.loading]),
            ("registration,loading", [.registration, .loading]),
        ])
    func texts(text: String, uses: [ModelUse]) throws {
        let blocked = try BlockedUses(parsing: text)
        #expect(blocked == BlockedUses(Set(uses)))
        #expect(blocked.description == text)
    }

    @Test("promotion may be named beside what implies it, and any order")
    func redundant() throws {
        #expect(try BlockedUses(parsing: "loading,promotion").description == "loading")
        #expect(
            try BlockedUses(parsing: "loading,registration,loading").description
                == "registration,loading")
    }

    @Test(
        "another text is refused with what there is",
        arguments: ["", "Promotion", "promotion ", "promotion,", ",", "nothing,loading", "all"])
    func refused(text: String) {
        #expect {
            try BlockedUses(parsing: text)
        } throws: { error in
            guard let error = error as? LinajeError else { return false }
            return error.code == .invalidArgument && error.message.contains("registration")
        }
    }

    @Test("a model's own policy wins, and what it does not decide is the daemon's")
    func own() {
        let own = ScanPolicy([.unknown: BlockedUses([.loading]), .dangerous: .nothing])
        let both = own.over(.standard)
        #expect(both.blocked(.unknown) == BlockedUses([.loading]))
        #expect(both.blocked(.dangerous) == .nothing)
        #expect(both.blocked(.safe) == .nothing)
        #expect(ScanPolicy().over(.standard) == .standard)
        #expect(ScanPolicy.standard.blocked(.dangerous) == BlockedUses([.promotion]))
    }

    @Test("each verdict is told apart, and having none too")
    func verdicts() {
        #expect(
            ([nil] + ScanVerdict.allCases).map { JudgedAs($0) }
                == [.none, .safe, .unknown, .dangerous])
    }

    @Test("changes that say nothing, or two things of one verdict, are refused")
    func changes() throws {
        #expect(throws: LinajeError.self) { try ScanPolicyChanges().checked() }
        let both = ScanPolicyChanges(set: ScanPolicy([.safe: .nothing]), reset: [.safe])
        #expect(throws: LinajeError.self) { try both.checked() }
        let fine = ScanPolicyChanges(set: ScanPolicy([.safe: .nothing]), reset: [.none])
        #expect(try fine.checked() == fine)
    }
}
