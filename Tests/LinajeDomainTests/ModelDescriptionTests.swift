import Foundation
import LinajeDomain
import Testing

@Suite("ModelDescription")
struct ModelDescriptionTests {
    @Test("of two descriptions the first word counts, and the worse verdict")
    func merge() {
        var model = ModelDescription(
            files: [
                ModelFileDescription(path: "a", role: .other),
                ModelFileDescription(path: "b", role: .config),
            ],
            license: "mit", card: ["language": "en"], verdict: .unknown)
        model.merge(
            ModelDescription(
                files: [
                    ModelFileDescription(path: "b", role: .weights),
                    ModelFileDescription(path: "a", role: .weights),
                    ModelFileDescription(path: "c", role: .code),
                ],
                memoryBytes: 7, license: "other", card: ["language": "fr", "task": "x"],
                verdict: .safe))
        #expect(
            model.files == [
                ModelFileDescription(path: "a", role: .weights),
                ModelFileDescription(path: "b", role: .config),
                ModelFileDescription(path: "c", role: .code),
            ])
        #expect(model.memoryBytes == 7)
        #expect(model.license == "mit")
        #expect(model.card == ["language": "en", "task": "x"])
        #expect(model.verdict == .unknown)
    }

    @Test("a verdict stands beside none and gives way to a worse one", arguments: verdicts)
    func worseVerdict(pair: (first: ScanVerdict?, second: ScanVerdict?, whole: ScanVerdict?)) {
        var model = ModelDescription(verdict: pair.first)
        model.merge(ModelDescription(verdict: pair.second))
        #expect(model.verdict == pair.whole)
    }

    static let verdicts: [(first: ScanVerdict?, second: ScanVerdict?, whole: ScanVerdict?)] = [
        (nil, nil, nil), (nil, .safe, .safe), (.safe, nil, .safe), (.safe, .dangerous, .dangerous),
        (.dangerous, .safe, .dangerous), (.unknown, .dangerous, .dangerous),
        (.unknown, .safe, .unknown), (.dangerous, nil, .dangerous),
    ]

    @Test("what an older version wrote is read, and what this one writes comes back")
    func stored() throws {
        let old = """
            {"findings":[],"flavors":[],"parameters":3,"requirements":["a"],"signature":"",\
            "tensors":[]}
            """
        let read = try JSONDecoder().decode(ModelDescription.self, from: Data(old.utf8))
        #expect(read == ModelDescription(requirements: ["a"], parameters: 3))
        let full = ModelDescription(
            files: ModelFileRole.allCases.map { ModelFileDescription(path: "p", role: $0) },
            memoryBytes: .max, license: "l", card: ["a": "b"], verdict: .dangerous)
        let bytes = try JSONEncoder().encode(full)
        #expect(try JSONDecoder().decode(ModelDescription.self, from: bytes) == full)
    }

    @Test("a role that a newer version named is other")
    func roles() throws {
        let json = Data(#"[{"path":"p","role":"dynamo"}]"#.utf8)
        let files = try JSONDecoder().decode([ModelFileDescription].self, from: json)
        #expect(files == [ModelFileDescription(path: "p", role: .other)])
    }
}
