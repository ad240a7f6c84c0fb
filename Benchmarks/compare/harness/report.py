"""What was found, as text for a terminal and as docs/benchmarks.md."""

BASE = ("Linaje", "log_metric")
FEW_POINTS = 500
# Above this, something else used the processors before the comparison began.
BUSY_LOAD = 1.0

NOT_COMPARABLE = """\
- **What "stored" means differs**, and is said in the last column. Linaje's rate counts until
  `linaje.flush()` has returned, that is until the daemon has acknowledged an fsync of everything;
  MLflow on SQLite commits, and SQLite syncs, in each call; the others hand their bytes to the kernel
  and do not sync, so that a power cut takes what a crash of the process would not.
- **W&B offline** writes a file that is to be uploaded later; nothing can be asked of it here, so it
  has no row among the queries. Neither has **tensorboardX**, which only writes.
- **Aim has no "order by" and no limit:** its row fetches the metric of every run and sorts it in
  Python. Its index is made first, by its own command, as its user interface would: without it a
  query finds no metrics. **trackio** is asked by the SQL of its own command line.
- **The loop logs as fast as it can.** No training does; the latencies are those of a library under
  pressure, which is where queues fill. They are of single calls: a call of `log_batch` is 1,000
  points, of `log_metrics`, `track(dict)` and `log(dict)` one step of all metrics.
- **Some of the work is done elsewhere:** Linaje's daemon, W&B's service and MLflow's server are
  processes of their own, which use a second core; MLflow without a server, Aim, trackio and
  tensorboardX work inside the training's process, some of them in threads.
- **Bytes a point** are how much the store's files grew from the start of the run until the library
  had closed it, over the points that were logged; with few points whole pages and files weigh more.
  SQLite keeps free pages that a VACUUM would give back; nobody's is run.
- **A cap ends a slow row**, which then says how many points it had logged in how many seconds.
  MLflow's asynchronous calls return at once whatever waits, so that no cap would end them: their
  row has at most 1,000 steps.
- **Filling the runs** by `mlflow`'s, `trackio`'s or `linaje`'s functions for one training alone would
  take too long here: their rate is that of the first 200 runs. The rest comes as rows through
  MLflow's own SQLAlchemy classes, by the function that trackio's import uses, and by the calls of
  `linaje.Client` on eight connections. Aim and MLflow's file store are filled by their functions
  until a cap, and asked with what is there then: their times are of fewer runs."""


def calibration(found):
    return (f"disk: 8 KiB and fdatasync p50 {found['fdatasync_p50_us']:.0f} µs, "
            f"p99 {found['fdatasync_p99_us']:.0f} µs; bare append {grouped(found['raw_points_per_second'])} "
            f"points/s; load {found['load']:.1f}")


def line(row, answer):
    """One row while it is measured."""
    name = f"{row.title}: {row.call}"
    if "error" in answer:
        return f"{name}: {answer['error']}"
    if row.job == "log":
        return (f"{name}: {grouped(answer['points_per_second'])} points/s, p50 "
                f"{micros(answer['p50_us'])}, p99 {micros(answer['p99_us'])}")
    return (f"{name}: {grouped(answer['runs'])} runs filled in {answer['fill_seconds']:.1f} s, "
            f"best 100 in {answer['first_ms']:.1f} ms")


def log_table(found):
    """Rows of the table about logging."""
    base = next((row for row in found["log"] if (row["title"], row["call"]) == BASE
                 and "error" not in row), None)
    rows = [("library", "call", "points/s", "Linaje is", "p50", "p99", "bytes/point", "points",
             "stored means")]
    for row in found["log"]:
        if "error" in row:
            rows.append((row["title"], row["call"], row["error"], "", "", "", "", "", ""))
            continue
        grown = max(0, row["bytes"] - row["base_bytes"])
        # Of a few points a file's first pages would be measured.
        each = f"{grown / row['points']:.1f}" if row["points"] >= FEW_POINTS else "–"
        points = grouped(row["points"])
        if row["capped"]:
            points += f" in {row['loop_seconds']:.0f} s"
        if row.get("stored", row["points"]) != row["points"]:
            points += f", {grouped(row['stored'])} stored"
        rows.append((row["title"], row["call"], grouped(row["points_per_second"]),
                     times(base, row, "points_per_second"), micros(row["p50_us"]),
                     micros(row["p99_us"]), each, points,
                     row["durable"]))
    return rows


def search_table(found):
    """Rows of the table about the best hundred runs."""
    base = next((row for row in found["search"] if row["title"] == "Linaje"
                 and "first_ms" in row), None)
    rows = [("library", "asked by", "runs", "first", "again", "Linaje is", "runs/s by its calls",
             "filled by")]
    for row in found["search"]:
        if "first_ms" not in row:
            rows.append((row["title"], row["call"], row["error"], "", "", "", "", ""))
            continue
        if row["wrong"]:
            rows.append((row["title"], row["call"], "WRONG: " + row["wrong"], "", "", "", "", ""))
            continue
        runs = grouped(row["runs"])
        if row["runs"] < row["wanted_runs"]:
            runs += f" (of {grouped(row['wanted_runs'])}, filled in {row['fill_seconds']:.0f} s)"
        again = milliseconds(row["warm_ms"]) if row["warm_ms"] is not None else "–"
        ratio = times(row, base, "warm_ms") if row["warm_ms"] and base else times(
            row, base, "first_ms")
        rows.append((row["title"], row["how"], runs, milliseconds(row["first_ms"]), again, ratio,
                     grouped(row["api_runs_per_second"]), row["filled_by"]))
    return rows


def times(more, less, key):
    """How many times one is the other, as text; nothing where one is missing."""
    if more is None or less is None or not less.get(key) or more.get(key) is None:
        return ""
    ratio = more[key] / less[key]
    if more is less:
        return "1"
    return f"{ratio:,.0f} ×" if ratio >= 10 else f"{ratio:.1f} ×" if ratio >= 1 else f"{ratio:.2f} ×"


def grouped(number):
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}" if number % 1 else f"{number:.0f}"


def micros(value):
    if value < 1_000:
        return f"{value:.1f} µs" if value < 10 else f"{value:.0f} µs"
    return milliseconds(value / 1_000)


def milliseconds(value):
    if value < 1_000:
        return f"{value:.1f} ms" if value < 100 else f"{value:.0f} ms"
    return f"{value / 1_000:.1f} s"


def columns(rows):
    """A table for a terminal."""
    wide = [max(len(row[place]) for row in rows if row[3:] != ("",) * len(row[3:]) or place < 2)
            for place in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, wide)).rstrip()
                     for row in rows)


def markdown_table(rows):
    head = "| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0])
    return head + "".join("\n| " + " | ".join(row) + " |" for row in rows[1:])


def text(found):
    """For a terminal."""
    parts = [columns(log_table(found))]
    if found["search"]:
        parts.append(columns(search_table(found)))
    parts.append(f"before: {calibration(found['before'])}\nafter:  {calibration(found['after'])}\n"
                 f"took {found['seconds']:.0f} s, of which {found['install_seconds']:.0f} s were "
                 f"installing" + ("\nLinaje is a debug build: slower than it is" if found["debug"]
                                  else ""))
    return "\n\n".join(parts)


def versions(found):
    """Which versions were measured, in the order of the tables."""
    seen = {}
    for row in found["log"]:
        if row.get("version"):
            seen.setdefault(row["title"].split(",")[0], row["version"])
    return ", ".join(f"{name} {version}" for name, version in seen.items())


def busy(found):
    """A warning when the machine had other work to do."""
    load = found["before"]["load"]
    if load < BUSY_LOAD:
        return ""
    return (f"**The machine was busy with other work (load {load:.1f} on {found['machine']['cores']} "
            f"cores before the first row): times and ratios are rough, small calls and processes "
            f"that need a second core suffer most. Bytes are not touched by it.**\n\n")


def machine_line(found):
    """What the machine is, and what kind of build was measured."""
    facts = found["machine"]
    build = ("**A debug build of Linaje: slower than it is.**" if found["debug"]
             else "Linaje is a release build.")
    return (f"{facts['processor']}, {facts['cores']} cores, {facts['memory_gib']} GiB; "
            f"{facts['system']}, Linux {facts['kernel']}, {facts['file_system']}; "
            f"Python {facts['python']}.\n{build}")


def machine_table(found):
    """What the machine did by itself before and after."""
    both = found["before"], found["after"]
    return markdown_table([
        ("what the machine does by itself", "before", "after"),
        ("8 KiB and fdatasync, p50", *(micros(each["fdatasync_p50_us"]) for each in both)),
        ("8 KiB and fdatasync, p99", *(micros(each["fdatasync_p99_us"]) for each in both)),
        ("points/s as 24 plain bytes each, one fdatasync",
         *(grouped(each["raw_points_per_second"]) for each in both)),
        ("other work on the machine (load)", *(f"{each['load']:.1f}" for each in both))])


def markdown(found):
    """The part of docs/benchmarks.md about runs and metrics."""
    compacted = any(row.get("compacted") for row in found["log"])
    installs = ", ".join(
        f"{name} {each['seconds']:.0f} s" + (f" ({each['error']})" if each["error"] else "")
        for name, each in found["installs"].items())
    return f"""## Runs and metrics

Written by `Benchmarks/compare/run` on {found['date']}: the same work done by each library as its documentation says,
each in a Python process of its own that does nothing else, one after the other.

{machine_line(found)} {versions(found)}.

{machine_table(found)}

{busy(found)}### A training logs

One run, {found['metrics']} metrics, {grouped(found['steps'])} steps: {grouped(found['metrics'] * found['steps'])} values born as float32. The bare file is `struct.pack` and one
fdatasync, what Python can do without any library. "Linaje is" compares points/s with those of Linaje's `log_metric`.
Rates are medians of three rounds where a round is short. Bytes are Linaje's after {'compaction' if compacted else 'the daemon has stopped, not compacted'}.

{markdown_table(log_table(found))}

### The best hundred of {grouped(found['runs'])} runs

Each run has two metrics, five params and a tag; asked for are the hundred lowest losses. The answer is compared with what
was stored. "Again" is the median of up to four further times, which "Linaje is" compares (where there is none, the first).

{markdown_table(search_table(found))}

### What cannot be compared

{NOT_COMPARABLE}

It took {found['seconds'] / 60:.1f} minutes, of which installing {found['install_seconds']:.0f} s{f' ({installs})' if installs else ''}.
"""
