import LinajeWire
import SwiftProtobuf
import Testing

@Suite("Method table")
struct MethodTableTests {
    /// A method as a row of PROTOCOL.md names it.
    private func row<Request, Response>(_ method: Method<Request, Response>) -> String {
        let kind =
            switch method.kind {
            case .unary: "U"
            case .clientStreaming: "C"
            case .serverStreaming: "S"
            case .both: "B"
            }
        let digits = String(method.opcode, radix: 16, uppercase: true)
        let opcode = "0x" + String(repeating: "0", count: 4 - digits.count) + digits
        let name = { (text: String) in text.replacing("linaje.v1.", with: "") }
        return "\(opcode) \(method.name) \(kind)\(method.isMutation ? " M" : "") "
            + "\(name(Request.protoMessageName)) → \(name(Response.protoMessageName))"
    }

    private var implemented: [String] {
        [
            row(Methods.getStatus), row(Methods.getDaemonMetrics), row(Methods.maintain),
            row(Methods.pauseCompaction), row(Methods.listPlugins), row(Methods.setPlugin),
            row(Methods.createExperiment), row(Methods.getExperiment),
            row(Methods.searchExperiments), row(Methods.updateExperiment), row(Methods.createRun),
            row(Methods.getRun), row(Methods.searchRuns), row(Methods.updateRun),
            row(Methods.logRun), row(Methods.attachRun), row(Methods.heartbeat),
            row(Methods.searchDatasets), row(Methods.purgeRuns), row(Methods.appendRunLog),
            row(Methods.readRunLog), row(Methods.searchRunLog),
            row(Methods.streamMetrics), row(Methods.getMetricHistory), row(Methods.tailMetrics),
            row(Methods.getMetricSummaries), row(Methods.getMetricBuckets),
            row(Methods.beginIngest), row(Methods.putFile),
            row(Methods.commitIngest), row(Methods.abortIngest), row(Methods.listArtifacts),
            row(Methods.readArtifact), row(Methods.putFiles), row(Methods.readTree),
            row(Methods.readFiles), row(Methods.collectGarbage),
            row(Methods.holdContent),
            row(Methods.listHolds), row(Methods.checkStore), row(Methods.addRemote),
            row(Methods.removeRemote), row(Methods.listRemotes), row(Methods.exchangeWithRemote),
            row(Methods.openBackup), row(Methods.readBackupFile), row(Methods.importObjects),
            row(Methods.setRetention), row(Methods.removeRetention), row(Methods.listRetention),
            row(Methods.planRetention), row(Methods.applyRetention),
            row(Methods.createRegisteredModel),
            row(Methods.getRegisteredModel), row(Methods.searchRegisteredModels),
            row(Methods.updateRegisteredModel), row(Methods.deleteRegisteredModel),
            row(Methods.createModelVersion), row(Methods.getModelVersion),
            row(Methods.searchModelVersions), row(Methods.updateModelVersion),
            row(Methods.deleteModelVersion), row(Methods.transitionStage), row(Methods.setAlias),
            row(Methods.deleteAlias), row(Methods.resolveModel),
            row(Methods.setScanPolicy), row(Methods.acceptRisk), row(Methods.createLoggedModel),
            row(Methods.getLoggedModel), row(Methods.searchLoggedModels),
            row(Methods.updateLoggedModel), row(Methods.deleteLoggedModel),
            row(Methods.getLineage), row(Methods.listEvents), row(Methods.verifyLedger),
            row(Methods.describePlugin), row(Methods.describeModel), row(Methods.openScorer),
            row(Methods.score), row(Methods.closeScorer), row(Methods.openBackend),
            row(Methods.putObject), row(Methods.appendObject), row(Methods.commitObject),
            row(Methods.abortObject), row(Methods.getObject), row(Methods.statObject),
            row(Methods.listObjects), row(Methods.removeObject), row(Methods.listSource),
            row(Methods.readSource),
        ]
    }

    @Test("the methods are the rows of PROTOCOL.md: number, name, kind, messages")
    func matchesSpecification() throws {
        let rows = Specification.rows(try Specification.text("PROTOCOL.md"))
            .filter { $0[0].hasPrefix("0x") }
        let written = rows.map { row in
            let messages = row[3].split(separator: "(")[0].trimmingPrefix(while: \.isWhitespace)
            let trimmed = messages.split(separator: " ").joined(separator: " ")
            return "\(row[0]) \(row[1]) \(row[2]) \(trimmed)"
        }
        #expect(written == implemented)
    }

    @Test("no number and no name stands twice")
    func isUnique() {
        let numbers = implemented.map { $0.prefix(6) }
        let names = implemented.map { $0.split(separator: " ")[1] }
        #expect(Set(numbers).count == implemented.count)
        #expect(Set(names).count == implemented.count)
    }
}
