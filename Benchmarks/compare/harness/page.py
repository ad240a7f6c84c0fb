"""docs/benchmarks.md: parts that are written by different programs on different days."""

import os
import re

HEAD = """# Linaje beside others

Written by the programs of [Benchmarks/compare](../Benchmarks/compare/README.md), each its own part.
They run the same work with every peer, as its documentation says, one after the other on one machine.
"""


def write(path, part, text):
    """Puts a part's text where its last one stood on a page, or at its end; makes the page."""
    page = HEAD
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            page = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(replaced(page, part, text))


def replaced(page, part, text):
    """The page with the part between its two marks renewed; other parts stay as they are."""
    marked = f"<!-- part: {part} -->\n\n{text.strip()}\n\n<!-- end: {part} -->"
    found = re.compile(rf"<!-- part: {part} -->.*?<!-- end: {part} -->", re.DOTALL)
    if found.search(page):
        return found.sub(lambda _: marked, page)
    return f"{page.rstrip()}\n\n{marked}\n"
