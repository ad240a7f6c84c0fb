/// The element types of torch.
package enum TorchTypes {
    /// Bytes of an element of a storage class: "FloatStorage", …
    static func bytes(of storage: String) -> UInt64? { storages[storage]?.bytes }

    /// The type that descriptions name: "F32", …
    static func name(of storage: String) -> String? { storages[storage]?.name }

    /// The same of `torch.float32`, ….
    package static func dtype(_ name: String) -> (name: String, bytes: UInt64)? { dtypes[name] }

    private static let storages: [String: (name: String, bytes: UInt64)] = [
        "DoubleStorage": ("F64", 8), "FloatStorage": ("F32", 4), "HalfStorage": ("F16", 2),
        "BFloat16Storage": ("BF16", 2), "LongStorage": ("I64", 8), "IntStorage": ("I32", 4),
        "ShortStorage": ("I16", 2), "CharStorage": ("I8", 1), "ByteStorage": ("U8", 1),
        "BoolStorage": ("BOOL", 1), "ComplexDoubleStorage": ("C128", 16),
        "ComplexFloatStorage": ("C64", 8), "QInt8Storage": ("QI8", 1),
        "QUInt8Storage": ("QU8", 1), "QInt32Storage": ("QI32", 4),
        "QUInt4x2Storage": ("QU4", 1), "QUInt2x4Storage": ("QU2", 1),
        "UntypedStorage": ("U8", 1),
    ]

    private static let dtypes: [String: (name: String, bytes: UInt64)] = [
        "float64": ("F64", 8), "float32": ("F32", 4), "float16": ("F16", 2),
        "bfloat16": ("BF16", 2), "int64": ("I64", 8), "int32": ("I32", 4), "int16": ("I16", 2),
        "int8": ("I8", 1), "uint8": ("U8", 1), "uint16": ("U16", 2), "uint32": ("U32", 4),
        "uint64": ("U64", 8), "bool": ("BOOL", 1), "complex64": ("C64", 8),
        "complex128": ("C128", 16), "float8_e4m3fn": ("F8_E4M3", 1),
        "float8_e5m2": ("F8_E5M2", 1), "float8_e4m3fnuz": ("F8_E4M3FNUZ", 1),
        "float8_e5m2fnuz": ("F8_E5M2FNUZ", 1), "float8_e8m0fnu": ("F8_E8M0", 1),
        "qint8": ("QI8", 1), "quint8": ("QU8", 1), "qint32": ("QI32", 4),
    ]
}
