"""What was found about artifacts, as text for a terminal and as a part of docs/benchmarks.md."""

from harness.report import (busy, calibration, columns, grouped, machine_line, machine_table,
                            markdown_table, milliseconds, times)

MIB = 1 << 20
GIB = 1 << 30
# What ZipNN's README (of version 0.4) says that is left: of float32 "usually", of bf16 in its table.
PUBLISHED = ("ZipNN, published for trained models: github.com/zipnn/zipnn, README",
             {"float32": 0.83, "bf16": 0.663})

NOT_ALIKE = """\
- **What a put promises differs**, and is in the column "stored means". Linaje, restic and borg sync
  what they write; DVC and MLflow hand it to the kernel. All are measured to the end of the command,
  and everything is synced, outside of what is measured, before the next begins.
- **What is warm:** the data has just been written and is in the page cache, as is a store when it
  is read back. Stores, caches of peers and target folders are empty, and commands are new
  processes; Linaje's daemon runs.
- **restic encrypts always**; that cannot be turned off. **borg's repository is not encrypted**
  (`--encryption none`), Linaje's is not either. Both are those of the system's packages. Where
  restic cuts files into chunks is random for each repository, and so are its bytes, a little.
- **DVC's put is `dvc add` and `dvc push`**, its get a `dvc pull` in another workspace with an empty
  cache. "Stored" is its remote alone: the cache keeps everything once more. Links instead of copies
  are an option that makes the files read-only; they are not used. It runs without Git.
- **MLflow copies** every file at every put, whatever it has: it is not asked to put again what has
  changed or not.
- **Commands are timed from outside**, with the start of their process: DVC's takes half a second for
  each of its two, restic's derives a key. MLflow's calls are made in a process that has imported it.
- **Memory** is the most that one process held at once: of Linaje the daemon and the client, of DVC,
  restic and borg the largest of their commands, of MLflow the process that uses it. **CPU** is of
  all processes together, user and system.
- **The weights are made, not trained:** Gaussian, with a scale of each tensor's own. In the
  fine-tuning the last 6 of 24 layers and the head move by 1 % of their scale at each step, so that
  most of their values change a little and the rest of the file not at all."""


def is_good(row):
    return "error" not in row and not row["wrong"]


def base_of(rows):
    """Linaje's row, with which the others are compared."""
    return next((row for row in rows if row["peer"] == "linaje" and is_good(row)), None)


def table(rows, head, cells):
    """A table whose rows say what is wrong where there is nothing to say."""
    found = [("store", *head)]
    for row in rows:
        name = f"{row['title']}, {row['call']}" if row["peer"] != "zstd" else row["title"]
        if is_good(row):
            found.append((name, *cells(row)))
        else:
            said = row.get("error") or "WRONG: " + row["wrong"]
            found.append((name, said, *[""] * (len(head) - 1)))
    return found


def times_of(row, base, *names):
    """How long a row took for each of some things, and how many times Linaje's time that is."""
    return [cell for name in names for cell in (seconds(row, name), faster(row, base, name))]


def seconds(row, name):
    """How long something took, and its steps in brackets."""
    if name not in row["took"]:
        return "–"
    steps = [f"{other.removeprefix(name + ': ')} alone {seconds(row, other)}"
             for other in row["took"] if other.startswith(name + ":")]
    said = milliseconds(row["took"][name]["seconds"] * 1_000)
    return f"{said} ({', '.join(steps)})" if steps else said


def faster(row, base, name):
    if base is row:
        return "1"
    return times(row["took"].get(name), base and base["took"].get(name), "seconds")


def binary(size):
    """A size as people read it."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB")):
        if size >= unit:
            return f"{size / unit:.2f} {name}" if size < 10 * unit else f"{size / unit:.0f} {name}"
    return f"{size / 1024:.0f} KiB"


def share(part, whole):
    return f"{part / whole * 100:.1f} %"


def mixed_table(rows):
    base = base_of(rows)
    return table(rows, ("put", "Linaje is", "get", "Linaje is", "stored", "of the data", "rounds",
                        "stored means"), lambda row: (
        *times_of(row, base, "put", "get"),
        binary(row["stored"]), share(row["stored"], row["size"]), str(row["rounds"]),
        row["durable"]))


def small_table(rows):
    base = base_of(rows)
    head = [cell for title in ("put", "one changed", "status", "get")
            for cell in (title, "Linaje is")]
    return table(rows, (*head, "stored", "rounds", "status is"), lambda row: (
        *times_of(row, base, "put", "again", "status", "get"),
        binary(row["stored"]), str(row["rounds"]),
        row["status_how"] if "status" in row["took"] else ""))


def checkpoint_table(rows):
    base = base_of(rows)
    return table(rows, ("all put", "Linaje is", "stored", "of the data", "Linaje stores of it"),
                 lambda row: (
        *times_of(row, base, "put"), binary(row["stored"]),
        share(row["stored"], row["size"]),
        share(base["stored"], row["stored"]) if base else ""))


def weights_table(found):
    """What is left of weights, float32 and bf16 side by side."""
    pairs = list(zip(found["float32"], found["bf16"]))
    rows = [("", "float32 stored", "saved", "bf16 stored", "saved")]
    for pair in pairs:
        rows.append((pair[0]["title"], *(cell for row in pair for cell in (
            left(row["stored"] / row["size"]) if is_good(row)
            else (row.get("error") or "WRONG: " + row["wrong"], "")))))
    name, published = PUBLISHED
    rows.append((name, *left(published["float32"]), *left(published["bf16"])))
    return rows


def left(part):
    return f"{part * 100:.1f} %", f"{(1 - part) * 100:.1f} %"


def cost_table(found):
    """Memory and processor time of the first two jobs."""
    head = [cell for name in ("large", "small") for cell in (
        f"{name} files: CPU of put", "CPU of get", "most memory")]
    rows = [("store", *head)]
    for pair in zip(found["mixed"], found["small"]):
        rows.append((pair[0]["title"], *(cell for row in pair for cell in costs(row))))
    return rows


def costs(row):
    if not is_good(row):
        return "–", "–", "–"
    took = [f"{row['took'][name]['cpu']:.1f} s" for name in ("put", "get")]
    return (*took, memory(row))


def memory(row):
    if row["daemon_peak"] is None:
        return megabytes(row["peak"])
    return f"daemon {megabytes(row['daemon_peak'])}, client {megabytes(row['peak'])}"


def megabytes(size):
    return f"{size / 1e6:.0f} MB"


def line(row, answer):
    """One row while it is measured."""
    name = f"{row.job}: {row.title}"
    if "error" in answer or answer["wrong"]:
        return f"{name}: {answer.get('error') or 'WRONG: ' + answer['wrong']}"
    took = ", ".join(f"{what} {each['seconds']:.2f} s" for what, each in answer["took"].items())
    return (f"{name}: {took}; {binary(answer['stored'])} of {binary(answer['size'])}, "
            f"{memory(answer)}")


MIXED = """\
Float32 and bf16 weights in safetensors files (three eighths each), random bytes, text and a table (a
quarter together). Put into an empty store, and read back into an empty folder; what comes back is
compared byte by byte."""

SMALL = """\
JSON, text and code of 1 to 8 KiB, a hundred in a folder. Put; put again with one file changed; asked
whether something has changed; read back and compared byte by byte."""

CHECKPOINTS = """\
A safetensors file for each step, bf16 with a head in float32; the last quarter of its layers and the
head change. Each is put as it comes; stored is what all of them take together. Measured once."""

WEIGHTS = """\
Safetensors files of Gaussian weights, with a scale of each tensor's own. Measured once."""


def tables(found):
    """(heading, how it is measured, table) of everything that was measured."""
    sizes, rows = found["sizes"], found["rows"]
    checkpoint, weights = binary(sizes["checkpoint_bytes"]), binary(sizes["weights_bytes"])
    made = [(f"{binary(sizes['mixed_bytes'])} of large files", MIXED, mixed_table, "mixed"),
            (f"{grouped(sizes['files'])} small files", SMALL, small_table, "small"),
            (f"{sizes['steps']} checkpoints of {checkpoint} of one fine-tuning", CHECKPOINTS,
             checkpoint_table, "checkpoints")]
    parts = [(title, how, make(rows[name])) for title, how, make, name in made if rows[name]]
    if rows["float32"]:
        parts.append((f"What is left of {weights} of weights", WEIGHTS, weights_table(rows)))
    if rows["mixed"] and rows["small"]:
        parts.append(("Memory and processors", "Of the first two tables.", cost_table(rows)))
    return parts


def text(found):
    """For a terminal."""
    parts = [f"{title}\n{columns(each)}" for title, _, each in tables(found)]
    parts.append(f"before: {calibration(found['before'])}\nafter:  {calibration(found['after'])}\n"
                 f"took {found['seconds']:.0f} s, of which {found['install_seconds']:.0f} s were "
                 f"installing and {found['data_seconds']:.0f} s making data")
    return "\n\n".join(parts)


def versions(found):
    """Which versions were measured."""
    seen = {}
    for rows in found["rows"].values():
        for row in rows:
            if row.get("version"):
                seen.setdefault(row["peer"], row["version"])
    return ", ".join(f"{name} {version}" for name, version in seen.items())


def markdown(found):
    """The part of docs/benchmarks.md about artifacts."""
    sizes, made = found["sizes"], found["data_versions"]
    sections = "\n\n".join(f"### {title}\n\n{how}\n\n{markdown_table(each)}"
                           for title, how, each in tables(found))
    return f"""## Artifacts

Written by `Benchmarks/compare/run-artifacts` on {found['date']}. The data is made from seed {sizes['seed']} by
numpy {made['numpy']} and safetensors {made['safetensors']}, and is the same for all; each row is a new process on an
empty store. Peers take turns: all of them once, then all again, up to three times while there is
time ("rounds"); times are medians. "Linaje is" says how many times as long the other took.

{machine_line(found)} {versions(found)}.

{machine_table(found)}

{busy(found)}{sections}

### What is not alike

{NOT_ALIKE}

It took {found['seconds'] / 60:.1f} minutes, of which making the data {found['data_seconds']:.0f} s and installing
{found['install_seconds']:.0f} s.
"""
