"""Params of a model: their types, defaults and checks (MLflow 3, types/schema.py)."""

import copy
import datetime
import json
import sys
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from ._errors import LinajeError
from ._log import warn
from ._types import DataType, Object, checked_type, refuse, scalar_types, type_of

# What is taken for a type besides its own values.
_WIDER = {DataType.long: (DataType.integer,), DataType.float: (DataType.integer, DataType.long),
          DataType.double: (DataType.integer, DataType.long, DataType.float)}


def _is_list(value: Any) -> bool:
    """Whether a value is a list of scalars."""
    if hasattr(value, "ndim") and hasattr(value, "dtype"):
        return bool(value.ndim == 1)
    return isinstance(value, list) and not any(isinstance(each, (list, tuple)) or getattr(
        each, "ndim", 0) for each in value)


def param_value(name: str, value: Any, wanted: DataType) -> Any:
    """A param's scalar as Python's own type; None stays. Only what loses nothing is converted."""
    if value is None:
        return None
    if wanted is DataType.datetime:
        return _moment(name, value)
    known = scalar_types(value)
    if wanted in known or any(kind in known for kind in _WIDER.get(wanted, ())):
        return wanted.to_python()(value)
    raise refuse(f"param {name!r} must be {wanted.name}, not {value!r} of type "
                 f"{type(value).__name__}", param=name, wanted=wanted.name,
                 found=type(value).__name__)


def _moment(name: str, value: Any) -> Any:
    moment = value
    try:
        if isinstance(value, str):
            moment = (datetime.date if len(value) == 10 else datetime.datetime).fromisoformat(value)
        elif hasattr(value, "astype"):
            # Nanoseconds become a number here: Python has no such moments.
            moment = value.item()
    except ValueError:
        moment = None
    if isinstance(moment, datetime.datetime):
        if moment.tzinfo is not None:
            moment = moment.astimezone(datetime.timezone.utc).replace(tzinfo=None)
        return datetime.datetime(*moment.timetuple()[:6], moment.microsecond)
    if isinstance(moment, datetime.date):
        return moment
    raise refuse(f"param {name!r} must be a datetime of at most microseconds, not {value!r}",
                 param=name, wanted="datetime", found=type(value).__name__)


class ParamSpec:
    """One param: name, type, default, and shape (None for a scalar or an Object, (-1,) for a
    list)."""

    def __init__(self, name: str, dtype: Union[DataType, Object, str], default: Any,
                 shape: Optional[Sequence[int]] = None) -> None:
        self.name = str(name)
        kind = checked_type(dtype)
        if not isinstance(kind, (DataType, Object)) or kind is DataType.binary:
            raise refuse(f"param {self.name!r} cannot be {kind!r}; use a scalar type other than "
                         f"binary, or an Object")
        self.dtype = kind
        self.shape: Optional[Tuple[int, ...]] = None if shape is None else tuple(shape)
        if self.shape not in (None, (-1,)):
            raise refuse(f"shape of param {self.name!r} must be None or (-1,), not {shape!r}")
        self.default = self.checked(default)

    def checked(self, value: Any) -> Any:
        """A value of the param, as the model gets it. LinajeError for what does not fit."""
        if self.shape is not None:
            if not _is_list(value) or not isinstance(self.dtype, DataType):
                raise refuse(f"param {self.name!r} must be a list of {self.dtype!r}, not "
                             f"{value!r}", param=self.name, wanted=f"list of {self.dtype!r}",
                             found=type(value).__name__)
            return [param_value(self.name, each, self.dtype) for each in value]
        if isinstance(self.dtype, DataType):
            return param_value(self.name, value, self.dtype)
        from ._enforce import enforce_type

        enforce_type(copy.deepcopy(value), self.dtype, True, f"param {self.name!r}")
        return value

    def to_dict(self) -> Dict[str, Any]:
        """As MLmodel holds it."""
        default = self.default
        if self.dtype is DataType.datetime:
            default = ([_written(each) for each in default] if self.shape is not None
                       else _written(default))
        return {"name": self.name, "default": default,
                "shape": None if self.shape is None else list(self.shape), **self.dtype.to_dict()}

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> "ParamSpec":
        """The param that an entry of MLmodel describes; old ones say `dtype` for the type."""
        name = entry.get("name")
        kind = type_of({"type": entry.get("dtype"), **entry}, f"param {name!r}")
        if name is None or "default" not in entry:
            raise refuse(f"param {name!r} of a signature needs a name and a default")
        return cls(str(name), kind, entry["default"], entry.get("shape"))  # type: ignore[arg-type]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ParamSpec) and other.to_dict() == self.to_dict()

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        shape = "" if self.shape is None else f" (shape: {self.shape})"
        return f"{self.name!r}: {self.dtype!r} (default: {self.default}){shape}"


def _written(moment: Any) -> Any:
    return moment if moment is None else moment.isoformat()


class ParamSchema:
    """All params of a model."""

    def __init__(self, params: List[ParamSpec]) -> None:
        names = [each.name for each in params]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise refuse(f"params are named twice: {twice}")
        self.params = params

    def __len__(self) -> int:
        return len(self.params)

    def __iter__(self) -> Iterator[ParamSpec]:
        return iter(self.params)

    def to_dict(self) -> List[Dict[str, Any]]:
        """As values of JSON."""
        return [each.to_dict() for each in self.params]

    def to_json(self) -> str:
        """As MLmodel holds it."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, entries: List[Dict[str, Any]]) -> "ParamSchema":
        """The params of a list of MLmodel."""
        return cls([ParamSpec.from_dict(each) for each in entries])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ParamSchema) and other.to_dict() == self.to_dict()

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return repr(self.params)


# --- Inferred ---

def infer_params(params: Mapping[str, Any]) -> ParamSchema:
    """The schema of params by their defaults. LinajeError names what has no type."""
    if not isinstance(params, Mapping):
        raise refuse(f"params must be a mapping, not {type(params).__name__}")
    return ParamSchema([_infer_param(name, value) for name, value in params.items()])


def _infer_param(name: str, value: Any) -> ParamSpec:
    known = scalar_types(value)
    if isinstance(value, list) or (not known and hasattr(value, "ndim")):
        if not _is_list(value):
            raise refuse(f"param {name!r} must be a scalar, a flat list or a mapping, not "
                         f"{value!r}")
        return ParamSpec(name, _infer_list(name, value), value, (-1,))
    if isinstance(value, Mapping) and value:
        from ._signature import infer_type

        return ParamSpec(name, infer_type(dict(value)), copy.deepcopy(value))  # type: ignore[arg-type]
    if not known or type(value) is object or known[0] is DataType.long and not (
            -(1 << 63) <= value < 1 << 63):
        raise refuse(f"param {name!r} has a default of type {type(value).__name__}, {value!r}; use "
                     f"a truth value, number, text, datetime, a flat list of these, or a mapping")
    return ParamSpec(name, known[0], value)


def _infer_list(name: str, value: Any) -> DataType:
    kinds = {known[0] for known in map(scalar_types, value) if known}
    if all(DataType.datetime in scalar_types(each) for each in value):
        # An empty list too, as MLflow has it.
        return DataType.datetime
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        from ._signature import dtype_type

        try:
            return dtype_type(numpy.array(value).dtype)
        except (LinajeError, ValueError):
            pass
    elif kinds <= {DataType.long, DataType.double}:
        return DataType.long if kinds == {DataType.long} else DataType.double
    elif len(kinds) == 1:
        return kinds.pop()
    raise refuse(f"param {name!r} is a list of no one type: {value!r}")


# --- Enforced ---

def enforce_params(params: Optional[Mapping[str, Any]],
                   schema: Optional[ParamSchema]) -> Dict[str, Any]:
    """Params as a model gets them: checked, with defaults for what is not given. What the
    signature does not know is left out, with a warning."""
    given = {} if params is None else params
    if not isinstance(given, Mapping):
        raise refuse(f"params must be a mapping, not {type(given).__name__}")
    given = {str(key): value for key, value in given.items()}
    specs = {} if schema is None else {each.name: each for each in schema}
    unknown = [key for key in given if key not in specs]
    if unknown:
        warn("params", f"params {unknown} are ignored: the model's signature has "
                       f"{list(specs) or 'no params'}; log it with them by "
                       f"infer_signature(params=)")
    problems = []
    out: Dict[str, Any] = {}
    wanted = [key for key in given if key in specs] + [key for key in specs if key not in given]
    for key in wanted:
        try:
            out[key] = specs[key].checked(given[key]) if key in given else copy.deepcopy(
                specs[key].default)
        except LinajeError as error:
            problems.append(error)
    if problems:
        raise refuse("; ".join(error.message for error in problems), **problems[0].details)
    return out
