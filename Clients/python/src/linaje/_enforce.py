"""What is given to a model, held against its signature (MLflow 3, models/utils.py).

Columns that are missing, or of a type that cannot become the wanted one without loss, are refused;
others are put in order and converted; what the signature does not know is left out, with a
warning. Missing values in columns of whole numbers: pandas makes these floating-point, which is
refused where the signature has a whole-number type, as MLflow refuses it.
"""

import datetime
from typing import Any, Dict, List, Optional, Tuple

from ._errors import LinajeError
from ._log import warn
from ._schema import ColSpec, Schema
from ._signature import as_pandas, is_array, is_missing, is_tensor, tensor_array
from ._types import (AnyOfThem, AnyType, Array, ColumnType, DataType, Map, Object, refuse,
                     scalar_types)

_SHOWN = 8


def enforce_schema(data: Any, schema: Schema) -> Any:
    """Data as a model of this input schema gets them: a data frame of the schema's columns, in its
    order and types, or arrays. LinajeError names what is missing or wrong, what was wanted and
    found, and what to do."""
    try:
        return _enforced(as_pandas(data), schema)
    except LinajeError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a library raises for odd data
        raise refuse(f"a {type(data).__name__} cannot be held against the model's signature "
                     f"{schema!r:.200}: {error}; give a data frame or array like the model's "
                     f"input example", found=type(data).__name__) from error


def _enforced(data: Any, schema: Schema) -> Any:
    if schema.is_tensor_spec():
        from ._tensors import enforce_tensors

        return enforce_tensors(data, schema)
    if len(schema) == 1 and not schema.has_input_names() and isinstance(
            schema.inputs[0].type, AnyType) and not _fits_frame(data):
        return data
    frame = _frame(data, schema)
    return _named(frame, schema) if schema.has_input_names() else _unnamed(frame, schema)


def _fits_frame(data: Any) -> bool:
    import numpy
    import pandas

    return bool(numpy.isscalar(data)) or isinstance(
        data, (dict, list, numpy.ndarray, pandas.Series, pandas.DataFrame))


def _frame(data: Any, schema: Schema) -> Any:
    """The data frame that data are for a schema of columns."""
    try:
        import numpy
        import pandas
    except ImportError as error:
        raise refuse(f"columns are held against a signature by pandas: {error}; install "
                     f"it") from None

    if isinstance(data, pandas.DataFrame):
        return data
    if is_tensor(data):
        data = tensor_array(data)
    try:
        if isinstance(data, dict):
            return _mapping_frame(data, schema)
        if numpy.isscalar(data):
            return pandas.DataFrame([data])
        if isinstance(data, (list, numpy.ndarray, pandas.Series)):
            return pandas.DataFrame(data)
    except (ValueError, TypeError) as error:
        raise refuse(f"the model wants columns, and the {type(data).__name__} that was found is no "
                     f"data frame: {error}; give a pandas.DataFrame", wanted="columns",
                     found=type(data).__name__) from None
    raise refuse(f"the model wants columns, not a {type(data).__name__}; give a pandas.DataFrame",
                 wanted="columns", found=type(data).__name__)


def _mapping_frame(data: Dict[Any, Any], schema: Schema) -> Any:
    """A mapping is one row where the schema has lists or objects, or all its values are scalars or
    lists of texts; else each value is a column."""
    import numpy
    import pandas

    def of_one_row(value: Any) -> bool:
        return value is None or bool(numpy.isscalar(value)) or (
            isinstance(value, datetime.date)) or (
            isinstance(value, list) and all(isinstance(each, str) for each in value)) or (
            isinstance(value, numpy.ndarray) and value.shape == () and value.dtype.kind == "U")

    if any(isinstance(each.type, (Array, Object)) for each in schema) or all(
            map(of_one_row, data.values())):
        return pandas.DataFrame([data])
    return pandas.DataFrame({name: value.tolist() if isinstance(value, numpy.ndarray)
                             and value.ndim > 1 else value for name, value in data.items()})


def check_names(found: List[Any], schema: Schema, noun: str) -> None:
    """Refuses what lacks a required name; warns of what is ignored."""
    wanted = schema.required_input_names()
    here, known = set(found), set(schema.input_names())
    missing = [name for name in wanted if name not in here]
    extra = [name for name in found if name not in known]
    if missing:
        also = f" (the model does not know {_some(extra)})" if extra else ""
        raise refuse(f"{noun} {_some(missing)} of the model's signature are missing; found "
                     f"{_some(found)}{also}; give all of {_some(wanted)} by name, in any order",
                     column=missing[0], wanted=missing, found=found)
    if extra:
        warn("signature-extra", f"{noun} {_some(extra)} are not in the model's signature and are "
                                f"ignored")


def _some(names: List[Any]) -> str:
    shown = ", ".join(repr(name) for name in names[:_SHOWN])
    return shown + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _named(frame: Any, schema: Schema) -> Any:
    check_names(list(frame.columns), schema, "columns")
    here = set(frame.columns)
    return _rebuilt(frame, [(frame.columns.get_loc(each.name), each.name, each)
                            for each in schema
                            if isinstance(each, ColSpec) and each.name in here])


def _unnamed(frame: Any, schema: Schema) -> Any:
    if len(frame.columns) < len(schema):
        raise refuse(f"the model wants {len(schema)} columns and {len(frame.columns)} were found; "
                     f"its signature has no names, so give them by place",
                     wanted=len(schema), found=len(frame.columns))
    return _rebuilt(frame, [(place, frame.columns[place], each)
                            for place, each in enumerate(schema) if isinstance(each, ColSpec)])


def _rebuilt(frame: Any, parts: List[Tuple[Any, Any, ColSpec]]) -> Any:
    """A frame of converted columns; all that is wrong is said at once."""
    columns = [column for _, column in frame.items()]
    changed: Dict[Any, Any] = {}
    problems, names = [], set()
    for place, name, spec in parts:
        try:
            if not isinstance(place, int) or name in names:
                raise refuse(f"column {name!r} is there more than once; rename one", column=name)
            names.add(name)
            column = enforce_column(columns[place], spec.type, spec.required, f"column {name!r}")
            if column is not columns[place]:
                changed[name] = column
        except LinajeError as error:
            problems.append(error)
    if problems:
        more = f"; and {len(problems) - _SHOWN} columns more" if len(problems) > _SHOWN else ""
        raise refuse("; ".join(error.message for error in problems[:_SHOWN]) + more,
                     **problems[0].details)
    if not parts:
        return type(frame)()
    # A frame of its own: what the model does to it does not reach the caller's.
    out = frame.iloc[:, [place for place, _, _ in parts]].copy()
    for name, column in changed.items():
        out[name] = column
    return out


# --- One column -----------------------------------------------------------------------------------

def enforce_column(column: Any, wanted: AnyOfThem, required: bool, where: str) -> Any:
    """A Series as the wanted type, of which `where` says what it is."""
    if isinstance(wanted, DataType):
        return _scalar_column(column, wanted, where)
    import pandas

    if isinstance(wanted, AnyType):
        return column
    return pandas.Series([enforce_type(value, wanted, required, f"{where}, row {row}")
                          for row, value in enumerate(column)], index=column.index,
                         name=column.name)


def _scalar_column(column: Any, wanted: DataType, where: str) -> Any:
    import pandas

    dtype = column.dtype
    if dtype == object and wanted not in (DataType.binary, DataType.string):
        column = column.infer_objects()
        dtype = column.dtype
    if isinstance(dtype, pandas.CategoricalDtype):
        # Models that were trained on categories want them back as they are.
        _scalar_column(pandas.Series(dtype.categories), wanted, where)
        return column
    is_text = isinstance(dtype, pandas.StringDtype)
    if wanted in (DataType.string, DataType.binary, DataType.boolean) and dtype == object:
        return _objects(column, wanted, where)
    if is_text and wanted in (DataType.string, DataType.binary):
        return column
    if wanted is DataType.datetime and (dtype.kind == "M" or dtype == object):
        return _moments(column, where)
    if wanted is DataType.double and dtype == object:
        return _decimals(column, where)
    if dtype == wanted.to_pandas():
        return column
    if wanted is DataType.binary and dtype.kind == "S":
        return column.astype(object)
    if _loses_nothing(column, wanted.to_numpy()):
        try:
            return column.astype(wanted.to_numpy())
        except (ValueError, TypeError, OverflowError):
            pass
    raise _misfit(column, wanted, where)


def _objects(column: Any, wanted: DataType, where: str) -> Any:
    """A column of Python's objects as it is, where all of them are what is wanted or missing; texts
    are taken for bytes, as in MLflow."""
    import pandas

    if wanted is DataType.binary:
        fits = all(is_missing(each) or isinstance(each, (bytes, bytearray, str))
                   for each in column)
    else:
        fits = pandas.api.types.infer_dtype(column, skipna=True) in (wanted.name, "empty")
    if not fits:
        raise _misfit(column, wanted, where)
    return column


def _loses_nothing(column: Any, wanted: Any) -> bool:
    """Whether every value of a column's type has its equal in the wanted one; 64-bit whole numbers
    become floating-point only where all are 0 or 1."""
    kind = column.dtype.kind
    # Types of pandas that are no numbers have no size.
    size = getattr(column.dtype, "itemsize", None)
    if size is None:
        return False
    if kind == wanted.kind:
        return bool(size <= wanted.itemsize)
    if kind == "u" and wanted.kind == "i":
        return bool(size < wanted.itemsize)
    if kind in "iu" and wanted.name == "float64" and size <= 4:
        return True
    return bool(str(column.dtype) == "int64" and wanted.kind == "f"
                and wanted.itemsize >= 4 and column.isin([0, 1]).all())


def _moments(column: Any, where: str) -> Any:
    try:
        return column.astype("datetime64[ns]")
    except (ValueError, TypeError, OverflowError) as error:
        advice = ("convert it to UTC and drop the zone: .dt.tz_convert(None)"
                  if getattr(column.dtype, "tz", None) is not None
                  else "convert it with pandas.to_datetime")
        raise _misfit(column, DataType.datetime, where, f"{advice} ({error})") from None


def _decimals(column: Any, where: str) -> Any:
    """Decimals, as Spark gives them, are taken for double."""
    import decimal
    import pandas

    if not all(is_missing(value) or isinstance(value, (decimal.Decimal, int, float))
               for value in column):
        raise _misfit(column, DataType.double, where)
    return pandas.to_numeric(column)


def _misfit(column: Any, wanted: DataType, where: str, advice: str = "") -> LinajeError:
    found = str(column.dtype)
    kind = column.dtype.kind
    name = wanted.numpy_name
    if column.dtype == object:
        import pandas

        found = f"object ({pandas.api.types.infer_dtype(column, skipna=True)})"
    if advice:
        pass
    elif wanted in (DataType.integer, DataType.long) and kind in "fiu" and column.hasnans:
        advice = (f"{column.isna().sum()} values are missing, which whole numbers cannot be: fill "
                  f"or drop them, or log the model with a signature inferred from data that have "
                  f"missing values (the column is a double then)")
    elif wanted is DataType.boolean and kind == "b":
        advice = f"{column.isna().sum()} values are missing: fill or drop them"
    elif kind in "biuf" and wanted.to_numpy().kind in "biuf":
        loss = ("fractions would be lost" if kind == "f" and wanted.to_numpy().kind != "f"
                else "large whole numbers would change" if kind in "iu" and wanted.to_numpy().kind
                == "f" else "values may change")
        advice = f"{loss}, so it is not done for you: .astype({name!r}) if that is meant"
    elif wanted is DataType.string:
        advice = "convert it with .astype(str)"
    elif wanted is DataType.datetime:
        advice = "convert it with pandas.to_datetime"
    elif kind in "OUT":
        advice = "convert it with pandas.to_numeric" if wanted.to_numpy().kind in "iuf" else (
            f"give values of {wanted.name}")
    else:
        advice = f"give values of {wanted.name}, or log the model with another signature"
    return refuse(f"{where}: the model wants {wanted.name} ({name}), found {found}; {advice}",
                  column=column.name, wanted=wanted.name, found=found)


# --- One value ------------------------------------------------------------------------------------

def enforce_type(value: Any, wanted: AnyOfThem, required: bool, where: str) -> Any:
    """A value of a list, mapping or cell as the wanted type; None where it is not required."""
    if isinstance(wanted, AnyType):
        return value
    if isinstance(wanted, DataType):
        return _scalar(value, wanted, required, where)
    empty = value is None or isinstance(value, (list, dict)) and not value or (
        is_array(value) and value.size == 0)
    if isinstance(wanted, Array):
        if empty and not isinstance(value, dict) and (
                not required or isinstance(wanted.dtype, AnyType)):
            return value
        return _array(value, wanted, required, where)
    if empty and isinstance(value, (dict, type(None))) and (not required or (
            isinstance(wanted, Map) and isinstance(wanted.value_type, AnyType))):
        return value
    if not isinstance(value, dict):
        raise _wrong(value, wanted, where)
    if isinstance(wanted, Map):
        if not all(isinstance(key, str) for key in value):
            raise refuse(f"{where}: keys must be texts, not {_some(list(value))}")
        return {key: enforce_type(each, wanted.value_type, required, f"{where}, key {key!r}")
                for key, each in value.items()}
    return _object(value, wanted, where)


def _object(value: Dict[str, Any], wanted: ColumnType, where: str) -> Any:
    if not isinstance(wanted, Object):
        raise _wrong(value, wanted, where)
    specs = {each.name: each for each in wanted.properties}
    missing = [name for name, spec in specs.items() if spec.required and name not in value]
    extra = [name for name in value if name not in specs]
    if missing:
        raise refuse(f"{where}: {_some(missing)} are missing; give {_some(list(specs))}",
                     wanted=missing, found=list(value))
    if extra:
        raise refuse(f"{where}: {_some(extra)} are not in the model's signature; leave them out, "
                     f"or log the model with a signature that has them", wanted=list(specs),
                     found=extra)
    return {name: enforce_type(each, specs[name].dtype, specs[name].required,
                               f"{where}, key {name!r}") for name, each in value.items()}


def _array(value: Any, wanted: Array, required: bool, where: str) -> Any:
    as_list = isinstance(value, list)
    if not as_list and not (is_array(value) and value.ndim):
        raise _wrong(value, wanted, where)
    item = wanted.dtype
    if not isinstance(item, DataType):
        out = [enforce_type(each, item, required, f"{where}, item {place}")
               for place, each in enumerate(value)]
        return out if as_list else _as_array(out)
    can_lack = item in (DataType.string, DataType.binary, DataType.boolean, DataType.datetime)
    if as_list and all(_is_exactly(each, item) or each is None and can_lack for each in value):
        return value
    if not len(value):
        return value
    import pandas

    try:
        column = pandas.Series(value)
        done = _scalar_column(column, item, f"{where}, items").to_numpy(dtype=item.to_numpy())
    except LinajeError:
        raise
    except (ValueError, TypeError, OverflowError) as error:
        raise refuse(f"{where}: the model wants {wanted!r}: {error}; give a list of {item.name}",
                     wanted=repr(wanted), found=type(value).__name__) from None
    return done.tolist() if as_list else done


def _as_array(values: List[Any]) -> Any:
    import numpy

    return numpy.array(values)


def _is_exactly(value: Any, wanted: DataType) -> bool:
    known = scalar_types(value)
    return bool(known) and known[0] is wanted and not is_missing(value)


def _scalar(value: Any, wanted: DataType, required: bool, where: str) -> Any:
    if _is_exactly(value, wanted):
        return value
    if not required and is_missing(value):
        return None
    import numpy
    import pandas

    if not numpy.isscalar(value):
        raise _wrong(value, wanted, where)
    return _scalar_column(pandas.Series(value), wanted, where)[0]


def _wrong(value: Any, wanted: Optional[AnyOfThem], where: str) -> LinajeError:
    return refuse(f"{where}: the model wants {wanted!r}, found {value!r:.60} of type "
                  f"{type(value).__name__}; give a value of that type, or log the model with "
                  f"another signature", wanted=repr(wanted), found=type(value).__name__)

