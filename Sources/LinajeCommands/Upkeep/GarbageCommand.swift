import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje gc`
struct GarbageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc", abstract: "Free artifacts that nothing needs any more.",
        discussion: """
            Needed is what a run has (one that is marked as deleted too: it can be restored), what \
            a model version or a logged model is, what a data set names, what is held \
            ("linaje artifact hold --help"), and for a day what was put and belongs to nothing. What \
            is not needed is condemned: it can still be read, and is kept again as soon as \
            somebody puts it or refers to it. A later collection removes what has been condemned \
            for the grace time (artifacts.gc_grace, 7 days), and packs what is left of packs of \
            which half is gone. --undo takes back all that is condemned and not removed yet.

            Writers and readers go on meanwhile. The daemon collects by itself once a day \
            (artifacts.gc_interval). Needs role admin.

            EXAMPLES
              linaje gc --dry-run --explain
              linaje gc
              linaje gc --grace 1d --json
              linaje gc --undo
            """)

    @OptionGroup var options: GlobalOptions
    @Flag(help: "Only say what would be condemned, and what would be removed.")
    var dryRun = false
    @Flag(help: "Say of each tree why it is kept or freed, and how many bytes go with it.")
    var explain = false
    @Flag(help: "Take back what is condemned and not removed yet.")
    var undo = false
    @Option(help: "Remove what has been condemned for so long: 0s, 12h, 7d.")
    var grace: String?
    @Flag(help: "Collect also when content that is needed is lost.")
    var despiteLosses = false

    func validate() throws {
        guard !undo || !(dryRun || explain || grace != nil || despiteLosses) else {
            throw ValidationError("--undo collects nothing; say it alone")
        }
    }

    func run() async throws {
        let grace = try grace.map { try Arguments.age($0) }
        let client = try await options.connect()
        let reading =
            undo
            ? try await client.undoCollections()
            : try await client.collectGarbage(
                dryRun: dryRun, explaining: explain, grace: grace, despiteLosses: despiteLosses)
        let bar = StepBar(isQuiet: options.json)
        for try await news in reading {
            switch news {
            case .tree(let verdict):
                bar.clear()
                Output.line(options.json ? verdict.json(dryRun).text : verdict.text(dryRun))
            case .progress(let sum) where sum.isFinished:
                bar.clear()
                Output.lineNow(options.json ? sum.json(dryRun).text : text(sum))
                for finding in sum.findings where !options.json {
                    Output.flush()
                    Output.note(printable(finding))
                }
            case .progress(let sum):
                bar.waits(for: sum.waitingFor)
                if options.json {
                    Output.lineNow(sum.json(dryRun).text)
                } else if sum.waitingFor.isEmpty {
                    bar.draw(
                        "\(Rendering.grouped(sum.blobs)) of \(Rendering.grouped(sum.totalBlobs)) "
                            + "blobs, \(ByteCount(sum.condemnedBytes)) not needed")
                }
            }
        }
    }

    private func text(_ sum: CollectionSum) -> String {
        guard !undo else { return "\(Rendering.grouped(sum.rescued)) blobs are kept again" }
        let would = dryRun ? "would be " : ""
        var out =
            "\(ByteCount(sum.condemnedBytes)) \(would)condemned "
            + "(\(Rendering.grouped(sum.condemned)) blobs), "
            + "\(ByteCount(sum.freedBytes)) \(would)freed"
        if sum.removedPacks > 0 {
            out += " in \(Rendering.grouped(sum.removedPacks)) packs, "
            out += "\(Rendering.grouped(sum.rewrittenPacks)) of them packed anew"
        }
        if sum.rescued > 0 { out += "; \(Rendering.grouped(sum.rescued)) blobs are needed again" }
        return out + "; \(ByteCount(sum.waitingBytes)) wait for the grace time"
    }
}

extension TreeVerdict {
    fileprivate func text(_ isDryRun: Bool) -> String {
        let what = "tree:sha256:\(digest) \(files) files, \(ByteCount(size))"
        let why = reasons.map { printable($0) }.joined(separator: "; ")
        guard !isKept else { return "kept   \(what): \(why)" }
        let since = condemnedAt.map { ", condemned since \($0.text)" } ?? ""
        let verb = isDryRun ? "to go" : "goes "
        return "\(verb)  \(what), \(ByteCount(freed)) in packs: \(why)\(since)"
    }

    fileprivate func json(_ isDryRun: Bool) -> JSONValue {
        .object([
            ("tree", .string("\(digest)")), ("kept", .bool(isKept)), ("files", .uint(files)),
            ("size", .uint(size)), ("freed_bytes", .uint(freed)),
            ("reasons", .array(reasons.map { .string($0) })),
            ("condemned_at", .optional(condemnedAt.map { Rendering.time($0) })),
            ("dry_run", .bool(isDryRun)),
        ])
    }
}

extension CollectionSum {
    fileprivate func json(_ isDryRun: Bool) -> JSONValue {
        .object([
            ("finished", .bool(isFinished)),
            ("waiting_for", .optional(waitingFor.isEmpty ? nil : waitingFor)),
            ("dry_run", .bool(isDryRun)), ("roots", .uint(roots)),
            ("blobs", .uint(blobs)), ("total_blobs", .uint(totalBlobs)),
            ("condemned", .uint(condemned)), ("condemned_bytes", .uint(condemnedBytes)),
            ("rescued", .uint(rescued)), ("waiting_bytes", .uint(waitingBytes)),
            ("removed_packs", .uint(removedPacks)), ("rewritten_packs", .uint(rewrittenPacks)),
            ("freed_bytes", .uint(freedBytes)),
            ("findings", .array(findings.map { .string($0) })),
        ])
    }
}
