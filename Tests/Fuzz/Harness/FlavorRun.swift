import LinajeDomain
import LinajePluginKit

/// Gives a model to flavors and checks what can be checked of any answer.
///
/// One input in 16 is given twice, and must be answered alike; one in 16 claims to be longer than it is.
func describe(_ source: FuzzSource, by flavors: [any ModelFlavor]) {
    let choice = source.contents.reduce(UInt64(0)) { $0 &+ mark(of: $1.bytes) }
    for flavor in flavors {
        let first = answer(of: flavor, source)
        switch choice >> 32 & 15 {
        case 0:
            guard answer(of: flavor, source) == first else {
                FuzzProgram.fail("\(flavor.descriptor.name) answers the same bytes differently")
            }
        case 1:
            var longer = source
            longer.lie = choice >> 40
            _ = answer(of: flavor, longer)
        default: break
        }
    }
}

/// What a flavor says of a model, as a text that can be compared.
private func answer(of flavor: any ModelFlavor, _ source: FuzzSource) -> ModelDescription? {
    do {
        return try runHere { () -> ModelDescription? in
            let found = try await flavor.describeIfRecognized(source)
            if let found {
                check(found.bounded())
                if let scorer = try? await flavor.scorer(for: source) { tryOut(scorer) }
            }
            return found
        }
    } catch is LinajeError {
        return nil
    } catch {
        FuzzProgram.fail("\(flavor.descriptor.name) throws \(type(of: error)), no LinajeError")
    }
}

/// What `bounded()` promises.
private func check(_ model: ModelDescription) {
    typealias Bounds = ModelDescription.Bounds
    let facts = model.flavors.reduce(0) { most, flavor in
        flavor.facts.reduce(most) { $0 + $1.key.utf8.count + $1.value.utf8.count }
    }
    guard model.tensors.count <= Bounds.tensors, model.flavors.count <= Bounds.flavors,
        model.requirements.count <= Bounds.requirements, model.files.count <= Bounds.files,
        // One more says what was left out.
        model.findings.count <= Bounds.findings + 1, model.card.count <= Bounds.cardFields,
        model.signature.utf8.count <= Bounds.partBytes, facts <= Bounds.partBytes,
        model.findings.allSatisfy({ $0.message.utf8.count <= Bounds.textBytes })
    else { FuzzProgram.fail("a bounded description is past its bounds") }
}

/// A scorer takes any numbers.
private func tryOut(_ scorer: any ModelScorer) {
    let width = scorer.layout.features.count
    guard width > 0, width <= 4_096 else { return }
    for value in [0, 1.5, -.infinity, .nan] as [Double] {
        let scores = try? scorer.score([Double](repeating: value, count: width))
        guard scores == nil || scores?.count == scorer.layout.width else {
            FuzzProgram.fail("a scorer gives another count of numbers than its layout says")
        }
    }
}
