"""
Passwords are kept as slow hashes, readable by their owner alone; who exists takes no longer than who does not.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rx_flow.auth import passwords
from rx_flow.auth.passwords import COST, COST_DEVELOPMENT, Cost, Passwords, enrol
from rx_flow.config import Unfit
from rx_flow.law.refusals import Refused

FAST = Cost(2**10)
WRONG = "unauthenticated: person or password are wrong"


def refusal(known: Passwords, person: str, password: str) -> str:
    with pytest.raises(Refused) as refused:
        known.check(person, password)
    return str(refused.value)


def test_enrolled_people_get_passwords_of_their_own(tmp_path: Path) -> None:
    given = enrol(tmp_path, ["D1", "D2"], cost=FAST)
    known = Passwords.load(tmp_path)

    assert len(set(given.values())) == 2
    for person, password in given.items():
        known.check(person, password)
    assert [refusal(known, *wrong) for wrong in (("D1", given["D2"]), ("D3", given["D1"]))] == [WRONG] * 2


def test_the_file_holds_no_password_and_is_its_owners_alone(tmp_path: Path) -> None:
    given = enrol(tmp_path, ["D1"], cost=FAST)
    path = tmp_path / "staff.json"

    assert given["D1"] not in path.read_text("utf-8")
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_password_can_be_set_anew(tmp_path: Path) -> None:
    enrol(tmp_path, ["D1"], cost=FAST)
    Passwords.load(tmp_path).with_password("D1", "another", FAST).save(tmp_path)

    Passwords.load(tmp_path).check("D1", "another")


@pytest.mark.parametrize("text", ["", "[]", '{"D1": {}}', '{"D1": {"salt": "!", "hash": "", "n": 1, "r": 1, "p": 1}}'])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "staff.json").write_text(text)
    with pytest.raises(Unfit, match=r"staff\.json"):
        Passwords.load(tmp_path)


def test_nobody_signs_in_where_nobody_is_enrolled(tmp_path: Path) -> None:
    assert refusal(Passwords.load(tmp_path), "D1", "") == WRONG


@pytest.mark.parametrize("enrolled", [{}, {"D1": FAST}, {"D1": FAST, "D2": Cost(2**11)}])
def test_who_is_unknown_costs_as_much_as_who_is_known(
    enrolled: dict[str, Cost], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = Passwords({person: passwords.hashed("right", cost) for person, cost in enrolled.items()})
    spent: list[Cost] = []
    real = passwords._scrypt

    def counted(password: str, salt: bytes, cost: Cost) -> bytes:
        spent.append(cost)
        return real(password, salt, FAST)

    monkeypatch.setattr(passwords, "_scrypt", counted)
    assert refusal(known, "nobody", "x") == WRONG

    assert spent == [max(enrolled.values(), key=lambda cost: cost.n, default=COST)]


def test_the_costs_are_what_the_cheat_sheet_asks_for() -> None:
    assert (COST.n, COST.r, COST.p) == (2**14, 8, 5)
    assert COST_DEVELOPMENT.n * COST_DEVELOPMENT.p < COST.n * COST.p
    stored = passwords.hashed("x", FAST)
    assert len(stored.salt) >= 16
    assert len(stored.hash) == 32


def test_a_wrong_password_as_long_as_a_book_is_just_wrong(tmp_path: Path) -> None:
    given = enrol(tmp_path, ["D1"], cost=FAST)
    known = Passwords.load(tmp_path)

    assert refusal(known, "D1", given["D1"] * 10_000) == WRONG
    assert json.loads((tmp_path / "staff.json").read_text())["D1"]["n"] == FAST.n
