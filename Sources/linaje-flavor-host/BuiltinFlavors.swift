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

/// The flavors in the box: the one place where they are registered, in the order in which they are
/// asked. What the first says of signature, requirements and tensors goes before the others.
enum BuiltinFlavors {
    /// - Throws: `alreadyExists` when two have the same name.
    static func catalog() throws -> PluginCatalog {
        var catalog = PluginCatalog()
        try catalog.register(PyFuncFlavor())
        try catalog.register(ONNXFlavor())
        try catalog.register(XGBoostFlavor())
        try catalog.register(LightGBMFlavor())
        try catalog.register(CatBoostFlavor())
        try catalog.register(KerasFlavor())
        try catalog.register(TensorFlowFlavor())
        try catalog.register(GGUFFlavor())
        try catalog.register(SafetensorsFlavor())
        try catalog.register(TransformersFlavor())
        try catalog.register(SklearnFlavor())
        try catalog.register(PyTorchFlavor())
        try catalog.register(ScanFlavor())
        return catalog
    }
}
