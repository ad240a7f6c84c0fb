extension AllowedGlobals {
    /// pandas 1.3 to 3.1: tables, columns, indexes and their types.
    static let pandas = """
        call pandas DatetimeTZDtype Int64Dtype Interval PeriodDtype StringDtype
        call pandas._libs.arrays __pyx_unpickle_NDArrayBacked
        call pandas._libs.internals BlockManager __pyx_unpickle_BlockManager _unpickle_block
        call pandas._libs.tslibs.nattype _nat_unpickle
        call pandas._libs.tslibs.offsets BusinessDay Day Hour Micro Milli Minute MonthBegin
        call pandas._libs.tslibs.offsets MonthEnd Nano QuarterEnd Second Week YearEnd
        call pandas._libs.tslibs.timedeltas _timedelta_unpickle
        call pandas._libs.tslibs.timestamps _unpickle_timestamp
        call pandas.core.arrays.string_ StringDtype
        call pandas.core.dtypes.dtypes DatetimeTZDtype IntervalDtype NumpyEADtype PandasDtype
        call pandas.core.dtypes.dtypes PeriodDtype
        call pandas.core.indexes.base _new_Index
        call pandas.core.indexes.datetimes _new_DatetimeIndex
        call pandas.core.indexes.interval _new_IntervalIndex
        call pandas.core.indexes.period _new_PeriodIndex
        call pandas.core.internals.blocks _unpickle_block new_block
        call pandas.core.internals.managers BlockManager SingleBlockManager
        new pandas BooleanDtype Categorical CategoricalDtype CategoricalIndex DataFrame
        new pandas DatetimeIndex Float32Dtype Float64Dtype Index Int16Dtype Int32Dtype Int8Dtype
        new pandas IntervalDtype IntervalIndex MultiIndex Period PeriodIndex RangeIndex Series
        new pandas Timedelta TimedeltaIndex Timestamp UInt16Dtype UInt32Dtype UInt64Dtype
        new pandas UInt8Dtype
        new pandas.arrays ArrowStringArray BooleanArray Categorical DatetimeArray FloatingArray
        new pandas.arrays IntegerArray IntervalArray NumpyExtensionArray PeriodArray StringArray
        new pandas.arrays TimedeltaArray
        new pandas.core.arrays.boolean BooleanArray BooleanDtype
        new pandas.core.arrays.categorical Categorical
        new pandas.core.arrays.datetimes DatetimeArray
        new pandas.core.arrays.floating Float32Dtype Float64Dtype FloatingArray
        new pandas.core.arrays.integer Int16Dtype Int32Dtype Int64Dtype Int8Dtype IntegerArray
        new pandas.core.arrays.integer UInt16Dtype UInt32Dtype UInt64Dtype UInt8Dtype
        new pandas.core.arrays.interval IntervalArray
        new pandas.core.arrays.period PeriodArray
        new pandas.core.arrays.string_ StringArray
        new pandas.core.arrays.timedeltas TimedeltaArray
        new pandas.core.dtypes.dtypes CategoricalDtype
        new pandas.core.flags Flags
        new pandas.core.frame DataFrame
        new pandas.core.indexes.base Index
        new pandas.core.indexes.category CategoricalIndex
        new pandas.core.indexes.datetimes DatetimeIndex
        new pandas.core.indexes.frozen FrozenList
        new pandas.core.indexes.interval IntervalIndex
        new pandas.core.indexes.multi MultiIndex
        new pandas.core.indexes.numeric Float64Index Int64Index UInt64Index
        new pandas.core.indexes.period PeriodIndex
        new pandas.core.indexes.range RangeIndex
        new pandas.core.indexes.timedeltas TimedeltaIndex
        new pandas.core.series Series
        """
}
