import LinajeDomain
import LinajeModelFiles

/// Where a tensor of an ONNX file says that its data are, judged by its text and the list of the
/// model's files alone (onnx/onnx, `docs/ExternalData.md`).
struct ONNXExternalData {
    /// What is wrong with the place.
    struct Problem {
        /// The kind of problem, so that each is told once for a place.
        var kind: Int
        var says: String
    }

    /// First bytes of paths that begin elsewhere.
    private static let roots = [UInt8(ascii: "/"), UInt8(ascii: "\\"), UInt8(ascii: "~")]

    /// The path of the file inside the model; `nil` when there is none.
    private(set) var path: String?
    private(set) var problem: Problem?

    /// - Parameters:
    ///   - model: The path of the ONNX file.
    ///   - sizes: The sizes of the model's files by path.
    init(_ tensor: ONNXModel.Tensor, of model: String, sizes: [String: UInt64]) {
        guard tensor.isExternal else {
            problem = Problem(kind: 1, says: "though it does not say that they are elsewhere")
            return
        }
        guard !tensor.isAmbiguous else {
            problem = Problem(
                kind: 10, says: "among others, and programs differ in which they read")
            return
        }
        guard let location = tensor.external["location"], !location.isEmpty else {
            problem = Problem(kind: 2, says: "which is no file")
            return
        }
        // Absolute by the rules of any system, and everything that is not plainly a path downwards.
        let isAbsolute =
            Self.roots.contains(location.utf8.first ?? 0)
            || location.utf8.dropFirst().first == UInt8(ascii: ":")
            || ByteSearch.contains("://", in: Array(location.utf8))
        guard !isAbsolute else {
            problem = Problem(kind: 3, says: "an absolute path: loading it reads outside the model")
            return
        }
        let slash = model.lastIndex(of: "/")
        let folder = slash.map { String(model[...$0]) } ?? ""
        guard !location.utf8.contains(UInt8(ascii: "\\")),
            let place = try? TreePath(folder + location)
        else {
            problem = Problem(
                kind: 4, says: "no path inside the model: loading it reads outside")
            return
        }
        guard let size = sizes[place.text] else {
            problem = Problem(kind: 5, says: "which is not in the model")
            return
        }
        guard place.text != model else {
            problem = Problem(kind: 6, says: "the model file itself")
            return
        }
        path = place.text
        checkRange(tensor, size: size)
    }

    private mutating func checkRange(_ tensor: ONNXModel.Tensor, size: UInt64) {
        let offset = tensor.external["offset"].map { UInt64($0) } ?? 0
        let length = tensor.external["length"].map { UInt64($0) }
        guard let offset, length != .some(.none) else {
            problem = Problem(kind: 7, says: "with an offset or length that is no number")
            return
        }
        let needed = ONNXType(number: tensor.type).flatMap { type -> UInt64? in
            let (bits, overflow) = (tensor.elements ?? .max)
                .multipliedReportingOverflow(by: type.bits)
            return overflow || type.bits == 0 ? nil : (bits / 8) + (bits % 8 == 0 ? 0 : 1)
        }
        let count = (length ?? nil) ?? needed ?? 0
        let (end, overflow) = offset.addingReportingOverflow(count)
        guard !overflow, end <= size else {
            problem = Problem(
                kind: 8, says: "up to byte \(overflow ? "2^64" : String(end)) of \(size)")
            return
        }
        if let needed, count != needed {
            problem = Problem(
                kind: 9, says: "\(count) bytes, where its shape needs \(needed)")
        }
    }
}
