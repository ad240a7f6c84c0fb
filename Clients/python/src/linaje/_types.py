"""Types of columns and values in MLflow's schema (MLflow 3, types/schema.py)."""

import datetime
import enum
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

from ._errors import INVALID_ARGUMENT, LinajeError

MAX_DEPTH = 64


def refuse(message: str, **details: Any) -> LinajeError:
    """The error of data or schemas that cannot be right."""
    return LinajeError(INVALID_ARGUMENT, message,
                       details={key: str(value) for key, value in details.items()})


class DataType(enum.Enum):
    """A scalar type: its name is what is written."""

    boolean = 1
    integer = 2
    long = 3
    float = 4
    double = 5
    string = 6
    binary = 7
    datetime = 8

    def __repr__(self) -> str:
        return self.name

    @property
    def numpy_name(self) -> str:
        """The name of NumPy's type of it."""
        return _NUMPY_NAMES[self.name]

    def to_numpy(self) -> Any:
        """NumPy's type of it."""
        import numpy

        return numpy.dtype(self.numpy_name)

    def to_pandas(self) -> Any:
        """The type of a column of it: object for texts and bytes."""
        return object if self.name in ("string", "binary") else self.to_numpy()

    def to_python(self) -> type:
        """Python's type of it."""
        return _PYTHON_TYPES[self.name]

    def to_dict(self) -> Dict[str, Any]:
        """{"type": …}"""
        return {"type": self.name}


_NUMPY_NAMES = {"boolean": "bool", "integer": "int32", "long": "int64", "float": "float32",
                "double": "float64", "string": "str", "binary": "bytes",
                "datetime": "datetime64[ns]"}
_PYTHON_TYPES: Dict[str, type] = {
    "boolean": bool, "integer": int, "long": int, "float": float, "double": float, "string": str,
    "binary": bytes, "datetime": datetime.date}

# What a scalar of exactly this type is, first as which it is inferred, then what else takes it.
_SCALARS: Dict[Tuple[str, str], Tuple[DataType, ...]] = {
    ("builtins", "bool"): (DataType.boolean,), ("numpy", "bool"): (DataType.boolean,),
    ("numpy", "bool_"): (DataType.boolean,),
    ("builtins", "int"): (DataType.long, DataType.integer), ("numpy", "int64"): (DataType.long,),
    ("numpy", "int32"): (DataType.integer,),
    ("builtins", "float"): (DataType.double, DataType.float),
    ("numpy", "float64"): (DataType.double,), ("numpy", "float32"): (DataType.float,),
    ("builtins", "str"): (DataType.string,), ("numpy", "str_"): (DataType.string,),
    ("builtins", "object"): (DataType.string,),
    ("builtins", "bytes"): (DataType.binary,), ("numpy", "bytes_"): (DataType.binary,),
    ("builtins", "bytearray"): (DataType.binary,),
    ("datetime", "date"): (DataType.datetime,), ("datetime", "datetime"): (DataType.datetime,),
    ("numpy", "datetime64"): (DataType.datetime,)}


def scalar_types(value: Any) -> Tuple[DataType, ...]:
    """The types that take a scalar as it is, first the one that is inferred of it; none for what
    is no scalar of a schema. Subclasses do not count, as in MLflow."""
    kind = type(value)
    return _SCALARS.get((kind.__module__, kind.__qualname__), ())


class ColumnType:
    """A type that is no scalar."""

    def to_dict(self) -> Dict[str, Any]:
        """As it is written."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.to_dict() == self.to_dict()

    def __hash__(self) -> int:
        return hash(repr(self))


AnyOfThem = Union[DataType, ColumnType]


class AnyType(ColumnType):
    """Anything: nothing is checked."""

    def to_dict(self) -> Dict[str, Any]:
        return {"type": "any"}

    def __repr__(self) -> str:
        return "Any"


class Array(ColumnType):
    """A list of values of one type."""

    def __init__(self, dtype: Union[AnyOfThem, str]) -> None:
        self.dtype = checked_type(dtype)

    def to_dict(self) -> Dict[str, Any]:
        return {"type": "array", "items": self.dtype.to_dict()}

    def __repr__(self) -> str:
        return f"Array({self.dtype!r})"


class SparkMLVector(Array):
    """A vector of Spark ML."""

    def __init__(self) -> None:
        super().__init__(DataType.double)

    def to_dict(self) -> Dict[str, Any]:
        return {"type": "sparkml_vector"}

    def __repr__(self) -> str:
        return "SparkML vector"


class Map(ColumnType):
    """Texts, each with a value of one type."""

    def __init__(self, value_type: Union[AnyOfThem, str]) -> None:
        self.value_type = checked_type(value_type)

    def to_dict(self) -> Dict[str, Any]:
        return {"type": "map", "values": self.value_type.to_dict()}

    def __repr__(self) -> str:
        return f"Map(str -> {self.value_type!r})"


class Property:
    """One entry of an `Object`."""

    def __init__(self, name: str, dtype: Union[AnyOfThem, str], required: bool = True) -> None:
        if not isinstance(name, str):
            raise refuse(f"name of a property must be a text, not {name!r}")
        self.name = name
        self.dtype = checked_type(dtype)
        self.required = required

    def to_dict(self) -> Dict[str, Any]:
        """{name: type}"""
        return {self.name: {**self.dtype.to_dict(), "required": self.required}}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Property) and other.to_dict() == self.to_dict()

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"{self.name}: {self.dtype!r} ({'required' if self.required else 'optional'})"


class Object(ColumnType):
    """Named values of types of their own, sorted by name."""

    def __init__(self, properties: List[Property]) -> None:
        names = [each.name for each in properties]
        if not names:
            raise refuse("an Object needs at least one property")
        if len(set(names)) != len(names):
            raise refuse(f"an Object names a property twice: {sorted(names)}")
        self.properties = sorted(properties, key=lambda each: each.name)

    def to_dict(self) -> Dict[str, Any]:
        properties: Dict[str, Any] = {}
        for each in self.properties:
            properties.update(each.to_dict())
        return {"type": "object", "properties": properties}

    def __repr__(self) -> str:
        return "{" + ", ".join(map(repr, self.properties)) + "}"


def checked_type(value: Union[AnyOfThem, str]) -> AnyOfThem:
    """A type, or the scalar type of a name."""
    if isinstance(value, (DataType, ColumnType)):
        return value
    if isinstance(value, str) and value in DataType.__members__:
        return DataType[value]
    raise refuse(f"{value!r} is no type of a schema; use a DataType, Array, Object, Map, AnyType "
                 f"or one of {', '.join(DataType.__members__)}")


def type_of(entry: Any, where: str, depth: int = 0) -> AnyOfThem:
    """The type that an entry of a schema's JSON writes; `where` names it in errors."""
    if not isinstance(entry, Mapping) or "type" not in entry:
        raise refuse(f"{where} has no type")
    if depth > MAX_DEPTH:
        raise refuse(f"{where} is nested deeper than {MAX_DEPTH}")
    name = entry["type"]
    if name == "any":
        return AnyType()
    if name == "sparkml_vector":
        return SparkMLVector()
    if name == "array":
        return Array(type_of(entry.get("items"), f"items of {where}", depth + 1))
    if name == "map":
        return Map(type_of(entry.get("values"), f"values of {where}", depth + 1))
    if name == "object":
        properties = entry.get("properties")
        if not isinstance(properties, Mapping):
            raise refuse(f"{where} is an object without properties")
        return Object([Property(str(key), type_of(value, f"{key} of {where}", depth + 1),
                                required_of(value)) for key, value in properties.items()])
    if isinstance(name, str) and name in DataType.__members__:
        return DataType[name]
    raise refuse(f"{where} has type {name!r}, which is none of a schema")


def required_of(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is required; old files say `optional` instead."""
    required: Optional[bool] = entry.get("required")
    return bool(not entry.get("optional", False) if required is None else required)


def merged(first: AnyOfThem, second: AnyOfThem) -> AnyOfThem:
    """The type of values of both types: what one lacks is optional, what is not known takes the
    other's. LinajeError where there is none."""
    if isinstance(second, AnyType):
        return _optional(first)
    if isinstance(first, AnyType):
        return _optional(second)
    if first == second:
        return first
    if type(first) is type(second) is Array:
        return Array(merged(first.dtype, second.dtype))
    if isinstance(first, Map) and isinstance(second, Map):
        return Map(merged(first.value_type, second.value_type))
    if isinstance(first, Object) and isinstance(second, Object):
        others = {each.name: each for each in second.properties}
        both = []
        for each in first.properties:
            other = others.pop(each.name, None)
            both.append(Property(each.name, each.dtype, False) if other is None else Property(
                each.name, merged(each.dtype, other.dtype),
                each.required and other.required))
        return Object(both + [Property(each.name, each.dtype, False)
                              for each in others.values()])
    raise refuse(f"values of {first!r} and {second!r} are in one list or column; give them one "
                 f"type, or declare it as Array(AnyType())")


def _optional(known: AnyOfThem) -> AnyOfThem:
    """The type of values some of which are missing."""
    if isinstance(known, Object):
        return Object([Property(each.name, each.dtype, False) for each in known.properties])
    return known
