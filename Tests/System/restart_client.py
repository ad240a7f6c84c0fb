"""A client in a process of its own that works until its standard input ends.

    restart_client.py KIND SOCKET FOLDER

KIND is what it does. It prints one JSON object at its end and exits with 0 when no call failed:
whatever is raised ends it with a traceback.
"""

import hashlib
import json
import os
import select
import subprocess
import sys
import time

sys.path.insert(0, os.environ["LINAJE_PYTHON_SOURCE"])

KIND, SOCKET, FOLDER = sys.argv[1:]
LINAJE = os.environ.get("LINAJE", "linaje")
longest = []


def goes_on():
    return not select.select([sys.stdin], [], [], 0)[0]


def timed(call, *arguments, **fields):
    """Makes a call and remembers how long it took."""
    begin = time.monotonic()
    try:
        return call(*arguments, **fields)
    finally:
        longest.append(time.monotonic() - begin)


def logger():
    """The logging interface, as a training script uses it."""
    import linaje
    with linaje.start_run(name="trainer") as run:
        step = 0
        while goes_on():
            timed(linaje.log_metric, "loss", float(step), step)
            if step % 100 == 0:
                linaje.set_tag("step", str(step))
            step += 1
            time.sleep(0.001)
        linaje.log_param("steps", step)
    linaje.flush(60)
    return {"run": run.run_id, "points": step}


def changes():
    """Unary changes; each must happen once."""
    from linaje._client import Client
    client = Client(SOCKET)
    run = timed(client.call, "CreateRun", id=os.urandom(16)).id
    tree = timed(client.call, "BeginIngest").ingest_id
    timed(client.call, "AbortIngest", ingest_id=tree)
    count = 0
    while goes_on():
        timed(client.call, "CreateExperiment", name=f"restart-{os.getpid()}-{count}")
        timed(client.call, "LogRun", id=run, tags={"set": [{"key": f"k{count}", "value": "v"}]})
        assert timed(client.get_run, run).tags
        count += 1
    found = [each.name for each in client.pages("SearchExperiments", "experiments")
             if each.name.startswith(f"restart-{os.getpid()}-")]
    assert sorted(found) == sorted(f"restart-{os.getpid()}-{i}" for i in range(count))
    assert len(client.get_run(run).tags) == count
    return {"changes": 2 * count}


def registry():
    """Model versions: a change that is done twice would be a number too many."""
    from linaje._client import Client
    from linaje._upload import upload, upload_body
    client = Client(SOCKET)
    run = client.call("CreateRun", id=os.urandom(16)).id
    path = os.path.join(FOLDER, "weights")
    with open(path, "wb") as file:
        file.write(os.urandom(200_000))
    entry = {"path": "weights", "mode": 0o100644, "source": path, "size": 200_000, "sha256": None}
    timed(upload, client, upload_body([entry], run, "model"))
    name, count = f"model-{os.getpid()}", 0
    while goes_on():
        count += 1
        version = timed(client.create_model_version, name, f"runs:/{run.hex()}/model")
        assert version.version == count, f"version {version.version} instead of {count}"
    return {"versions": count}


def artifacts():
    """Puts of new content and gets that must bring it back."""
    from linaje._client import Client
    from linaje._upload import upload, upload_body
    client, count = Client(SOCKET), 0
    run = client.call("CreateRun", id=os.urandom(16)).id
    path = os.path.join(FOLDER, "file")
    while goes_on():
        content = os.urandom(300_000)
        with open(path, "wb") as file:
            file.write(content)
        entry = {"path": "f", "mode": 0o100644, "source": path, "size": len(content),
                 "sha256": hashlib.sha256(content).hexdigest()}
        timed(upload, client, upload_body([entry], run, f"a{count}"))
        got = b"".join(client.read_artifact(run, f"a{count}/f"))
        assert got == content, "other bytes came back"
        count += 1
    assert len(client.list_artifacts(run, recursive=True)) == count
    return {"artifacts": count}


def commands():
    """The command line: a connection for each, files up and down."""
    def linaje(*arguments):
        done = subprocess.run([LINAJE, *arguments, "--socket", SOCKET, "--json"], text=True,
                              capture_output=True, check=False)
        assert done.returncode == 0, (arguments, done.returncode, done.stderr)
        return json.loads(done.stdout)

    source, target = os.path.join(FOLDER, "up"), os.path.join(FOLDER, "down")
    run, count = linaje("run", "create")["id"], 0
    while goes_on():
        content = os.urandom(200_000)
        with open(source, "wb") as file:
            file.write(content)
        timed(linaje, "artifact", "put", source, "--run", run, "--path", f"c{count}")
        timed(linaje, "artifact", "get", f"runs:/{run}/c{count}/up", target)
        with open(target, "rb") as file:
            assert file.read() == content, "other bytes came back"
        timed(linaje, "status")
        count += 1
    return {"commands": 3 * count}


def stream():
    """`linaje metric stream`, fed as long as it goes."""
    run = json.loads(subprocess.run([LINAJE, "run", "create", "--socket", SOCKET, "--json"],
                                    text=True, capture_output=True, check=True).stdout)["id"]
    process = subprocess.Popen([LINAJE, "metric", "stream", run, "--socket", SOCKET, "--json"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    count = 0
    while goes_on():
        process.stdin.write("".join(f"loss={i} step={i}\n" for i in range(count, count + 20)))
        process.stdin.flush()
        count += 20
        time.sleep(0.01)
    said, _ = process.communicate()
    assert process.returncode == 0, process.returncode
    assert json.loads(said)["points"] == count
    return {"run": run, "points": count}


os.environ["LINAJE_SOCKET"] = SOCKET
os.environ["XDG_STATE_HOME"] = FOLDER
summary = globals()[KIND]()
print(json.dumps({**summary, "longest": max(longest, default=0.0)}))
