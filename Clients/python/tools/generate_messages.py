#!/usr/bin/env python3
"""Writes src/linaje/_messages.py from proto-spec: field tables, enums, methods.

Run it after a change of proto-spec; a test fails while the file is stale.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
SPEC = ROOT / "proto-spec"
TARGET = pathlib.Path(__file__).resolve().parents[1] / "src" / "linaje" / "_messages.py"
SCALARS = {"uint32", "uint64", "int32", "int64", "sint64", "bool", "string", "bytes", "double",
           "fixed32", "sfixed64"}
FIELD = re.compile(r"(optional |repeated )?(map<string, string>|\w+) (\w+) = (\d+);")


def read_protos():
    """(messages, enums): {name: [(number, field, type, label)]}, {name: [(label, number)]}."""
    messages, enums = {}, {}
    for path in sorted((SPEC / "linaje" / "v1").glob("*.proto")):
        fields = values = None
        in_oneof = False
        for line in path.read_text().splitlines():
            line = line.split("//")[0].strip()
            if opened := re.fullmatch(r"message (\w+) \{(\})?", line):
                fields = messages.setdefault(opened[1], [])
                if opened[2]:
                    fields = None
            elif opened := re.fullmatch(r"enum (\w+) \{", line):
                values = enums.setdefault(opened[1], [])
            elif re.fullmatch(r"oneof \w+ \{", line):
                in_oneof = True
            elif line == "}":
                if in_oneof:
                    in_oneof = False
                else:
                    fields = values = None
            elif values is not None and (found := re.fullmatch(r"(\w+) = (\d+);", line)):
                values.append((found[1], int(found[2])))
            elif fields is not None and (found := FIELD.fullmatch(line)):
                label = (found[1] or "").strip() or ("oneof" if in_oneof else "")
                fields.append((int(found[4]), found[3], found[2], label))
    return messages, enums


def read_methods():
    """[(opcode, name, kind, mutation, request, answer)] from the table of PROTOCOL.md."""
    row = re.compile(r"\| 0x([0-9A-F]{4}) \| (\w+) \| ([UCSB])( M)? \| (\w+) → (\w+)[^|]*\|")
    return [(int(each[1], 16), each[2], each[3], bool(each[4]), each[5], each[6])
            for each in row.finditer((SPEC / "PROTOCOL.md").read_text())]


def read_errors():
    """[(number, name, retryable)] from the table of ERRORS.md."""
    row = re.compile(r"^\| (\d+) \| (\w+) \| [^|]+ \| (yes|no) \|", re.M)
    return [(int(each[1]), each[2], each[3] == "yes")
            for each in row.finditer((SPEC / "ERRORS.md").read_text())]


def render():
    """The text of _messages.py."""
    messages, enums = read_protos()
    out = ['"""Field tables of the protocol\'s messages. Written by tools/generate_messages.py."""',
           "", "from typing import Dict, List, Tuple", "",
           '# message: (number, name, type, label), by number. A type is a scalar, "enum", "map"',
           '# (of texts) or the name of a message; a label "", "optional", "oneof" or "repeated".',
           "FIELDS: Dict[str, List[Tuple[int, str, str, str]]] = {"]
    for name, fields in messages.items():
        out.append(f'    "{name}": [')
        for number, field, kind, label in sorted(fields):
            if kind.startswith("map<"):
                kind = "map"
            elif kind in enums:
                kind = "enum"
            elif kind not in SCALARS and kind not in messages:
                sys.exit(f"{name}.{field}: type {kind} is not known")
            out.append(f'        ({number}, "{field}", "{kind}", "{label}"),')
        out.append("    ],")
    out += ["}", "", "ENUMS: Dict[str, Dict[str, int]] = {"]
    for name, values in enums.items():
        prefix = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper() + "_"
        out.append(f'    "{name}": {{')
        out += [f'        "{label[len(prefix):]}": {number},' for label, number in values]
        out.append("    },")
    out += ["}", "",
            "# method: (opcode, kind, whether it needs an idempotency key, request, answer)",
            "METHODS: Dict[str, Tuple[int, str, bool, str, str]] = {"]
    for opcode, name, kind, mutation, request, answer in read_methods():
        row = f'    "{name}": (0x{opcode:04X}, "{kind}", {mutation}, "{request}",'
        rest = f'"{answer}"),'
        out += [f"{row} {rest}"] if len(row) + len(rest) < 100 else [row, " " * 8 + rest]
    out += ["}", "", "# number: (name, whether trying again may help)",
            "ERRORS: Dict[int, Tuple[str, bool]] = {"]
    out += [f'    {number}: ("{name}", {retryable}),' for number, name, retryable in read_errors()]
    out += ["}", ""]
    return "\n".join(out)


if __name__ == "__main__":
    TARGET.write_text(render())
