import LinajeConformance
import LinajeDomain
import LinajePluginKit
import Testing
import TransformersFlavor

@Suite("TransformersFlavor")
struct TransformersFlavorTests {
    private let flavor = TransformersFlavor()

    private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    private static let config = """
        {"architectures": ["BertForSequenceClassification"], "hidden_size": 32,
         "model_type": "bert", "id2label": {"0": "no", "1": "yes"}, "num_hidden_layers": 2, "dtype": "float32",
         "transformers_version": "4.57.0", "vocab_size": 100}
        """

    private static let card = """
        ---
        # A comment.
        license: apache-2.0
        base_model: 'google-bert/bert-base-uncased'
        datasets:
        - glue
        - "stanfordnlp/imdb" # with a comment
        language: [en, es]
        tags:
          - text-classification
          - a: map
        pipeline_tag: text-classification
        model-index:
        - name: tiny
          results:
            - task:
                type: text-classification
        ---
        # Tiny
        license: not this one
        """

    private static let files: [String: [UInt8]] = [
        "config.json": bytes(config), "README.md": bytes(card),
        "tokenizer.json": bytes("{}"), "generation_config.json": bytes("{\"top_p\": 0.9}"),
        "tokenizer_config.json": bytes(
            "{\"tokenizer_class\": \"BertTokenizer\", \"chat_template\": \"{{ messages }}\"}"),
        "pytorch_model.bin": [0x50, 0x4b],
    ]

    @Test(
        "TransformersFlavor is a model flavor",
        arguments: ModelFlavorSuite.cases(
            flavor: TransformersFlavor(),
            good: [ConformanceModel("a folder of transformers", files: files)],
            bad: [
                ConformanceModel("a torn config", files: ["adapter_config.json": bytes("{\"a\":")]),
                ConformanceModel(
                    "a config that is a list", files: ["tokenizer_config.json": [91, 93]]),
                ConformanceModel(
                    "a config nested 100,000 deep",
                    files: [
                        "config.json": bytes(
                            "{\"model_type\":" + String(repeating: "[", count: 99_999))
                    ]),
                ConformanceModel(
                    "custom code",
                    files: [
                        "config.json": bytes(
                            "{\"model_type\":\"x\",\"auto_map\":{\"AutoModel\":\"m.M\"}}")
                    ]),
            ]))
    func conformance(case conformance: ConformanceCase) async throws {
        try await conformance.body()
    }

    @Test("configuration, tokenizer, roles, licence and model card are described")
    func good() async throws {
        let model = try await flavor.describe(MemoryModelSource(Self.files))
        let facts = try #require(model.flavors.first?.facts)
        #expect(model.flavors[0].version == "4.57.0")
        #expect(facts["architectures"] == "BertForSequenceClassification")
        #expect(facts["labels"] == "no,yes")
        #expect(facts["generation.top_p"] == "0.9")
        #expect(facts["tokenizer"] == "BertTokenizer")
        #expect(model.license == "apache-2.0")
        #expect(model.card["base_model"] == "google-bert/bert-base-uncased")
        #expect(model.card["datasets"] == "glue, stanfordnlp/imdb")
        #expect(model.card["language"] == "en, es")
        #expect(model.card["tags"] == "text-classification")
        let roles = Dictionary(uniqueKeysWithValues: model.files.map { ($0.path, $0.role) })
        #expect(roles["README.md"] == .card)
        #expect(roles["tokenizer.json"] == .tokenizer)
        #expect(roles["pytorch_model.bin"] == .weights)
        #expect(model.verdict == .safe)
        #expect(model.findings.map(\.severity) == [.info])
    }

    @Test("code of its own is a danger, and code elsewhere another")
    func customCode() async throws {
        let config = """
            {"model_type": "x", "auto_map": {"AutoModel": "modeling_x.X",
             "AutoTokenizer": ["someone/else--tokenization.T", null]}}
            """
        let model = try await flavor.describe(
            MemoryModelSource(["config.json": Self.bytes(config), "modeling_x.py": [1]]))
        #expect(model.verdict == .dangerous)
        #expect(model.findings.map(\.severity) == [.danger, .danger])
        #expect(model.findings[0].message.contains("modeling_x.X"))
        #expect(model.findings[1].message.contains("another repository"))
        #expect(model.files.contains { $0.path == "modeling_x.py" && $0.role == .code })
    }

    @Test("an adapter names its base, and one that imports another library is a danger")
    func adapter() async throws {
        func describe(_ more: String) async throws -> ModelDescription {
            let config = """
                {"base_model_name_or_path": "meta/base", "peft_type": "LORA", "r": 8,
                 "target_modules": ["v_proj", "q_proj"], "task_type": "CAUSAL_LM"\(more)}
                """
            return try await flavor.describe(
                MemoryModelSource(["adapter_config.json": Self.bytes(config)]))
        }
        let model = try await describe("")
        #expect(model.card["base_model"] == "meta/base")
        #expect(model.flavors[0].facts["adapter"] == "LORA")
        #expect(model.flavors[0].facts["adapter_modules"] == "q_proj,v_proj")
        #expect(model.verdict == .safe)
        let evil = try await describe(", \"auto_mapping\": {\"parent_library\": \"os\"}")
        #expect(evil.verdict == .dangerous)
    }

    @Test("chat templates are looked at wherever they stand")
    func templates() async throws {
        let evil = "{{ x.__class__ }}"
        for (path, text) in [
            ("tokenizer_config.json", "{\"chat_template\": \"\(evil)\"}"),
            ("tokenizer_config.json", "{\"chat_template\": [{\"template\": \"\(evil)\"}]}"),
            ("chat_template.json", "{\"chat_template\": {\"a\": \"\(evil)\"}}"),
            ("chat_template.jinja", evil), ("additional_chat_templates/tool.jinja", evil),
            (
                "adapter_config.json",
                #"{"peft_type": "LORA", "r": NaN, "auto_mapping": {"parent_library": "evil"}}"#
            ),
        ] {
            var files = ["config.json": Self.bytes("{\"model_type\":\"x\"}")]
            files[path] = Self.bytes(text)
            let model = try await flavor.describe(MemoryModelSource(files))
            #expect(model.verdict == .dangerous, "\(path)")
        }
    }

    @Test(
        "a file that is not read here, and may be by a loader, is not called safe",
        arguments: [
            (
                "adapter_config.json",
                #"{"peft_type": "LORA", "r": nan, "auto_mapping": {"parent_library": "evil"}}"#
            ),
            ("generation_config.json", "{"),
            (
                "tokenizer_config.json",
                #"{"auto_map": {}, "auto_map": {"AutoTokenizer": ["x.Y", null]}}"#
            ),
        ])
    func unread(path: String, text: String) async throws {
        let model = try await flavor.describe(
            MemoryModelSource([
                "config.json": Self.bytes("{\"model_type\":\"x\"}"), path: Self.bytes(text),
            ]))
        #expect(model.verdict == .unknown, "\(model.findings)")
    }

    @Test("shards that an index names and that are not there are warnings")
    func shards() async throws {
        let index = """
            {"metadata": {"total_size": 1234}, "weight_map": {"a": "pytorch_model-1.bin",
             "b": "pytorch_model-2.bin", "c": "../x.bin"}}
            """
        let model = try await flavor.describe(
            MemoryModelSource([
                "config.json": Self.bytes(Self.config), "pytorch_model-1.bin": [1],
                "pytorch_model.bin.index.json": Self.bytes(index),
            ]))
        #expect(model.memoryBytes == 1_234)
        #expect(model.findings.count { $0.severity == .warning } == 2)
    }

    @Test("a card without an end, or without fields, has none")
    func cards() async throws {
        for card in ["", "---", "---\nlicense: mit\n", "# Title\nlicense: mit", "---\n---\n"] {
            let model = try await flavor.describe(
                MemoryModelSource([
                    "config.json": Self.bytes(Self.config), "README.md": Self.bytes(card),
                ]))
            #expect(model.license == "", "\(card)")
        }
    }

    @Test("a config.json of something else is not recognised")
    func others() async throws {
        let source = MemoryModelSource(["config.json": Self.bytes("{\"port\": 80}")])
        #expect(try await flavor.recognizes(source) == false)
    }
}
