"""
The house rules that no linter knows: sizes, single writers, and where time and chance may come from.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "rx_flow"
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
FOLDER_FILES_MAX = 18

# Where the clock may be read: the edges. Everything else is told what time it is.
CLOCK = ("rx_flow/app.py", "rx_flow/cli/", "rx_flow/auth/site.py")
CHANCE = ("rx_flow/crypto/",)
STATE_WRITER = "rx_flow/record/advance.py"
AUDIT_WRITER = "rx_flow/record/audit.py"
# Spelled in pieces, so that this file does not find itself.
FORBIDDEN_WORDS = tuple(a + b for a, b in (("TO", "DO"), ("FIX", "ME"), ("X", "XX"), ("HA", "CK")))
WORKPLACE = "/work/" + "shared"
CLASS_NAMES_BANNED = re.compile(r"(Service|Repository|Manager|Helper|Utils?|UnitOfWork)$")
MODULE_NAMES_BANNED = {"utils", "util", "helpers", "helper", "common", "misc", "base"}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in found if "__pycache__" not in path.parts]


def scripts() -> list[Path]:
    return [path for path in sorted((ROOT / "scripts").iterdir()) if path.is_file() and path.suffix != ".lock"]


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), filename=str(path))


def dotted(node: ast.AST) -> str:
    """`datetime.now` of `datetime.now(UTC)`; an empty string for anything that is not a plain dotted name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else f"?.{node.attr}"
    return ""


def calls(path: Path) -> Iterator[tuple[int, str, ast.Call]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield node.lineno, dotted(node.func), node


def imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.lineno, node.module


def outside(allowed: tuple[str, ...], *folders: str) -> list[Path]:
    return [path for path in sources(*folders) if not name(path).startswith(allowed)]


def test_every_file_stays_within_the_limit() -> None:
    files = [*sources("rx_flow", "tests", "scripts"), *scripts()]
    lengths = {name(path): len(path.read_text("utf-8").splitlines()) for path in files}

    assert {path: lines for path, lines in lengths.items() if lines > FILE_LINES_MAX} == {}


def test_every_function_stays_within_the_limit() -> None:
    long = [
        f"{name(path)}:{node.lineno} {node.name}"
        for path in sources("rx_flow", "tests", "scripts")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_LINES_MAX
    ]

    assert long == []


def test_no_folder_becomes_a_heap() -> None:
    folders = {path.parent for path in sources("rx_flow") if "versions" not in path.parts}
    heaps = {name(folder): len(list(folder.glob("*.py"))) for folder in folders}

    assert {folder: count for folder, count in heaps.items() if count > FOLDER_FILES_MAX} == {}


def test_every_module_says_what_it_is_for() -> None:
    silent = [name(path) for path in sources("rx_flow", "tests", "scripts") if not ast.get_docstring(tree(path))]

    assert silent == []


def test_every_script_says_what_it_is_for() -> None:
    for path in scripts():
        lines = path.read_text("utf-8").splitlines()
        assert lines[1].startswith(("# ", '"""')), f"{name(path)} has no description in its second line"


def test_nothing_is_left_to_do_later() -> None:
    words = re.compile(r"\b(" + "|".join(FORBIDDEN_WORDS) + r")\b")
    left = [
        f"{name(path)}:{number}"
        for path in [*sources("rx_flow", "tests", "scripts"), *scripts(), ROOT / "README.md", ROOT / "README.zh.md"]
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if words.search(line)
    ]

    assert left == []


def test_nothing_leans_on_the_workshop() -> None:
    found = [
        name(path)
        for path in [*sources("rx_flow", "tests", "scripts"), *scripts(), *ROOT.glob("*.md"), *ROOT.glob("*.toml")]
        if path != Path(__file__).resolve() and WORKPLACE in path.read_text("utf-8")
    ]

    assert found == []


def test_actions_never_commit() -> None:
    """Only `Database` ends a transaction; an action that could commit could half-finish."""
    enders = ("commit", "rollback", "begin_nested")
    found = [
        f"{name(path)}:{line} {called}"
        for path in outside(("rx_flow/record/", "rx_flow/cli/"), "rx_flow")
        for line, called, _ in calls(path)
        if called.rpartition(".")[2] in enders
    ]

    assert found == []


def test_only_the_edges_read_the_clock() -> None:
    readers = re.compile(
        r"(^|\.)(datetime\.now|datetime\.utcnow|datetime\.today|date\.today|time\.time|time\.time_ns)$"
    )
    found = [
        f"{name(path)}:{line} {called}"
        for path in outside(CLOCK, "rx_flow")
        if not path.name.startswith("routes")
        for line, called, _ in calls(path)
        if readers.search(called)
    ]

    assert found == []


def test_chance_comes_from_crypto_alone() -> None:
    modules = {"random", "secrets", "uuid"}
    found = [
        f"{name(path)}:{line} {module}"
        for path in outside(CHANCE, "rx_flow")
        for line, module in imports(path)
        if module.partition(".")[0] in modules
    ]
    found += [
        f"{name(path)}:{line} {called}"
        for path in outside(CHANCE, "rx_flow")
        for line, called, _ in calls(path)
        if called.endswith(("os.urandom", "os.getrandom"))
    ]

    assert found == []


def writes_table(node: ast.Call, table: str, verbs: tuple[str, ...]) -> bool:
    """`update(prescription)`, `sa.update(tables.prescription)`, `prescription.update()`, as Core spells a write."""
    called = dotted(node.func)
    verb = called.rpartition(".")[2]
    if verb not in verbs:
        return False
    on = {dotted(argument).rpartition(".")[2] for argument in node.args[:1]}
    return table in on or called.rpartition(".")[0].rpartition(".")[2] == table


@pytest.mark.parametrize(
    ("table", "writer", "verbs"),
    [
        ("prescription", STATE_WRITER, ("update", "insert", "delete")),
        ("document", STATE_WRITER, ("insert",)),
        ("audit_entry", AUDIT_WRITER, ("update", "insert", "delete")),
    ],
)
def test_each_record_has_one_writer(table: str, writer: str, verbs: tuple[str, ...]) -> None:
    found = [
        f"{name(path)}:{line}"
        for path in sources("rx_flow")
        if name(path) != writer and "migrations" not in path.parts and "demo" not in path.parts
        for line, _, node in calls(path)
        if writes_table(node, table, verbs)
    ]

    assert found == []


def test_no_names_that_say_nothing() -> None:
    classes = [
        f"{name(path)}:{node.lineno} {node.name}"
        for path in sources("rx_flow")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and CLASS_NAMES_BANNED.search(node.name)
    ]
    modules = [name(path) for path in sources("rx_flow") if path.stem in MODULE_NAMES_BANNED]

    assert (classes, modules) == ([], [])


def test_every_exemption_gives_its_reason() -> None:
    exempt = re.compile(r"#\s*(noqa|type:\s*ignore)\b")
    reasoned = re.compile(r"#\s*(noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*|type: ignore\[[a-z, -]+\])[\s#:-]+\S+\s+\S+")
    found = [
        f"{name(path)}:{number}: {line.strip()}"
        for path in sources("rx_flow", "tests", "scripts")
        if path != Path(__file__).resolve()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if exempt.search(line) and not reasoned.search(line)
    ]

    assert found == []


def test_nothing_that_verifies_answers_yes_or_no() -> None:
    """An answer can be forgotten; what is raised cannot. Only what is no judgement of trust may be asked so."""
    judging = re.compile(r"(verif|check|judge|believe|certif|authentic|validat|valid|trust|confirm|admit|unlock)")
    found = [
        f"{name(path)}:{node.lineno} {node.name}"
        for path in sources("rx_flow/crypto", "rx_flow/evidence", "rx_flow/tlog", "rx_flow/auth")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and judging.match(node.name)
        and (node.returns is None or "bool" in ast.unparse(node.returns))
    ]

    assert found == []


def test_errors_are_never_swallowed() -> None:
    """A handler of everything that does nothing hides the next bug."""
    found = [
        f"{name(path)}:{node.lineno}"
        for path in sources("rx_flow")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or dotted(node.type) in {"Exception", "BaseException"})
        and all(isinstance(step, ast.Pass) for step in node.body)
    ]

    assert found == []


def test_the_platform_folder_does_not_shadow_the_standard_module() -> None:
    """`rx_flow/platform` is safe inside its package; `rx_flow/` itself on the import path breaks the interpreter."""
    ran = subprocess.run(
        [sys.executable, "-m", "rx_flow", "--help"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )

    assert ran.returncode == 0, ran.stderr
    for path in [*sources("rx_flow", "scripts"), *scripts()]:
        text = path.read_text("utf-8")
        assert not re.search(r"python3?\S*\s+\S*rx_flow/\S+\.py", text), f"{name(path)} runs a module by its path"
        assert 'if __name__ == "__main__"' not in text or "rx_flow" not in path.parts, (
            f"{name(path)} can be run by path"
        )


def test_no_site_imports_another() -> None:
    sites = ("hospital", "platform", "pharmacy", "settlement")
    found = [
        f"{name(path)}:{line} {module}"
        for site in sites
        for path in sources(f"rx_flow/{site}")
        for line, module in imports(path)
        if module.startswith(tuple(f"rx_flow.{other}" for other in sites if other != site))
    ]

    assert found == []


def test_the_run_time_lock_is_part_of_the_development_lock() -> None:
    """scripts/demo and scripts/test share one environment; they must not pull it apart."""
    pin = re.compile(r"^([a-z0-9][a-z0-9._-]*(?:\[[a-z,]+\])?==\S+)", re.MULTILINE)
    runtime = set(pin.findall((ROOT / "requirements.lock").read_text("utf-8")))
    development = set(pin.findall((ROOT / "scripts/dev.lock").read_text("utf-8")))

    assert runtime
    assert runtime <= development
    for lock in ("requirements.lock", "scripts/dev.lock"):
        assert "index-url" not in (ROOT / lock).read_text("utf-8")
