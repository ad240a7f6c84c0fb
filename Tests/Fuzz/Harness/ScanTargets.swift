import LinajeDomain
import LinajeModelFiles
import LinajePluginKit

extension FuzzTarget {
    /// Looking for code, in files of each name that steers it.
    static let scans: [FuzzTarget] = [
        scan("pickle", as: "m.pkl"),
        scan("joblib", as: "m.joblib"),
        scan("npy", as: "m.npy"),
        scan("tar", as: "m.tar"),
        scan("scan-zip", as: "m.npz"),
    ]

    private static func scan(_ name: String, as path: String) -> FuzzTarget {
        FuzzTarget(name) { bytes in
            let source = FuzzSource([(path, bytes)])
            guard let found = scanned(source, path) else { return }
            judge(found, of: bytes, by: path)
            guard mark(of: bytes) >> 32 & 15 == 0 else { return }
            let again = scanned(source, path)
            guard let again, again?.verdict == found?.verdict,
                again?.problems == found?.problems, again?.globals == found?.globals
            else { FuzzProgram.fail("the same bytes are judged differently") }
        }
    }

    /// - Returns: `nil` when the bytes could not be read, which is never called safe.
    private static func scanned(_ source: FuzzSource, _ path: String) -> FileScan?? {
        do {
            return try runHere { () -> FileScan? in
                let files = try await source.files()
                return try await CodeScan().scan(ModelFile(files[0], in: source))
            }
        } catch is LinajeError {
            return .none
        } catch {
            FuzzProgram.fail("throws \(type(of: error)), no LinajeError")
        }
    }

    /// What is called safe, or holding no code, must be so.
    private static func judge(_ found: FileScan?, of bytes: [UInt8], by path: String) {
        guard found?.verdict ?? .safe == .safe else { return }
        let rules = GlobalRules.standard
        for global in found?.globals ?? [] {
            guard rules.allows(module: global.module, name: global.name) else {
                FuzzProgram.fail("is called safe and takes \(global.path.debugDescription)")
            }
        }
        guard found?.problems.allSatisfy({ $0.verdict == .safe }) ?? true else {
            FuzzProgram.fail("is called safe and has a problem")
        }
        // Whatever else a file is: who loads it as a pickle must not be harmed. An archive cannot be
        // loaded as one, as its first operation asks for a persistent id.
        guard !bytes.isEmpty, !ZIPArchive.isLikely(bytes.prefix(4)) else { return }
        let report = try? runHere {
            var reader = PickleReader(PickleInput(bytes, name: path))
            return try await reader.next()
        }
        guard let report, report.actions > 0,
            let taken = report.globals.first(where: {
                !rules.allows(module: $0.module, name: $0.name)
            })
        else { return }
        FuzzProgram.fail(
            "is called \(found?.verdict?.rawValue ?? "no code") as \(found?.format ?? "nothing") and "
                + "takes \(taken.path.debugDescription) as a pickle")
    }
}
