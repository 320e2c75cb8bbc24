"""
An entry as a sentence: when, who in which role and at which institution, did what, with what result.

Nothing personal: of patients an entry has none, and staff and institutions are called as the directory calls them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from rx_flow.auth.telling.templates import Language, Wording, wordings
from rx_flow.auth.titles import TITLES
from rx_flow.config import Directory
from rx_flow.law.standing import wall_clock
from rx_flow.law.terms import TERMS
from rx_flow.record.audit import PATIENT, Outcome

AUDITOR: Final = "auditor-"  # what an auditor's id begins with; the platform answers for them
APART: Final = timedelta(seconds=1)  # acts and their recording are told apart from here on


@dataclass(frozen=True, slots=True)
class Told:
    """
    What an entry says, in one language: its parts, and all of it as one sentence.
    """

    when: str
    who: str
    role: str
    institution: str
    what: str
    moved: str
    purpose: str
    result: str
    sentence: str


def tell(content: Mapping[str, Any], directory: Directory, language: Language) -> Told:
    """
    Return what an entry's content says; a word that no template knows stays as it is, in quotation marks.
    """
    found = wordings()
    wording = found.get(content["v"]) or found[max(found)]
    zh = language == "zh"
    actor = content["actor"] or {"id": "", "role": "", "institution": ""}
    institution = _institution(directory, actor["institution"], language)
    who = _who(content, actor, directory, language)
    role = _pair(wording.roles, "auditor" if actor["id"].startswith(AUDITOR) else actor["role"], zh=zh)
    denied = content["outcome"] == Outcome.DENIED
    what = _what(wording, content["action"], denied=denied, zh=zh)
    moved = _moved(content, zh=zh)
    purpose = _purpose(wording, content["purpose"], directory, language)
    result = _result(wording, content, zh=zh)
    when = wall_clock(datetime.fromisoformat(content["at"]))
    parts = (institution, role, who) if zh else (who, role, institution)
    subject = (" " if zh else ", ").join(dict.fromkeys(part for part in parts if part))
    notes = "".join(f"（{one}）" if zh else f" ({one})" for one in (moved, purpose, _else(content, zh=zh)) if one)
    end = (f"，{result}。" if zh else f": {result}.") if denied else ("。" if zh else ".")
    sentence = f"{when} {subject} {what}{notes}{end}"
    return Told(when, who, role, institution, what, moved=moved, purpose=purpose, result=result, sentence=sentence)


def _institution(directory: Directory, code: str, language: Language) -> str:
    found = directory.institution(code)
    if found is None:
        return code
    return found.name if language == "zh" else found.name_en or found.name


def _who(content: Mapping[str, Any], actor: Mapping[str, str], directory: Directory, language: Language) -> str:
    zh = language == "zh"
    if not actor["id"]:
        if content.get("on_behalf") == PATIENT or content["action"] in {"view", "nominate"}:
            return "患者" if zh else "the patient"
        return "未能识别的来访者" if zh else "somebody not identified"
    person = directory.person(actor["id"])
    if person is None:
        return _institution(directory, actor["id"], language)
    return f"{person.name}（{actor['id']}）" if zh else f"{person.name} ({actor['id']})"


def _pair(words: Mapping[str, tuple[str, str]], code: str, *, zh: bool) -> str:
    return words[code][0 if zh else 1] if code in words else code


def _what(wording: Wording, action: str, *, denied: bool, zh: bool) -> str:
    words = wording.actions.get(action)
    if words is None:
        return f"“{action}”" if zh else f'"{action}"'
    if denied:
        return f"尝试{words.zh}" if zh else f"tried to {words.to}"
    return words.zh if zh else words.did


def _moved(content: Mapping[str, Any], *, zh: bool) -> str:
    states = [content[end] for end in ("from", "to") if content[end]]
    if len(set(states)) != 2:  # noqa: PLR2004  from one to another
        return ""
    return " → ".join(TERMS["state"].get(state, state) if zh else state for state in states)


def _purpose(wording: Wording, written: str, directory: Directory, language: Language) -> str:
    if not written:
        return ""
    found = wording.purpose(written)
    if found is None:
        return f"“{written}”" if language == "zh" else f'"{written}"'
    said, values = found
    if "institution" in values:
        values["institution"] = _institution(directory, values["institution"], language)
    if "person" in values and (person := directory.person(values["person"])) is not None:
        values["person"] = f"{person.name}（{person.id}）" if language == "zh" else f"{person.name} ({person.id})"
    return (said.zh if language == "zh" else said.en).format(**values)


def _result(wording: Wording, content: Mapping[str, Any], *, zh: bool) -> str:
    said = _pair(wording.outcomes, content["outcome"], zh=zh)
    code = content["code"]
    if not code:
        return said
    title = TITLES[code][0 if zh else 1] if code in TITLES else code
    return f"{said}：{title}（{code}）" if zh else f"{said}, {title} ({code})"


def _else(content: Mapping[str, Any], *, zh: bool) -> str:
    """When it was done, where that was not when it was recorded."""
    recorded = datetime.fromisoformat(content["at"])
    done = datetime.fromisoformat(content.get("occurred_at", content["at"]))
    if abs(recorded - done) < APART:
        return ""
    return f"签署于 {wall_clock(done)}" if zh else f"signed at {wall_clock(done)}"
