"""The shape of the code: imports go one way, kinds are classes, TensorFlow is loaded late, nothing grows into a monster."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted([*ROOT.glob("keras_s2s/**/*.py"), *ROOT.glob("export/**/*.py"), ROOT / "train.py"])
KINDS = {"text", "series", "image", "audio"}  # of sources and targets

# A module may import those before it and no others. sources/, targets/ and export/ are one entry each.
LADDER = """
    registry checks kind_settings config files normalize terminal prompt state stopping timing cores loops
    analogy rows split reading sentences corpus media images captions series windows
    metrics references losses schedules stepping search suggesting attention recurrent encoder decoder
    wav mel tokenizers sampling presets phrasebook corpora scoring kinds scaling
    tokenized scaled shortlist seeing sources targets pipeline model predictor
    lock checkpoints run ensemble distilling
    eventlog plots overlays page maps breakdown evaluation ledger forecast_report report comparison
    training watch callbacks
    workflow sweep commands translating answering forecasting completing
    cli export train
""".split()
LIGHT = ["keras_s2s", *(f"keras_s2s.{name}" for name in (
    "cli", "config", "presets", "run", "corpus", "phrasebook", "metrics", "series", "windows", "corpora", "scoring", "commands", "workflow", "stopping", "lock"))]


def module(path: Path) -> str:
    """The entry of the ladder that a file belongs to."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[0] if parts[0] in ("export", "train") else parts[1]


def imported(path: Path) -> set[str]:
    """The entries of the ladder that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = node.module in ("keras_s2s", "export")
            names |= {f"{node.module}.{alias.name}" for alias in node.names} if inside else {node.module}
    split = [name.split(".") for name in names]
    return {"export" if parts[0] == "export" else parts[1] for parts in split
            if parts[0] == "export" or parts[0] == "keras_s2s" and len(parts) > 1}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down_the_ladder(path):
    name = module(path)
    if name == "__init__":
        return
    assert name in LADDER, f"{name} needs its place in LADDER: above all it imports, below all that import it"
    wrong = {other for other in imported(path) - {name} if other not in LADDER[:LADDER.index(name)]}
    assert not wrong, f"{path.name} imports {', '.join(sorted(wrong))} from above it"


def test_the_light_modules_do_not_load_tensorflow():
    code = f"import sys; import {', '.join(LIGHT)}; print({{'tensorflow', 'keras'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout == "set()\n", done.stdout + done.stderr


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_kinds_are_told_apart_by_classes_and_tables_alone(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            named = {side.attr if isinstance(side, ast.Attribute) else side.id if isinstance(side, ast.Name) else "" for side in sides}
            words = {side.value for side in sides if isinstance(side, ast.Constant)}
            assert not named & {"task", "kind", "source", "target"} or not words & KINDS, f"line {node.lineno} asks for a kind"
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance" and module(path) not in ("sources", "targets"):
            asked = ast.unparse(node.args[1])
            assert not asked.endswith(("Source", "Target")), f"line {node.lineno} asks for {asked}: make it a method of the kinds"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_short_and_modules_say_what_they_are(path):
    text = path.read_text()
    tree = ast.parse(text)
    assert path.name != "utils.py" and ast.get_docstring(tree), "a file has a subject, and says it"
    assert len(text.splitlines()) <= 350
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert lines <= 40, f"{node.name} has {lines} lines"
        narrows = isinstance(node, ast.Assert) and "isinstance" in ast.unparse(node.test)  # for the type checker
        assert narrows or not isinstance(node, ast.Assert), f"line {node.lineno}: an assert; users are told by ValueError"
