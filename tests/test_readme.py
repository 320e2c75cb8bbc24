"""
README tells the truth: its tables are drawn from the program, its commands exist, and both languages say the same.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from rx_flow.cli import app
from rx_flow.cli.later import Later
from rx_flow.law.diagram import Language, markdown_table, mermaid

ROOT = Path(__file__).resolve().parent.parent
PAGES: dict[Language, Path] = {"en": ROOT / "README.md", "zh": ROOT / "README.zh.md"}
ENGLISH, CHINESE = PAGES["en"].read_text("utf-8"), PAGES["zh"].read_text("utf-8")
CODE = re.compile(r"`([^`]+)`")


def between(text: str, name: str) -> str:
    return text.split(f"<!-- {name}:begin -->\n", 1)[1].split(f"<!-- {name}:end -->", 1)[0]


def generated(language: Language) -> dict[str, str]:
    return {"law": f"\n{markdown_table(language)}\n", "diagram": f"\n```mermaid\n{mermaid()}```\n\n"}


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def tables(text: str) -> list[list[list[str]]]:
    """Every table as rows of cells."""
    found = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    return [[re.split(r"(?<!\\)\|", line.strip().strip("|")) for line in table.splitlines()] for table in found]


def mentioned(text: str) -> list[str]:
    """Every command line: in shell blocks, and in running text between backticks."""
    lines = [line for block in blocks(text, "sh") for line in block.splitlines()]
    return [line for line in (*lines, *CODE.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL))) if line]


def loaded(command: Any) -> Any:  # noqa: ANN401  typer keeps its click to itself.
    return command.loaded() if isinstance(command, Later) else command


def resolve(words: list[str]) -> tuple[Any, list[str]]:
    """Follow the words of a command line down to its command; what follows are its arguments."""
    command: Any = typer.main.get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = loaded(command.commands[words[0]])
        words = words[1:]
    return command, words


def options(command: Any) -> set[str]:  # noqa: ANN401  typer keeps its click to itself.
    return {"--help", "--lang", *(name for parameter in command.params for name in parameter.opts)}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("part", ["law", "diagram"])
def test_generated_parts_are_what_the_program_prints(language: Language, part: str) -> None:
    page = PAGES[language]
    text = page.read_text("utf-8")
    wanted = generated(language)[part]
    if os.environ.get("UPDATE_GOLDEN") == "1":
        begin, end = f"<!-- {part}:begin -->\n", f"<!-- {part}:end -->"
        text = text.replace(f"{begin}{between(text, part)}{end}", f"{begin}{wanted}{end}")
        page.write_text(text, "utf-8")

    assert between(text, part) == wanted


@pytest.mark.parametrize("text", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_every_command_that_is_mentioned_exists(text: str) -> None:
    lines = [line.rpartition("| ")[2] for line in mentioned(text)]
    called = [line.split() for line in lines if line.startswith("rx-flow ")]
    assert called
    for words in called:
        command, arguments = resolve(words[1:])
        assert not getattr(command, "commands", None) or command.name == "serve", f"no such command: {words}"
        assert {word for word in arguments if word.startswith("--")} <= options(command), f"no such option: {words}"


def test_every_command_is_mentioned() -> None:
    said = {" ".join(words) for line in mentioned(ENGLISH) if "rx-flow" in line for words in prefixes(line)}
    missing = []

    def walk(command: Any, path: str) -> None:  # noqa: ANN401  As above.
        leaves = getattr(command, "commands", {})
        if not leaves and path not in said:
            missing.append(path)
        for name, one in leaves.items():
            walk(loaded(one), f"{path} {name}")

    walk(typer.main.get_command(app), "rx-flow")
    assert missing == []


def prefixes(line: str) -> list[list[str]]:
    words = line[line.index("rx-flow") :].split()
    return [words[:length] for length in range(2, 4)]


@pytest.mark.parametrize("text", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_every_file_that_is_mentioned_exists(text: str) -> None:
    inline = CODE.findall(re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    paths = {word for code in inline for word in code.split() if re.match(r"(rx_flow|tests|scripts)/[\w./-]+$", word)}
    paths |= {
        line.split()[0] for line in blocks(text, "sh") for line in line.splitlines() if line.startswith("scripts/")
    }
    paths |= {link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link}

    assert paths
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_both_languages_have_the_same_commands() -> None:
    assert blocks(CHINESE, "sh") == blocks(ENGLISH, "sh")


def test_both_languages_have_the_same_tables() -> None:
    """As many tables, rows and columns, and the same code words in each row."""

    def shape(text: str) -> list[list[tuple[int, frozenset[str]]]]:
        return [[(len(row), frozenset(CODE.findall("|".join(row)))) for row in table] for table in tables(text)]

    assert shape(CHINESE) == shape(ENGLISH)


def test_both_languages_have_the_same_sections_and_decisions() -> None:
    def outline(text: str) -> tuple[list[int], int, int]:
        heads = [len(marks) for marks in re.findall(r"^(#+) ", text, re.MULTILINE)]
        numbered = len(re.findall(r"^\d+\. ", text, re.MULTILINE))
        return heads, numbered, len(re.findall(r"^- ", text, re.MULTILINE))

    assert outline(CHINESE) == outline(ENGLISH)


def test_both_languages_draw_the_same_pictures() -> None:
    """The same nodes and arrows; only the words on them differ."""

    def arrows(text: str) -> list[list[str]]:
        bare = [re.sub(r'\[?\[?\(?\["[^"]*"\]\)?\]?|\|[^|]*\|', "", picture) for picture in blocks(text, "mermaid")]
        return [[line.strip() for line in picture.splitlines() if "-" in line] for picture in bare[:2]]

    assert arrows(CHINESE) == arrows(ENGLISH)
