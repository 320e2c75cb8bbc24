"""
What `--help` and messages tell: what a script does, before it does anything, and how a missing extra is installed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from test_commands import commands, run

from rx_flow.cli import app
from rx_flow.cli.proof import sealed
from rx_flow.cli.trouble import Trouble

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("flip",), ("withheld", "None may hold", "minutes")),
        (("flip", "-k", "withheld"), ("withheld", "None may hold", "minutes")),
        (("outage",), ("-k sqlite", "stops the platform for a minute", "About two minutes")),
        (("bench", "audit"), ("--json", "a bare tree")),
        (("bench", "crypto"), ("--json",)),
        (("bench",), ("lifecycle", "--database")),
    ],
)
@pytest.mark.parametrize("asked", ["--help", "-h"])
def test_a_script_tells_what_it_does_in_place_of_doing_it(
    command: tuple[str, ...], words: tuple[str, ...], asked: str
) -> None:
    name, *more = command
    if name == "bench":  # what scripts/bench runs, without installing first
        arguments = [sys.executable, "-P", "-m", "scripts.rig.bench", *more, asked]
    else:
        arguments = ["bash", str(ROOT / "scripts" / name), *more, asked]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)  # noqa: S603  Our own scripts.

    assert done.returncode == 0, done.stderr
    assert "pytest [options]" not in done.stdout
    assert all(word in done.stdout for word in words), done.stdout


def test_a_missing_extra_is_installed_as_it_says() -> None:
    with pytest.raises(Trouble) as trouble, sealed.extra():
        raise ModuleNotFoundError("typst")
    assert trouble.value.code == "pdf_extra_missing"
    assert "pip install -e '.[pdf]'" in trouble.value.detail
    assert "pip install 'rx-flow[pdf]'" in trouble.value.detail


def test_every_option_has_a_help_text() -> None:
    assert [
        f"{' '.join(path)} {option.opts[0]}"
        for path, command in commands(typer.main.get_command(app))
        for option in command.params
        if option.param_type_name == "option" and not getattr(option, "help", "")
    ] == []


def test_keys_are_looked_for_where_the_help_says() -> None:
    for path, command in commands(typer.main.get_command(app)):
        for option in command.params:
            if "--keys" in option.opts and option.default is None:
                assert "DATA/keys or else ./keys" in option.help, path


def test_the_keys_of_running_sites_are_no_business_of_development() -> None:
    listed = run("keys", "--help").stdout
    assert "renewed and revoked" in listed
    assert "Keys and certificates for development" not in listed
