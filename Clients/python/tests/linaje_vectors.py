"""The JSON mapping of Protocol Buffers, as far as the vectors use it."""

import base64
import math
import re

from linaje._messages import ENUMS, FIELDS

_WIDE = {"uint64", "int64", "sint64", "sfixed64"}


def _camel(name):
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


def _enum_of(message, field):
    kinds = {("Lease", "kind"): "LeaseKind", ("CreateRunRequest", "status"): "RunStatus",
             ("UpdateRunRequest", "status"): "RunStatus", ("ProcessEnd", "reason"): "EndReason",
             ("ProcessEnd", "source"): "EndSource"}
    return kinds[message, field]


def _prefix(enum):
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", enum).upper() + "_"


def from_json(message, value):
    """Fields for the codec from the JSON of a vector."""
    out = {}
    for _, field, kind, label in FIELDS[message]:
        if _camel(field) not in value:
            continue
        given = value[_camel(field)]

        def one(each, kind=kind, field=field):
            if kind in FIELDS:
                return from_json(kind, each)
            if kind == "bytes":
                return base64.b64decode(each)
            if kind == "double":
                return float(each)
            if kind == "enum":
                enum = _enum_of(message, field)
                return ENUMS[enum][each[len(_prefix(enum)):]]
            return int(each) if kind in _WIDE else each

        out[field] = [one(each) for each in given] if label == "repeated" else (
            given if kind == "map" else one(given))
    return out


def to_json(message, fields):
    """The JSON of a decoded message; defaults left out."""
    out = {}
    for _, field, kind, label in FIELDS[message]:
        value = fields[field]
        if value is None or (not label and kind not in FIELDS and not value
                             and math.copysign(1, value or 0) > 0) or value in ([], {}):
            continue

        def one(each, kind=kind, field=field):
            if kind in FIELDS:
                return to_json(kind, each)
            if kind == "bytes":
                return base64.b64encode(each).decode()
            if kind == "double":
                if math.isnan(each):
                    return "NaN"
                return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(each, each)
            if kind == "enum":
                enum = _enum_of(message, field)
                names = {number: name for name, number in ENUMS[enum].items()}
                return _prefix(enum) + names[each]
            return str(each) if kind in _WIDE else each

        out[_camel(field)] = [one(each) for each in value] if label == "repeated" else (
            value if kind == "map" else one(value))
    return out


def normal(value):
    """The JSON of a vector with the defaults left out that it spells."""
    if isinstance(value, dict):
        return {key: normal(each) for key, each in value.items()
                if not (key in ("minorVersion", "experimentId") and int(each) == 0)}
    return [normal(each) for each in value] if isinstance(value, list) else value
