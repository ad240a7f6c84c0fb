extension AllowedGlobals {
    /// SciPy 1.8 to 1.17. Distributions are not here: their state holds a program (`_parse_arg_template`).
    static let scipy = """
        new scipy.interpolate._bsplines BSpline
        new scipy.interpolate._cubic Akima1DInterpolator CubicHermiteSpline CubicSpline
        new scipy.interpolate._cubic PchipInterpolator
        new scipy.interpolate._interpolate BPoly PPoly interp1d
        new scipy.optimize._optimize OptimizeResult
        new scipy.sparse._arrays bsr_array coo_array csc_array csr_array dia_array dok_array
        new scipy.sparse._arrays lil_array
        new scipy.sparse._bsr bsr_array bsr_matrix
        new scipy.sparse._coo coo_array coo_matrix
        new scipy.sparse._csc csc_array csc_matrix
        new scipy.sparse._csr csr_array csr_matrix
        new scipy.sparse._dia dia_array dia_matrix
        new scipy.sparse._dok dok_array dok_matrix
        new scipy.sparse._lil lil_array lil_matrix
        new scipy.sparse.bsr bsr_array bsr_matrix
        new scipy.sparse.coo coo_array coo_matrix
        new scipy.sparse.csc csc_array csc_matrix
        new scipy.sparse.csr csr_array csr_matrix
        new scipy.sparse.dia dia_array dia_matrix
        new scipy.sparse.dok dok_array dok_matrix
        new scipy.sparse.lil lil_array lil_matrix
        new scipy.spatial._ckdtree cKDTree
        new scipy.spatial._kdtree KDTree
        new scipy.spatial.transform._rotation Rotation
        data scipy._lib.array_api_compat.numpy._aliases asarray
        data scipy.spatial.distance cityblock correlation cosine euclidean minkowski
        data scipy.special boxcox boxcox1p cbrt digamma entr erf erfc erfinv exp10 exp2 expit expm1
        data scipy.special gamma gammaln inv_boxcox inv_boxcox1p log1p log_expit logit logsumexp
        data scipy.special ndtr ndtri rel_entr xlog1py xlogy
        data scipy.special._ufuncs boxcox boxcox1p cbrt digamma entr erf erfc erfinv exp10 exp2
        data scipy.special._ufuncs expit expm1 gamma gammaln inv_boxcox inv_boxcox1p log1p
        data scipy.special._ufuncs log_expit logit logsumexp ndtr ndtri rel_entr xlog1py xlogy
        """
}
