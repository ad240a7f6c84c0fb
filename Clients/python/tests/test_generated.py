"""The field tables are those of proto-spec."""

import importlib.util
from pathlib import Path

from linaje import _messages

FOLDER = Path(__file__).resolve().parents[1]


def test_the_message_tables_are_not_stale():
    path = FOLDER / "tools" / "generate_messages.py"
    spec = importlib.util.spec_from_file_location("generate_messages", path)
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    assert generator.render() == Path(_messages.__file__).read_text()


def test_the_tables_hold_the_whole_protocol():
    assert _messages.METHODS["CreateRun"] == (0x0301, "U", True, "CreateRunRequest", "Run")
    assert _messages.METHODS["ResolveModel"][0] == 0x060E
    assert len(_messages.METHODS) == 92
    for _, _, _, request, answer in _messages.METHODS.values():
        assert request in _messages.FIELDS and answer in _messages.FIELDS
    assert _messages.ERRORS[104] == ("not_found", False)
    assert _messages.ERRORS[200] == ("unavailable", True)
