/// The names that a pickle may take, by library. Each line is a use, a module and names of it: "call"
/// may be called with anything, of "new" only instances are made without the constructor, "data" is
/// only passed on.
///
/// A line is added after the code has been read: constructor, `__new__`, `__setstate__`,
/// `__setitem__`, `append`, `extend` and `__hash__` do no more than keep what they are given.
enum AllowedGlobals {
    static let checked: [(module: String, name: String, check: CheckedCall)] = [
        ("copyreg", "_reconstructor", .reconstructor),
        ("copyreg", "__newobj__", .newObject),
        ("_codecs", "encode", .encodeLatin),
        ("torch.storage", "_load_from_bytes", .loadFromBytes),
        ("torch._tensor", "_rebuild_from_type_v2", .rebuildFromType),
    ]

    /// Those that read a pair as their state by themselves, and set no attributes from it.
    static let readsPairs: Set<String> = [
        "numpy.random._pickle.__bit_generator_ctor", "numpy.random._pickle.__randomstate_ctor",
        "numpy.random._pickle.__generator_ctor",
        "pandas._libs.arrays.__pyx_unpickle_NDArrayBacked",
    ]

    /// Those whose items are no attributes, whatever their keys are.
    static let dicts: Set<String> = [
        "collections.OrderedDict", "collections.defaultdict", "collections.Counter",
        "scipy.sparse._dok.dok_matrix", "scipy.sparse._dok.dok_array",
    ]

    /// Types of Python that are only data.
    static let python = """
        call builtins bytearray bytes complex frozenset object range set slice
        new builtins bool dict float int list str tuple
        call collections Counter OrderedDict defaultdict deque
        call datetime date datetime time timedelta timezone
        call decimal Decimal
        call fractions Fraction
        """
}
