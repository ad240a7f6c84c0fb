extension AllowedGlobals {
    /// scikit-learn 1.0 to 1.9: its estimators and what they are made of.
    static let sklearn = """
        call sklearn._loss._loss CyAbsoluteError CyExponentialLoss CyHalfBinomialLoss
        call sklearn._loss._loss CyHalfGammaLoss CyHalfMultinomialLoss CyHalfPoissonLoss
        call sklearn._loss._loss CyHalfSquaredError CyHalfTweedieLoss CyHalfTweedieLossIdentity
        call sklearn._loss._loss CyHuberLoss CyLossFunction CyPinballLoss
        call sklearn._loss._loss __pyx_unpickle_CyAbsoluteError __pyx_unpickle_CyExponentialLoss
        call sklearn._loss._loss __pyx_unpickle_CyHalfBinomialLoss __pyx_unpickle_CyHalfGammaLoss
        call sklearn._loss._loss __pyx_unpickle_CyHalfMultinomialLoss
        call sklearn._loss._loss __pyx_unpickle_CyHalfPoissonLoss __pyx_unpickle_CyHalfSquaredError
        call sklearn._loss._loss __pyx_unpickle_CyHalfTweedieLoss
        call sklearn._loss._loss __pyx_unpickle_CyHalfTweedieLossIdentity
        call sklearn._loss._loss __pyx_unpickle_CyHuberLoss __pyx_unpickle_CyLossFunction
        call sklearn._loss._loss __pyx_unpickle_CyPinballLoss
        call sklearn.linear_model._sgd_fast Classification EpsilonInsensitive Hinge Huber Log
        call sklearn.linear_model._sgd_fast LossFunction ModifiedHuber Regression
        call sklearn.linear_model._sgd_fast SquaredEpsilonInsensitive SquaredHinge SquaredLoss
        call sklearn.metrics._dist_metrics newObj
        call sklearn.neighbors._ball_tree newObj
        call sklearn.neighbors._kd_tree newObj
        call sklearn.tree._tree Tree
        new sklearn._loss.link BaseLink HalfLogitLink IdentityLink Interval LogLink LogitLink
        new sklearn._loss.link MultinomialLogit
        new sklearn._loss.loss AbsoluteError ArrayAPILossMixin BaseLoss ExponentialLoss
        new sklearn._loss.loss HalfBinomialLoss HalfBinomialLossArrayAPI HalfGammaLoss
        new sklearn._loss.loss HalfMultinomialLoss HalfMultinomialLossArrayAPI HalfPoissonLoss
        new sklearn._loss.loss HalfPoissonLossArrayAPI HalfSquaredError HalfTweedieLoss
        new sklearn._loss.loss HalfTweedieLossIdentity HuberLoss PinballLoss
        new sklearn.calibration CalibratedClassifierCV _CalibratedClassifier _SigmoidCalibration
        new sklearn.calibration _TemperatureScaling
        new sklearn.cluster._affinity_propagation AffinityPropagation
        new sklearn.cluster._agglomerative AgglomerativeClustering FeatureAgglomeration
        new sklearn.cluster._bicluster SpectralBiclustering SpectralCoclustering
        new sklearn.cluster._birch Birch _CFNode _CFSubcluster
        new sklearn.cluster._bisect_k_means BisectingKMeans _BisectingTree
        new sklearn.cluster._dbscan DBSCAN
        new sklearn.cluster._hdbscan.hdbscan HDBSCAN
        new sklearn.cluster._kmeans KMeans MiniBatchKMeans
        new sklearn.cluster._mean_shift MeanShift
        new sklearn.cluster._optics OPTICS
        new sklearn.cluster._spectral SpectralClustering
        new sklearn.compose._column_transformer ColumnTransformer _RemainderColsList
        new sklearn.compose._column_transformer make_column_selector
        new sklearn.compose._target TransformedTargetRegressor
        new sklearn.covariance._elliptic_envelope EllipticEnvelope
        new sklearn.covariance._empirical_covariance EmpiricalCovariance
        new sklearn.covariance._graph_lasso GraphicalLasso GraphicalLassoCV
        new sklearn.covariance._robust_covariance MinCovDet
        new sklearn.covariance._shrunk_covariance LedoitWolf OAS ShrunkCovariance
        new sklearn.cross_decomposition._pls CCA PLSCanonical PLSRegression PLSSVD
        new sklearn.decomposition._dict_learning DictionaryLearning MiniBatchDictionaryLearning
        new sklearn.decomposition._dict_learning SparseCoder
        new sklearn.decomposition._factor_analysis FactorAnalysis
        new sklearn.decomposition._fastica FastICA
        new sklearn.decomposition._incremental_pca IncrementalPCA
        new sklearn.decomposition._kernel_pca KernelPCA
        new sklearn.decomposition._lda LatentDirichletAllocation
        new sklearn.decomposition._nmf MiniBatchNMF NMF
        new sklearn.decomposition._pca PCA
        new sklearn.decomposition._sparse_pca MiniBatchSparsePCA SparsePCA
        new sklearn.decomposition._truncated_svd TruncatedSVD
        new sklearn.discriminant_analysis LinearDiscriminantAnalysis QuadraticDiscriminantAnalysis
        new sklearn.dummy DummyClassifier DummyRegressor
        new sklearn.ensemble._bagging BaggingClassifier BaggingRegressor
        new sklearn.ensemble._forest ExtraTreesClassifier ExtraTreesRegressor
        new sklearn.ensemble._forest RandomForestClassifier RandomForestRegressor
        new sklearn.ensemble._forest RandomTreesEmbedding
        new sklearn.ensemble._gb GradientBoostingClassifier GradientBoostingRegressor
        new sklearn.ensemble._gb_losses BinomialDeviance ExponentialLoss LeastSquaresError
        new sklearn.ensemble._gb_losses MultinomialDeviance
        new sklearn.ensemble._hist_gradient_boosting.binning _BinMapper
        new sklearn.ensemble._hist_gradient_boosting.gradient_boosting HistGradientBoostingClassifier
        new sklearn.ensemble._hist_gradient_boosting.gradient_boosting HistGradientBoostingRegressor
        new sklearn.ensemble._hist_gradient_boosting.predictor TreePredictor
        new sklearn.ensemble._iforest IsolationForest
        new sklearn.ensemble._stacking StackingClassifier StackingRegressor
        new sklearn.ensemble._voting VotingClassifier VotingRegressor
        new sklearn.ensemble._weight_boosting AdaBoostClassifier AdaBoostRegressor
        new sklearn.feature_extraction._dict_vectorizer DictVectorizer
        new sklearn.feature_extraction._hash FeatureHasher
        new sklearn.feature_extraction.image PatchExtractor
        new sklearn.feature_extraction.text CountVectorizer HashingVectorizer TfidfTransformer
        new sklearn.feature_extraction.text TfidfVectorizer
        new sklearn.feature_selection._from_model SelectFromModel
        new sklearn.feature_selection._rfe RFE RFECV
        new sklearn.feature_selection._sequential SequentialFeatureSelector
        new sklearn.feature_selection._univariate_selection GenericUnivariateSelect SelectFdr
        new sklearn.feature_selection._univariate_selection SelectFpr SelectFwe SelectKBest
        new sklearn.feature_selection._univariate_selection SelectPercentile
        new sklearn.feature_selection._variance_threshold VarianceThreshold
        new sklearn.frozen._frozen FrozenEstimator
        new sklearn.gaussian_process._gpc GaussianProcessClassifier
        new sklearn.gaussian_process._gpc _BinaryGaussianProcessClassifierLaplace
        new sklearn.gaussian_process._gpr GaussianProcessRegressor
        new sklearn.gaussian_process.kernels CompoundKernel ConstantKernel DotProduct
        new sklearn.gaussian_process.kernels ExpSineSquared Exponentiation GenericKernelMixin
        new sklearn.gaussian_process.kernels Hyperparameter Matern NormalizedKernelMixin
        new sklearn.gaussian_process.kernels PairwiseKernel Product RBF RationalQuadratic
        new sklearn.gaussian_process.kernels StationaryKernelMixin Sum WhiteKernel
        new sklearn.impute._base MissingIndicator SimpleImputer
        new sklearn.impute._knn KNNImputer
        new sklearn.isotonic IsotonicRegression
        new sklearn.kernel_approximation AdditiveChi2Sampler Nystroem PolynomialCountSketch
        new sklearn.kernel_approximation RBFSampler SkewedChi2Sampler
        new sklearn.kernel_ridge KernelRidge
        new sklearn.linear_model._base LinearRegression
        new sklearn.linear_model._bayes ARDRegression BayesianRidge
        new sklearn.linear_model._coordinate_descent ElasticNet ElasticNetCV Lasso LassoCV
        new sklearn.linear_model._coordinate_descent MultiTaskElasticNet MultiTaskElasticNetCV
        new sklearn.linear_model._coordinate_descent MultiTaskLasso MultiTaskLassoCV
        new sklearn.linear_model._glm.glm GammaRegressor PoissonRegressor TweedieRegressor
        new sklearn.linear_model._huber HuberRegressor
        new sklearn.linear_model._least_angle Lars LarsCV LassoLars LassoLarsCV LassoLarsIC
        new sklearn.linear_model._logistic LogisticRegression LogisticRegressionCV
        new sklearn.linear_model._omp OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV
        new sklearn.linear_model._passive_aggressive PassiveAggressiveClassifier
        new sklearn.linear_model._passive_aggressive PassiveAggressiveRegressor
        new sklearn.linear_model._perceptron Perceptron
        new sklearn.linear_model._quantile QuantileRegressor
        new sklearn.linear_model._ransac RANSACRegressor
        new sklearn.linear_model._ridge Ridge RidgeCV RidgeClassifier RidgeClassifierCV
        new sklearn.linear_model._stochastic_gradient SGDClassifier SGDOneClassSVM SGDRegressor
        new sklearn.linear_model._theil_sen TheilSenRegressor
        new sklearn.manifold._classical_mds ClassicalMDS
        new sklearn.manifold._isomap Isomap
        new sklearn.manifold._locally_linear LocallyLinearEmbedding
        new sklearn.manifold._mds MDS
        new sklearn.manifold._spectral_embedding SpectralEmbedding
        new sklearn.manifold._t_sne TSNE
        new sklearn.metrics._scorer _MultimetricScorer _PassthroughScorer _PredictScorer
        new sklearn.metrics._scorer _ProbaScorer _Scorer _ThresholdScorer
        new sklearn.mixture._bayesian_mixture BayesianGaussianMixture
        new sklearn.mixture._gaussian_mixture GaussianMixture
        new sklearn.model_selection._classification_threshold FixedThresholdClassifier
        new sklearn.model_selection._classification_threshold TunedThresholdClassifierCV
        new sklearn.model_selection._search GridSearchCV RandomizedSearchCV
        new sklearn.model_selection._split BaseShuffleSplit GroupKFold GroupShuffleSplit
        new sklearn.model_selection._split GroupsConsumerMixin KFold LeaveOneGroupOut LeaveOneOut
        new sklearn.model_selection._split LeavePGroupsOut LeavePOut PredefinedSplit RepeatedKFold
        new sklearn.model_selection._split RepeatedStratifiedKFold ShuffleSplit
        new sklearn.model_selection._split StratifiedGroupKFold StratifiedKFold
        new sklearn.model_selection._split StratifiedShuffleSplit TimeSeriesSplit
        new sklearn.model_selection._split _CVIterableWrapper _RepeatedSplits
        new sklearn.model_selection._split _UnsupportedGroupCVMixin
        new sklearn.multiclass OneVsOneClassifier OneVsRestClassifier OutputCodeClassifier
        new sklearn.multiclass _ConstantPredictor
        new sklearn.multioutput ClassifierChain MultiOutputClassifier MultiOutputRegressor
        new sklearn.multioutput RegressorChain
        new sklearn.naive_bayes BernoulliNB CategoricalNB ComplementNB GaussianNB MultinomialNB
        new sklearn.neighbors._classification KNeighborsClassifier RadiusNeighborsClassifier
        new sklearn.neighbors._graph KNeighborsTransformer RadiusNeighborsTransformer
        new sklearn.neighbors._kde KernelDensity
        new sklearn.neighbors._lof LocalOutlierFactor
        new sklearn.neighbors._nca NeighborhoodComponentsAnalysis
        new sklearn.neighbors._nearest_centroid NearestCentroid
        new sklearn.neighbors._regression KNeighborsRegressor RadiusNeighborsRegressor
        new sklearn.neighbors._unsupervised NearestNeighbors
        new sklearn.neural_network._multilayer_perceptron MLPClassifier MLPRegressor
        new sklearn.neural_network._rbm BernoulliRBM
        new sklearn.neural_network._stochastic_optimizers AdamOptimizer BaseOptimizer SGDOptimizer
        new sklearn.pipeline FeatureUnion Pipeline
        new sklearn.preprocessing._data Binarizer KernelCenterer MaxAbsScaler MinMaxScaler
        new sklearn.preprocessing._data Normalizer PowerTransformer QuantileTransformer
        new sklearn.preprocessing._data RobustScaler StandardScaler
        new sklearn.preprocessing._discretization KBinsDiscretizer
        new sklearn.preprocessing._encoders OneHotEncoder OrdinalEncoder
        new sklearn.preprocessing._function_transformer FunctionTransformer
        new sklearn.preprocessing._label LabelBinarizer LabelEncoder MultiLabelBinarizer
        new sklearn.preprocessing._polynomial PolynomialFeatures SplineTransformer
        new sklearn.preprocessing._target_encoder TargetEncoder
        new sklearn.random_projection GaussianRandomProjection SparseRandomProjection
        new sklearn.semi_supervised._label_propagation LabelPropagation LabelSpreading
        new sklearn.semi_supervised._self_training SelfTrainingClassifier
        new sklearn.svm._classes LinearSVC LinearSVR NuSVC NuSVR OneClassSVM SVC SVR
        new sklearn.tree._classes DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier
        new sklearn.tree._classes ExtraTreeRegressor
        new sklearn.utils._bunch Bunch
        new sklearn.utils._metadata_requests MetadataRequest MethodMetadataRequest
        data sklearn.cluster._kmeans _kmeans_single_elkan _kmeans_single_lloyd
        data sklearn.dummy SeedSequence
        data sklearn.feature_selection._mutual_info mutual_info_classif mutual_info_regression
        data sklearn.feature_selection._univariate_selection chi2 f_classif f_oneway f_regression
        data sklearn.feature_selection._univariate_selection r_regression
        data sklearn.metrics._classification accuracy_score balanced_accuracy_score
        data sklearn.metrics._classification brier_score_loss cohen_kappa_score d2_brier_score
        data sklearn.metrics._classification d2_log_loss_score f1_score fbeta_score hamming_loss
        data sklearn.metrics._classification hinge_loss jaccard_score log_loss precision_score
        data sklearn.metrics._classification recall_score zero_one_loss
        data sklearn.metrics._dist_metrics BrayCurtisDistance32 BrayCurtisDistance64
        data sklearn.metrics._dist_metrics CanberraDistance32 CanberraDistance64
        data sklearn.metrics._dist_metrics ChebyshevDistance32 ChebyshevDistance64 DiceDistance32
        data sklearn.metrics._dist_metrics DiceDistance64 DistanceMetric DistanceMetric32
        data sklearn.metrics._dist_metrics DistanceMetric64 EuclideanDistance32 EuclideanDistance64
        data sklearn.metrics._dist_metrics HammingDistance32 HammingDistance64 HaversineDistance32
        data sklearn.metrics._dist_metrics HaversineDistance64 JaccardDistance32 JaccardDistance64
        data sklearn.metrics._dist_metrics KulsinskiDistance32 KulsinskiDistance64
        data sklearn.metrics._dist_metrics MahalanobisDistance32 MahalanobisDistance64
        data sklearn.metrics._dist_metrics ManhattanDistance32 ManhattanDistance64
        data sklearn.metrics._dist_metrics MatchingDistance32 MatchingDistance64
        data sklearn.metrics._dist_metrics MinkowskiDistance32 MinkowskiDistance64 PyFuncDistance32
        data sklearn.metrics._dist_metrics PyFuncDistance64 RogersTanimotoDistance32
        data sklearn.metrics._dist_metrics RogersTanimotoDistance64 RussellRaoDistance32
        data sklearn.metrics._dist_metrics RussellRaoDistance64 SEuclideanDistance32
        data sklearn.metrics._dist_metrics SEuclideanDistance64 SokalMichenerDistance32
        data sklearn.metrics._dist_metrics SokalMichenerDistance64 SokalSneathDistance32
        data sklearn.metrics._dist_metrics SokalSneathDistance64
        data sklearn.metrics._ranking average_precision_score coverage_error dcg_score
        data sklearn.metrics._ranking label_ranking_average_precision_score label_ranking_loss
        data sklearn.metrics._ranking ndcg_score roc_auc_score top_k_accuracy_score
        data sklearn.metrics._regression d2_absolute_error_score d2_pinball_score d2_tweedie_score
        data sklearn.metrics._regression explained_variance_score max_error mean_absolute_error
        data sklearn.metrics._regression mean_absolute_percentage_error mean_gamma_deviance
        data sklearn.metrics._regression mean_pinball_loss mean_poisson_deviance mean_squared_error
        data sklearn.metrics._regression mean_squared_log_error mean_tweedie_deviance
        data sklearn.metrics._regression median_absolute_error r2_score root_mean_squared_error
        data sklearn.metrics._regression root_mean_squared_log_error
        data sklearn.metrics.cluster._bicluster consensus_score
        data sklearn.metrics.cluster._supervised adjusted_mutual_info_score adjusted_rand_score
        data sklearn.metrics.cluster._supervised completeness_score fowlkes_mallows_score
        data sklearn.metrics.cluster._supervised homogeneity_score mutual_info_score
        data sklearn.metrics.cluster._supervised normalized_mutual_info_score rand_score
        data sklearn.metrics.cluster._supervised v_measure_score
        data sklearn.metrics.cluster._unsupervised calinski_harabasz_score davies_bouldin_score
        data sklearn.metrics.cluster._unsupervised silhouette_score
        data sklearn.neighbors._ball_tree BallTree BallTree32 BallTree64
        data sklearn.neighbors._kd_tree KDTree KDTree32 KDTree64
        """
}
