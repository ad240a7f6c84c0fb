"""Data of many kinds, of which MLflow's answers are kept in golden/signatures.json.

`tools/make_signature_golden.py` writes that file where mlflow is installed. Each case is made
anew for each use.
"""

import datetime
import decimal
import json
import math

import numpy
import pandas
import scipy.sparse

DAY = datetime.date(2024, 2, 29)
MOMENT = datetime.datetime(2024, 2, 29, 12, 30, 15, 250)
DTYPES = ["bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
          "float16", "float32", "float64", "longdouble", "complex128", "datetime64[ns]",
          "datetime64[s]", "timedelta64[ns]"]
EXTENSIONS = ["Int8", "Int32", "Int64", "UInt32", "UInt64", "Float32", "Float64", "boolean",
              "string", "category"]


def of_dtype(name):
    if name.startswith(("datetime", "timedelta")):
        return numpy.array([1_000_000_000, 2_000_000_000], "int64").astype(name)
    return numpy.array([1, 0]).astype(name)


def column(values, dtype=None):
    return pandas.DataFrame({"c": pandas.Series(values, dtype=dtype)})


def objects(*values):
    return pandas.DataFrame({"c": pandas.Series(list(values), dtype=object)})


def data_cases():
    """name: what makes the data."""
    cases = {}
    for name in DTYPES:
        cases[f"frame {name}"] = lambda name=name: column(of_dtype(name))
        cases[f"series {name}"] = lambda name=name: pandas.Series(of_dtype(name), name="s")
        cases[f"array {name}"] = lambda name=name: of_dtype(name)
        cases[f"list of {name} scalars"] = lambda name=name: list(of_dtype(name))
    for name in EXTENSIONS:
        first = "a" if name in ("string", "category") else 1
        cases[f"frame {name}"] = lambda name=name, first=first: column([first, first], name)
        cases[f"frame {name} with missing"] = (
            lambda name=name, first=first: column([first, None], name))
    cases.update({
        "frame text": lambda: pandas.DataFrame({"c": ["a", "é"]}),
        "frame text with missing": lambda: pandas.DataFrame({"c": ["a", None]}),
        "frame of text all missing": lambda: column([None, None], "str"),
        "frame of text without rows": lambda: column([], "str"),
        "frame of many": lambda: pandas.DataFrame({
            "i": [1, 2], "f": [1.5, None], "t": ["x", "y"], "b": [True, False],
            "m": pandas.to_datetime(["2024-01-01", None]), "o": [{"a": 1}, {"a": 2, "b": "c"}],
            "l": [[1, 2], []]}),
        "frame without columns": lambda: pandas.DataFrame(),
        "frame without rows": lambda: pandas.DataFrame({
            "a": [], "b": pandas.Series([], dtype="int64")}),
        "frame without rows of objects": lambda: pandas.DataFrame({
            "a": pandas.Series([], dtype=object)}),
        "frame of numbered columns": lambda: pandas.DataFrame([[1, 2.5], [3, 4.5]]),
        "frame of named and numbered": lambda: pandas.DataFrame([[1, 2]], columns=["a", 0]),
        "frame of two levels": lambda: pandas.DataFrame(
            [[1, 2]], columns=pandas.MultiIndex.from_tuples([("a", "x"), ("a", "y")])),
        "frame of equal names": lambda: pandas.DataFrame([[1, 2]], columns=["a", "a"]),
        "frame of an unnamed and a named": lambda: pandas.DataFrame([[1, 2]], columns=["a", None]),
        "frame with an index": lambda: pandas.DataFrame({"a": [1.0, 2.0]}, index=["x", "y"]),
        "frame of dates": lambda: objects(DAY, DAY),
        "frame of date and missing": lambda: objects(DAY, None),
        "frame of datetime objects": lambda: objects(MOMENT, MOMENT),
        "frame of zoned datetimes": lambda: column(
            pandas.to_datetime(["2024-01-01"]).tz_localize("Europe/Madrid")),
        "frame of periods": lambda: column(pandas.period_range("2024-01", periods=2, freq="M")),
        "frame of bytes": lambda: objects(b"a", b"bc"),
        "frame of bytearrays": lambda: objects(bytearray(b"a")),
        "frame of decimals": lambda: objects(decimal.Decimal("1.5"), decimal.Decimal("2")),
        "frame of objects that are ints": lambda: objects(1, 2),
        "frame of objects that are floats": lambda: objects(1.5, None),
        "frame of objects that are bools": lambda: objects(True, None),
        "frame of objects that are texts": lambda: objects("a", "b"),
        "frame of mixed": lambda: objects("a", 1),
        "frame of ints and floats as objects": lambda: objects(1, 2.5),
        "frame of nothing": lambda: objects(None, None),
        "frame of NaN": lambda: column([math.nan, math.nan]),
        "frame of lists": lambda: objects([1, 2], [3]),
        "frame of lists of lists": lambda: objects([[1.5]], [[2.5], []]),
        "frame of arrays": lambda: objects(numpy.array([1.5, 2.0], "float32"),
                                           numpy.array([0.5], "float32")),
        "frame of empty arrays": lambda: objects(numpy.array([]), numpy.array([])),
        "frame of mappings": lambda: objects({"b": 1, "a": "x"}, {"a": "y", "c": None}, None),
        "frame of mappings that differ": lambda: objects({"a": 1}, {"a": "x"}),
        "frame of tuples": lambda: objects((1, 2)),
        "frame of sets": lambda: objects({1}),
        "frame of times": lambda: objects(datetime.time(1, 2)),
        "frame of categories of numbers": lambda: column([1, 2], "category"),
        "frame of sparse numbers": lambda: column(pandas.arrays.SparseArray([0.0, 1.0])),
        "series without a name": lambda: pandas.Series([1.5, 2.5]),
        "series without a name with missing": lambda: pandas.Series([1.5, None]),
        "series of a numbered name": lambda: pandas.Series(["a"], name=3),
        "series of texts": lambda: pandas.Series(["a", "b"], name="t"),
        "array of two dimensions": lambda: numpy.arange(6, dtype="float32").reshape(2, 3),
        "array of four dimensions": lambda: numpy.zeros((2, 4, 4, 3), "uint8"),
        "array without rows": lambda: numpy.zeros((0, 3)),
        "array of no dimension": lambda: numpy.array(1.5),
        "array of texts": lambda: numpy.array(["a", "bcd"]),
        "array of bytes": lambda: numpy.array([b"a", b"bcd"]),
        "array of objects": lambda: numpy.array(["a", None, 1], dtype=object),
        "array of NaN": lambda: numpy.array([[1.0, math.nan], [math.inf, 2.0]]),
        "array of records": lambda: numpy.zeros(2, dtype=[("a", "int32"), ("b", "float64")]),
        "array of big-endian": lambda: numpy.array([1, 2], ">i4"),
        "matrix": lambda: numpy.matrix([[1.0, 2.0]]),
        "masked array": lambda: numpy.ma.masked_array([1.0, 2.0], [False, True]),
        "arrays by name": lambda: {"x": numpy.zeros((2, 3)), "y": numpy.array(["a", "b"])},
        "arrays and a list by name": lambda: {"x": numpy.zeros(2), "y": [1, 2]},
        "array of no dimension by name": lambda: {"x": numpy.array("text")},
        "empty array by name with a text": lambda: {"x": numpy.array([]), "y": "a"},
        "csr matrix": lambda: scipy.sparse.csr_matrix([[0, 1.5], [2.0, 0]]),
        "csc matrix": lambda: scipy.sparse.csc_matrix(numpy.eye(3, dtype="float32")),
        "csr matrix of ints": lambda: scipy.sparse.csr_matrix([[0, 1], [2, 0]]),
        "coo matrix": lambda: scipy.sparse.coo_matrix([[0, 1.5]]),
        "mapping": lambda: {"text": "a", "n": 1, "x": 1.5, "b": True, "none": None, "bytes": b"ab",
                            "day": DAY, "moment": MOMENT},
        "mapping of lists": lambda: {"a": ["x", "y"], "b": [1, None], "c": [], "d": [[1.5], []],
                                     "e": [None]},
        "mapping of mappings": lambda: {"a": {"b": {"c": 1}, "z": [{"k": "v"}, {"l": 2}]}},
        "mapping of NumPy scalars": lambda: {
            "a": numpy.int64(1), "b": numpy.int32(1), "c": numpy.float32(1.5), "d": numpy.str_("a"),
            "e": numpy.bool_(True), "f": numpy.float64(2), "g": numpy.bytes_(b"a"),
            "h": numpy.datetime64("2024-01-01")},
        "mapping of small NumPy scalars": lambda: {"a": numpy.int8(1)},
        "mapping of a Timestamp": lambda: {"a": pandas.Timestamp("2024-01-01")},
        "mapping of NaN": lambda: {"a": math.nan, "b": pandas.NA, "c": pandas.NaT},
        "mapping of a decimal": lambda: {"a": decimal.Decimal("1.5")},
        "mapping of a tuple": lambda: {"a": (1, 2)},
        "mapping of numbers as keys": lambda: {1: "a"},
        "mapping of messages": lambda: {"messages": [{"role": "user", "content": "hi"}]},
        "mapping of a prompt": lambda: {"prompt": "hi", "n": 2},
        "empty mapping": lambda: {},
        "list of texts": lambda: ["a", "b"],
        "list of texts and none": lambda: ["a", None],
        "list of none": lambda: [None, None],
        "list of ints": lambda: [1, 2],
        "list of numbers": lambda: [1, 2.5],
        "list of bools": lambda: [True, False],
        "list of bytes": lambda: [b"a"],
        "list of dates": lambda: [DAY],
        "list of Timestamps": lambda: [pandas.Timestamp("2024-01-01")],
        "list of lists": lambda: [[1.5, 2.5], [3.5]],
        "list of empty lists": lambda: [[], []],
        "list of list and none": lambda: [["a"], None, []],
        "list of tuples": lambda: [(1, 2)],
        "list of arrays": lambda: [numpy.array([1.5]), numpy.array([2.5])],
        "empty list": lambda: [],
        "list of mappings": lambda: [{"a": 1, "b": "x"}, {"a": 2}],
        "list of mappings with none": lambda: [{"a": None, "b": [1]}, {"a": "t", "b": []}],
        "list of mappings of mappings": lambda: [{"o": {"x": 1}}, {"o": {"x": 2, "y": None}},
                                                 {"o": None}],
        "list of none and a mapping": lambda: [{"o": None}, {"o": {"x": 1}}],
        "list of lists of mappings": lambda: [[{"x": 1}], [{"x": 2}, {"y": 3}]],
        "list of mappings that differ": lambda: [{"a": 1}, {"a": "x"}],
        "list of mappings in lists": lambda: [{"l": [{"a": 1}, {"b": "x"}]}],
        "list of empty mappings": lambda: [{}],
        "list of mapping and text": lambda: [{"a": 1}, "x"],
        "text": lambda: "some text", "int": lambda: 5, "float": lambda: 1.5, "bool": lambda: True,
        "bytes": lambda: b"ab", "date": lambda: DAY, "datetime": lambda: MOMENT,
        "NaN": lambda: math.nan, "complex": lambda: 1j,
        "Timestamp": lambda: pandas.Timestamp(MOMENT),
        "NumPy int": lambda: numpy.int64(5), "NumPy float32": lambda: numpy.float32(1.5),
        "NumPy float16": lambda: numpy.float16(1.5), "tuple": lambda: (1, 2), "set": lambda: {1},
        "big int": lambda: 1 << 80, "index": lambda: pandas.Index([1, 2]),
        "text of another alphabet": lambda: {"naïve \U0001f600": "日本"},
        "data and params": lambda: (pandas.DataFrame({"a": [1.5]}), {"t": 0.5, "k": [1, 2]}),
        "prompt and params": lambda: ({"prompt": "hi"}, {"t": 0.5}),
        "texts and params": lambda: (["a"], {"stop": "x"}),
        "frame of numbered columns with missing": lambda: pandas.DataFrame([[1.0, None]]),
        "frame of ints with missing": lambda: column([1, None], "Int64"),
        "frame of infinities": lambda: column([math.inf, -math.inf]),
    })
    return cases


def param_cases():
    """name: params."""
    return {
        "scalars": {"b": True, "i": 1, "f": 0.5, "s": "x"},
        "NumPy scalars": {"b": numpy.bool_(True), "i": numpy.int64(1), "j": numpy.int32(2),
                          "f": numpy.float64(0.5), "g": numpy.float32(0.5), "s": numpy.str_("x")},
        "lists": {"b": [True, False], "i": [1, 2], "f": [1, 2.5], "s": ["a", "b"], "e": []},
        "arrays": {"i": numpy.array([1, 2]), "f": numpy.array([0.5], "float32"),
                   "s": numpy.array(["a"])},
        "moments": {"d": DAY, "m": MOMENT, "l": [DAY, MOMENT], "n": numpy.datetime64("2024-01-01"),
                    "t": numpy.datetime64("2024-01-01T01:02:03")},
        "mapping": {"o": {"a": 1, "b": ["x"], "c": {"d": None}}},
        "infinite": {"f": math.inf, "n": math.nan},
        "bytes": {"b": b"x"}, "none": {"n": None}, "list of lists": {"l": [[1]]},
        "mixed list": {"l": [1, "a"]}, "bools and ints": {"l": [True, 2]},
        "list of none": {"l": [1, None]}, "empty mapping": {"o": {}},
        "nanoseconds": {"n": numpy.datetime64("2024-01-01T00:00:00.000000001")},
        "Timestamp": {"t": pandas.Timestamp("2024-01-01")}, "decimal": {"d": decimal.Decimal(1)},
        "complex": {"c": 1j}, "big": {"i": 1 << 63}, "tuple": {"t": (1, 2)},
        "small": {"i": numpy.int8(1)}, "half": {"f": numpy.float16(1)}, "set": {"s": {1}},
        "small array": {"i": numpy.array([1], "int8")},
        "array of no dimension": {"a": numpy.array(1)},
        "numbered name": {1: "x"}, "large": {"i": (1 << 63) - 1, "j": -(1 << 63)}}


def enforced_columns():
    """Frames of one column, each of which is held against the schema of each."""
    cases = data_cases()
    names = [name for name in cases if name.startswith("frame ") and name not in (
        "frame of two levels", "frame of equal names", "frame of an unnamed and a named")]
    extra = {
        "frame of whole floats": lambda: column([1.0, 2.0]),
        "frame of whole floats with missing": lambda: column([1.0, None]),
        "frame of large ints": lambda: column([1 << 60, 3]),
        "frame of zeros and ones": lambda: column([0, 1]),
        "frame of numbers as texts": lambda: column(["1.5", "2"]),
        "frame of moments as texts": lambda: column(["2024-01-01", "2024-01-02"]),
        "frame of another column": lambda: pandas.DataFrame({"d": [1.5, 2.5]}),
        "frame of more columns": lambda: pandas.DataFrame({"d": ["a", "b"], "c": [1.5, 2.5]})}
    return {**{name: cases[name] for name in names}, **extra}


def enforced_others():
    """Other data, each of which is held against the schema of each."""
    cases = data_cases()
    left_out = ("frame ", "series ", "list of bool scalars", "list of int", "list of uint",
                "list of float", "list of longdouble", "list of complex", "list of datetime",
                "list of timedelta", "data and", "prompt and", "texts and")
    names = [name for name in cases if not name.startswith(left_out)]
    return {**{name: cases[name] for name in names + ["list of ints", "series float64",
                                                      "series of texts"]},
            "frame float64": cases["frame float64"], "frame text": cases["frame text"],
            "frame of numbered columns": cases["frame of numbered columns"]}


def enforced_params():
    """(defaults, given): what is given to a model of these params."""
    defaults = {"b": True, "i": 1, "f": 0.5, "s": "x", "l": [1.5], "m": DAY, "o": {"a": 1}}
    values = [None, True, 1, 2.5, "x", b"x", [1], [1.5, 2], ["a"], [], {"a": 2}, {"a": "x"},
              {"b": 1}, {}, numpy.int32(3), numpy.float32(0.5), numpy.float64(0.5), numpy.int64(4),
              numpy.array([1.5]), numpy.array([1]), DAY, MOMENT, "2024-01-01",
              "2024-01-01T10:00:00",
              "no day", (1.0,), [[1.5]], numpy.str_("y"), numpy.bool_(False)]
    return {f"{key} = {value!r}": (defaults, {key: value})
            for key in defaults for value in values} | {
        "none given": (defaults, {}), "nothing": (defaults, None),
        "unknown": (defaults, {"zz": 1, "i": 5}), "no params known": ({}, {"i": 5})}


def plain(value):
    """Any value as JSON, so that results can be compared."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, pandas.DataFrame):
        return {"frame": [[plain(name) if isinstance(name, tuple) else name if isinstance(
            name, str) else repr(name), str(value.iloc[:, place].dtype),
            [plain(each) for each in value.iloc[:, place]]] for place, name in enumerate(
                value.columns)], "index": [str(each) for each in value.index]}
    if scipy.sparse.issparse(value):
        return {"sparse": value.format, "array": plain(value.toarray())}
    if isinstance(value, numpy.ndarray):
        return {"array": [str(value.dtype), list(value.shape), plain(value.tolist())]}
    if isinstance(value, numpy.generic):
        value = value.item()
    if isinstance(value, (bool, int, str, type(None))):
        return value
    return repr(value)


def text(value):
    return json.dumps(plain(value), sort_keys=True)
