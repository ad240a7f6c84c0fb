/// The program of the Python worker: loads one model and predicts for whoever holds its standard
/// input. It needs nothing but what the model needs.
///
/// Messages both ways are a length of four bytes, big-endian, and so many bytes of JSON. The first
/// says which model; its answer, how it was loaded. Standard output belongs to the messages: what the
/// model prints goes to standard error.
enum PythonWorkerScript {
    static let text = #"""
        import sys  # built in, so that it comes from no folder

        # `-c` puts the current folder, which may be anybody's, before all that it imports from.
        sys.path[:] = [each for each in sys.path if each not in ("", ".")]
        import base64, importlib, json, os, struct

        os.chdir("/")
        replies = os.fdopen(os.dup(1), "wb")
        requests = os.fdopen(os.dup(0), "rb")
        os.dup2(2, 1)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)

        class Refused(Exception):
            """The model cannot be given that."""

        def receive():
            head = requests.read(4)
            if len(head) < 4:
                os._exit(0)
            size = struct.unpack(">I", head)[0]
            body = requests.read(size)
            if len(body) < size:
                os._exit(0)
            return json.loads(body)

        def send(answer):
            body = json.dumps(answer).encode()
            replies.write(struct.pack(">I", len(body)) + body)
            replies.flush()

        def plain(value):
            """What a model gave, in JSON."""
            name = type(value).__name__
            if value is None or isinstance(value, (bool, int, float, str)):
                return value
            if hasattr(value, "toarray"):
                value = value.toarray()
            if name == "DataFrame":
                columns = [str(each) for each in value.columns]
                cells = [plain(value.iloc[:, place].tolist()) for place in range(len(columns))]
                return [dict(zip(columns, row)) for row in zip(*cells)]
            if isinstance(value, dict):
                return {str(key): plain(each) for key, each in value.items()}
            if isinstance(value, (list, tuple)):
                return [plain(each) for each in value]
            if isinstance(value, bytes):
                return base64.b64encode(value).decode()
            if hasattr(value, "detach"):
                value = value.detach().cpu().numpy()
            if hasattr(value, "tolist"):
                return plain(value.tolist())
            if hasattr(value, "isoformat"):
                return value.isoformat()
            raise TypeError(f"the model gave a {name}, which has no form in JSON")

        DTYPES = {"boolean": "bool", "integer": "int32", "long": "int64", "float": "float32",
                  "double": "float64", "datetime": "datetime64[ns]"}

        WHOLE = ("boolean", "integer", "long")

        def cast(frame, types):
            for column, kind in zip(list(frame.columns), types or []):
                try:
                    if kind == "binary":
                        frame[column] = [None if each is None else base64.b64decode(each, validate=True)
                                         for each in frame[column]]
                    elif kind in DTYPES:
                        made = frame[column].astype(DTYPES[kind])
                        if kind in WHOLE and not (made == frame[column]).all():
                            raise ValueError("something would be lost")
                        frame[column] = made
                except Exception as error:
                    raise Refused(f"column \"{column}\" does not become {kind}: {error}")
            return frame

        def array(value, spec):
            """An array of the signature's type; what would lose something on the way is refused."""
            import numpy as np
            if spec is None:
                return np.array(value)
            wanted = np.dtype(spec)
            if wanted.kind not in "biuU":
                return np.array(value, dtype=wanted)
            # NumPy cuts off fractions, digits and letters in silence; objects compare exactly.
            found = np.array(value, dtype=object)
            try:
                made = found.astype(wanted)
            except Exception as error:
                raise Refused(f"the values do not become {spec}: {error}")
            lost = [each for each in found[np.asarray(made != found, dtype=bool)].flat]
            if lost:
                raise Refused(f"the model wants {spec}, and {lost[0]!r:.100} does not become that "
                              "without loss")
            return made

        def given(data, spec):
            kind = data["kind"]
            if kind == "tensor":
                return array(data["value"], spec)
            rows = data.get("rows")
            if kind == "rows" and (data["columns"] is None and not data["types"]):
                return array([row[0] for row in rows] if data["flat"] else rows, spec)
            import pandas as pd
            if kind == "csv":
                from io import StringIO
                return pd.read_csv(StringIO(data["text"]))
            if kind == "parquet":
                frame = pd.read_parquet(data["path"])
                wanted = data["columns"]
                if wanted:
                    missing = [each for each in wanted if each not in frame.columns]
                    if missing:
                        raise Refused(f"columns {missing} of the model's signature are missing; found "
                                      f"{list(frame.columns)[:20]}")
                    frame = frame[wanted].copy()
                return cast(frame, data["types"])
            return cast(pd.DataFrame(rows, columns=data["columns"]), data["types"])

        def load(model):
            """The function that predicts, and what loaded it."""
            folder, flavors = model["folder"], model["flavors"]
            generic = flavors.get("python_function")
            if generic is not None:
                try:
                    import mlflow.pyfunc
                except ImportError as error:
                    missing = error
                else:
                    loaded = mlflow.pyfunc.load_model(folder)
                    return lambda data, params: (
                        loaded.predict(data, params=params) if params else loaded.predict(data)), "mlflow"
                if generic.get("loader_module") in ("linaje.pyfunc", "mlflow.sklearn"):
                    try:
                        import linaje.pyfunc
                        import linaje._mlmodel
                        linaje._mlmodel.find_pickle(folder)
                    except Exception:
                        pass
                    else:
                        loaded = linaje.pyfunc.load_model(folder)
                        return lambda data, params: loaded.predict(data, params), "linaje"
            for name, loader in (("sklearn", sklearn), ("xgboost", xgboost), ("lightgbm", lightgbm)):
                if name in flavors:
                    return loader(folder, flavors[name], generic or {}, model["pickles"])
            if generic is not None:
                raise Refused(f"there is no mlflow in its environment ({missing}), without which only "
                              "models of sklearn, xgboost and lightgbm are loaded; add mlflow to its "
                              "requirements, or use --env-manager local --python with one that has it")
            if os.path.isfile(os.path.join(folder, "MLmodel")):
                raise Refused("its MLmodel has no flavor python_function, so nothing says how it is "
                              "loaded; log it with that flavor, as log_model of MLflow and Linaje does")
            raise Refused("the model has no MLmodel file, so nothing says how it is loaded; log it with "
                          "log_model of MLflow or Linaje, which writes one")

        def inside(folder, *paths):
            for path in paths:
                if path:
                    whole = os.path.realpath(os.path.join(folder, path))
                    if os.path.commonpath([whole, os.path.realpath(folder)]) != os.path.realpath(folder):
                        raise Refused(f"{path} is not a file of the model")
                    if os.path.isfile(whole):
                        return whole
            raise Refused("none of its files holds the model")

        def sklearn(folder, facts, generic, pickles):
            path = inside(folder, facts.get("pickled_model"), generic.get("model_path"),
                          generic.get("data"), *(pickles if len(pickles) == 1 else []))
            if path.endswith(".skops") or facts.get("serialization_format") == "skops":
                import skops.io
                trusted = facts.get("skops_trusted_types")
                model = skops.io.load(path, trusted=json.loads(trusted) if trusted else None)
            else:
                try:
                    from joblib import load
                except ImportError:
                    from pickle import load
                with open(path, "rb") as file:
                    model = load(file)
            predict = getattr(model, generic.get("predict_fn") or "predict")
            return lambda data, params: predict(data), "scikit-learn"

        def xgboost(folder, facts, generic, pickles):
            import xgboost as library
            path = inside(folder, facts.get("data"), generic.get("data"), "model.xgb", "model.ubj",
                          "model.json")
            name = facts.get("model_class", "xgboost.core.Booster").rpartition(".")[2]
            if name == "Booster":
                model = library.Booster(model_file=path)
                return lambda data, params: model.predict(library.DMatrix(data)), "xgboost"
            model = getattr(library, name)()
            model.load_model(path)
            return lambda data, params: model.predict(data), "xgboost"

        def lightgbm(folder, facts, generic, pickles):
            path = inside(folder, facts.get("data"), generic.get("data"), "model.lgb", "model.txt")
            if path.endswith((".pkl", ".pickle", ".joblib")):
                return sklearn(folder, {"pickled_model": path}, {}, [])
            import lightgbm as library
            model = library.Booster(model_file=path)
            return lambda data, params: model.predict(data), "lightgbm"

        def said(error):
            return f"{type(error).__name__}: {error}"[:2000]

        def lacks(error):
            return (f"{error}, in the environment of {sys.executable}; add it to the model's "
                    "requirements.txt, or use --env-manager local --python with an interpreter that "
                    "has it")

        def main():
            model = receive()
            carrier = model["carrier"]
            try:
                if carrier:
                    importlib.import_module(carrier)
            except ImportError as error:
                return send({"missing": f"rows reach the model in types of {carrier}: " + lacks(error)})
            try:
                predict, library = load(model)
            except Refused as error:
                return send({"error": str(error)})
            except ImportError as error:
                return send({"missing": "the model's library: " + lacks(error)})
            except BaseException as error:
                return send({"error": "it cannot be loaded: " + said(error)})
            send({"library": library, "python": sys.version.split()[0]})
            while True:
                request = receive()
                try:
                    data = given(request["data"], model["dtype"])
                except Refused as error:
                    send({"refused": str(error)})
                    continue
                except ImportError as error:
                    send({"missing": "the rows cannot be read: " + lacks(error)})
                    continue
                except Exception as error:
                    send({"refused": "the rows cannot be read: " + said(error)})
                    continue
                try:
                    send({"predictions": plain(predict(data, request["params"]))})
                except ImportError as error:
                    send({"missing": "the model's library: " + lacks(error)})
                except Exception as error:
                    send({"refused": "the model refuses them: " + said(error)})

        main()
        """#
}
