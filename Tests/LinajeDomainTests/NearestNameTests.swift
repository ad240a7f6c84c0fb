import LinajeDomain
import Testing

@Suite("What somebody may have meant")
struct NearestNameTests {
    @Test(
        "the name that differs in one or two letters is found, another one is not",
        arguments: [
            ("gc_grce", "gc_grace"), ("modle", "model"), ("urn", "run"), ("nope", nil),
            ("val_los", "val_loss"),
            ("model", "model"), ("rn", nil), ("quantize", nil), ("", nil),
            (String(repeating: "a", count: 100_000), nil),
        ] as [(String, String?)])
    func near(_ wanted: String, _ found: String?) {
        let names = ["run", "val_loss", "model", "models", "gc_grace", "gc_interval"]
        #expect(NearestName.of(wanted, among: names) == found)
    }

    @Test("of names that are as near the first one is said")
    func first() { #expect(NearestName.of("lost", among: ["loss", "last"]) == "loss") }
}
