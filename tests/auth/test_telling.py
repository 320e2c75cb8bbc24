"""
Every entry in words: what this system writes has a template in both languages, and sentences say what was recorded.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import rx_flow
from rx_flow.auth.adopting import ADOPT
from rx_flow.auth.log.witness import FIRST, REFUSED
from rx_flow.auth.telling.sentences import tell
from rx_flow.auth.telling.templates import wordings
from rx_flow.auth.titles import TITLES
from rx_flow.config import Directory, Institution, Kind, Person
from rx_flow.crypto import canonical
from rx_flow.evidence.manifest import ACTION as EXPORT
from rx_flow.evidence.manifest import Purpose
from rx_flow.law.refusals import Code
from rx_flow.law.standing import Actor, Role, RxId, State
from rx_flow.law.transitions import ACTIONS
from rx_flow.platform.log.readers import GRANT
from rx_flow.platform.log.reading import READ
from rx_flow.record.audit import VERSION, Entry, Origin, Outcome
from rx_flow.record.log.epochs import ACTION as NEW_ORIGIN
from rx_flow.record.log.nightly import ACTION as RECONCILE
from rx_flow.record.log.sequencer import ALARM, START, STOP

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
HOSPITAL, PHARMACY, PLATFORM = "H35010000001", "P35010000001", "C35990000001"
DOCTOR = Actor("D350100000001", Role.PRESCRIBER, HOSPITAL)
DIRECTORY = Directory(
    [
        Institution(HOSPITAL, Kind.HOSPITAL, "甲医院", name_en="Hospital A", area="350100", url="http://x"),
        Institution(PHARMACY, Kind.PHARMACY, "乙药店", name_en="Pharmacy B", area="350100", url="http://x"),
    ],
    [Person(DOCTOR.id, Role.PRESCRIBER, HOSPITAL, name="医师甲")],
)
ROOT = Path(rx_flow.__file__).parent
# Names that stand for an action in the code, and what they are; whatever else is no literal is listed below.
NAMED = {
    "READ": READ, "GRANT": GRANT, "FIRST": FIRST, "REFUSED": REFUSED, "ALARM": ALARM, "START": START, "STOP": STOP,
    "ADOPT": ADOPT,
}  # fmt: skip
OF_MODULES = {
    "platform/exporting.py": EXPORT,
    "record/log/epochs.py": NEW_ORIGIN,
    "record/log/nightly.py": RECONCILE,
    "cli/auditing/export.py": "audit_export",
}
# Where the action is an argument, of what the calls with literals say, or a step of the law.
PASSED_ON = {"action", "ask.action", "step.action", "booked.action", "one.action", "str(document.body['action'])"}
# Where in a call the action stands, without `self` or the transaction in front.
CALLS = {"Entry": 3, "recording": 2, "denied": 2, "refused": 2, "_record": 0}


def written() -> Iterator[tuple[str, int, ast.expr]]:
    """The expression for the action in every call that leads to an entry."""
    for path in sorted(ROOT.rglob("*.py")):
        where = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or where.startswith(("evidence/", "cli/demo/")):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            for keyword in node.keywords:
                if keyword.arg == "action" and name in {*CALLS, "opened", "stumble"}:
                    yield where, node.lineno, keyword.value
            if name not in CALLS or any(keyword.arg == "action" for keyword in node.keywords):
                continue
            if name == "refused" and ast.unparse(node.func) != "audit.refused":
                continue
            if name == "_record" and not where.startswith(("cli/keyrings", "record/")):
                continue
            place = {"cli/keyrings.py": 2}.get(where, 0) if name == "_record" else CALLS[name]
            if len(node.args) > place:
                yield where, node.lineno, node.args[place]


def actions() -> set[str]:
    found, unknown = set[str](), set[str]()
    for where, line, expression in written():
        text = ast.unparse(expression)
        if isinstance(expression, ast.Constant) and isinstance(expression.value, str):
            found.add(expression.value)
        elif text == "ACTION" and where in OF_MODULES:
            found.add(OF_MODULES[where])
        elif text in NAMED:
            found.add(NAMED[text])
        elif text not in PASSED_ON:
            unknown.add(f"{where}:{line} {text}")
    assert unknown == set(), "an action that this test cannot follow: name it in one of the tables above"
    return found


def test_every_action_that_is_written_has_words() -> None:
    found = actions() | {*ACTIONS, "renew_key", "revoke_key"}
    assert len(found) > 40  # the search finds what it is to find

    for version in range(1, VERSION + 1):
        assert found - wordings()[version].actions.keys() == set()


def test_every_code_role_and_outcome_has_words() -> None:
    for wording in wordings().values():
        assert {*Role, "auditor"} == wording.roles.keys()
        assert set(Outcome) == wording.outcomes.keys()
    assert set(Code) <= TITLES.keys()
    assert all(len(set(pair)) == 2 for pair in TITLES.values())


# What the code writes as a purpose, one of each form; the test below holds the list against the code.
PURPOSES = (
    "patient: status", "patient: status and bill", "pharmacy:any", f"pharmacy:{PHARMACY}", "code shown",
    "staff:HY350100000011", "booked", "claim", "verify opinion2", "dossier", "settle", "quote", "statement", "release",
    "read", "pickup", *Purpose, *(f"{one}, patient withheld" for one in Purpose), *(f"sheet, {one}" for one in Purpose),
    DOCTOR.id, HOSPITAL, "certificate " + "ab" * 20, "key_compromise: certificate ab",
    "key_compromise since 2026-11-23T02:00:00+00:00: certificate ab", "seal", "open", "token", "at_rest",
    "access_token",
    "log", "log 350100", "auditor-x until 2026-11-23T02:00:00+00:00", "350100", "350100/2", "checkpoints",
    "entries: all", "timeline", "steps: 350100-0000000000000001", "accesses: patient=5e5e5e5e", "denied: all",
    "report: 2026-11-23", "gaps: all", "all logs as files: 12 files", "12 entries of 350100",
    "12 entries of 350100: 350100-0000000000000001", "350100: size 3 after size 5", "c.example/350100",
    *(
        f"{when}: 12 looked at, {what}"
        for when in ("nightly 2026-11-24", "on demand")
        for what in ("in order", "3 amiss (row_deleted 1, state_unlogged 2), first: 350100-0000000000000001 state")
    ),
    "c.example/350100/2 after nothing signed; in the database 0 abc=",
    "c.example/350100/2 after c.example/350100 5 abc=; in the database 7 def=",
)  # fmt: skip


@pytest.mark.parametrize("purpose", PURPOSES)
def test_every_purpose_has_words(purpose: str) -> None:
    for version in range(1, VERSION + 1):
        assert wordings()[version].purpose(purpose) is not None
    for language in ("zh", "en"):
        told = tell(content(purpose=purpose), DIRECTORY, language)
        assert told.purpose
        assert not re.search(r"[{}\"“]", told.purpose)


def literals() -> Iterator[tuple[str, str]]:
    """Where a literal stands after `purpose=`, and the literal, or what it begins with."""
    for path in sorted(ROOT.rglob("*.py")):
        where = path.relative_to(ROOT).as_posix()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for keyword in node.keywords if isinstance(node, ast.Call) and not where.startswith("crypto/") else ():
                value = keyword.value.values[0] if isinstance(keyword.value, ast.JoinedStr) else keyword.value
                if keyword.arg == "purpose" and isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield where, value.value


def test_no_literal_purpose_is_forgotten() -> None:
    found = list(literals())
    assert len(found) > 8
    assert [one for one in found if not any(purpose.startswith(one[1]) for purpose in PURPOSES)] == []


def content(version: int = VERSION, **other: Any) -> dict[str, Any]:  # noqa: ANN401  fields of an entry
    given = {"at": NOW, "origin": Origin(PLATFORM, "t"), "actor": DOCTOR, "action": "submit", **other}
    found: Any = canonical.loads(Entry(**given).body(1, "", {}))
    if version == 1:
        for name in ("occurred_at", "on_behalf", "client", "personal", "area"):
            del found[name]
    return {**found, "v": version}


ZH, EN = "甲医院 责任医师 医师甲（D350100000001）", "医师甲 (D350100000001), doctor, Hospital A"
STEP: Any = {"source": State.DRAFT, "target": State.SIGNED}
SEAL = Actor(PHARMACY, Role.PHARMACY, PHARMACY)
READER = Actor("auditor-x", Role.PLATFORM, PLATFORM)
DENIED = Outcome.DENIED
SENTENCES = (
    (content(**STEP), f"{ZH} 提交处方（草稿 → 已签名）。", f"{EN} submitted the prescription (draft → signed)."),
    (content(1, **STEP), f"{ZH} 提交处方（草稿 → 已签名）。", f"{EN} submitted the prescription (draft → signed)."),
    (
        content(actor=SEAL, action="claim", outcome=DENIED, code=Code.WRONG_ROLE, rx=RxId("350100-0000000000000001")),
        "乙药店 药店签章 尝试承接处方，被拒绝：该角色无权执行此操作（wrong_role）。",
        "Pharmacy B, pharmacy's seal tried to take the prescription on: refused, Not for this role (wrong_role).",
    ),
    (
        content(actor=None, action="nominate", purpose=f"pharmacy:{PHARMACY}", on_behalf="patient"),
        "患者 指定药店（乙药店）。",
        "the patient chose the pharmacy (Pharmacy B).",
    ),
    (
        content(actor=None, action="token", outcome=DENIED, code=Code.UNAUTHENTICATED),
        "未能识别的来访者 尝试换取访问令牌，被拒绝：未通过身份认证（unauthenticated）。",
        "somebody not identified tried to obtain an access token: refused, Not authenticated (unauthenticated).",
    ),
    (
        content(occurred_at=NOW - timedelta(hours=2), purpose="what nobody foresaw", action="invent"),
        f"{ZH} “invent”（“what nobody foresaw”）（签署于 2026-11-23 08:00:00）。",
        f'{EN} "invent" ("what nobody foresaw") (signed at 2026-11-23 08:00:00).',
    ),
    (
        content(99, actor=READER, action=READ, purpose="report: 2026-11-23"),
        "C35990000001 审计人员 auditor-x 查阅审计日志（每日报告：2026-11-23）。",
        "auditor-x, auditor, C35990000001 read the audit log (the report of 2026-11-23).",
    ),
    (
        {**content(outcome=DENIED), "code": "of_tomorrow"},
        f"{ZH} 尝试提交处方，被拒绝：of_tomorrow（of_tomorrow）。",
        f"{EN} tried to submit the prescription: refused, of_tomorrow (of_tomorrow).",
    ),
    (
        content(action="unlock", purpose=DOCTOR.id),
        f"{ZH} 解除口令锁定（医师甲（D350100000001））。",
        f"{EN} ended a lock of a PIN (医师甲 (D350100000001)).",
    ),
)


@pytest.mark.parametrize(("entry", "zh", "en"), SENTENCES)
def test_an_entry_says(entry: dict[str, Any], zh: str, en: str) -> None:
    assert tell(entry, DIRECTORY, "zh").sentence == f"2026-11-23 10:00:00 {zh}"
    assert tell(entry, DIRECTORY, "en").sentence == f"2026-11-23 10:00:00 {en}"
