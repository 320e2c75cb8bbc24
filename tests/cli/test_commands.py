"""
Every command says what it does with an example, in both languages, and says no in one shape.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from rx_flow.cli import app, without_language
from rx_flow.cli.language import chosen
from rx_flow.cli.later import Later

ROOT = Path(__file__).resolve().parents[2]


def commands(
    group: Any,  # noqa: ANN401  typer keeps its click to itself.
    path: tuple[str, ...] = (),
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and subcommand that `rx-flow` has."""
    group = group.loaded() if isinstance(group, Later) else group
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


ALL = [path for path, _ in commands(typer.main.get_command(app))]
LEAVES = [path for path, command in commands(typer.main.get_command(app)) if not getattr(command, "commands", None)]


def run(
    *arguments: str, cwd: Path | None = None, language: str = "en_US.UTF-8", stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LANG": language, "LC_ALL": language}
    return subprocess.run(  # noqa: S603  Our own command.
        [sys.executable, "-P", "-m", "rx_flow", *arguments],
        cwd=cwd or ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment,
        input=stdin,
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with keys and databases of an installation that nothing has happened in."""
    folder = tmp_path_factory.mktemp("house")
    assert run("keys", "init", cwd=folder).returncode == 0
    assert run("migrate", cwd=folder).returncode == 0
    return folder


def test_the_commands_are_those_that_the_readme_names() -> None:
    assert {path[0] for path in ALL if path} == {
        "audit",
        "demo",
        "evidence",
        "expire",
        "insured",
        "keys",
        "law",
        "migrate",
        "serve",
        "staff",
        "verify",
    }
    assert {path[1] for path in ALL if path[:1] == ("serve",) and path[1:]} == {
        "hospital",
        "pharmacy",
        "platform",
        "settlement",
    }


@pytest.mark.parametrize(("language", "example"), [("en", "Example:"), ("zh", "例：")])
def test_every_help_has_an_example(language: str, example: str) -> None:
    """One process a language: the texts are chosen when the commands are declared."""
    script = (
        "import sys, typer\n"
        f"sys.argv = ['rx-flow', '--lang', '{language}']\n"
        "from rx_flow.cli import app\n"
        "def walk(group, path):\n"
        "    group = getattr(group, 'loaded', lambda: group)()\n"
        "    leaves = getattr(group, 'commands', {})\n"
        "    if not leaves: print('\\x1e' + path + '\\x1f' + (group.help or ''))\n"
        "    for name, one in leaves.items(): walk(one, path + ' ' + name)\n"
        "walk(typer.main.get_command(app), 'rx-flow')\n"
    )
    ran = subprocess.run(  # noqa: S603  Our own script.
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    helps = dict(part.split("\x1f", 1) for part in ran.stdout.split("\x1e")[1:])

    assert len(helps) == len(LEAVES)
    assert [path for path, text in helps.items() if example not in text or path not in text] == []


def test_help_is_printed_for_the_locale(house: Path) -> None:
    assert "审计" in run("audit", "--help", cwd=house, language="zh_CN.UTF-8").stdout
    assert "审计" in run("audit", "list", "--help", "--lang", "zh", cwd=house).stdout
    assert "审计" not in run("audit", "--help", cwd=house).stdout


@pytest.mark.parametrize(
    ("arguments", "environment", "language"),
    [
        ([], {}, "en"),
        ([], {"LANG": "zh_CN.UTF-8"}, "zh"),
        ([], {"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ([], {"LANG": "C.UTF-8", "LC_MESSAGES": "zh_TW.UTF-8"}, "zh"),
        (["demo", "--lang", "zh"], {"LANG": "en_GB.UTF-8"}, "zh"),
        (["--lang=en", "demo"], {"LANG": "zh_CN.UTF-8"}, "en"),
        (["demo", "--lang"], {"LANG": "zh_CN.UTF-8"}, "zh"),
    ],
)
def test_the_language_is_chosen_by_option_and_then_by_locale(
    arguments: list[str], environment: dict[str, str], language: str
) -> None:
    assert chosen(arguments, environment) == language


def test_the_language_may_be_named_anywhere() -> None:
    assert without_language(["--lang", "zh", "audit", "list", "--lang=en", "--json"]) == ["audit", "list", "--json"]


def test_a_command_that_is_misspelled_is_guessed() -> None:
    assert "Did you mean 'verify'" in run("verfy").stderr
    assert "'reconcile'" in run("audit", "reconcil").stderr


def test_a_wrong_command_line_exits_with_2(house: Path) -> None:
    assert run("audit", "list", "--bogus", cwd=house).returncode == 2
    assert run("audit", "list", "--outcome", "maybe", cwd=house).returncode == 2
    assert run("nothing", cwd=house).returncode == 2


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("audit", "show", "350100-0000000000000000"), "not_found"),
        (("audit", "list", "--since", "yesterday"), "malformed"),
        (("audit", "list", "--site", "H99999999999"), "not_found"),
        (("audit", "list", "--data", "elsewhere"), "not_found"),
        (("staff", "unlock", "H35010000001", "D350100000001"), "not_found"),
        (("serve", "hospital", "P35010000001"), "not_found"),
        (("serve", "hospital", "H35010000001", "--peers", "nowhere.json"), "malformed"),
        (("serve", "hospital", "H35010000001", "--production"), "unfit"),
        (("migrate", "--database-url", "sqlite:///x.db"), "malformed"),
        (("keys", "init", "--participants", "nowhere.toml"), "not_found"),
        (("keys", "list", "--keys", "nowhere"), "unfit"),
        (("demo", "--data", "keys"), "conflict"),
    ],
)
def test_a_no_is_a_problem_with_exit_code_1(house: Path, arguments: tuple[str, ...], code: str) -> None:
    ran = run(*arguments, cwd=house)

    assert ran.returncode == 1, ran.stderr
    assert f"error {code}:" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_with_json_a_problem_is_json(house: Path) -> None:
    ran = run("audit", "show", "350100-0000000000000000", "--json", cwd=house)

    assert ran.returncode == 1
    assert json.loads(ran.stderr)["code"] == "not_found"
    assert ran.stdout == ""


def test_keys_are_made_once(house: Path) -> None:
    before = {path: path.read_bytes() for path in (house / "keys").rglob("*") if path.is_file()}

    assert run("keys", "init", cwd=house).returncode == 0
    assert {path: path.read_bytes() for path in (house / "keys").rglob("*") if path.is_file()} == before


def test_private_keys_are_for_their_owner_alone(house: Path) -> None:
    public = {".pem", ".crl", ".pub"}
    secret = [path for path in (house / "keys").rglob("*") if path.is_file() and path.suffix not in public]
    open_to_others = [path.name for path in secret if path.stat().st_mode & 0o077]

    assert open_to_others == ["directory.json"]


def test_the_list_of_participants_shows_no_secret(house: Path) -> None:
    shown = run("keys", "list", cwd=house).stdout
    found = json.loads(run("keys", "list", "--json", cwd=house).stdout)
    secrets = json.loads((house / "keys/dev-pins.json").read_text()) | json.loads(
        (house / "keys/dev-passwords.json").read_text()
    )

    assert "H35010000001" in shown
    assert "D350100000001" in shown
    assert {one["kind"] for one in found["institutions"]} == {"hospital", "platform", "pharmacy", "settlement"}
    assert not [secret for secret in secrets.values() if secret in shown]


def test_an_older_database_says_what_to_run(house: Path, tmp_path: Path) -> None:
    (tmp_path / "C35990000001.db").touch()
    ran = run("audit", "list", "--data", str(tmp_path), cwd=house)

    assert ran.returncode == 1
    assert "rx-flow migrate" in ran.stderr


def test_the_insured_are_entered_without_their_number(house: Path) -> None:
    number = "990000196103140011"
    ran = run(
        *("insured", "enrol", "--area", "350100", "--scheme", "310", "--category", "retired"), cwd=house, stdin=number
    )

    assert ran.returncode == 0, ran.stderr
    for path in (house / "data").iterdir():
        assert number.encode() not in path.read_bytes()


def test_a_resident_cannot_be_entered_as_an_employee(house: Path) -> None:
    ran = run(
        *("insured", "enrol", "--area", "350100", "--scheme", "310", "--category", "resident"),
        cwd=house,
        stdin="990000196103140011",
    )

    assert (ran.returncode, "error malformed:" in ran.stderr) == (1, True)


def test_nothing_expires_where_nothing_is(house: Path) -> None:
    ran = run("expire", cwd=house)

    assert (ran.returncode, ran.stdout) == (0, "")
