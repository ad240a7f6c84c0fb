"""Reads the YAML of MLmodel files where no library for it is installed.

Understood is what `yaml.safe_dump` and `_yaml.dump` write of mappings, lists and scalars: block
style, plain and quoted scalars over several lines, {} and []. Anything else (anchors, tags, block
texts, documents) is a LinajeError that names the line.
"""

import json
import re
from typing import Any, List, NamedTuple, Tuple

from ._errors import INVALID_ARGUMENT, LinajeError

_MAX_DEPTH = 64
_MAX_TEXT = 16 << 20
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,1000})")
_FLOAT = re.compile(r"[-+]?[0-9]+\.[0-9]*([eE][-+][0-9]+)?")
_WORDS = {"null": None, "~": None, "": None, "true": True, "yes": True, "on": True, "false": False,
          "no": False, "off": False, ".inf": float("inf"), "+.inf": float("inf"),
          "-.inf": float("-inf"), ".nan": float("nan")}
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|\n[ ]*|.)")
_ESCAPED = {"0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r",
            "e": "\x1b", " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0",
            "L": "\u2028", "P": "\u2029"}


def load(text: str) -> Any:
    """The value of a YAML text, by PyYAML where that is installed."""
    try:
        import yaml
    except ImportError:
        return load_plainly(text)
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise LinajeError(INVALID_ARGUMENT, f"the YAML is malformed: {error}") from None


class _Line(NamedTuple):
    number: int
    indent: int
    text: str


def load_plainly(text: str) -> Any:
    """The value of a YAML text, without a library."""
    if len(text) > _MAX_TEXT:
        raise LinajeError(INVALID_ARGUMENT, f"a YAML text of {len(text)} characters is too long; "
                                            f"at most {_MAX_TEXT} are read")
    reader = _Reader(text)
    value = reader.block(0, 0)
    if reader.lines:
        raise reader.fault("does not belong to what is above it")
    return value


class _Reader:
    """The lines that are still to be read, last first."""

    def __init__(self, text: str) -> None:
        self.lines: List[_Line] = []
        for number, line in enumerate(text.split("\n"), 1):
            bare = line.lstrip(" ")
            self.lines.append(_Line(number, len(line) - len(bare), bare))
        self.lines.reverse()
        self._skip()

    def fault(self, what: str) -> LinajeError:
        """The error of the line to be read next."""
        line = self.lines[-1] if self.lines else _Line(0, 0, "")
        return LinajeError(INVALID_ARGUMENT, f"line {line.number} of the YAML, {line.text[:40]!r}, "
                                             f"{what}; installing PyYAML may help")

    def _skip(self) -> None:
        while self.lines and (not self.lines[-1].text or self.lines[-1].text.startswith("#")):
            self.lines.pop()

    def block(self, indent: int, depth: int) -> Any:
        """The value that begins at an indent of at least `indent`; None where there is none."""
        if depth > _MAX_DEPTH:
            raise self.fault(f"is nested deeper than {_MAX_DEPTH}")
        if not self.lines or self.lines[-1].indent < indent:
            return None
        line = self.lines[-1]
        if line.text == "-" or line.text.startswith("- "):
            return self._list(line.indent, depth)
        if _key_end(line.text) is not None:
            return self._mapping(line.indent, depth)
        self.lines.pop()
        return self._scalar(line.text, line.indent - 1)

    def _list(self, indent: int, depth: int) -> List[Any]:
        out: List[Any] = []
        while self.lines and self.lines[-1].indent == indent and (
                self.lines[-1].text == "-" or self.lines[-1].text.startswith("- ")):
            line = self.lines.pop()
            rest = line.text[1:].lstrip(" ")
            if rest:
                # What follows the dash is a block of its own, indented by the dash.
                inner = indent + len(line.text) - len(rest)
                self.lines.append(_Line(line.number, inner, rest))
            else:
                self._skip()
            out.append(self.block(indent + 1, depth + 1))
            self._skip()
        return out

    def _mapping(self, indent: int, depth: int) -> Any:
        out = {}
        while self.lines and self.lines[-1].indent == indent:
            line = self.lines[-1]
            end = _key_end(line.text)
            if end is None:
                raise self.fault("is no `key: value`")
            self.lines.pop()
            key = _resolve(line.text[:end], line)
            rest = line.text[end + 1:].strip(" ")
            if rest and not rest.startswith("#"):
                value = self._scalar(rest, indent)
            else:
                self._skip()
                is_list = bool(self.lines) and self.lines[-1].indent == indent and (
                    self.lines[-1].text == "-" or self.lines[-1].text.startswith("- "))
                value = self._list(indent, depth + 1) if is_list else self.block(
                    indent + 1, depth + 1)
            try:
                out[key] = value
            except TypeError:
                raise self.fault("has a key that is no scalar") from None
            self._skip()
        return out

    def _scalar(self, text: str, indent: int) -> Any:
        """A scalar that begins with `text`; lines that are indented more than `indent` go on."""
        line = self.lines[-1] if self.lines else _Line(0, 0, "")
        parts = [text]
        if text[0] in "'\"":
            quotes = text.count("'")
            # The opening quote does not close the text.
            while not (quotes % 2 == 0 if text[0] == "'" else _ends(parts[-1][len(parts) == 1:])):
                if not self.lines:
                    raise self.fault("leaves a quoted text open")
                parts.append(self.lines.pop().text)
                quotes += parts[-1].count("'")
        else:
            while self.lines and (not self.lines[-1].text or self.lines[-1].indent > indent):
                parts.append(self.lines.pop().text)
        return _resolve("\n".join(parts), line)


def _ends(text: str) -> bool:
    """Whether a line ends a text in double quotes."""
    bare = re.sub(r"\\.", "", text.rstrip())
    return bare.endswith('"')


def _key_end(text: str) -> Any:
    """Where the colon after a key is; None for what is no `key: value`."""
    if text[:1] in ("'", '"'):
        found = re.match(r"('(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\")\s*:(?= |$)", text)
        return found.end() - 1 if found else None
    found = re.search(r":(?= |$)", text)
    if not found or text[0] in "{[&*!|>%@`" or text.startswith("? "):
        return None
    return found.start()


def _fold(text: str) -> str:
    """Lines as YAML joins them: one break is a space, further ones are breaks."""
    first, *others = text.split("\n")
    if not others:
        return text
    parts, breaks = [first.rstrip(" ")], 0
    for place, line in enumerate(others, 1):
        line = line.lstrip(" ") if place == len(others) else line.strip(" ")
        if not line and place < len(others):
            breaks += 1
            continue
        parts += ["\n" * breaks or " ", line]
        breaks = 0
    return "".join(parts)


def _resolve(text: str, line: _Line) -> Any:
    """The value of a whole scalar."""
    text = text.strip()
    if text[:1] == "'":
        return _fold(text[1:-1]).replace("''", "'")
    if text[:1] == '"':
        return _unescape(text[1:-1])
    if text in ("{}", "[]"):
        return json.loads(text)
    if text[:1] and text[0] in "{[&*!|>%@`" or text.startswith("? ") or text in ("---", "..."):
        raise LinajeError(INVALID_ARGUMENT, f"near line {line.number} of the YAML, {text[:40]!r} "
                                            f"is beyond what is read here; install PyYAML")
    text = _fold(re.sub(r" #.*", "", text))
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _unescape(text: str) -> str:
    parts: List[Tuple[bool, str]] = []
    end = 0
    for found in _ESCAPE.finditer(text):
        parts.append((False, text[end:found.start()]))
        escape = found[1]
        if escape[0] == "\n":
            parts.append((True, ""))
        elif escape[0] in "xuU" and len(escape) > 1:
            code = int(escape[1:], 16)
            parts.append((True, chr(code) if code < 0x110000 else "\ufffd"))
        else:
            parts.append((True, _ESCAPED.get(escape, escape)))
        end = found.end()
    parts.append((False, text[end:]))
    return "".join(each if literal else _fold(each) for literal, each in parts)
