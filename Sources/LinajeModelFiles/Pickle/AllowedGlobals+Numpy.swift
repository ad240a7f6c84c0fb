extension AllowedGlobals {
    /// NumPy 1.20 to 2.4: arrays, their types, generators of random numbers; functions only as values.
    static let numpy = """
        call numpy dtype
        call numpy._core.multiarray _reconstruct scalar
        call numpy._core.numeric _frombuffer
        call numpy.core.multiarray _reconstruct scalar
        call numpy.core.numeric _frombuffer
        call numpy.ma.core _mareconstruct
        call numpy.random._pickle __bit_generator_ctor __generator_ctor __randomstate_ctor
        call numpy.random.bit_generator __pyx_unpickle_SeedSequence
        call numpy.random.bit_generator __pyx_unpickle_SeedlessSeedSequence
        new numpy bool bool_ bytes_ clongdouble complex128 complex64 datetime64 float16 float32
        new numpy float64 float_ int16 int32 int64 int8 int_ longdouble longlong matrix ndarray
        new numpy object_ poly1d recarray str_ timedelta64 uint16 uint32 uint64 uint8 ulonglong
        new numpy void
        new numpy.dtypes BoolDType ByteDType BytesDType CLongDoubleDType Complex128DType
        new numpy.dtypes Complex64DType DateTime64DType Float16DType Float32DType Float64DType
        new numpy.dtypes Int16DType Int32DType Int64DType Int8DType IntDType LongDType
        new numpy.dtypes LongDoubleDType LongLongDType ObjectDType ShortDType StrDType StringDType
        new numpy.dtypes TimeDelta64DType UByteDType UInt16DType UInt32DType UInt64DType UInt8DType
        new numpy.dtypes UIntDType ULongDType ULongLongDType UShortDType VoidDType
        new numpy.ma MaskedArray
        new numpy.ma.core MaskedArray
        new numpy.polynomial.chebyshev Chebyshev
        new numpy.polynomial.hermite Hermite
        new numpy.polynomial.hermite_e HermiteE
        new numpy.polynomial.laguerre Laguerre
        new numpy.polynomial.legendre Legendre
        new numpy.polynomial.polynomial Polynomial
        new numpy.random._generator Generator
        new numpy.random._mt19937 MT19937
        new numpy.random._pcg64 PCG64 PCG64DXSM
        new numpy.random._philox Philox
        new numpy.random._sfc64 SFC64
        new numpy.random.bit_generator SeedSequence
        new numpy.random.mtrand RandomState
        new numpy.rec recarray record
        data numpy abs absolute acos acosh add all amax amin any arccos arccosh arcsin arcsinh
        data numpy arctan arctan2 arctanh argmax argmin around array asarray asin asinh atan atan2
        data numpy atanh average bitwise_and bitwise_count bitwise_invert bitwise_left_shift
        data numpy bitwise_not bitwise_or bitwise_right_shift bitwise_xor cbrt ceil clip conj
        data numpy conjugate copysign cos cosh cumprod cumsum deg2rad degrees diff divide divmod
        data numpy equal exp exp2 expm1 fabs float_power floor floor_divide fmax fmin fmod frexp
        data numpy gcd greater greater_equal heaviside hypot invert isfinite isinf isnan isnat lcm
        data numpy ldexp left_shift less less_equal log log10 log1p log2 logaddexp logaddexp2
        data numpy logical_and logical_not logical_or logical_xor matmul matvec max maximum mean
        data numpy median min minimum mod modf multiply nan_to_num nanmax nanmean nanmedian nanmin
        data numpy nanstd nansum nanvar negative nextafter not_equal ones percentile positive pow
        data numpy power prod ptp quantile rad2deg radians ravel reciprocal remainder reshape
        data numpy right_shift rint round sign signbit sin sinh sort spacing sqrt square squeeze
        data numpy std subtract sum tan tanh transpose true_divide trunc unique var vecdot vecmat
        data numpy zeros
        """
}
