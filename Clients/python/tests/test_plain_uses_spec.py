"""The plain client is small, needs nothing, and uses nothing that the specification lacks."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PLAIN = Path(__file__).resolve().parents[1] / "plain" / "linaje_plain.py"
SPEC = ROOT / "proto-spec"
TREE = ast.parse(PLAIN.read_text())


def table(name):
    """A table that the plain client declares, as it stands in its source."""
    for node in TREE.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f"{PLAIN.name} declares no {name}")


def spec_messages():
    found, fields = {}, None
    for path in sorted((SPEC / "linaje" / "v1").glob("*.proto")):
        for line in path.read_text().splitlines():
            line = line.split("//")[0].strip()
            opened = re.match(r"message (\w+) \{", line)
            if opened:
                fields = found.setdefault(opened[1], {})
            field = re.match(r"(?:optional |repeated )?([\w<>, ]+) (\w+) = (\d+);", line)
            if field and fields is not None:
                fields[field[2]] = (int(field[3]), field[1])
    return found


def test_it_has_at_most_200_lines():
    assert len(PLAIN.read_text().splitlines()) <= 200


def test_it_imports_the_standard_library_only():
    names = set()
    for node in ast.walk(TREE):
        if isinstance(node, ast.Import):
            names |= {each.name.split(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module.split(".")[0])
    standard = getattr(sys, "stdlib_module_names", None)
    if standard is None:
        pytest.skip("this Python cannot list its standard library")
    assert names and names <= standard


def test_its_opcodes_stand_in_the_protocol():
    rows = re.findall(r"^\| 0x([0-9A-F]{4}) \| (\w+) \|", (SPEC / "PROTOCOL.md").read_text(), re.M)
    known = {name: int(number, 16) for number, name in rows}
    used = table("OPCODES")
    assert used and used == {name: known.get(name) for name in used}


def test_its_frame_types_stand_in_the_protocol():
    rows = re.findall(r"^\| (\d+) \| (\w+) \| (?:0|open|odd)", (SPEC / "PROTOCOL.md").read_text(),
                      re.M)
    known = {name: int(number) for number, name in rows}
    assert len(known) == 11
    used = table("FRAMES")
    assert used and used == {name: known.get(name) for name in used}


def test_its_field_numbers_and_types_stand_in_the_proto_files():
    known = spec_messages()
    used = table("FIELDS")
    assert used
    for message, fields in used.items():
        assert message in known, message
        for field, (number, kind) in fields.items():
            assert known[message].get(field) == (number, kind), f"{message}.{field}"


def test_it_uses_no_number_past_its_tables():
    text = PLAIN.read_text()
    assert not re.search(r"0x0[0-9A-F]{3}\b", re.sub(r"OPCODES = \{.*?\}", "", text, flags=re.S))
    methods = set(re.findall(r'\.request\(\s*"(\w+)"', text))
    assert methods == set(table("OPCODES"))
    coded = set(re.findall(r'(?:en|de)code\("(\w+)"', text))
    coded |= set(re.findall(r"(?:en|de)code\('(\w+)'", text))
    assert coded <= set(table("FIELDS")) and len(coded) >= 10


def test_its_preface_is_the_protocols():
    stated = re.search(r"8 bytes: `([0-9A-F ]+)`", (SPEC / "PROTOCOL.md").read_text())[1]
    assert table("PREFACE") == bytes.fromhex(stated)
