import Testing

/// Where the test program begins. SwiftPM would write such a file itself, but looks for XCTest's
/// tests then, which takes the index for editors: a fifth of a clean build. There are none.
@main struct TestProgram {
    static func main() async { await Testing.__swiftPMEntryPoint() as Never }
}
