import CatBoostFlavor
import GGUFFlavor
import KerasFlavor
import LightGBMFlavor
import LinajePluginKit
import ONNXFlavor
import PyFuncFlavor
import PyTorchFlavor
import SafetensorsFlavor
import ScanFlavor
import SklearnFlavor
import TensorFlowFlavor
import TransformersFlavor
import XGBoostFlavor

extension FuzzTarget {
    /// The flavors, each on the files that it reads. What would stand behind the checksum of an archive
    /// is put into one here, as no mutation finds its checksum.
    static let flavors: [FuzzTarget] = [
        files("safetensors", SafetensorsFlavor(), "m.safetensors", "m.safetensors.index.json"),
        files("gguf", GGUFFlavor(), "m.gguf"),
        files("onnx", ONNXFlavor(), "m.onnx", "w.bin"),
        files("xgboost-json", XGBoostFlavor(), "m.json"),
        files("xgboost-ubj", XGBoostFlavor(), "m.ubj"),
        files("lightgbm", LightGBMFlavor(), "m.txt"),
        files("catboost", CatBoostFlavor(), "m.cbm"),
        files("catboost-json", CatBoostFlavor(), "m.json"),
        files("saved-model", TensorFlowFlavor(), "saved_model.pb"),
        FuzzTarget("variables-index") { bytes in
            // A model of one empty graph.
            let model: [UInt8] = [8, 1, 18, 0]
            let source = FuzzSource([
                ("saved_model.pb", model), ("variables/variables.index", bytes),
            ])
            describe(source, by: [TensorFlowFlavor()])
        },
        files(
            "transformers", TransformersFlavor(), "config.json", "tokenizer_config.json",
            "generation_config.json", "adapter_config.json", "README.md", "chat_template.jinja",
            "tokenizer.json"),
        files("mlmodel", PyFuncFlavor(), "MLmodel", "requirements.txt"),
        files("sklearn", SklearnFlavor(), "m.pkl"),
        FuzzTarget("skops") { bytes in
            let archive = ZIPBytes.of(("schema.json", bytes))
            describe(
                FuzzSource([("m.skops", archive)]), by: [SklearnFlavor(), ScanFlavor()])
        },
        FuzzTarget("keras") { bytes in
            let metadata = Array("{\"keras_version\":\"3.8.0\",\"date_saved\":\"\"}".utf8)
            let archive = ZIPBytes.of(
                ("metadata.json", metadata), ("config.json", bytes),
                ("model.weights.h5", Array("\u{89}HDF".utf8)))
            describe(FuzzSource([("m.keras", archive)]), by: [KerasFlavor()])
        },
        FuzzTarget("torch") { bytes in
            let archive = ZIPBytes.of(
                ("m/data.pkl", bytes), ("m/version", Array("3\n".utf8)),
                ("m/data/0", [UInt8](repeating: 0, count: 24)))
            describe(FuzzSource([("m.pt", archive)]), by: [PyTorchFlavor(), ScanFlavor()])
        },
        files("torch-legacy", PyTorchFlavor(), "m.pt"),
    ]

    private static func files(
        _ name: String, _ flavor: any ModelFlavor, _ paths: String...
    ) -> FuzzTarget {
        FuzzTarget(name) { describe(FuzzSource(cutting: $0, into: paths), by: [flavor]) }
    }
}
