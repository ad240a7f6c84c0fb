import LinajeDomain
import LinajeModelFiles

extension ModelFolder {
    /// Settings of `config.json` that say what the model is (transformers, `PreTrainedConfig`).
    private static let configKeys = [
        "model_type", "dtype", "torch_dtype", "hidden_size", "intermediate_size",
        "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "vocab_size",
        "max_position_embeddings", "num_labels", "problem_type", "is_encoder_decoder",
        "num_local_experts", "d_model", "n_layer", "n_head", "n_positions", "_name_or_path",
        "finetuning_task",
    ]

    /// `config.json`; of several the outermost counts.
    mutating func read(config json: JSONValue, _ path: String) {
        if version.isEmpty { version = json["transformers_version"]?.text ?? "" }
        guard facts["model_type"] == nil else { return }
        for key in Self.configKeys { facts[key] = json[key]?.fact }
        facts["architectures"] = json["architectures"]?.texts.joined(separator: ",")
        if let labels = json["id2label"]?.members {
            facts["labels"] = labels.prefix(100).compactMap { $0.value.text }.joined(separator: ",")
        }
        let quantization = json["quantization_config"]
        facts["quantization"] = quantization?["quant_method"]?.fact
        facts["quantization_bits"] = quantization?["bits"]?.fact
    }

    /// `generation_config.json`.
    mutating func read(generation json: JSONValue) {
        if version.isEmpty { version = json["transformers_version"]?.text ?? "" }
        for key in [
            "temperature", "top_p", "top_k", "max_new_tokens", "max_length", "do_sample",
            "repetition_penalty", "eos_token_id",
        ] {
            facts["generation.\(key)"] = json[key]?.fact
        }
    }

    /// `tokenizer_config.json` and `chat_template.json`.
    mutating func read(tokenizer json: JSONValue, _ path: String) {
        if let name = json["tokenizer_class"]?.fact { facts["tokenizer"] = name }
        if let length = json["model_max_length"]?.fact { facts["tokenizer_max_length"] = length }
        if let template = json["chat_template"]?.text { check(template: template, path) }
        // Several templates have names.
        for named in json["chat_template"]?.elements ?? [] {
            if let template = named["template"]?.text { check(template: template, path) }
        }
        for named in json["chat_template"]?.members ?? [] {
            if let template = named.value.text { check(template: template, path) }
        }
    }

    /// `adapter_config.json` of PEFT (huggingface/peft, `config.py`).
    mutating func read(adapter json: JSONValue, _ path: String) {
        for (name, key) in [
            ("adapter", "peft_type"), ("adapter_rank", "r"), ("adapter_alpha", "lora_alpha"),
            ("adapter_task", "task_type"), ("adapter_revision", "revision"),
            ("peft_version", "peft_version"),
        ] {
            facts[name] = json[key]?.fact
        }
        facts["adapter_modules"] = json["target_modules"]?.texts.sorted().joined(separator: ",")
        if let base = json["base_model_name_or_path"]?.text, !base.isEmpty {
            facts["base_model"] = base
            card["base_model"] = base
        }
        // PEFT imports this module by its name to find the class of the base.
        if let library = json["auto_mapping"]?["parent_library"]?.text,
            library != "transformers", !library.hasPrefix("transformers.")
        {
            note(
                .danger, path,
                "it lets PEFT import \"\(library.prefix(200))\", which is not transformers")
        }
    }

    /// The index of weights in several files.
    mutating func read(index json: JSONValue, _ path: String) {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        guard let map = json["weight_map"]?.members else {
            return note(.warning, path, "it has no weight_map")
        }
        let shards = Set(map.compactMap { $0.value.text })
        facts["shards"] = String(shards.count)
        facts["indexed_tensors"] = String(map.count)
        if let size = json["metadata"]?["total_size"]?.integer, size > 0 {
            memoryBytes = UInt64(size)
        }
        for shard in shards.sorted().prefix(100) where !paths.contains(folder + shard) {
            note(.warning, path, "it names \"\(shard.prefix(200))\", which is not in the model")
        }
    }

    /// The fields of a model card.
    mutating func read(card found: ModelCard) {
        for (key, values) in found.fields {
            let text = values.joined(separator: ", ")
            // What an adapter says of its base is exact.
            if card[key] == nil, !text.isEmpty { card[key] = text }
        }
        if license.isEmpty { license = found.fields["license"]?.first ?? "" }
    }
}
