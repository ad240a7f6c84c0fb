"""What verdicts block: the daemon's policy, a model's own, and who answers for a version."""

import json
import os
import pickle
import subprocess

import pytest
from support import LINAJE, LINAJED, NOBODY, Client, Daemon, LinajeError, as_nobody

DANGEROUS = b"cos\nsystem\n(S'true'\ntR."
UNKNOWN = b"cacme\nForest\n(tR."
SAFE = pickle.dumps({"weights": [1.0, 2.0]})
FILES = {"dangerous": ("model.pkl", DANGEROUS), "unknown": ("model.pkl", UNKNOWN),
         "safe": ("model.pkl", SAFE), "none": ("notes.txt", b"two trees\n")}


def configured(folder, policy=""):
    """A daemon with this [registry.scan_policy]."""
    path = os.path.join(folder, "linaje.toml")
    with open(path, "w", encoding="ascii") as file:
        file.write(f"[registry.scan_policy]\n{policy}\n")
    return Daemon(folder, arguments=["--config", path])


@pytest.fixture
def daemon(folder):
    daemon = configured(folder)
    yield daemon.start()
    daemon.finish()


def linaje(daemon, *words, code=0):
    """(standard output, standard error) of a command."""
    done = subprocess.run(
        [LINAJE, *words], capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": os.environ["PATH"], "HOME": daemon.folder, "LINAJE_SOCKET": daemon.socket})
    assert done.returncode == code, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout, done.stderr


def write(daemon, verdict):
    """A folder with a model that gets this verdict."""
    folder = os.path.join(daemon.folder, f"model-{verdict}")
    os.makedirs(folder, exist_ok=True)
    name, content = FILES[verdict]
    with open(os.path.join(folder, name), "wb") as file:
        file.write(content)
    return folder


def register(daemon, verdict, name="forest", code=0):
    return linaje(daemon, "model", "register", write(daemon, verdict), name, code=code)


def test_by_itself_danger_is_not_promoted_and_the_unknown_is_warned_of(daemon):
    for number, verdict in enumerate(FILES, 1):
        out, warned = register(daemon, verdict)
        assert out == f"models:/forest/{number}\n"
        assert (verdict in warned) == (verdict in ("dangerous", "unknown")), warned
    _, said = linaje(daemon, "model", "stage", "forest", "1", "Production", code=1)
    for word in ("failed_precondition", "models:/forest/1", "dangerous", "blocks promotion",
                 "linaje model accept models:/forest/1 --reason"):
        assert word in said, said
    linaje(daemon, "model", "alias", "forest", "champion", "1", code=1)
    _, warned = linaje(daemon, "model", "alias", "forest", "champion", "2")
    assert "models:/forest/2 has the verdict unknown" in warned
    for version in ("3", "4"):
        assert linaje(daemon, "model", "stage", "forest", version, "Staging")[1] == ""
    shown, _ = linaje(daemon, "model", "show", "models:/forest/1")
    assert "blocked" in shown and "promotion, by its verdict" in shown
    # Loading is not blocked by itself.
    linaje(daemon, "model", "download", "models:/forest/1", os.path.join(daemon.folder, "got"))


def test_a_model_has_a_policy_of_its_own_until_it_is_reset(daemon):
    register(daemon, "unknown")
    shown, _ = linaje(daemon, "model", "policy", "forest", "--unknown", "loading")
    assert [line.split() for line in shown.splitlines()[1:]] == [
        ["none", "nothing", "daemon"], ["safe", "nothing", "daemon"],
        ["unknown", "loading", "model"], ["dangerous", "promotion", "daemon"]]
    target = os.path.join(daemon.folder, "got")
    _, said = linaje(daemon, "model", "download", "models:/forest/1", target, code=1)
    assert "models:/forest/1 is not loaded" in said and 'the policy of "forest"' in said
    with daemon.client() as client:
        with pytest.raises(LinajeError) as caught:
            client.resolve_model("models:/forest/latest")
        assert caught.value.code == 107
        for method in ("ListArtifacts", "ReadArtifact"):
            with pytest.raises(LinajeError) as caught:
                if method == "ListArtifacts":
                    list(client.list_artifacts("models:/forest/1"))
                else:
                    list(client.read_artifact("models:/forest/1", "model.pkl"))
            assert caught.value.code == 107
        assert client.resolve_model("models:/forest/1", to_look=True)[1].blocked.loading
    assert "unknown blocks loading" in linaje(daemon, "model", "show", "forest")[0]
    linaje(daemon, "artifact", "hold", "add", "models:/forest/1", "--reason", "evidence")

    daemon.restart()
    assert "unknown blocks loading" in linaje(daemon, "model", "show", "forest")[0]
    linaje(daemon, "model", "policy", "forest", "--reset")
    linaje(daemon, "model", "download", "models:/forest/1", target)
    assert linaje(daemon, "model", "history", "forest")[0].count("policy.set") == 2
    linaje(daemon, "model", "policy", "forest", "--unknown", "everything", code=1)
    linaje(daemon, "model", "policy", "forest", "--reset", "--safe", "nothing", code=2)


def test_who_answers_for_a_version_lifts_what_blocks_it(daemon):
    register(daemon, "dangerous")
    register(daemon, "dangerous")
    linaje(daemon, "model", "accept", "models:/forest/1", code=2)
    linaje(daemon, "model", "accept", "models:/forest/latest", "--reason", "read", code=1)
    linaje(daemon, "model", "accept", "models:/forest/1", "--reason", "own code, read by Ada")
    shown, _ = linaje(daemon, "model", "show", "models:/forest/1")
    assert "own code, read by Ada" in shown and "by its verdict" not in shown
    _, warned = linaje(daemon, "model", "alias", "forest", "champion", "1")
    assert warned == ""
    linaje(daemon, "model", "alias", "forest", "champion", "2", code=1)
    history, _ = linaje(daemon, "model", "history", "forest", "--version", "1")
    assert "risk.accept" in history and "reason=own code, read by Ada" in history
    linaje(daemon, "model", "accept", "models:/forest/1", "--withdraw", "--reason", "issue 81")
    assert "champion" in linaje(daemon, "model", "show", "models:/forest/1")[0]
    linaje(daemon, "model", "stage", "forest", "1", "Staging", code=1)
    linaje(daemon, "ledger", "verify")


def test_what_may_not_be_registered_leaves_nothing_behind(folder):
    daemon = configured(folder, 'unknown = ["registration"]\ndangerous = []').start()
    _, said = register(daemon, "unknown", code=1)
    assert "is not registered" in said and "the daemon's policy" in said and "acme" in said
    assert "not_found" in linaje(daemon, "model", "show", "forest", code=1)[1]
    register(daemon, "dangerous")
    linaje(daemon, "model", "alias", "forest", "champion", "1")
    linaje(daemon, "model", "policy", "forest", "--unknown", "promotion")
    assert register(daemon, "unknown")[0] == "models:/forest/2\n"
    daemon.finish()


def test_a_model_that_nobody_can_examine_is_kept_and_says_so(folder):
    path = os.path.join(folder, "linaje.toml")
    with open(path, "w", encoding="ascii") as file:
        file.write('[flavors]\nhost = ""\n[registry.scan_policy]\nnone = ["promotion"]\n')
    daemon = Daemon(folder, arguments=["--config", path]).start()
    assert register(daemon, "dangerous")[0] == "models:/forest/1\n"
    _, said = linaje(daemon, "model", "stage", "forest", "1", "Production", code=1)
    assert "it has no verdict" in said
    target = os.path.join(folder, "got")
    linaje(daemon, "model", "download", "models:/forest/1", target)
    with open(os.path.join(target, "model.pkl"), "rb") as file:
        assert file.read() == DANGEROUS
    daemon.finish()


def test_a_policy_that_is_misspelt_keeps_the_daemon_from_starting(folder):
    for policy, word in (('harmless = []', "harmless"), ('safe = ["everything"]', "everything"),
                         ('safe = "loading"', "registry.scan_policy")):
        daemon = configured(folder, policy)
        done = subprocess.run([LINAJED, *daemon.arguments, "--check-config"], timeout=20,
                              capture_output=True, text=True, check=False)
        assert done.returncode == 78 and word in done.stdout + done.stderr, done


@pytest.mark.skipif(os.getuid() != 0, reason="needs to be root to become another user")
def test_a_writer_promotes_what_an_approver_has_accepted(folder):
    path = os.path.join(folder, "linaje.toml")
    with open(path, "w", encoding="ascii") as file:
        file.write(f'[daemon]\nsocket_mode = "0666"\n[access.users]\n"{NOBODY}" = "writer"\n')
    os.chmod(folder, 0o755)
    daemon = Daemon(folder, arguments=["--config", path]).start()
    register(daemon, "dangerous")

    def attempt(method, **fields):
        def act():
            try:
                with Client(daemon.socket, 10) as client:
                    client.call(method, name="forest", version=1, **fields)
                return b"0"
            except LinajeError as error:
                return str(error.code).encode()
        return int(as_nobody(act))

    assert attempt("SetAlias", alias="champion") == 107
    assert attempt("AcceptRisk", reason="trust me") == 108
    linaje(daemon, "model", "accept", "models:/forest/1", "--reason", "read")
    assert attempt("SetAlias", alias="champion") == 0
    daemon.finish()


def test_a_bundle_is_believed_that_a_model_is_dangerous_and_never_that_it_is_safe(daemon):
    for verdict in ("safe", "dangerous"):
        register(daemon, verdict)
    bundle = os.path.join(daemon.folder, "b.lnj")
    linaje(daemon, "export", "model", "forest", "-o", bundle)
    folder = os.path.join(daemon.folder, "b")
    os.makedirs(folder)
    path = os.path.join(folder, "linaje.toml")
    with open(path, "w", encoding="ascii") as file:
        file.write('[flavors]\nhost = ""\n')
    other = Daemon(folder, arguments=["--config", path]).start()
    linaje(other, "import", bundle)
    found = {}
    for version in ("1", "2"):
        shown, _ = linaje(other, "model", "show", f"models:/forest/{version}", "--json")
        found[version] = json.loads(shown)["model"]["verdict"]
    assert found == {"1": None, "2": "dangerous"}
    linaje(other, "model", "stage", "forest", "2", "Production", code=1)
    other.finish()
