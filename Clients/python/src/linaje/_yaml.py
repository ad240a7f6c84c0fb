"""Writes the YAML that MLmodel directories need; reading it is left to those who have a library."""

import json
import math
import re
from typing import Any, List

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*")
_RESERVED = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def dump(value: Any) -> str:
    """YAML of mappings, lists and scalars; keys of mappings are sorted."""
    return "\n".join(_lines(value)) + "\n"


def _lines(value: Any) -> List[str]:
    out: List[str] = []
    if isinstance(value, dict):
        for key in sorted(value):
            child = value[key]
            name = _scalar(str(key))
            if isinstance(child, dict) and child:
                out.append(f"{name}:")
                out += ["  " + line for line in _lines(child)]
            elif isinstance(child, (list, tuple)) and child:
                out.append(f"{name}:")
                out += _lines(child)
            else:
                out.append(f"{name}: {_scalar(child)}")
    elif isinstance(value, (list, tuple)):
        for child in value:
            if isinstance(child, (dict, list, tuple)) and child:
                lines = _lines(child)
                out.append("- " + lines[0])
                out += ["  " + line for line in lines[1:]]
            else:
                out.append("- " + _scalar(child))
    else:
        out.append(_scalar(value))
    return out


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return ".nan"
        if math.isinf(value):
            return ".inf" if value > 0 else "-.inf"
        text = repr(value)
        return text if "." in text or "e" not in text else text.replace("e", ".0e")
    if isinstance(value, dict):
        return "{}"
    if isinstance(value, (list, tuple)):
        return "[]"
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _RESERVED:
        return text
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return json.dumps(text)
