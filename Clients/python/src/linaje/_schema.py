"""Schemas of a model's inputs and outputs, and its signature (MLflow 3, types/schema.py)."""

import json
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from ._params import ParamSchema
from ._types import AnyOfThem, checked_type, refuse, required_of, type_of

_MAX_TEXT = 64 << 20


class ColSpec:
    """One column: its type, its name, and whether data must have it."""

    def __init__(self, type: Union[AnyOfThem, str], name: Any = None,  # noqa: A002
                 required: bool = True) -> None:
        self.type = checked_type(type)
        self.name = name
        self.required = required

    def to_dict(self) -> Dict[str, Any]:
        """As MLmodel holds it."""
        named = {} if self.name is None else {"name": self.name}
        return {**self.type.to_dict(), **named, "required": self.required}

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> "ColSpec":
        """The column that an entry of MLmodel describes."""
        name = entry.get("name")
        kind = type_of(entry, f"column {name!r}")
        # Names of several levels are lists in JSON.
        return cls(kind, tuple(name) if isinstance(name, list) else name, required_of(entry))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ColSpec) and other.to_dict() == self.to_dict()

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        named = "" if self.name is None else f"{self.name!r}: "
        return f"{named}{self.type!r} ({'required' if self.required else 'optional'})"


class TensorSpec:
    """One tensor: the name of its NumPy type, its shape (-1: any length), its name."""

    required = True

    def __init__(self, type: Any, shape: Sequence[int],  # noqa: A002
                 name: Optional[str] = None) -> None:
        self.dtype = dtype_name(type)
        try:
            self.shape: Tuple[int, ...] = tuple(int(size) for size in shape)
        except (TypeError, ValueError):
            raise refuse(f"shape of tensor {name!r} must be whole numbers, not {shape!r}") from None
        self.name = name

    @property
    def type(self) -> Any:
        """NumPy's type; its name where NumPy has none of it, as for records."""
        import numpy

        try:
            return numpy.dtype(self.dtype)
        except TypeError:
            return self.dtype

    def to_dict(self) -> Dict[str, Any]:
        """As MLmodel holds it."""
        named = {} if self.name is None else {"name": self.name}
        return {**named, "type": "tensor",
                "tensor-spec": {"dtype": self.dtype, "shape": list(self.shape)}}

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> "TensorSpec":
        """The tensor that an entry of MLmodel describes."""
        spec = entry.get("tensor-spec")
        name = entry.get("name")
        if not isinstance(spec, Mapping) or not isinstance(spec.get("shape"), list) or not (
                isinstance(spec.get("dtype"), str)):
            raise refuse(f"tensor {name!r} has no tensor-spec with dtype and shape")
        return cls(spec["dtype"], spec["shape"], name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorSpec) and other.to_dict() == self.to_dict()

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        named = "" if self.name is None else f"{self.name!r}: "
        return f"{named}Tensor({self.dtype!r}, {self.shape!r})"


def dtype_name(dtype: Any) -> str:
    """The name of a NumPy type without the length of texts and bytes."""
    if isinstance(dtype, str):
        try:
            import numpy
        except ImportError:
            return dtype
        try:
            dtype = numpy.dtype(dtype)
        except TypeError:
            raise refuse(f"{dtype!r} is no type of NumPy") from None
    kind = getattr(dtype, "kind", "")
    return {"U": "str", "S": "bytes"}.get(kind) or str(getattr(dtype, "name", dtype))


Spec = Union[ColSpec, TensorSpec]


class Schema:
    """All columns, or all tensors, of what a model takes or gives; named or unnamed."""

    def __init__(self, inputs: List[Any]) -> None:
        if not isinstance(inputs, list) or not inputs:
            raise refuse("a Schema needs a list of at least one ColSpec or TensorSpec")
        tensors = [isinstance(each, TensorSpec) for each in inputs]
        if any(tensors) != all(tensors) or not all(
                isinstance(each, (ColSpec, TensorSpec)) for each in inputs):
            raise refuse("a Schema holds ColSpec or TensorSpec, not both")
        named = [each.name is not None for each in inputs]
        if any(named) != all(named):
            raise refuse(f"a Schema's entries are all named or all unnamed, not "
                         f"{[each.name for each in inputs]}")
        if all(tensors) and len(inputs) > 1 and not all(named):
            raise refuse("a Schema of several tensors needs a name for each")
        if not all(named) and not all(each.required for each in inputs):
            raise refuse("a Schema's unnamed columns are all required; name what may be missing")
        self.inputs = inputs

    def __len__(self) -> int:
        return len(self.inputs)

    def __iter__(self) -> Iterator[Spec]:
        return iter(self.inputs)

    def is_tensor_spec(self) -> bool:
        """Whether it describes tensors, not columns."""
        return isinstance(self.inputs[0], TensorSpec)

    def has_input_names(self) -> bool:
        """Whether its entries are named."""
        return self.inputs[0].name is not None

    def _names(self, wanted: Callable[[Spec], bool]) -> List[Any]:
        return [each.name if each.name is not None else place
                for place, each in enumerate(self.inputs) if wanted(each)]

    def input_names(self) -> List[Any]:
        """The names, or the places of what is unnamed."""
        return self._names(lambda each: True)

    def required_input_names(self) -> List[Any]:
        """The names of what data must have."""
        return self._names(lambda each: each.required)

    def optional_input_names(self) -> List[Any]:
        """The names of what data may lack."""
        return self._names(lambda each: not each.required)

    def input_types(self) -> List[Any]:
        """The types, in order."""
        return [each.type for each in self.inputs]

    def input_dict(self) -> Dict[Any, Any]:
        """Each entry by its name."""
        if not self.has_input_names():
            raise refuse("the schema has no names")
        return {each.name: each for each in self.inputs}

    def input_types_dict(self) -> Dict[Any, Any]:
        """Each type by its name."""
        return {name: each.type for name, each in self.input_dict().items()}

    def numpy_types(self) -> List[Any]:
        """NumPy's types, in order."""
        return [each.type if isinstance(each, TensorSpec) else each.type.to_numpy()
                for each in self.inputs]

    def pandas_types(self) -> List[Any]:
        """The types of a data frame's columns, in order."""
        if self.is_tensor_spec():
            raise refuse("a schema of tensors has no types of columns; use numpy_types")
        return [each.type.to_pandas() for each in self.inputs]

    def to_dict(self) -> List[Dict[str, Any]]:
        """As values of JSON."""
        return [each.to_dict() for each in self.inputs]

    def to_json(self) -> str:
        """As MLmodel holds it."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> "Schema":
        """The schema of a text of MLmodel."""
        return cls([TensorSpec.from_dict(each) if each.get("type") == "tensor"
                    else ColSpec.from_dict(each) for each in _entries(text)])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and other.to_dict() == self.to_dict()

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return repr(self.inputs)


def _entries(text: str) -> List[Dict[str, Any]]:
    try:
        found = json.loads(text) if len(text) <= _MAX_TEXT else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise refuse(f"a schema is a list of entries as JSON, not {text[:60]!r}")
    return found


class ModelSignature:
    """What a model takes, what it gives, and its params."""

    def __init__(self, inputs: Optional[Schema] = None, outputs: Optional[Schema] = None,
                 params: Optional[ParamSchema] = None) -> None:
        for name, part, kind in (("inputs", inputs, Schema), ("outputs", outputs, Schema),
                                 ("params", params, ParamSchema)):
            if part is not None and not isinstance(part, kind):
                raise refuse(f"{name} of a signature must be a {kind.__name__}, not {part!r}")
        if inputs is None and outputs is None and params is None:
            raise refuse("a signature needs inputs, outputs or params")
        self.inputs = inputs
        self.outputs = outputs
        self.params = params

    def to_dict(self) -> Dict[str, Optional[str]]:
        """As MLmodel holds it: texts of JSON."""
        return {"inputs": self.inputs.to_json() if self.inputs else None,
                "outputs": self.outputs.to_json() if self.outputs else None,
                "params": self.params.to_json() if self.params else None}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> "ModelSignature":
        """The signature of MLmodel; parts may be texts of JSON or what these hold."""
        def text(name: str) -> Optional[str]:
            part = found.get(name)
            return part if not part or isinstance(part, str) else json.dumps(part)

        inputs, outputs, params = text("inputs"), text("outputs"), text("params")
        return cls(Schema.from_json(inputs) if inputs else None,
                   Schema.from_json(outputs) if outputs else None,
                   ParamSchema.from_dict(_entries(params)) if params else None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ModelSignature) and other.to_dict() == self.to_dict()

    def __hash__(self) -> int:
        return hash(repr(self))

    def __repr__(self) -> str:
        return (f"inputs: \n  {self.inputs!r}\noutputs: \n  {self.outputs!r}\n"
                f"params: \n  {self.params!r}\n")
