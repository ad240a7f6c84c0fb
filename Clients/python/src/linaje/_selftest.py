"""Whether a model that was written predicts on its own example, in a process of its own.

    python -m linaje._selftest FOLDER

loads the model of a directory as anybody would later, lets it predict on its input example, and
writes what it gives to output_example.json. What fails is the last line on standard error.
"""

import json
import os
import subprocess
import sys
import tempfile
from typing import Any, List, Optional

from ._examples import OUTPUT_FILE, json_text, read_example
from ._signature import reason

TIMEOUT = 120.0
_SAID = 4_000
_START = ("import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
          "from linaje._selftest import main; sys.exit(main(sys.argv[2:]))")


def self_test(folder: str) -> Optional[str]:
    """Runs the test on a model directory; None, or what failed. Never raises."""
    environment = dict(os.environ)
    # The child works on no run.
    environment.pop("LINAJE_RUN_ID", None)
    try:
        paths = json.dumps([os.path.abspath(path or os.curdir) for path in sys.path])
        with tempfile.TemporaryFile() as errors:
            done = subprocess.run([sys.executable, "-c", _START, paths, folder], env=environment,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=errors, timeout=TIMEOUT, check=False)
            errors.seek(max(0, errors.seek(0, os.SEEK_END) - _SAID))
            said = errors.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
    except subprocess.TimeoutExpired:
        return f"it took longer than {TIMEOUT:g} s"
    except (OSError, ValueError, TypeError) as error:
        return f"no process could be started: {error}"
    # The file counts: where the training ignores ended children, their exit code is not known.
    if done.returncode == 0 and os.path.isfile(os.path.join(folder, OUTPUT_FILE)):
        return None
    return said or f"the process ended with {done.returncode}"


def main(arguments: List[str]) -> int:
    """The test of one folder; 0 when its output is written."""
    (folder,) = arguments
    try:
        write_output(folder, predict_example(folder))
    except Exception as error:  # noqa: BLE001 - anything that a model raises
        print(" ".join(reason(error).split()), file=sys.stderr)
        return 1
    return 0


def predict_example(folder: str) -> Any:
    """What the model of a folder predicts on its example."""
    from . import pyfunc

    model = pyfunc.load_model(folder)
    data, params = read_example(folder, model.metadata["saved_input_example_info"],
                                model.signature)
    return model.predict(data, params)


def write_output(folder: str, output: Any) -> None:
    """Writes a prediction as a scoring server answers it."""
    text = json_text({"predictions": output})
    with open(os.path.join(folder, OUTPUT_FILE), "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
