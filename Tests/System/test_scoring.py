"""Scoring from outside: predict and serve, native and by a model's own library."""

import csv
import http.client
import io
import json
import os
import pickle
import signal
import socket
import subprocess
import sys

import pytest
from support import LINAJE, Daemon, eventually

numpy = pytest.importorskip("numpy")
pandas = pytest.importorskip("pandas")
sklearn = pytest.importorskip("sklearn")
xgboost = pytest.importorskip("xgboost")

COLUMNS = ["age", "amount", "hour", "visits"]
SIGNATURE = json.dumps([{"type": "double", "name": name, "required": True} for name in COLUMNS])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A daemon with two registered models, and what their libraries predict."""
    folder = tmp_path_factory.mktemp("s")
    short = f"/tmp/lnj-score-{os.getpid()}"
    os.makedirs(short, mode=0o700)
    daemon = Daemon(short).start()
    place = Place(daemon, folder)
    yield place
    try:
        daemon.finish()
    finally:
        subprocess.run(["rm", "-rf", short], check=False)


class Place:
    """The models, rows for them, and a command line that knows the daemon."""

    def __init__(self, daemon, folder):
        self.daemon, self.folder = daemon, folder
        dice = numpy.random.default_rng(1859)
        rows = dice.normal(size=(300, len(COLUMNS))).astype("float32").astype("float64")
        target = (rows[:, 0] * rows[:, 1] + rows[:, 2] > 0).astype(int)
        self.frame = pandas.DataFrame(rows, columns=COLUMNS)
        self.frame.iloc[3, 1] = numpy.nan
        booster = xgboost.train(
            {"objective": "binary:logistic", "max_depth": 4, "seed": 1},
            xgboost.DMatrix(self.frame, target), 20)
        self.boosted = self.model(
            "boosted", "xgboost", {"data": "model.ubj", "model_class": "xgboost.core.Booster"})
        booster.save_model(os.path.join(self.boosted, "model.ubj"))
        self.expected = booster.predict(xgboost.DMatrix(self.frame)).astype(float)

        from sklearn.linear_model import Ridge
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        filled = self.frame.fillna(0)
        pipeline = make_pipeline(StandardScaler(), Ridge()).fit(filled, filled["age"] * 2)
        self.linear = self.model(
            "linear", "sklearn",
            {"pickled_model": "model.pkl", "serialization_format": "pickle"})
        with open(os.path.join(self.linear, "model.pkl"), "wb") as file:
            pickle.dump(pipeline, file)
        self.filled, self.fitted = filled, pipeline.predict(filled)

        self.say("model", "register", self.boosted, "boosted")
        self.say("model", "alias", "boosted", "champion", "1")
        self.say("model", "register", self.linear, "linear")

    def model(self, name, flavor, facts):
        """A model directory as MLflow writes it, but for the model itself."""
        path = os.path.join(self.folder, name)
        os.makedirs(path)
        with open(os.path.join(path, "MLmodel"), "w", encoding="utf-8") as file:
            file.write("flavors:\n  python_function:\n"
                       f"    loader_module: mlflow.{flavor}\n")
            data = facts.get("data") or facts.get("pickled_model")
            file.write(f"    data: {data}\n    model_path: {data}\n    predict_fn: predict\n"
                       f"  {flavor}:\n")
            file.writelines(f"    {key}: {value}\n" for key, value in facts.items())
            file.write(f"signature:\n  inputs: '{SIGNATURE}'\n  outputs: null\n  params: null\n")
        return path

    def run(self, *words, given=None, cwd=None, path=""):
        """`path`: where programs are found first."""
        environment = self.environment
        environment["PATH"] = f"{path}:{environment['PATH']}" if path else environment["PATH"]
        return subprocess.run(
            [LINAJE, *words], input=given, capture_output=True, text=True, timeout=300,
            check=False, env=environment, cwd=cwd)

    @property
    def environment(self):
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder),
                "LINAJE_SOCKET": self.daemon.socket}

    def say(self, *words, given=None, code=0, path=""):
        done = self.run(*words, given=given, path=path)
        assert done.returncode == code, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout if code == 0 else done.stderr

    def file(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def scores(self, model, path, *words):
        return json.loads(self.say("model", "predict", "-m", model, "-i", path, "--json",
                                   *words))["predictions"]


LOCAL = ("--engine", "python", "--env-manager", "local", "--python", sys.executable)


def forms(frame):
    """The four forms of MLflow's scoring protocol."""
    rows = json.loads(frame.to_json(orient="split"))
    records = json.loads(frame.to_json(orient="records"))
    return {"dataframe_split": rows, "dataframe_records": records, "instances": records,
            "inputs": {name: [row[name] for row in records] for name in frame.columns}}


def close(found, expected):
    assert len(found) == len(expected)
    worst = max(abs(a - b) / max(1, abs(b)) for a, b in zip(found, expected))
    assert worst <= 1e-6, worst


def test_predict_gives_what_the_library_gives(place):
    path = place.file("rows.csv", place.frame.to_csv(index=False))
    close(place.scores("models:/boosted@champion", path), place.expected)
    close(place.scores(place.boosted, path, "--engine", "native"), place.expected)
    cached = os.path.join(place.folder, ".cache/linaje/models")
    assert [name for name in os.listdir(cached) if not name.endswith(".lock")]
    # In another order, with a column that the model does not know; CSV in, CSV out.
    shuffled = place.frame[COLUMNS[::-1]].assign(comment="x,\"y\"")
    given = shuffled.to_csv(index=False)
    done = place.run("model", "predict", "-m", "models:/boosted/1", "-i", "-", given=given)
    assert done.returncode == 0 and "column \"comment\" the model does not take" in done.stderr
    rows = list(csv.reader(io.StringIO(done.stdout)))
    assert rows[0] == ["predict"]
    close([float(row[0]) for row in rows[1:]], place.expected)
    for form, value in forms(place.frame).items():
        path = place.file("rows.json", json.dumps({form: value}))
        close(place.scores("models:/boosted/1", path), place.expected)
    # A file appears whole.
    out = os.path.join(place.folder, "out.csv")
    place.say("model", "predict", "-m", place.boosted, "-i", path, "-o", out)
    with open(out, encoding="utf-8") as file:
        close([float(line) for line in file.read().split()[1:]], place.expected)


def test_what_does_not_fit_the_signature_is_refused_by_name(place):
    frame = place.frame.head(3)
    cases = [
        (frame.drop(columns=["hour"]).to_csv(index=False), "column \"hour\""),
        ("age,amount,hour,visits\n1,2,3,4\n1,2,three,4\n", "column \"hour\", row 2"),
        ("age,amount,hour,visits\n1,2,3\n", "CSV line 2"),
        ('{"dataframe_records": [{"age": "x", "amount": 1, "hour": 1, "visits": 1}]}',
         "column \"age\", row 1"),
        ('{"rows": []}', "exactly one of"), ("{", "JSON has no"), ("", "CSV file is empty"),
    ]
    for given, said in cases:
        assert said in place.say("model", "predict", "-m", place.boosted, "-i", "-", given=given,
                                 code=1), given
    empty = os.path.join(place.folder, "empty")
    os.makedirs(empty, exist_ok=True)
    assert "not_found" in place.say("model", "predict", "-m", empty + "/no", "-i", "-", given="a",
                                    code=1)
    said = place.say("model", "predict", "-m", place.boosted, "-i", "-", "--output", "no",
                     given=frame.to_csv(index=False), code=1)
    assert "no output \"no\"" in said


def test_the_library_scores_what_no_flavor_does(place):
    path = place.file("filled.csv", place.filled.to_csv(index=False))
    close(place.scores("models:/linear/1", path, *LOCAL), place.fitted)
    rows = place.file("rows.csv", place.frame.to_csv(index=False))
    close(place.scores(place.boosted, rows, *LOCAL), place.expected)
    said = place.say("model", "predict", "-m", place.linear, "-i", path, "--engine", "native",
                     code=1)
    assert "no native scorer" in said
    said = place.say("model", "predict", "-m", place.linear, "-i", path, code=1)
    assert "no requirements.txt" in said


class Crash:
    """A model that ends its process."""

    def __reduce__(self):
        return (eval, ("__import__('os')._exit(7)",))


def test_code_is_not_loaded_unless_it_is_allowed_and_a_crash_is_an_error(place):
    evil = place.model("evil", "sklearn", {"pickled_model": "model.pkl"})
    with open(os.path.join(evil, "model.pkl"), "wb") as file:
        pickle.dump(Crash(), file)
    words = ("model", "predict", "-m", evil, "-i", "-", *LOCAL)
    given = place.filled.head(2).to_csv(index=False)
    said = place.say(*words, given=given, code=1)
    assert "verdict is dangerous" in said and "--allow-code" in said
    said = place.say(*words, "--allow-code", given=given, code=1)
    assert "Python worker exited with status 7" in said


def test_an_mlmodel_that_hides_its_loader_does_not_run_it(place):
    mark = os.path.join(place.folder, "ran")
    evil = os.path.join(place.folder, "merging")
    os.makedirs(os.path.join(evil, "code"))
    with open(os.path.join(evil, "MLmodel"), "w", encoding="utf-8") as file:
        file.write("flavors:\n  python_function: {<<: {loader_module: evil, code: code}}\n")
    with open(os.path.join(evil, "code", "evil.py"), "w", encoding="utf-8") as file:
        file.write(f"open({mark!r}, 'w').close()\n")
    said = place.say("model", "predict", "-m", evil, "-i", "-", *LOCAL, given="a\n1\n", code=1)
    assert "merges maps" in said
    assert not os.path.exists(mark)


def test_python_imports_nothing_from_the_current_folder(place):
    folder = os.path.join(place.folder, "hostile")
    mark = os.path.join(place.folder, "imported")
    os.makedirs(folder)
    for name in ("base64", "json", "struct", "platform", "sklearn", "pandas", "numpy", "mlflow"):
        with open(os.path.join(folder, f"{name}.py"), "w", encoding="utf-8") as file:
            file.write(f"open({mark!r}, 'w').close()\n")
    done = place.run("model", "predict", "-m", place.linear, "-i", "-", "--json", *LOCAL,
                     given=place.filled.to_csv(index=False), cwd=folder)
    assert done.returncode == 0, done.stderr
    close(json.loads(done.stdout)["predictions"], place.fitted)
    assert not os.path.exists(mark)


def test_an_environment_is_made_in_isolation_with_what_rows_need(place):
    model = place.model("needy", "sklearn", {"pickled_model": "model.pkl"})
    with open(os.path.join(place.linear, "model.pkl"), "rb") as file:
        pickled = file.read()
    with open(os.path.join(model, "model.pkl"), "wb") as file:
        file.write(pickled)
    with open(os.path.join(model, "requirements.txt"), "w", encoding="utf-8") as file:
        file.write("scikit-learn>=1  # as it was trained\n")
    with open(os.path.join(model, "MLmodel"), encoding="utf-8") as file:
        text = file.read()
    with open(os.path.join(model, "MLmodel"), "w", encoding="utf-8") as file:
        file.write(text.replace("python_function:\n", "python_function:\n    python_version: 3.98.7\n"))
    log = os.path.join(place.folder, "python.log")
    os.makedirs(os.path.join(place.folder, "bin"))
    program = place.file("bin/python3.98", f"""#!/bin/sh
echo "$1 $2" >> {log}
for last; do :; done
case "$*" in
"-I -m venv"*) mkdir -p "$last/bin"; cp "$0" "$last/bin/python" ;;
"-I -m pip"*) cp "$last" {log}.needs ;;
"-I -c import sys, platform"*) echo 3.99.0 none ;;
"-I -c import venv"*) ;;
*) exit 9 ;;
esac
""")
    os.chmod(program, 0o755)
    words = ("model", "predict", "-m", model, "--engine", "python")
    said = place.say(*words, "-i", "-", "--python", program, given="", code=1)
    assert "exited with status 9" in said
    with open(log, encoding="utf-8") as file:
        assert file.read().splitlines() == ["-I -c", "-I -m", "-I -m", "-I -c"]
    with open(f"{log}.needs", encoding="utf-8") as file:
        assert file.read() == "scikit-learn>=1\npandas\n"
    # The Python that made the model is taken where there is one; Parquet needs more.
    rows = place.file("rows.parquet", "PAR1")
    said = place.say(*words, "-i", rows, path=os.path.dirname(program), code=1)
    assert "exited with status 9" in said
    with open(f"{log}.needs", encoding="utf-8") as file:
        assert file.read() == "scikit-learn>=1\npandas\npyarrow\n"


def test_parquet_goes_to_the_library_and_params_that_nothing_takes_are_said(place):
    import pandas
    rows = os.path.join(place.folder, "frame.parquet")
    place.frame[COLUMNS[::-1]].assign(comment="x").to_parquet(rows)
    auto = ("--env-manager", "local", "--python", sys.executable)
    close(place.scores(place.boosted, rows, *auto), place.expected)
    said = place.say("model", "predict", "-m", place.boosted, "-i", rows, "--engine", "native", code=1)
    assert "a Parquet file is read by pandas" in said
    place.frame.drop(columns=["hour"]).to_parquet(rows)
    assert "['hour']" in place.say("model", "predict", "-m", place.boosted, "-i", rows, *auto, code=1)

    asked = json.dumps({"dataframe_split": forms(place.frame.head(2))["dataframe_split"],
                        "params": {"temperature": 1}})
    done = place.run("model", "predict", "-m", place.boosted, "-i", "-", given=asked)
    assert done.returncode == 0 and "params are ignored: native (xgboost)" in done.stderr


def test_a_missing_module_is_said_before_anything_is_asked(place):
    bare = os.path.join(place.folder, "bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    words = ("--engine", "python", "--env-manager", "local", "--python", f"{bare}/bin/python")
    said = place.say("model", "predict", "-m", place.linear, "-i", "-", *words, given="", code=1)
    assert "failed_precondition" in said and "No module named 'pandas'" in said
    done = place.run("model", "serve", "-m", place.linear, "--port", "0", "--json", *words)
    assert done.returncode == 1 and done.stdout == "" and "'pandas'" in done.stderr


def test_a_model_without_an_mlmodel_is_told_from_one_without_mlflow(place):
    folder = os.path.join(place.folder, "nameless")
    os.makedirs(folder)
    with open(os.path.join(folder, "notes.txt"), "w", encoding="utf-8") as file:
        file.write("nothing\n")
    said = place.say("model", "predict", "-m", folder, "-i", "-", *LOCAL, given="a\n1\n", code=1)
    assert "has no MLmodel file" in said and "mlflow in its environment" not in said


def test_fractions_are_not_cut_off_for_a_tensor_of_whole_numbers(place):
    folder = os.path.join(place.folder, "tensors")
    os.makedirs(folder)
    from sklearn.linear_model import Ridge
    model = Ridge().fit([[0, 0], [1, 1]], [3, 3])
    with open(os.path.join(folder, "model.pkl"), "wb") as file:
        pickle.dump(model, file)
    inputs = json.dumps([{"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1, 2]}}])
    with open(os.path.join(folder, "MLmodel"), "w", encoding="utf-8") as file:
        file.write("flavors:\n  sklearn:\n    pickled_model: model.pkl\n"
                   f"signature:\n  inputs: '{inputs}'\n  outputs: null\n  params: null\n")

    def ask(rows, code=0):
        return place.say("model", "predict", "-m", folder, "-i", "-", *LOCAL, "--json",
                         given=json.dumps({"inputs": rows}), code=code)

    close(json.loads(ask([[1, 2.0], [3, 4]]))["predictions"], [3, 3])
    assert "1.7" in ask([[1, 2], [1.7, 3]], code=1)


class Server:
    """`linaje model serve` on a free port."""

    def __init__(self, place, *words):
        self.process = subprocess.Popen(
            [LINAJE, "model", "serve", "--json", *words], stdout=subprocess.PIPE, text=True,
            env=place.environment)
        line = self.process.stdout.readline()
        assert line, "it did not start"
        self.started = json.loads(line)
        self.address = self.started["address"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    @property
    def port(self):
        return int(self.address.rpartition(":")[2])

    def ask(self, method, path, body=None, kind="application/json", host=None, connection=None):
        """Status, and the body as JSON where it is that."""
        asked = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Host": host} if host else {}
        if body is not None:
            headers["Content-Type"] = kind
        asked.request(method, path, body, headers)
        answer = asked.getresponse()
        text = answer.read().decode()
        if connection is None:
            asked.close()
        is_json = answer.getheader("Content-Type") == "application/json"
        return answer.status, json.loads(text) if is_json else text

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@pytest.fixture(scope="module")
def server(place):
    with Server(place, "-m", "models:/boosted@champion", "--port", "0", "--workers", "2",
                "--max-body", "1MiB", "--engine", "native") as server:
        yield server
        assert server.stop() == 0


def test_a_version_is_tried_on_its_own_example(place):
    def example(model, output=None):
        """As MLflow writes them for a data frame."""
        split = json.loads(place.frame.head(3).to_json(orient="split"))
        files = {"input_example.json": {key: split[key] for key in ("columns", "data")},
                 "serving_input_example.json": {"dataframe_split": split}}
        if output is not None:
            files["output_example.json"] = {"predictions": output}
        for name, content in files.items():
            with open(os.path.join(model, name), "w", encoding="utf-8") as file:
                json.dump(content, file)

    def tags(version):
        shown = json.loads(place.say("model", "show", version, "--json"))
        return shown["tags"]

    def booster(name, output=None):
        path = place.model(name, "xgboost", {"data": "model.ubj",
                                             "model_class": "xgboost.core.Booster"})
        with open(os.path.join(place.boosted, "model.ubj"), "rb") as file:
            content = file.read()
        with open(os.path.join(path, "model.ubj"), "wb") as file:
            file.write(content)
        example(path, output)
        return path

    right = place.expected[:3].tolist()
    good = booster("tried", right)
    version = place.say("model", "register", good, "tried").strip()
    kept = tags(version)
    assert kept["self_test"] == "passed: native (xgboost)"
    close(json.loads(kept["self_test.output"])["predictions"], right)
    assert "predicts what it did" in place.say("model", "test", "-m", version)
    said = json.loads(place.say("model", "test", "-m", good, "--engine", "python", "--env-manager",
                                "local", "--python", sys.executable, "--json"))
    assert said["matches"] is True and said["engine"].startswith("python")
    assert tags(place.say("model", "register", good, "untried", "--no-self-test").strip()) == {}

    other = booster("drifted", [right[0], right[1] + 0.01, right[2]])
    done = place.run("model", "register", other, "drifted")
    assert done.returncode == 0 and "the self-test failed: [1] is " in done.stderr
    assert tags("models:/drifted/1")["self_test"].startswith("failed: [1] is ")
    assert place.run("model", "register", other, "drifted", "--self-test").returncode == 1
    done = place.run("model", "test", "-m", "models:/drifted/1")
    assert done.returncode == 1 and "something else" in done.stdout
    unknown = booster("unkept")
    done = place.run("model", "test", "-m", unknown)
    assert done.returncode == 0 and "nothing is compared" in done.stderr
    assert "no input example" in place.say("model", "test", "-m", place.boosted, code=1)


def test_serve_answers_as_mlflow_does(place, server):
    assert server.started["engine"] == "native (xgboost)"
    asked = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    for form, value in forms(place.frame).items():
        status, answer = server.ask("POST", "/invocations", json.dumps({form: value}),
                                    connection=asked)
        assert status == 200
        close(answer["predictions"], place.expected)
    status, answer = server.ask("POST", "/invocations", place.frame.to_csv(index=False),
                                "text/csv; charset=utf-8", connection=asked)
    close(answer["predictions"], place.expected)
    asked.close()
    for path in ("/ping", "/health"):
        assert server.ask("GET", path) == (200, "\n")
    assert server.ask("GET", "/version")[0] == 200


def test_serve_refuses_what_is_wrong_in_mlflows_form(place, server):
    good = json.dumps({"dataframe_records": [dict.fromkeys(COLUMNS, 1.0)]})
    cases = [
        ("POST", "/invocations", "{", "application/json", None, 400, "JSON has no"),
        ("POST", "/invocations", "{}", "application/json", None, 400, "no keys"),
        ("POST", "/invocations", '{"inputs": [[1, 2]]}', "application/json", None, 400,
         "4 columns"),
        ("POST", "/invocations", "age\n1\n", "text/csv", None, 400, "\"amount\""),
        ("POST", "/invocations", good, "text/plain", None, 415, "content types"),
        ("POST", "/invocations", good, "application/json; charset=latin-1", None, 415, "UTF-8"),
        ("POST", "/invocations", " " * (1 << 20) + good, "application/json", None, 413,
         "the body has more than"),
        ("POST", "/invocations", good, "application/json", "evil.example", 403, "Host"),
        ("GET", "/ping", None, None, "evil.example:80", 403, "Host"),
        ("GET", "/invocations", None, None, None, 405, "POST"),
        ("POST", "/ping", "x", "text/csv", None, 405, "GET"),
        ("GET", "/other", None, None, None, 404, "/invocations"),
    ]
    for method, path, body, kind, host, status, said in cases:
        found, answer = server.ask(method, path, body, kind, host)
        assert found == status, (path, body and body[-40:], found, answer)
        assert set(answer) == {"error_code", "message"} and said in answer["message"], answer
    assert server.ask("POST", "/invocations", good, host=f"localhost:{server.port}")[0] == 200
    # What is no HTTP, and requests that are torn, leave it as it was.
    for rubbish in (b"\x00\xff\r\n\r\n", b"POST /invocations HTTP/1.1\r\nHost: localhost\r\n"
                    b"Content-Length: 100\r\n\r\n{"):
        with socket.create_connection(("127.0.0.1", server.port)) as raw:
            raw.sendall(rubbish)
    assert server.ask("POST", "/invocations", good)[0] == 200


def test_serve_on_a_unix_socket_with_the_library_starts_a_crashed_worker_again(place):
    path = f"{place.daemon.folder}/score"
    rows = forms(place.filled)
    given = json.dumps({"inputs": rows["inputs"]})

    def ask(given=given):
        with socket.socket(socket.AF_UNIX) as raw:
            raw.connect(path)
            asked = http.client.HTTPConnection("scoring", timeout=60)
            asked.sock = raw
            asked.request("POST", "/invocations", given, {"Content-Type": "application/json"})
            answer = asked.getresponse()
            return answer.status, json.loads(answer.read())

    with Server(place, "-m", "models:/linear/1", "--unix-socket", path, *LOCAL) as server:
        for form, value in rows.items():
            status, answer = ask(json.dumps({form: value}))
            assert status == 200, answer
            close(answer["predictions"], place.fitted)
        status, answer = ask('{"dataframe_records": [{"age": 1, "amount": 1, "hour": 1}]}')
        assert status == 400 and "\"visits\"" in answer["message"]
        [worker] = children(server.process.pid, sys.executable)
        os.kill(worker, signal.SIGKILL)
        status, answer = ask()
        assert status == 500 and "ended by signal 9" in answer["message"]

        def again():
            status, answer = ask()
            assert status in (200, 503)
            return status == 200
        eventually(again, why="the worker was not started again")
        assert server.stop() == 0
    assert not os.path.exists(path)
    assert not children(server.process.pid, sys.executable)


def children(pid, program):
    """The processes of this parent that run an interpreter."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
            with open(f"/proc/{name}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if parent == pid and words[0].decode() == program:
            found.append(int(name))
    return found


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_bench_predict_compares_with_the_library(place, library):
    pytest.importorskip(library)
    found = json.loads(place.say(
        "bench", "predict", "--library", library, "--rows", "700", "--columns", "5", "--trees", "7",
        "--rounds", "1", "--python", sys.executable, "--directory", str(place.folder), "--json"))
    assert found["largest_difference"] <= 1e-6
    assert found["native_seconds"] > 0 and found["library_seconds"] > 0
    assert not [name for name in os.listdir(place.folder) if "bench" in name]
