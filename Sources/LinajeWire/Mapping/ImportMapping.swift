package import LinajeDomain
import SwiftProtobuf

extension Linaje_V1_BundleObject {
    package init(_ object: ImportObject) {
        self.init()
        experiment = object.experiment
        switch object.content {
        case .run(let content, let tree, let points):
            run = Linaje_V1_Run(content)
            if let tree { self.tree = tree.data }
            if let points { self.points = points.data }
        case .registeredModel(let model): registeredModel = Linaje_V1_RegisteredModel(model)
        case .version(let content): version = Linaje_V1_ModelVersion(content)
        case .loggedModel(let model): loggedModel = Linaje_V1_LoggedModel(model)
        }
    }
}

extension ImportObject {
    /// - Throws: `invalidArgument` or `limitExceeded` naming the field that is not right.
    package init(_ message: Linaje_V1_BundleObject) throws {
        let content: Content
        if message.hasRun {
            content = .run(
                try Run(message.run),
                tree: try SHA256Digest.orNil(message.tree, noun: "tree of the run"),
                points: try SHA256Digest.orNil(message.points, noun: "digest of the points"))
        } else if message.hasRegisteredModel {
            content = .registeredModel(try RegisteredModel(message.registeredModel))
        } else if message.hasVersion {
            content = .version(try ModelVersion(message.version))
        } else if message.hasLoggedModel {
            content = .loggedModel(try LoggedModel(message.loggedModel))
        } else {
            throw WireFields.missing(
                "run, registered_model, version or logged_model", of: "object of a bundle")
        }
        self.init(content, experiment: message.experiment)
    }
}

extension Linaje_V1_ImportedObject {
    package init(_ object: ImportedObject) {
        self.init()
        name = object.name
        takesPoints = object.takesPoints
        outcome =
            switch object.outcome {
            case .created: .created
            case .known: .known
            case .different: .different
            case .renumbered: .renumbered
            }
    }
}

extension ImportedObject {
    /// - Throws: `invalidArgument` for an outcome that is not known.
    package init(_ message: Linaje_V1_ImportedObject) throws {
        let outcome: Outcome =
            switch message.outcome {
            case .created: .created
            case .known: .known
            case .different: .different
            case .renumbered: .renumbered
            case .unspecified, .UNRECOGNIZED:
                throw WireFields.unknown(
                    "outcome", message.outcome.rawValue,
                    allowed: "CREATED, KNOWN, DIFFERENT or RENUMBERED")
            }
        self.init(name: message.name, outcome: outcome, takesPoints: message.takesPoints)
    }
}

extension ImportObject {
    /// As a `BundleObject`, in its binary form.
    package func encoded() throws -> [UInt8] { try Linaje_V1_BundleObject(self).serializedBytes() }

    /// - Throws: `badMessage` for bytes that are no message, `invalidArgument` or `limitExceeded`
    ///   naming the field that is not right.
    package init(encoded bytes: [UInt8]) throws {
        try self.init(Linaje_V1_BundleObject(payload: bytes))
    }
}

/// A part of a series of a run, as bundles hold it.
package struct BundledPoints: Sendable {
    package var run: RunID
    package var series: MetricSeries
    package var columns: MetricColumns

    package init(run: RunID, series: MetricSeries, columns: MetricColumns) {
        self.run = run
        self.series = series
        self.columns = columns
    }

    /// As `BundlePoints`, in its binary form.
    package func encoded() throws -> [UInt8] {
        var message = Linaje_V1_BundlePoints()
        message.runID = run.data
        message.points = Linaje_V1_MetricPoints(columns, of: series)
        return try message.serializedBytes()
    }

    /// - Throws: as `ImportObject.init(encoded:)`.
    package init(encoded bytes: [UInt8]) throws {
        let message = try Linaje_V1_BundlePoints(payload: bytes)
        self.init(
            run: try RunID(message.runID), series: try MetricSeries(message.points.series),
            columns: try MetricColumns(message.points))
    }
}
