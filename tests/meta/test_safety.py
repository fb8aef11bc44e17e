"""Nothing that is read is ever run unasked: no pickle, no eval, no shell."""

import ast

from tests.meta.test_repository import ROOT, tracked

RUNS_CODE = {"eval", "exec", "os.system", "os.popen"}
PICKLES = {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
LOADS_OBJECTS = {"yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load"}
ASKED_FOR = {ROOT / "asrkit/data/corpora/audio_store.py": ["subprocess.run"]}
"""Commands of Kaldi's wav.scp, which are refused until --run-commands is given."""
TRUE, FALSE = ast.dump(ast.Constant(True)), ast.dump(ast.Constant(False))


def faults(source):
    """List the lines of a module that could run what they read, and why."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            found += [(node.lineno, n) for n in names if n.split(".")[0] in PICKLES]
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            given = {k.arg: ast.dump(k.value) for k in node.keywords}
            if (
                name in RUNS_CODE | LOADS_OBJECTS
                or (name == "torch.load" and given.get("weights_only") != TRUE)
                or given.get("allow_pickle", FALSE) != FALSE
                or given.get("shell", FALSE) != FALSE
            ):
                found.append((node.lineno, name))
    return found


def test_no_module_runs_what_it_reads():
    modules = [path for path in tracked() if path.suffix == ".py"]
    own = [path for path in modules if not path.is_relative_to(ROOT / "tests")]
    assert len(own) > 100
    found = {path: [what for _, what in faults(path.read_text())] for path in own}
    assert {path: what for path, what in found.items() if what} == ASKED_FOR


def test_tests_load_weights_alone():
    modules = (ROOT / "tests").rglob("*.py")
    found = [
        (path, line)
        for path in modules
        for line, name in faults(path.read_text())
        if name == "torch.load"
    ]
    assert found == []


def test_what_is_found():
    source = """
import pickle
from joblib import load
eval("1")
torch.load(path)
torch.load(path, weights_only=False)
torch.load(path, weights_only=True)
yaml.load(text)
yaml.safe_load(text)
np.load(path, allow_pickle=True)
np.load(path, allow_pickle=False)
subprocess.run(line, shell=True)
model.eval()
"""
    assert [line for line, _ in faults(source)] == [2, 3, 4, 5, 6, 8, 10, 12]
