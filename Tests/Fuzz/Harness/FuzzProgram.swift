import Glibc

/// The program that libFuzzer drives (llvm.org/docs/LibFuzzer.html): it has the parser that
/// `LINAJE_FUZZ` names, and ends the process where an answer cannot be right.
@main
enum FuzzProgram {
    /// libFuzzer brings a main of its own, which the linker leaves aside for this one.
    static func main() {
        var count = CommandLine.argc
        var arguments: Arguments? = CommandLine.unsafeArgv
        exit(runDriver(&count, &arguments, testOneInput))
    }

    /// The parser that this process feeds.
    static let target: FuzzTarget = {
        let name = getenv("LINAJE_FUZZ").map { String(cString: $0) } ?? ""
        guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
            if name != "list" { print("LINAJE_FUZZ names no target; there are:") }
            for target in FuzzTarget.all { print(target.name) }
            exit(name == "list" ? 0 : 2)
        }
        return target
    }()

    /// Ends the process like a trap, so that libFuzzer keeps the input.
    static func fail(_ message: String) -> Never {
        print("\(target.name): \(message)")
        fflush(nil)
        abort()
    }
}

typealias Arguments = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>

/// libFuzzer as a library.
@_silgen_name("LLVMFuzzerRunDriver")
func runDriver(
    _ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutablePointer<Arguments?>,
    _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// Called once by libFuzzer. A stack that is used up would otherwise leave no stack to keep the input on.
@_cdecl("LLVMFuzzerInitialize")
public func initialize(
    _ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutableRawPointer
) -> CInt {
    _ = FuzzProgram.target
    let size = 256 << 10
    var stack = stack_t()
    stack.ss_sp = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
    stack.ss_size = size
    sigaltstack(&stack, nil)
    return 0
}

/// Called by libFuzzer for each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzProgram.target.run(Array(UnsafeBufferPointer(start: bytes, count: count)))
    return 0
}
