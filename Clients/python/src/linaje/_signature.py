"""Signatures inferred from data, as MLflow infers them (MLflow 3, types/utils.py).

What MLflow understands gives the same bytes here. Beyond that: tensors of torch, sparse arrays of
SciPy beside its matrices, and frames of other libraries by the pandas frame that they become.
"""

import sys
from typing import Any, Dict, List, Mapping, Optional

from ._errors import LinajeError
from ._log import warn
from ._params import infer_params
from ._schema import ColSpec, ModelSignature, Schema, TensorSpec
from ._types import (MAX_DEPTH, AnyOfThem, AnyType, Array, DataType, Object, Property, merged,
                     refuse, scalar_types)


def infer_signature(model_input: Any = None, model_output: Any = None,
                    params: Optional[Mapping[str, Any]] = None) -> ModelSignature:
    """The signature of example data: what a model takes, what it gives, its params.

    Data frames, Series, arrays, mappings, lists, scalars, sparse matrices and tensors are taken.
    Data of which no schema can be made get one column of any type, with a warning. Missing values
    make a column optional; whole numbers with missing values are floating-point in pandas and
    are inferred as double. LinajeError for params that have no type, or when nothing is given.
    """
    parts = {}
    for part, data in (("inputs", model_input), ("outputs", model_output)):
        try:
            parts[part] = None if data is None else infer_schema(data)
        except Exception as error:  # noqa: BLE001 - whatever a library raises for odd data
            warn(f"signature-{part}", f"no schema of the {part}: {reason(error)}; they are "
                                      f"recorded as any, and nothing of them is checked")
            parts[part] = Schema([ColSpec(AnyType())])
    inputs = parts["inputs"]
    if inputs is not None and not inputs.is_tensor_spec():
        whole = [name for name, kind in zip(inputs.input_names(), inputs.input_types())
                 if kind in (DataType.integer, DataType.long)]
        if whole:
            warn("signature-whole", f"columns {whole} are whole numbers, which cannot hold missing "
                                    f"values in pandas; if these may come, infer the signature "
                                    f"from data that have some, or from float64")
    return ModelSignature(inputs, parts["outputs"], infer_params(params) if params else None)


def reason(error: Exception) -> str:
    """What an error says, for a warning."""
    return error.message if isinstance(error, LinajeError) else f"{type(error).__name__}: {error}"


# --- What the data are ---

def _of(data: Any, module: str, *names: str) -> bool:
    """Whether data are of a class of a library, which is not imported for that."""
    library = sys.modules.get(module)
    return library is not None and any(
        isinstance(data, kind) for kind in (getattr(library, name, None) for name in names)
        if isinstance(kind, type))


def is_frame(data: Any) -> bool:
    """Whether data are a pandas DataFrame."""
    return _of(data, "pandas", "DataFrame")


def is_series(data: Any) -> bool:
    """Whether data are a pandas Series."""
    return _of(data, "pandas", "Series")


def is_array(data: Any) -> bool:
    """Whether data are a NumPy array."""
    return _of(data, "numpy", "ndarray")


def is_sparse(data: Any) -> bool:
    """Whether data are a sparse matrix or array of SciPy, by rows or columns."""
    return _of(data, "scipy.sparse", "csr_matrix", "csc_matrix", "csr_array", "csc_array")


def is_tensor(data: Any) -> bool:
    """Whether data are a tensor of torch."""
    return _of(data, "torch", "Tensor")


def tensor_array(data: Any) -> Any:
    """The array of a torch tensor; bfloat16, which NumPy has not, as float32."""
    data = data.detach().cpu()
    return (data.float() if str(data.dtype) == "torch.bfloat16" else data).numpy()


def as_pandas(data: Any) -> Any:
    """Frames and tables of other libraries as pandas frames; anything else as it is."""
    if _of(data, "polars", "DataFrame", "Series") or _of(data, "pyarrow", "Table", "RecordBatch"):
        try:
            return data.to_pandas()
        except ImportError as error:
            raise refuse(f"a {type(data).__name__} of {type(data).__module__} is read by "
                         f"pandas and pyarrow: {error}; install them") from None
    return data


# --- Schemas ---

def infer_schema(data: Any) -> Schema:
    """The schema of data. LinajeError, or what a library raises, where there is none."""
    data = as_pandas(data)
    if is_tensor(data):
        data = tensor_array(data)
    if isinstance(data, list):
        return _list_schema(data)
    if isinstance(data, dict):
        if data and all(map(is_array, data.values())):
            return Schema([_tensor(array.dtype, array.shape, name)
                           for name, array in data.items()])
        if data and all(map(is_tensor, data.values())):
            return infer_schema({name: tensor_array(each) for name, each in data.items()})
        if not all(isinstance(name, str) for name in data):
            raise refuse(f"keys of a mapping must be texts, not {list(data)[:10]}")
        return Schema([ColSpec(infer_type(value), name, not _lacks(value))
                       for name, value in data.items()])
    if is_series(data):
        return Schema([ColSpec(column_type(data), _name(data.name), not _lacks(data))])
    if is_frame(data):
        return Schema([ColSpec(column_type(data[name]), _name(name), not _lacks(data[name]))
                       for name in data.columns])
    if is_array(data):
        return Schema([_tensor(data.dtype, data.shape)])
    if is_sparse(data):
        return Schema([_tensor(data.dtype, data.shape)])
    return Schema([ColSpec(infer_type(data))])


def _name(name: Any) -> Any:
    """A column's name, which JSON must be able to hold."""
    parts = name if isinstance(name, tuple) else (name,)
    if all(part is None or isinstance(part, (str, int, float)) for part in parts):
        return name
    raise refuse(f"column {name!r} is named by a {type(name).__name__}; name it by a text")


def _tensor(dtype: Any, shape: Any, name: Optional[str] = None) -> TensorSpec:
    """The first dimension of a tensor is its rows, of any number."""
    if len(shape) == 0:
        raise refuse("an array of no dimension has no rows; give one of at least one")
    return TensorSpec(dtype, (-1, *shape[1:]), name)


def _list_schema(data: List[Any]) -> Schema:
    if not data:
        return Schema([ColSpec(DataType.string)])
    if all(isinstance(each, dict) for each in data):
        columns: Dict[Any, List[Any]] = {}
        for row in data:
            for name, value in row.items():
                columns.setdefault(name, []).append(value)
        return Schema([ColSpec(_item_type(values), name, all(
            row.get(name) is not None for row in data)) for name, values in columns.items()])
    return Schema([ColSpec(_item_type(data))])


def _item_type(values: Any) -> AnyOfThem:
    kind = infer_type(values)
    if not isinstance(kind, Array):
        raise refuse("a list or column without a value has no type")
    return kind.dtype


def is_missing(value: Any) -> bool:
    """None, NaN, NA and NaT."""
    if value is None:
        return True
    if isinstance(value, float):
        return value != value
    pandas = sys.modules.get("pandas")
    return pandas is not None and (value is pandas.NA or value is pandas.NaT)


def _lacks(values: Any) -> bool:
    """Whether a column, list or value has missing values."""
    if is_series(values):
        numpy, pandas = sys.modules["numpy"], sys.modules["pandas"]
        kinds = (numpy.dtype, pandas.StringDtype)
        if isinstance(values.dtype, kinds) and values.dtype != object:
            return bool(values.isna().any())
        return any(map(is_missing, values))
    return any(map(is_missing, values)) if isinstance(values, list) else is_missing(values)


def infer_type(value: Any) -> AnyOfThem:
    """The type of one value. LinajeError where there is none."""
    kind = _infer_type(value, 0)
    if kind is None:
        raise refuse("an array without a value has no type")
    return kind


def _infer_type(value: Any, depth: int) -> Optional[AnyOfThem]:
    if depth > MAX_DEPTH:
        raise refuse(f"data are nested deeper than {MAX_DEPTH}")
    if is_missing(value) or (isinstance(value, (list, dict)) and not value):
        return AnyType()
    if isinstance(value, dict):
        properties = []
        for name, each in value.items():
            kind = _infer_type(each, depth + 1)
            if kind is None:
                raise refuse(f"array {name!r} without a value has no type")
            properties.append(Property(name, kind, not isinstance(kind, AnyType)))
        return Object(properties)
    if isinstance(value, list) or is_array(value):
        found: Optional[AnyOfThem] = None
        for each in value:
            kind = _infer_type(each, depth + 1)
            if kind is not None:
                found = kind if found is None else merged(found, kind)
        return None if found is None else Array(found)
    known = scalar_types(value)
    if known:
        return known[0]
    raise refuse(f"values of type {type(value).__name__} have no type in a schema")


def column_type(column: Any) -> AnyOfThem:
    """The type of a pandas Series."""
    import pandas

    if not is_series(column):
        raise refuse("two columns have the same name; rename one")
    if column.dtype.kind == "O":
        column = column.infer_objects()
    if column.dtype.kind != "O":
        return dtype_type(column.dtype)
    if isinstance(column.dtype, pandas.StringDtype):
        return DataType.string if not len(column) or column.notna().any() else AnyType()
    try:
        return _item_type(column.to_list())
    except LinajeError:
        if pandas.api.types.is_string_dtype(column):
            return DataType.string
        raise


def dtype_type(dtype: Any) -> DataType:
    """The type of a column of a NumPy type, or of one of pandas' own that has kind and size."""
    kind, size = dtype.kind, dtype.itemsize
    if kind in "iu":
        if size < 4 or (kind == "i" and size == 4):
            return DataType.integer
        if size < 8 or (kind == "i" and size == 8):
            return DataType.long
    if kind == "f" and size <= 8:
        return DataType.float if size <= 4 else DataType.double
    simple = {"b": DataType.boolean, "U": DataType.string, "S": DataType.binary,
              "M": DataType.datetime}
    if kind in simple:
        return simple[kind]
    raise refuse(f"columns of type {dtype} have no type in a schema")
