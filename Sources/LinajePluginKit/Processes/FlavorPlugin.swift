import Glibc

/// A flavor that is a program of its own: mark a type with `@main`, and that is all of it.
///
/// ```swift
/// import LinajePluginKit
///
/// @main
/// struct DemoFlavor: FlavorPlugin {
///     let descriptor = PluginDescriptor(name: "demo", kind: .modelFlavor, version: "0.1.0")
///     func recognizes(_ source: any ModelSource) async throws -> Bool { … }
///     func describe(_ source: any ModelSource) async throws -> ModelDescription { … }
/// }
/// ```
public protocol FlavorPlugin: ModelFlavor {
    init()
}

extension FlavorPlugin {
    /// Serves the flavor on standard input and output until the daemon hangs up.
    // As whoever has the type sees it: a main that follows its caller's actor is none.
    @concurrent public static func main() async {
        let flavor = Self()
        exit(
            await FlavorHost.serve(
                [flavor], name: flavor.descriptor.name, version: flavor.descriptor.version))
    }
}
