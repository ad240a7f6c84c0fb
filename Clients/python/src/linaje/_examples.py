"""Input examples as MLflow writes them (MLflow 3, models/utils.py), read back, and the output.

`input_example.json` is the data; `serving_input_example.json` is what a scoring server is sent for
it; `output_example.json`, which MLflow does not write, is what such a server answers.
"""

import base64
import copy
import datetime
import json
import os
from typing import Any, Dict, Mapping, Optional, Tuple

from ._schema import ColSpec, ModelSignature, Schema, TensorSpec
from ._signature import (as_pandas, is_array, is_frame, is_missing, is_series, is_sparse, is_tensor,
                         tensor_array)
from ._types import AnyOfThem, Array, DataType, Map, Object, refuse

INPUT_FILE = "input_example.json"
SERVING_FILE = "serving_input_example.json"
OUTPUT_FILE = "output_example.json"
# Mappings with these keys are requests of language models and are sent as they are.
_REQUEST_KEYS = {"messages", "prompt", "input"}


class Example:
    """Data, or (data, params), and the texts of their files. LinajeError for what cannot be
    written."""

    def __init__(self, given: Any) -> None:
        self.params: Optional[Dict[str, Any]] = None
        if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], dict):
            given, self.params = given
        given = as_pandas(given)
        if is_series(given):
            given = given.to_frame()
        self.data = tensor_array(given) if is_tensor(given) else copy.deepcopy(given)
        self.info: Dict[str, Any] = {"artifact_path": INPUT_FILE}
        if self.params:
            self.info["params"] = "true"
        written, serving = self._written()
        if self.params is not None:
            is_request = isinstance(self.data, dict) and _REQUEST_KEYS & set(self.data)
            serving = ({**serving, **self.params} if is_request
                       else {**serving, "params": self.params})
            written = {"inputs": written, "params": self.params}
        self.info["serving_input_path"] = SERVING_FILE
        self.input_text = json_text(written)
        self.serving_text = json_text(serving, indent=2)

    def _written(self) -> Tuple[Any, Dict[str, Any]]:
        """(what is written, what a server is sent); says in `info` what it is."""
        data = self.data
        if is_frame(data):
            split = _split(data)
            self.info.update(type="dataframe",
                             pandas_orient="split" if "columns" in split else "values")
            return split, {"dataframe_split": split}
        if is_array(data) or isinstance(data, dict) and any(map(is_array, data.values())):
            if isinstance(data, dict) and not all(map(is_array, data.values())):
                raise refuse("an input example mixes arrays with other values; make all of them "
                             "arrays, or none")
            self.info["type"] = "ndarray"
            written = ({name: _array_values(each) for name, each in data.items()}
                       if isinstance(data, dict) else _array_values(data))
            return written, {"inputs": written}
        if is_sparse(data):
            self.info["type"] = f"sparse_matrix_{data.format}"
            return ({"data": _array_values(data.data), "indices": data.indices.tolist(),
                     "indptr": data.indptr.tolist(), "shape": list(data.shape)},
                    {"inputs": data.toarray()})
        if isinstance(data, list) and _holds_array(data):
            raise refuse("an input example is a list of arrays; stack them into one array")
        if isinstance(data, (dict, list, str, bytes, bool, int, float, complex, datetime.datetime)
                      ) or hasattr(data, "item"):
            self.info["type"] = "json_object"
            is_request = isinstance(data, dict) and _REQUEST_KEYS & set(data)
            return data, data if is_request else {"inputs": data}
        raise refuse(f"a {type(data).__name__} is no input example; give a data frame, Series, "
                     f"array, sparse matrix, mapping, list or scalar")

    def write(self, folder: str) -> None:
        """Writes both files."""
        for name, text in ((INPUT_FILE, self.input_text), (SERVING_FILE, self.serving_text)):
            with open(os.path.join(folder, name), "x", encoding="utf-8") as file:
                file.write(text)


def _split(frame: Any) -> Dict[str, Any]:
    split = frame.where(frame.notnull(), None).to_dict(orient="split")
    del split["index"]
    if list(frame.columns) == list(range(len(frame.columns))):
        del split["columns"]
    return dict(split)


def _array_values(array: Any) -> Any:
    values = array.tolist()
    if array.dtype.kind == "f":
        def without_nan(value: Any) -> Any:
            if isinstance(value, list):
                return [without_nan(each) for each in value]
            return None if value != value else value

        return without_nan(values)
    return values


def _holds_array(value: Any) -> bool:
    if isinstance(value, (list, dict)):
        return any(map(_holds_array, value.values() if isinstance(value, dict) else value))
    return is_array(value)


def json_text(value: Any, indent: Optional[int] = None) -> str:
    """Values as JSON, those of NumPy and pandas too: bytes in base 64, moments as ISO texts."""
    try:
        return json.dumps(value, default=_plain, indent=indent)
    except (TypeError, ValueError, RecursionError) as error:
        raise refuse(f"an example cannot be written as JSON: {error}") from None


def _plain(value: Any) -> Any:
    if is_frame(value):
        return value.to_dict(orient="records")
    if is_series(value):
        return value.to_frame().to_dict(orient="records")
    if is_sparse(value):
        return value.toarray().tolist()
    if is_tensor(value):
        return tensor_array(value).tolist()
    if is_array(value):
        return value.tolist()
    if isinstance(value, (bytes, bytearray)):
        return base64.encodebytes(value).decode("ascii")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if hasattr(value, "item") and hasattr(value, "dtype"):
        return value.item()
    if is_missing(value):
        return None
    raise TypeError(f"a {type(value).__name__} is no value of JSON")


# --- Read back ---

def read_example(folder: str, info: Mapping[str, Any],
                 signature: Optional[ModelSignature]) -> Tuple[Any, Optional[Dict[str, Any]]]:
    """(data, params) of the example in a model's folder, in the types of its signature.
    LinajeError names the file."""
    name = str(info.get("artifact_path", INPUT_FILE))
    try:
        if os.path.basename(name) != name:
            raise ValueError("the path leads out of the model")
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            data = json.load(file)
        params = None
        if info.get("params"):
            data, params = data["inputs"], data["params"]
        schema = None if signature is None else signature.inputs
        return _typed(data, str(info.get("type")), schema), params
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise refuse(f"input example {name} cannot be read: {error}") from None


def _typed(data: Any, kind: str, schema: Optional[Schema]) -> Any:
    if kind == "dataframe":
        import pandas

        names = [tuple(each) if isinstance(each, list) else each
                 for each in data["columns"]] if "columns" in data else None
        return _typed_frame(pandas.DataFrame(data["data"], columns=names), schema)
    if kind == "ndarray":
        specs = {each.name: each for each in schema or () if isinstance(each, TensorSpec)}
        if isinstance(data, dict):
            return {name: _typed_array(each, specs.get(name)) for name, each in data.items()}
        return _typed_array(data, specs.get(None))
    if kind in ("sparse_matrix_csr", "sparse_matrix_csc"):
        import numpy
        import scipy.sparse

        make = getattr(scipy.sparse, f"{kind[-3:]}_matrix")
        spec = schema.inputs[0] if schema else None
        values = numpy.array(data["data"], spec.type if isinstance(spec, TensorSpec) else None)
        return make((values, data["indices"], data["indptr"]), shape=tuple(data["shape"]))
    if kind != "json_object":
        raise refuse(f"type {kind!r} of the input example is not known")
    if schema is None or schema.is_tensor_spec():
        return data
    types = {each.name: each.type for each in schema if isinstance(each, ColSpec)}
    if None in types:
        item = types[None]
        return [_typed_value(each, item) for each in data] if isinstance(
            data, list) else _typed_value(data, item)
    rows = [{name: _typed_value(each, types.get(name)) for name, each in row.items()}
            for row in (data if isinstance(data, list) else [data])]
    return rows if isinstance(data, list) else rows[0]


def _typed_array(values: Any, spec: Optional[TensorSpec]) -> Any:
    import numpy

    if spec is not None and spec.dtype == "bytes":
        values = _typed_value(values, Array(DataType.binary))
    array = numpy.array(values, None if spec is None else spec.type)
    if spec is not None and not array.size and -1 not in spec.shape[1:]:
        return array.reshape(0, *spec.shape[1:])
    return array


def _typed_frame(frame: Any, schema: Optional[Schema]) -> Any:
    """A frame of JSON in the types of a schema's columns, which JSON does not keep."""
    import pandas

    if schema is None or schema.is_tensor_spec():
        return frame
    columns = {}
    for place, name in enumerate(frame.columns):
        column = frame.iloc[:, place]
        specs = [each for each in schema if each.name == name] if schema.has_input_names() else (
            schema.inputs[place:place + 1])
        wanted = specs[0].type if specs else None
        if wanted is None or wanted is DataType.string:
            columns[name] = column
        elif wanted is DataType.datetime:
            columns[name] = pandas.to_datetime(column).astype("datetime64[ns]")
        elif isinstance(wanted, DataType) and wanted is not DataType.binary:
            # A column with missing values stays as JSON has it, which the model may take.
            lacks = column.isna().any() and wanted not in (DataType.float, DataType.double)
            columns[name] = column if lacks else column.astype(wanted.to_numpy())
        else:
            columns[name] = pandas.Series([_typed_value(each, wanted) for each in column],
                                          index=column.index, dtype=object)
    return pandas.DataFrame(columns)


def _typed_value(value: Any, wanted: Optional[AnyOfThem]) -> Any:
    if value is None or wanted is None:
        return value
    if isinstance(wanted, Array) and isinstance(value, list):
        return [_typed_value(each, wanted.dtype) for each in value]
    if isinstance(wanted, Map) and isinstance(value, dict):
        return {name: _typed_value(each, wanted.value_type) for name, each in value.items()}
    if isinstance(wanted, Object) and isinstance(value, dict):
        types = {each.name: each.dtype for each in wanted.properties}
        return {name: _typed_value(each, types.get(name)) for name, each in value.items()}
    if wanted is DataType.binary and isinstance(value, str):
        return base64.b64decode(value)
    if wanted is DataType.datetime and isinstance(value, str):
        kind = datetime.date if len(value) == 10 else datetime.datetime
        return kind.fromisoformat(value)
    if isinstance(wanted, DataType) and wanted in (
            DataType.integer, DataType.float) and isinstance(value, (int, float)):
        return wanted.to_numpy().type(value)
    return value
