"""
The demonstration, played once as a user plays it: every end is reached, machines can read it, nothing personal stays.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from commanded import TAMPERED, rx_flow

from rx_flow.auth.telling.sentences import tell
from rx_flow.auth.telling.templates import Language
from rx_flow.cli.demo.cases import CASES
from rx_flow.cli.demo.player import Played
from rx_flow.config import Directory
from rx_flow.law.fields import card_agrees
from rx_flow.law.standing import SHANGHAI
from rx_flow.law.transitions import TRANSITIONS
from rx_flow.record import audit
from rx_flow.record.database import Database


def entries(data: Path, *filters: str) -> list[dict[str, Any]]:
    listed = rx_flow("audit", "list", "--data", str(data), "--json", *filters)
    assert listed.returncode == 0, listed.stderr
    found = [json.loads(line) for line in listed.stdout.splitlines()]
    return [one for one in found if one["action"] != "read_log"]  # each listing is an entry of its own


def test_the_cases_cover_what_can_happen() -> None:
    played = {step.action for case in CASES for step in case.steps}
    refused = {step.refused for case in CASES for step in case.steps}

    assert len(CASES) >= 12
    assert {case.outcome for case in CASES} == {"dispensed", "refused", "revoked", "available", "returned", "expired"}
    assert played >= {"send_back", "hand_back", "reverse", "take_back", "tamper", "expire"}
    assert refused >= {"nominated_elsewhere", "bad_document", "finding_unanswered"}
    assert {case.patient.scheme for case in CASES} == {"310", "390"}
    assert len({case.hospital[1:7] for case in CASES}) >= 4


def test_the_patients_cannot_exist() -> None:
    for patient in {case.patient for case in CASES}:
        assert patient.id_number.startswith("990000")
        assert card_agrees(patient.id_number, patient.birth, patient.sex)


def test_a_case_that_ends_otherwise_is_not_right() -> None:
    case = CASES[0]

    assert Played(case, "1", date(2026, 11, 23), state=case.outcome).right
    assert not Played(case, "1", date(2026, 11, 23), state="accepted").right
    assert not Played(case, "1", date(2026, 11, 23), state=case.outcome, wrong="claim: 500").right


def test_every_prescription_ends_as_its_case_says(prescriptions: list[dict[str, Any]]) -> None:
    assert [one["outcome"] for one in prescriptions] == [case.outcome for case in CASES]


def test_the_json_has_the_promised_shape(prescriptions: list[dict[str, Any]]) -> None:
    for one in prescriptions:
        assert one.keys() == {"rx", "outcome", "steps", "bill"}
        assert one["steps"]
        for step in one["steps"]:
            assert step.keys() == {"action", "from", "to", "at", "by", "document"}
            assert datetime.fromisoformat(step["at"]).utcoffset() is not None
            assert len(step["document"]) == 64
        assert {"total_fen", "fund_fen", "patient_fen"} <= one["bill"].keys()
        assert all(type(amount) is int for amount in one["bill"].values())


def test_all_that_was_played_lies_in_the_past_of_a_true_clock(data: Path, prescriptions: list[dict[str, Any]]) -> None:
    """Also the next day's end, and also before nine in the morning: what is dated in the future proves nothing."""
    assert prescriptions
    latest = max(datetime.fromisoformat(entry["at"]) for entry in entries(data))

    assert latest < datetime.now(UTC)


def test_every_step_is_a_row_of_the_law(prescriptions: list[dict[str, Any]]) -> None:
    rows = {(row.action, row.source.value, row.target.value) for row in TRANSITIONS}
    for one in prescriptions:
        steps = one["steps"]
        assert {(step["action"], step["from"], step["to"]) for step in steps} <= rows
        assert [step["from"] for step in steps] == ["draft", *(step["to"] for step in steps[:-1])]
        assert steps[-1]["to"] == one["outcome"]


def test_no_fen_is_lost(prescriptions: list[dict[str, Any]]) -> None:
    for one in prescriptions:
        bill = one["bill"]
        assert bill["total_fen"] == bill["fund_fen"] + bill["patient_fen"]
        parts = ("self_paid_fen", "over_limit_fen", "advance_fen", "in_scope_fen")
        assert bill["total_fen"] == sum(bill[part] for part in parts)
        assert (bill["total_fen"] > 0) == (one["outcome"] == "dispensed")


def test_progress_and_the_place_of_the_data_are_said(ran: subprocess.CompletedProcess[str], data: Path) -> None:
    assert ran.stderr.count("✓") == len(CASES)
    assert str(data) in ran.stderr
    assert "Traceback" not in ran.stderr


def test_nothing_personal_stays_anywhere(
    ran: subprocess.CompletedProcess[str], prescriptions: list[dict[str, Any]], data: Path
) -> None:
    """Names, identity numbers and diagnoses stand in no database, file or output."""
    assert prescriptions
    words = {text for case in CASES for text in (case.patient.name, case.patient.id_number, case.diagnosis[1])}
    files = {path.name: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    files["stdout"], files["stderr"] = ran.stdout.encode(), ran.stderr.encode()

    assert [(name, word) for name, body in files.items() for word in words if word.encode() in body] == []


def test_the_attack_is_on_the_record(prescriptions: list[dict[str, Any]], data: Path) -> None:
    denied = entries(data, "--rx", prescriptions[TAMPERED]["rx"], "--outcome", "denied")

    assert {(entry["action"], entry["code"]) for entry in denied} == {("claim", "bad_document")}


def test_the_log_is_found_by_person_institution_and_time(prescriptions: list[dict[str, Any]], data: Path) -> None:
    everything = entries(data, "--limit", "10000")
    by_person = entries(data, "--person", "D350500000001", "--limit", "10000")
    by_house = entries(data, "--institution", "P35080000001", "--limit", "10000")
    middle = everything[len(everything) // 2]["at"]

    assert {one["rx"] for one in prescriptions} <= {entry["rx"] for entry in everything}
    assert by_person == [e for e in everything if e["actor"] and e["actor"]["id"] == "D350500000001"]
    assert by_house == [e for e in everything if e["actor"] and e["actor"]["institution"] == "P35080000001"]
    assert by_person
    assert by_house
    assert len(entries(data, "--since", middle, "--limit", "10000")) + len(
        entries(data, "--until", middle, "--limit", "10000")
    ) == len(everything)


def test_the_story_of_one_prescription_is_readable(prescriptions: list[dict[str, Any]], data: Path) -> None:
    rx = prescriptions[TAMPERED]["rx"]
    shown = rx_flow("audit", "show", rx, "--data", str(data)).stdout
    chain = [
        json.loads(line) for line in rx_flow("audit", "show", rx, "--data", str(data), "--json").stdout.splitlines()
    ]

    assert "refused" in shown
    assert "bad_document" in shown
    assert "医师丁" in shown
    assert [entry["seq"] for entry in chain] == list(range(1, len(chain) + 1))
    assert [entry["prev"] for entry in chain] == ["", *(entry["digest"] for entry in chain[:-1])]


def test_a_timeline_verifies_each_entry_and_says_what_it_cannot(
    prescriptions: list[dict[str, Any]], data: Path
) -> None:
    """By the platform's own key every signature; without it none is believed."""
    rx = next(one["rx"] for one in prescriptions if one["outcome"] == "dispensed")
    lines = rx_flow("audit", "timeline", rx, "--signatures", "--json", "--data", str(data)).stdout.splitlines()
    *told, reading = [json.loads(line) for line in lines]
    assert {one["signature"]["found"] for one in told if one["document"]} == {"verified"}
    assert {one["signature"]["found"] for one in told if not one["document"]} == {"none"}
    assert {(one["inclusion"]["found"], one["witnessed"]["found"]) for one in told} == {("verified", "verified")}
    assert all(len(one["witnesses"]) >= 2 for one in told)
    assert (reading["action"], reading["inclusion"]["why"]) == ("read_log", "not_published")
    shown = rx_flow("audit", "timeline", rx, "--data", str(data), "--lang", "zh").stdout
    assert "责任医师 医师甲（D350100000001） 提交处方（草稿 → 已签名）。" in shown
    assert "签名: 未能确定：未打开平台密钥，未核验" in shown


def test_every_entry_of_every_site_has_words(prescriptions: list[dict[str, Any]], data: Path) -> None:
    assert prescriptions
    directory = Directory.load(data / "keys")
    marks: tuple[tuple[Language, str], ...] = (("zh", "“"), ("en", '"'))
    unworded = set()
    for file in sorted(data.glob("[CHIP]*.db")):
        db = Database.open(f"sqlite:///{file}")
        found = db.look(audit.entries, limit=10_000)
        db.close()
        assert found
        for one in found:
            for language, mark in marks:
                if mark in (sentence := tell(one.content, directory, language).sentence):
                    unworded.add(sentence)
    assert unworded == set()


def test_what_a_day_brought_is_told(prescriptions: list[dict[str, Any]], data: Path) -> None:
    assert prescriptions
    denials = [datetime.fromisoformat(entry["at"]) for entry in entries(data, "--outcome", "denied")]
    (shanghai,) = {at.astimezone(SHANGHAI).date().isoformat() for at in denials}
    told = json.loads(rx_flow("audit", "report", shanghai, "--json", "--data", str(data)).stdout)
    codes = {one["code"] for one in told["denied"]}
    assert codes == {"nominated_elsewhere", "bad_document"}
    assert (told["gaps"], told["late"]["count"], told["quiet"]) == ([], 0, False)
    shown = rx_flow("audit", "report", shanghai, "--data", str(data), "--lang", "zh").stdout
    assert "患者已指定其他药店" in shown
    gaps = rx_flow("audit", "gaps", "--data", str(data))
    assert (gaps.returncode, gaps.stdout.strip()) == (0, "gaps and late entries: 0")
    denied = rx_flow("audit", "denied", "--json", "--code", "bad_document", "--data", str(data)).stdout
    assert {json.loads(line)["action"] for line in denied.splitlines()} == {"claim"}


def test_the_whole_log_is_verified_with_its_witnesses(
    prescriptions: list[dict[str, Any]], data: Path, tmp_path: Path
) -> None:
    """By the province's own policy; a cosignature that was exchanged is found."""
    assert prescriptions
    ran = rx_flow("audit", "verify", "--json", "--data", str(data))
    logs = [one for one in json.loads(ran.stdout)["logs"] if one["size"]]
    assert (ran.returncode, len(logs)) == (0, 6)
    assert all(one["checked"]["quorum"] >= 2 for one in logs)
    assert all(one["witnessed"] == one["size"] for one in logs if not one["log"].endswith("359900"))
    copy = Path(shutil.copytree(data, tmp_path / "copy"))
    with sqlite3.connect(copy / "C35990000001.db") as db:
        db.execute("UPDATE log_cosignature SET line = (SELECT max(other.line) FROM log_cosignature AS other)")
    broken = rx_flow("audit", "verify", "--json", "--data", str(copy))
    faults = {one["fault"] for log in json.loads(broken.stdout)["logs"] for one in log["findings"]}
    assert (broken.returncode, faults) == (1, {"bad_cosignature"})


def test_who_read_of_a_patient_is_told_by_the_number_on_stdin(prescriptions: list[dict[str, Any]], data: Path) -> None:
    """Never in an argument, and nowhere in what is printed or recorded."""
    case, rx = CASES[0], prescriptions[0]["rx"]
    ran = rx_flow("audit", "accesses", "--json", "--data", str(data), stdin=f"01 {case.patient.id_number}\n")
    found = [json.loads(line) for line in ran.stdout.splitlines()]
    assert rx in {entry["rx"] for entry in found}
    assert {entry["action"] for entry in found} <= {"open", "view", "lookup", "look", "export", "read_log"}
    assert case.patient.id_number not in ran.stdout + ran.stderr
    asked = [
        json.loads(line)
        for line in rx_flow("audit", "list", "--action", "read_log", "--json", "--data", str(data)).stdout.splitlines()
    ]
    assert sum(one["purpose"].startswith("accesses: patient=") for one in asked) == 1
    assert not any(case.patient.id_number in str(one) for one in asked)
    wrong = rx_flow("audit", "accesses", "--json", "--data", str(data), stdin="nobody at all\n")
    assert (wrong.returncode, json.loads(wrong.stderr)["code"]) == (1, "malformed")
    assert "nobody" not in wrong.stderr


def test_a_page_goes_on_where_the_last_one_ended(prescriptions: list[dict[str, Any]], data: Path) -> None:
    rx = prescriptions[0]["rx"]
    whole = rx_flow("audit", "list", "--rx", rx, "--json", "--data", str(data)).stdout.splitlines()
    first = rx_flow("audit", "list", "--rx", rx, "--json", "--data", str(data), "--limit", "2")
    after = first.stderr.split()[-1]
    rest = rx_flow("audit", "list", "--rx", rx, "--json", "--data", str(data), "--after", after).stdout.splitlines()
    assert first.stdout.splitlines() + rest == whole


def test_a_folder_with_something_in_it_is_left_alone(prescriptions: list[dict[str, Any]], data: Path) -> None:
    assert prescriptions
    before = sorted(path.name for path in data.iterdir())
    again = rx_flow("demo", "--data", str(data))

    assert (again.returncode, "error conflict" in again.stderr) == (1, True)
    assert sorted(path.name for path in data.iterdir()) == before


def test_every_prescription_can_be_proven_to_a_stranger(
    prescriptions: list[dict[str, Any]], data: Path, tmp_path: Path
) -> None:
    """One of each end, whole or without the patient, judged by the command alone; giving it out is on the record."""
    root, words = (
        str(data / "keys" / "root.pem"),
        {word for case in CASES for word in (case.patient.name, case.patient.id_number)},
    )
    ends = {one["outcome"]: one["rx"] for at, one in enumerate(prescriptions) if at != TAMPERED}
    for number, rx in enumerate(ends.values()):
        out = tmp_path / f"{number}.zip"
        withheld = ["--withhold-patient"] if number % 2 else []

        given = rx_flow("evidence", rx, "--data", str(data), "--out", str(out), "--purpose", "review", *withheld)
        judged = rx_flow("verify", str(out), "--root", root, "--json")

        assert (given.returncode, judged.returncode) == (0, 0), given.stderr + judged.stdout
        report = json.loads(judged.stdout)
        assert (report["rx"], report["holds"], report["failed"]) == (rx, True, None)
        assert [step["number"] for step in report["steps"]] == list(range(1, 14))
        assert not [word for word in words if word in judged.stdout or (withheld and word.encode() in out.read_bytes())]
        assert out.stat().st_mode & 0o777 == 0o600
        assert entries(data, "--rx", rx, "--action", "export")[0]["purpose"].startswith("review")


def test_evidence_that_does_not_hold_is_said_step_by_step(
    prescriptions: list[dict[str, Any]], data: Path, tmp_path: Path
) -> None:
    out, root = tmp_path / "rx.zip", str(data / "keys" / "root.pem")
    assert rx_flow("evidence", prescriptions[0]["rx"], "--data", str(data), "--out", str(out)).returncode == 0
    out.write_bytes(out.read_bytes().replace(b"prescription.jws", b"prescribtion.jws", 1))

    english = rx_flow("verify", str(out), "--root", root)
    chinese = rx_flow("verify", str(out), "--root", root, "--lang", "zh")
    machine = rx_flow("verify", str(out), "--root", root, "--json")

    assert {english.returncode, chinese.returncode, machine.returncode} == {1}
    assert " 1  failed  the file: packing these files again does not give this file [not_as_written]" in english.stdout
    assert "13  not reached  the verifiable log" in english.stdout
    assert " 1  不成立  证据包文件" in chinese.stdout
    assert json.loads(machine.stdout)["failed"] == {"step": "container", "code": "not_as_written", "detail": ""}


def test_evidence_of_what_was_tampered_with_is_refused(
    prescriptions: list[dict[str, Any]], data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "rx.zip"
    refused = rx_flow("evidence", prescriptions[TAMPERED]["rx"], "--data", str(data), "--out", str(out))
    unknown = rx_flow("evidence", "350100-0000000000000000", "--data", str(data), "--out", str(out))
    missing = rx_flow("verify", str(out), "--root", str(data / "keys" / "root.pem"))

    assert (refused.returncode, "error bad_document" in refused.stderr) == (1, True)
    assert (unknown.returncode, "error not_found" in unknown.stderr) == (1, True)
    assert (missing.returncode, "error not_found" in missing.stderr) == (1, True)
    assert not out.exists()


def test_a_sealed_sheet_is_given_out_and_judged(
    prescriptions: list[dict[str, Any]], data: Path, tmp_path: Path
) -> None:
    rx, out, root = prescriptions[0]["rx"], tmp_path / "rx.pdf", str(data / "keys" / "root.pem")
    given = rx_flow("evidence", rx, "--data", str(data), "--out", str(out), "--pdf", "--purpose", "review")
    held = rx_flow("verify", str(out), "--root", root)
    machine = rx_flow("verify", str(out), "--root", root, "--json")

    assert (given.returncode, held.returncode, machine.returncode) == (0, 0, 0), given.stderr + held.stdout
    assert out.stat().st_mode & 0o777 == 0o600
    assert f"处方笺 {rx}" in held.stdout
    assert "The hospital's seal holds" in held.stdout
    report = json.loads(machine.stdout)
    assert (report["holds"], report["title"], report["by"]["institution"][:1]) == (True, f"处方笺 {rx}", "H")
    hospital = report["by"]["institution"]
    told = rx_flow("audit", "list", "--data", str(data), "--site", hospital, "--json", "--rx", rx, "--action", "open")
    assert json.loads(told.stdout.splitlines()[0])["purpose"] == "sheet, review"

    out.write_bytes(out.read_bytes() + b"\n")
    changed = rx_flow("verify", str(out), "--root", root, "--lang", "zh")
    machine = rx_flow("verify", str(out), "--root", root, "--json")
    assert (changed.returncode, "签章不成立" in changed.stdout, "[changed_since]" in changed.stdout) == (1, True, True)
    assert (machine.returncode, json.loads(machine.stdout)["failed"]["code"]) == (1, "changed_since")


def test_a_sheet_withholds_nothing_and_is_for_what_was_released(
    prescriptions: list[dict[str, Any]], data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "rx.pdf"
    how = ("--data", str(data), "--out", str(out), "--pdf")
    both = rx_flow("evidence", prescriptions[0]["rx"], *how, "--withhold-patient")
    unknown = rx_flow("evidence", "350100-0000000000000000", *how)

    assert (both.returncode, "error malformed" in both.stderr) == (1, True)
    assert (unknown.returncode, "error not_found" in unknown.stderr) == (1, True)
    assert not out.exists()
