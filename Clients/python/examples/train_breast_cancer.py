"""Trains a random forest on the breast-cancer data set of scikit-learn and registers it.

    train_breast_cancer.py MODEL_NAME TREES

The accuracy is streamed while the forest grows. The predictions on the test set are logged with the
run, so that somebody who loads the registered version can check that it is the same model.
"""

import json
import sys

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

import linaje


def main(name: str, trees: int) -> None:
    data, target = load_breast_cancer(return_X_y=True, as_frame=True)
    train_x, test_x, train_y, test_y = train_test_split(data, target, random_state=7)

    with linaje.start_run(name=f"forest-{trees}", experiment="breast-cancer") as run:
        linaje.log_params({"n_estimators": trees, "random_state": 7, "max_depth": 6})
        linaje.log_input(train_x, name="breast-cancer-train", context="training")

        forest = RandomForestClassifier(
            n_estimators=1, max_depth=6, random_state=7, warm_start=True)
        for step in range(1, trees + 1):
            forest.set_params(n_estimators=step)
            forest.fit(train_x, train_y)
            linaje.log_metrics({
                "accuracy/train": forest.score(train_x, train_y),
                "accuracy/test": forest.score(test_x, test_y),
            }, step=step)

        linaje.log_text(
            json.dumps({"predictions": forest.predict_proba(test_x).tolist()}), "predictions.json")
        linaje.log_model(
            forest, "model", input_example=test_x.head(3), registered_model_name=name)
    print(json.dumps({"run": run.run_id, "accuracy": forest.score(test_x, test_y)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
