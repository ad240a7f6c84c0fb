"""Arrays and tensors held against a signature of tensors (MLflow 3, models/utils.py)."""

from typing import Any

from ._errors import LinajeError
from ._schema import Schema, TensorSpec, dtype_name
from ._signature import is_array, is_frame, is_series, is_sparse, is_tensor, tensor_array
from ._types import refuse


def enforce_tensors(data: Any, schema: Schema) -> Any:
    """Arrays as a model of this schema gets them: one, or one by each name. Lists become arrays,
    columns of a frame are stacked; arrays, sparse matrices and tensors must fit as they are."""
    from ._enforce import check_names

    specs = [each for each in schema if isinstance(each, TensorSpec)]
    if is_series(data):
        data = data.to_frame()
    if not schema.has_input_names():
        if is_frame(data):
            return _of_frame(data, specs[0])
        return _fitting(data, specs[0], "the input")
    if len(specs) == 1 and not isinstance(data, dict) and not is_frame(data):
        data = {specs[0].name: data}
    if is_frame(data):
        check_names(list(data.columns), schema, "tensors")
        return {spec.name: _of_column(data[spec.name], spec, f"column {spec.name!r}")
                for spec in specs}
    if isinstance(data, dict):
        check_names(list(data), schema, "tensors")
        return {spec.name: _fitting(data[spec.name], spec, f"tensor {spec.name!r}")
                for spec in specs}
    raise refuse(f"the model wants tensors {', '.join(repr(spec.name) for spec in specs)}, found a "
                 f"{type(data).__name__}; give a mapping of name to array, or a data frame",
                 wanted="tensors by name", found=type(data).__name__)


def _misfit(spec: TensorSpec, where: str, found: str, advice: str) -> LinajeError:
    wanted = f"{spec.dtype} of shape {spec.shape}"
    return refuse(f"{where}: the model wants a tensor of {wanted}, found {found}; {advice}",
                  column=spec.name if spec.name is not None else "", wanted=wanted, found=found)


def _fitting(data: Any, spec: TensorSpec, where: str) -> Any:
    """Data as they are, where they fit; a list as an array."""
    if is_tensor(data):
        _check(tensor_array(data), spec, where)
        return data
    if isinstance(data, list):
        data = _cast(data, spec, where)
    if not is_array(data) and not is_sparse(data):
        raise _misfit(spec, where, f"a {type(data).__name__}", "give a numpy.ndarray")
    _check(data, spec, where)
    if is_array(data) and not data.dtype.isnative and spec.dtype != "object":
        data = data.astype(data.dtype.newbyteorder("="))
    return data


def _check(array: Any, spec: TensorSpec, where: str) -> None:
    shape, dtype = tuple(array.shape), dtype_name(array.dtype)
    if spec.shape == (-1,) and spec.dtype == "object":
        return
    if len(spec.shape) > 1 and -1 in spec.shape[1:] and len(shape) == 1 and dtype == "object":
        # Rows of different lengths: an array of arrays.
        return
    found = f"{dtype} of shape {shape}"
    if len(shape) != len(spec.shape) or any(
            wanted not in (-1, size) for wanted, size in zip(spec.shape, shape)):
        raise _misfit(spec, where, found, "reshape it; -1 stands for any number of rows")
    if dtype != spec.dtype:
        raise _misfit(spec, where, found, f"convert it with .astype({spec.dtype!r}) if nothing "
                                          f"that counts is lost")


def _cast(values: Any, spec: TensorSpec, where: str) -> Any:
    """Values that carry no type of their own, as an array of the wanted type; floating-point never
    becomes whole, nor a text a number."""
    import numpy

    try:
        array = numpy.asarray(values)
    except ValueError as error:
        raise _misfit(spec, where, f"rows that make no array ({error})",
                      "give rows of the same length") from None
    if dtype_name(array.dtype) == spec.dtype:
        return array
    try:
        numbers = array.dtype.kind in "biufc" and spec.type.kind in "biufc"
        if not (numbers or array.dtype.kind == spec.type.kind) or not numpy.can_cast(
                array.dtype, spec.type, "same_kind"):
            raise TypeError
        return array.astype(spec.type)
    except (TypeError, ValueError):
        raise _misfit(spec, where, f"{dtype_name(array.dtype)} of shape {array.shape}",
                      f"give values of {spec.dtype}") from None


def _of_frame(frame: Any, spec: TensorSpec) -> Any:
    count = len(frame.columns)
    if not len(frame) or not count:
        raise _misfit(spec, "the input", "a data frame without a row", "give at least one")
    if count == 1:
        return _of_column(frame.iloc[:, 0], spec, f"column {frame.columns[0]!r}")
    if spec.shape != (-1, count):
        raise _misfit(spec, "the input", f"a data frame of {count} columns",
                      "give an array of that shape")
    array = frame.to_numpy()
    _check(array, spec, "the input")
    return array


def _of_column(column: Any, spec: TensorSpec, where: str) -> Any:
    """A column of scalars, lists or arrays as one array; its rows are the first dimension."""
    import numpy

    if spec.shape[:1] != (-1,) or -1 in spec.shape[1:]:
        raise _misfit(spec, where, "a data frame", "only a first dimension may be of any length "
                                                   "there; give arrays")
    if not len(column):
        raise _misfit(spec, where, "no row", "give at least one")
    first = column.iloc[0]
    if numpy.isscalar(first):
        if spec.shape not in ((-1,), (-1, 1)):
            raise _misfit(spec, where, "scalars", "give a list or an array in each row")
        array = _cast(column.tolist(), spec, where).reshape(spec.shape)
    elif isinstance(first, (list, numpy.ndarray)):
        try:
            array = numpy.vstack(column.tolist()).reshape(spec.shape)
        except ValueError as error:
            raise _misfit(spec, where, f"rows of other sizes ({error})",
                          "give rows of one size that can be reshaped") from None
        if isinstance(first, list):
            array = _cast(array, spec, where)
    else:
        raise _misfit(spec, where, f"values of type {type(first).__name__}",
                      "give a scalar, list or array in each row")
    if len(array) != len(column):
        raise _misfit(spec, where, f"{len(column)} rows that make {len(array)}",
                      "give rows of the wanted size")
    _check(array, spec, where)
    return array
