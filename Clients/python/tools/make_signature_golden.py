"""Writes tests/golden/signatures.json: what the real mlflow says of the data in
tests/signature_cases.py. Run where mlflow, pandas and scipy are installed:

    python tools/make_signature_golden.py
"""

import copy
import hashlib
import json
import logging
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
warnings.simplefilter("ignore")

import mlflow  # noqa: E402
import numpy  # noqa: E402
import pandas  # noqa: E402
import signature_cases as cases  # noqa: E402
from mlflow.models.signature import infer_signature  # noqa: E402
from mlflow.models.utils import (_enforce_params_schema, _enforce_schema,  # noqa: E402
                                 _Example)

logging.getLogger("mlflow").setLevel(logging.CRITICAL)


def attempt(body):
    """What comes out, or None for what mlflow refuses."""
    try:
        return body()
    except Exception:  # noqa: BLE001
        return None


def example(data):
    made = _Example(data)
    return {"info": made.info, "input": made.json_input_example, "serving": made.json_serving_input}


def enforced(makers):
    out = {}
    for wanted, make in makers.items():
        schema = attempt(lambda: infer_signature(make()).inputs)
        # A schema that cannot be written (names that are no JSON) is none that is read back.
        if schema is None or attempt(schema.to_json) is None:
            continue
        row = []
        for data in makers.values():
            result = attempt(lambda: cases.text(_enforce_schema(copy.deepcopy(data()), schema)))
            row.append(hashlib.sha256(result.encode()).hexdigest()[:6] if result else "-")
        out[wanted] = " ".join(row)
    return {"given": list(makers), "wanted": out}


def main():
    golden = {
        "versions": {"mlflow": mlflow.__version__, "pandas": pandas.__version__,
                     "numpy": numpy.__version__},
        "signatures": {name: attempt(lambda: infer_signature(make()).to_dict()["inputs"])
                       for name, make in cases.data_cases().items()},
        "examples": {name: attempt(lambda: example(make()))
                     for name, make in cases.data_cases().items()},
        "params": {name: attempt(lambda: infer_signature(params=params).to_dict()["params"])
                   for name, params in cases.param_cases().items()},
        "columns": enforced(cases.enforced_columns()),
        "others": enforced(cases.enforced_others()),
        "given": {name: attempt(lambda: cases.text(_enforce_params_schema(
            given, infer_signature(params=defaults).params if defaults else None)))
            for name, (defaults, given) in cases.enforced_params().items()}}
    target = ROOT / "tests" / "golden" / "signatures.json"
    target.parent.mkdir(exist_ok=True)
    lines = json.dumps(golden, indent=1, sort_keys=True, ensure_ascii=False)
    target.write_text(lines + "\n", encoding="utf-8")
    pairs = sum(len(row.split()) for part in ("columns", "others")
                for row in golden[part]["wanted"].values())
    print(f"{target}: {len(golden['signatures'])} signatures, {pairs} pairs enforced")


if __name__ == "__main__":
    main()
