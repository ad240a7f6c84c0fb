"""The types of signatures, by the names that MLflow gives them.

    from linaje.types import Array, ColSpec, DataType, Schema

    Schema([ColSpec(DataType.double, "age"), ColSpec(Array("string"), "tags", required=False)])
"""

from ._params import ParamSchema, ParamSpec
from ._schema import ColSpec, Schema, TensorSpec
from ._types import AnyType, Array, DataType, Map, Object, Property, SparkMLVector

__all__ = ["AnyType", "Array", "ColSpec", "DataType", "Map", "Object", "ParamSchema", "ParamSpec",
           "Property", "Schema", "SparkMLVector", "TensorSpec"]
