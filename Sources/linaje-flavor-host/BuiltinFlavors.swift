import LinajePluginKit
import PyFuncFlavor
import SafetensorsFlavor

/// The flavors in the box: the one place where they are registered, in the order in which they are
/// asked. What the first says of signature, requirements and tensors goes before the others.
enum BuiltinFlavors {
    /// - Throws: `alreadyExists` when two have the same name.
    static func catalog() throws -> PluginCatalog {
        var catalog = PluginCatalog()
        try catalog.register(PyFuncFlavor())
        try catalog.register(SafetensorsFlavor())
        return catalog
    }
}
