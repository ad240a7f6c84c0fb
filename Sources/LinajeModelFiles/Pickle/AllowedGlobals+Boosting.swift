extension AllowedGlobals {
    /// XGBoost 1.5 to 3.2 and LightGBM 3.3 to 4.7, whose state is text or bytes for their own readers; joblib.
    static let boosting = """
        new joblib.numpy_pickle NumpyArrayWrapper
        new lightgbm.basic Booster
        new lightgbm.sklearn LGBMClassifier LGBMModel LGBMRanker LGBMRegressor
        new xgboost.core Booster
        new xgboost.sklearn XGBClassifier XGBRFClassifier XGBRFRegressor XGBRanker XGBRegressor
        """
}
