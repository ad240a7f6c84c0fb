import ArgumentParser
import LinajeClient
import LinajeDomain

/// `linaje fsck`
struct FsckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fsck", abstract: "Check the stored artifacts, and repair what can be.",
        discussion: """
            Looks at every pack and at what the index says of it, and whether every tree that a \
            run, a model version, a logged model or a hold needs is whole; --read-data also reads \
            every byte. The daemon goes on serving; it reads everything by itself once a month \
            (artifacts.scrub_interval), which "linaje status" shows.

            --repair moves a damaged pack to quarantine/ in the state directory, saves what is \
            right of it in a new one, and takes what is not from another pack that has it. \
            What is nowhere else is forgotten, so that putting the same files again brings it \
            back. --rebuild-index makes the index anew from the packs first. Ends with 1 when \
            something is wrong and not put right. Needs role admin.

            EXAMPLES
              linaje fsck
              linaje fsck --read-data
              linaje fsck --read-data --repair
              linaje fsck --rebuild-index --json
            """)

    @OptionGroup var options: GlobalOptions
    @Flag(help: "Read every byte.")
    var readData = false
    @Flag(help: "Put right what can be.")
    var repair = false
    @Flag(help: "Make the index anew from the packs first.")
    var rebuildIndex = false
    @Option(
        help: ArgumentHelp(
            "Read at most so many MiB a second.", valueName: "MiB"))
    var rate: Int?

    func validate() throws {
        guard rate.map({ (1...1 << 20).contains($0) }) ?? true else {
            throw ValidationError("--rate is out of bounds; use 1 to 1048576")
        }
    }

    func run() async throws {
        let client = try await options.connect()
        let wish = CheckOptions(
            readsData: readData, repairs: repair, rebuildsIndex: rebuildIndex,
            bytesPerSecond: rate.map { $0 << 20 })
        let bar = StepBar(isQuiet: options.json)
        let began = ContinuousClock.now
        var left = 0
        for try await news in try await client.checkStore(wish) {
            switch news {
            case .finding(let finding):
                bar.clear()
                left += finding.isRepaired ? 0 : 1
                Output.lineNow(options.json ? finding.json.text : finding.text)
            case .progress(let sum) where sum.isFinished:
                bar.clear()
                Output.lineNow(options.json ? sum.json.text : text(sum, since: began))
            case .progress(let sum):
                bar.waits(for: sum.waitingFor)
                if options.json {
                    Output.lineNow(sum.json.text)
                } else if sum.waitingFor.isEmpty {
                    bar.draw(text(sum, since: began))
                }
            }
        }
        guard left > 0 else { return }
        throw LinajeError(
            .corrupt,
            "\(left) findings are not put right"
                + (repair ? "" : "; linaje fsck --read-data --repair does what can be done"))
    }

    private func text(_ sum: CheckSum, since began: ContinuousClock.Instant) -> String {
        var out =
            "\(Rendering.grouped(sum.packs)) of \(Rendering.grouped(sum.totalPacks)) packs, "
            + "\(Rendering.grouped(sum.roots)) trees"
        if readData {
            let seconds = began.duration(to: .now) / .seconds(1)
            out += ", \(ByteCount(sum.bytes)) of \(ByteCount(sum.totalBytes)) read"
            if seconds > 0.1 {
                out += " at \(ByteCount(UInt64(Double(sum.bytes) / seconds)))/s"
            }
        }
        let found = Rendering.grouped(sum.findings)
        return out + (sum.findings == 0 ? ", nothing is wrong" : ", \(found) findings")
    }
}

extension CheckFinding {
    fileprivate var text: String {
        var out = "\(printable(object)): \(printable(finding))"
        if !repair.isEmpty { out += "; \(printable(repair))" }
        if !affected.isEmpty {
            out += "; needed by " + affected.map { printable($0) }.joined(separator: ", ")
        }
        return out
    }

    fileprivate var json: JSONValue {
        .object([
            ("object", .string(object)), ("finding", .string(finding)),
            ("repair", .optional(repair.isEmpty ? nil : repair)),
            ("repaired", .bool(isRepaired)), ("tree", .optional(tree.map { "\($0)" })),
            ("affected", .array(affected.map { .string($0) })),
        ])
    }
}

extension CheckSum {
    fileprivate var json: JSONValue {
        .object([
            ("finished", .bool(isFinished)),
            ("waiting_for", .optional(waitingFor.isEmpty ? nil : waitingFor)),
            ("packs", .uint(packs)),
            ("total_packs", .uint(totalPacks)), ("bytes", .uint(bytes)),
            ("total_bytes", .uint(totalBytes)), ("blobs", .uint(blobs)), ("roots", .uint(roots)),
            ("findings", .uint(findings)), ("repaired", .uint(repaired)),
        ])
    }
}
