"""Loads versions of a model through the socket and checks that they predict what they did.

    compare_predictions.py models:/NAME/1 [models:/NAME/Production …]

It has nothing of the training process but the socket: the model and the predictions that were
logged with its run both come from the daemon.
"""

import json
import sys

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

import linaje


def main(uris: "list[str]") -> int:
    data, target = load_breast_cancer(return_X_y=True, as_frame=True)
    _, test_x, _, _ = train_test_split(data, target, random_state=7)
    client = linaje.Client()
    differing = 0
    for uri in uris:
        model = linaje.load_model(uri)
        _, version = client.resolve_model(uri)
        logged = json.loads(b"".join(client.read_artifact(version.run_id, "predictions.json")))
        same = model.predict_proba(test_x).tolist() == logged["predictions"]
        differing += not same
        print(f"{uri}: version {version.version}, {len(model.estimators_)} trees, "
              f"{len(test_x)} predictions {'equal' if same else 'DIFFER'}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
