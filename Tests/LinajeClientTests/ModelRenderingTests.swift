import LinajeDomain
import Testing

@testable import LinajeCommands

@Suite("model show")
struct ModelRenderingTests {
    private let model = ModelDescription(
        parameters: 1_234, findings: [Finding(severity: .danger, path: "m.pkl", message: "runs x")],
        files: (1...7).map { ModelFileDescription(path: "w\($0)", role: .weights) }
            + [ModelFileDescription(path: "config.json", role: .config)],
        memoryBytes: 4_936, license: "mit", card: ["language": "en"], verdict: .dangerous)

    @Test("files, licence, card, memory and verdict are shown as text")
    func text() {
        var fields = TextFields()
        model.add(to: &fields)
        #expect(
            fields.lines(TextStyle(isColored: false)) == [
                "licence     mit", "card        language = en",
                "weights     w1, w2, w3, w4, w5 and 2 more", "config      config.json",
                "parameters  1,234", "memory      \(ByteCount(4_936))", "verdict     dangerous",
                "danger      runs x (m.pkl)",
            ])
    }

    @Test("a signature is shown as people read it, and what is none as it is")
    func signature() {
        var described = ModelDescription()
        described.signature = """
            {"inputs":[{"type":"long","name":"age","required":true},{"type":"string","name":"note",\
            "required":false}],"outputs":[{"type":"tensor","tensor-spec":{"dtype":"float32",\
            "shape":[-1,3]}}],"params":[{"name":"t","type":"double","default":0.5,"shape":null}]}
            """
        var fields = TextFields()
        described.add(to: &fields)
        #expect(
            fields.lines(TextStyle(isColored: false)) == [
                "inputs   age long, note string?", "outputs  float32[?,3]",
                "params   t double = 0.5",
            ])
        described.signature = "{"
        fields = TextFields()
        described.add(to: &fields)
        #expect(fields.lines(TextStyle(isColored: false)) == ["signature  {"])
    }

    @Test("the JSON has all of them")
    func json() {
        var small = model
        small.files = [ModelFileDescription(path: "w", role: .weights)]
        #expect(
            small.json.text
                == #"{"flavors":[],"signature":"","requirements":[],"license":"mit","#
                + #""card":{"language":"en"},"files":[{"path":"w","role":"weights"}],"#
                + #""parameters":1234,"memory_bytes":4936,"verdict":"dangerous","tensors":[],"#
                + #""findings":[{"severity":"danger","path":"m.pkl","message":"runs x"}]}"#)
        #expect(ModelDescription().json.text.contains(#""verdict":null"#))
    }
}
