import Foundation
import LinajeDomain
import LinajeModelFiles
import Testing

@Suite("texts of model files")
struct ModelTextTests {
    @Test("a text quoted as JSON is read back the same")
    func quoted() throws {
        let text = "a\"b\\c\n\r\t\u{1}\u{1f} é 模型 🙂 </script>"
        let json = Data(JSONText.quoted(text).utf8)
        let back = try JSONSerialization.jsonObject(with: json, options: [.fragmentsAllowed])
        #expect(back as? String == text)
    }

    @Test("a signature that MLflow cannot say is empty")
    func signatures() {
        let named = ModelSignature.Tensor(name: "x", dtype: "float32", shape: [-1])
        let nameless = ModelSignature.Tensor(dtype: "float32", shape: [-1])
        #expect(ModelSignature(inputs: .tensors([]), outputs: nil).json == "")
        #expect(ModelSignature(inputs: .tensors([named, nameless]), outputs: nil).json == "")
        #expect(ModelSignature(inputs: .columns([]), outputs: .tensors([named])).json == "")
        let one = ModelSignature(inputs: .tensors([nameless]), outputs: .tensors([])).json
        #expect(
            one == """
                {"inputs":[{"type":"tensor","tensor-spec":{"dtype":"float32","shape":[-1]}}],\
                "outputs":null,"params":null}
                """)
    }

    @Test("a text is found by its bytes, whatever joins its last character")
    func search() {
        let bytes = Array("aab__class__\u{301}".utf8)
        #expect(ByteSearch.first("ab", in: bytes) == 1)
        #expect(ByteSearch.first("aab", in: bytes, from: 1) == nil)
        #expect(ByteSearch.contains("__class__", in: bytes))
        #expect(ByteSearch.contains("x", in: []) == false)
        #expect(ChatTemplate.suspicious(in: "{{ x.__class__\u{301} }}") == "__class__")
    }

    @Test("a JSON tree is refused when it is nested too deep or says a key twice")
    func json() throws {
        let deep = Array(
            (String(repeating: "[", count: 70) + String(repeating: "]", count: 70)).utf8)
        for bytes in [deep, Array("{\"a\":1,\"a\":1}".utf8), Array("1 2".utf8), [0xff], []] {
            let error = #expect(throws: LinajeError.self) {
                _ = try JSONValue(parsing: bytes, name: "f")
            }
            #expect(error?.code == .invalidArgument)
            #expect(error?.message.contains("f ") == true)
        }
        let value = try JSONValue(parsing: Array("{\"a\":[1,\"2\",null,true]}".utf8), name: "f")
        #expect(value["a"]?.elements?.compactMap(\.integer) == [1, 2])
        #expect(value["a"]?.elements?.map(\.fact) == ["1", "2", nil, "true"])
    }
}
