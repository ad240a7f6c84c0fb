"""What was found about models, as text for a terminal and as a part of docs/benchmarks.md."""

from harness.artifact_report import binary
from harness.report import (busy, calibration, columns, grouped, machine_line, machine_table,
                            markdown_table, milliseconds)

SCORING = """\
`linaje bench predict`: the library makes the model and scores the rows with one thread, in its own process, on data
that it has read; Linaje scores in its flavor process, which gets the rows over a pipe. Both take turns; medians."""

SCANNING = """\
Pickles of about the same length, of what people pickle; each command as a whole, a new process each time, so that
the start of Python is in those of the others. Medians of rounds in turns. All of them are harmless."""

DESCRIBING = """\
Files with real headers of 300 tensors and holes for weights: nobody reads those. "From the disk" is `linaje model
scan` as a whole command; "from the store" is what the daemon's flavors take for the same file when it is registered
from a stored tree, by `linaje_flavor_seconds`; "library" is a Python process that opens it with `safe_open` and asks for
all shapes."""

PLUGINS = """\
One client asks for GetStatus every two milliseconds, in windows that take turns, while somebody registers a model
again and again and a plugin that is asked about it spins for ever, or crashes, or is not there ("alone"). Each
window has a daemon of its own."""

# What all of them end with where they find something.
FOUND = {"Linaje": 3, "picklescan": 1, "modelscan": 1, "fickling": 1}


def tables(found):
    """(heading, how it is measured, table) of everything that was measured."""
    parts = []
    if "scoring" in found:
        parts.append(("Scoring boosted trees", SCORING, scoring_table(found["scoring"])))
    if "scanning" in found:
        parts.append(("Looking for code in pickles", SCANNING, scanning_table(found["scanning"])))
    if "describing" in found:
        parts.append(("Describing long files", DESCRIBING, describing_table(found["describing"])))
    if "plugins" in found:
        parts.append(("A plugin that misbehaves", PLUGINS, plugin_table(found["plugins"])))
    return parts


def scoring_table(rows):
    table = [("library", "model", "rows", "library, one thread", "Linaje", "Linaje is",
              "largest difference")]
    for row in rows:
        if "error" in row:
            table.append((row["library"], row["error"], *[""] * 5))
            continue
        table.append((
            f"{row['library']} {row['library_version']}",
            f"{row['trees']} trees of depth {row['depth']}",
            f"{grouped(row['rows'])} of {row['columns']} columns",
            milliseconds(row["library_seconds"] * 1_000),
            milliseconds(row["native_seconds"] * 1_000),
            f"{row['speed_ratio']:.2f} × as fast", f"{row['largest_difference']:.1g}"))
    return table


def scanning_table(rows):
    tools = list(dict.fromkeys(row["tool"] for row in rows))
    table = [("file", "length", *tools)]
    for name in dict.fromkeys(row["file"] for row in rows):
        each = {row["tool"]: row for row in rows if row["file"] == name}
        table.append((name, binary(each[tools[0]]["bytes"]),
                      *(scanned(each[tool], each["Linaje"]) for tool in tools)))
    return table


def scanned(row, ours):
    if row["error"]:
        return row["error"]
    said = milliseconds(row["seconds"] * 1_000)
    if row is not ours and ours["seconds"]:
        said += f" ({row['seconds'] / ours['seconds']:.0f} ×)"
    if row["code"] == FOUND[row["tool"]]:
        return f"{said}, WRONG: not called harmless"
    return said if row["code"] == 0 else f"not read: ends with {row['code']}"


def describing_table(rows):
    table = [("file", "length", "tensors", "from the disk", "from the store", "library")]
    for row in rows:
        if "error" in row:
            table.append((row["file"], row["error"], *[""] * 4))
            continue
        table.append((row["file"], binary(row["bytes"]), grouped(row["tensors"]),
                      *(milliseconds(row[name] * 1_000) if name in row else "–"
                        for name in ("disk", "store", "library"))))
    return table


def plugin_table(found):
    table = [("GetStatus", "calls", "p50", "p99", "longest")]
    for row in found["rows"]:
        table.append((row["case"], grouped(row["calls"]),
                      *(f"{row[name]:.2f} ms" for name in ("p50", "p99", "longest"))))
    return table


def text(found):
    """For a terminal."""
    parts = [f"{title}\n{columns(each)}" for title, _, each in tables(found)]
    parts.append(f"before: {calibration(found['before'])}\nafter:  {calibration(found['after'])}\n"
                 f"took {found['seconds']:.0f} s, of which {found['install_seconds']:.0f} s were "
                 f"installing")
    return "\n\n".join(parts)


def markdown(found):
    """The part of docs/benchmarks.md about models."""
    sections = "\n\n".join(f"### {title}\n\n{how}\n\n{markdown_table(each)}"
                           for title, how, each in tables(found))
    seen = ", ".join(f"{name} {version}" for name, version in found.get("versions", {}).items())
    plugins = found.get("plugins", {})
    nice = (f"\n\nThe daemons run at priority {plugins['nice']}, as the unit has it"
            + ("; sessions were scheduled as groups, which hides priorities." if plugins["autogroups"]
               else ".")) if plugins else ""
    return f"""## Models

Written by `Benchmarks/compare/run-models` on {found['date']}.

{machine_line(found)} {seen}.

{machine_table(found)}

{busy(found)}{sections}{nice}

It took {found['seconds'] / 60:.1f} minutes, of which installing {found['install_seconds']:.0f} s.
"""
