"""
A bundle holds for somebody who has the root and nothing else, whatever way its prescription went; and says no more.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from bundles import INSURER, PHARMACIST, REASON, SECRETS, Bundles, make, relinked, resealed

from rx_flow.crypto.suites import DEFAULT, SUITES
from rx_flow.crypto.suites.suite import Suite
from rx_flow.evidence.faults import Fault
from rx_flow.evidence.verify import Outcome, Report, Step
from rx_flow.evidence.words import FAULTS, OUTCOMES, STEPS, reason
from rx_flow.law.standing import State

WAYS = (
    "dispensed", "returned", "revoked", "refused", "handed back", "reversed", "denied", "over a finding",
    "sent back", "expired", "signer revoked since",
)  # fmt: skip
STOLEN = ("stolen before", "stolen before, signed twice")  # the doctor's key, before it signed


def outcomes(report: Report) -> dict[Step, Outcome]:
    return {one.step: one.outcome for one in report.results}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_is_proven_to_its_end(bundles: Bundles, way: str) -> None:
    report = bundles.judge(bundles.full[way])

    assert report.failed is None, report.failed
    assert outcomes(report) == dict.fromkeys(Step, Outcome.PASSED)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_is_proven_without_the_patient(bundles: Bundles, way: str) -> None:
    report = bundles.judge(bundles.withheld[way])

    assert report.failed is None, report.failed
    assert {step for step, outcome in outcomes(report).items() if outcome is Outcome.UNCHECKED} == {Step.PACKAGES}


def test_entries_that_were_published_are_proven_to_stand_in_the_log(bundles: Bundles) -> None:
    log = bundles.judge(bundles.full["dispensed"]).results[-1]
    proofs = [name for name in bundles.members() if name.startswith("log/")]
    entries = [name for name in bundles.members() if name.startswith("entries/")]

    assert len(proofs) == len(entries) - 1, "the entry of the export itself is not published yet"
    assert log.facts[0].en.startswith(f"{len(proofs)} entries stand in the log's tree of ")
    assert log.facts[0].en.endswith("; 1 were not published yet")


def test_without_proofs_the_log_is_not_checked_and_that_is_said(bundles: Bundles) -> None:
    members = {name: body for name, body in bundles.members().items() if not name.startswith("log/")}
    report = bundles.judge(resealed(members, bundles.seal, lambda stated: replace(stated, logs=())))

    assert report.failed is None
    assert outcomes(report)[Step.LOG] is Outcome.UNCHECKED


def test_steps_are_numbered_and_in_order(bundles: Bundles) -> None:
    report = bundles.judge(bundles.full["dispensed"])

    assert [one.number for one in report.results] == list(range(1, len(Step) + 1))
    assert [one.step for one in report.results] == list(Step)


@pytest.mark.parametrize("way", WAYS)
def test_a_bundle_that_withholds_holds_nothing_of_the_patient(bundles: Bundles, way: str) -> None:
    bundle, report = bundles.withheld[way], bundles.judge(bundles.withheld[way])
    said = repr(report)

    for secret in (*SECRETS, REASON):
        assert secret.encode() not in bundle
        assert secret not in said
    # Base64 hides text from a plain search: every document's payload is read as well.
    for name, raw in bundles.members(way, withheld=True).items():
        if name.endswith(".jws"):
            assert "~" not in raw.decode()


def test_what_is_said_of_a_complete_bundle_tells_nothing_of_the_patient_either(bundles: Bundles) -> None:
    for bundle in bundles.full.values():
        said = repr(bundles.judge(bundle))
        assert not [secret for secret in (*SECRETS, REASON) if secret in said]


def test_what_a_withheld_value_leaves_open_is_said(bundles: Bundles) -> None:
    def told(way: str, *, withheld: bool) -> set[str]:
        report = bundles.judge((bundles.withheld if withheld else bundles.full)[way])
        law = next(one for one in report.results if one.step is Step.LAW)
        return {fact.en for fact in law.facts[1:]}

    findings = "findings are withheld: whether a reason was owed is not judged"
    owed = "a reason is owed and withheld: not judged"
    assert told("dispensed", withheld=False) == told("revoked", withheld=False) == set()
    assert told("dispensed", withheld=True) == {findings}
    assert told("revoked", withheld=True) == {findings, owed}


def test_another_root_proves_nothing(bundles: Bundles, tmp_path_factory: pytest.TempPathFactory) -> None:
    from platform_world import write_keys  # noqa: PLC0415  Another authority of the same name.

    folder = tmp_path_factory.mktemp("elsewhere")
    write_keys(folder)

    assert bundles.reason(bundles.full["dispensed"], root=(folder / "root.pem").read_bytes()) == (
        "certificates: untrusted_chain"
    )


@pytest.mark.parametrize(
    "root", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_root_that_is_none_is_said_so(bundles: Bundles, root: bytes) -> None:
    failed = bundles.judge(bundles.full["dispensed"], root=root or b"\n").failed

    assert failed is not None
    assert (failed.step, failed.code) == (Step.CERTIFICATES, "bad_certificate")


def test_a_bundle_from_the_future_is_not_believed(bundles: Bundles) -> None:
    early = bundles.now - timedelta(days=1)
    failed = bundles.judge(bundles.full["dispensed"], now=early).failed

    assert failed is not None
    assert (failed.step, failed.code) == (Step.MANIFEST, Fault.FROM_THE_FUTURE)


def test_years_later_it_still_holds(bundles: Bundles) -> None:
    assert bundles.judge(bundles.full["dispensed"], now=bundles.now + timedelta(days=15 * 365)).failed is None


def test_every_step_outcome_and_fault_has_words_in_both_languages() -> None:
    assert FAULTS.keys() == set(Fault)
    assert STEPS.keys() == set(Step)
    assert OUTCOMES.keys() == set(Outcome)
    for zh, en in (*FAULTS.values(), *STEPS.values(), *OUTCOMES.values(), reason("bad_signature")):
        assert any("\u4e00" <= character <= "\u9fff" for character in zh)
        assert en.isascii()


def test_after_a_failure_nothing_further_is_claimed(bundles: Bundles) -> None:
    report = bundles.judge(bundles.full["dispensed"][:-1])

    assert outcomes(report) == {step: Outcome.FAILED if step is Step.CONTAINER else Outcome.UNREACHED for step in Step}
    assert report.rx == ""


def test_an_export_is_an_entry_of_the_log(bundles: Bundles) -> None:
    members = bundles.members(withheld=True)
    last = json.loads(members[max(name for name in members if name.startswith("entries/"))])

    assert (last["action"], last["purpose"]) == ("export", "court, patient withheld")
    assert last["actor"] == {"id": "C35990000001", "role": "platform", "institution": "C35990000001"}


def test_a_signer_who_was_revoked_afterwards_is_named_and_the_signature_stays_good(bundles: Bundles) -> None:
    report = bundles.judge(bundles.full["signer revoked since"])
    revocation = next(one for one in report.results if one.step is Step.REVOCATION)
    thumbprint = bundles.keys.of(PHARMACIST).thumbprint

    assert report.failed is None
    assert any(thumbprint in fact.en and "revoked since" in fact.en for fact in revocation.facts)


def test_what_was_recorded_only_after_its_signer_was_revoked_does_not_count(bundles: Bundles) -> None:
    members = bundles.members("signer revoked since")
    late = {
        name: body.replace(b'"at":"2026-11-23T02', b'"at":"2026-11-25T04') if name.startswith("entries/") else body
        for name, body in members.items()
    }

    failed = bundles.judge(resealed(relinked(late), bundles.seal)).failed

    assert failed is not None
    assert (failed.step, failed.code) == (Step.DOCUMENTS, "certificate_revoked")


def test_what_came_with_the_document_that_an_entry_names_was_recorded_with_it(bundles: Bundles) -> None:
    report = bundles.judge(bundles.full["insurer revoked since"])

    assert report.failed is None, report.failed
    told = next(one for one in report.results if one.step is Step.REVOCATION)
    assert any(bundles.keys.of(INSURER).thumbprint in fact.en for fact in told.facts)


@pytest.mark.parametrize("withhold", [False, True], ids=["complete", "withheld"])
def test_a_document_whose_signer_was_revoked_before_does_not_count_and_all_else_is_judged(
    bundles: Bundles,
    withhold: bool,  # noqa: FBT001  Both kinds.
) -> None:
    report = bundles.judge((bundles.withheld if withhold else bundles.full)["stolen before"])

    left = {step: outcome for step, outcome in outcomes(report).items() if outcome is not Outcome.PASSED}
    assert left == {Step.DOCUMENTS: Outcome.FAILED} | ({Step.PACKAGES: Outcome.UNCHECKED} if withhold else {})
    assert report.failed is not None
    assert report.failed is report.discounted
    assert (report.failed.code, report.failed.detail) == ("certificate_revoked", "documents/0001-prescription.jws")
    first, *others = [fact.en for fact in report.failed.facts]
    assert "DOES NOT COUNT: its signature is right, its certificate is revoked since 2026-11-23 10:00:00" in first
    assert first.endswith("(key_compromise), the log tells of it since 2026-11-23 10:00:00 only")
    assert len(others) == len([name for name in bundles.members() if name.startswith("documents/")]) - 1
    rests = "; its own signature holds, but it rests on what does not: document 1 does not count"
    assert all(other.endswith(rests) for other in others)
    law = next(one for one in report.results if one.step is Step.LAW)
    assert law.facts[-1].en == "document 1 does not count: judged as if all did"


def test_every_document_that_does_not_count_is_named(bundles: Bundles) -> None:
    failed = bundles.judge(bundles.full["stolen before, signed twice"]).discounted

    assert failed is not None
    assert failed.detail == "documents/0001-prescription.jws, documents/0005-revocation.jws"
    assert [fact.en.split("; ")[1][:14] for fact in failed.facts] == [
        "DOES NOT COUNT", *["its own signat"] * 3, "DOES NOT COUNT",
    ]  # fmt: skip


@pytest.mark.parametrize("way", STOLEN)
def test_what_else_is_wrong_is_not_covered_by_a_revocation(bundles: Bundles, way: str) -> None:
    members = bundles.members(way)
    name = "documents/0001-prescription.jws"
    body, _, signature = members[name].rpartition(b".")
    forged = body + b"." + (b"A" if signature[:1] != b"A" else b"B") + signature[1:]
    proof, other = sorted(name for name in members if name.startswith("log/"))[:2]
    stolen = ("documents", "certificate_revoked")
    for spoiled, state, due in (
        ({**members, name: forged}, None, [("documents", "bad_signature")]),
        (members, State.SETTLED, [stolen, ("law", "wrong_state")]),
        ({**members, proof: members[other]}, None, [stolen, ("log", "bad_log")]),
    ):
        report = bundles.judge(
            resealed(spoiled, bundles.seal, lambda one, state=state: replace(one, state=state or one.state))
        )
        assert [(one.step, one.code) for one in report.results if one.outcome is Outcome.FAILED] == due
        assert report.discounted is None


@pytest.mark.parametrize("suite", [one for one in SUITES if one is not DEFAULT], ids=lambda suite: suite.name)
def test_every_suite_is_proven(suite: Suite, tmp_path: Path) -> None:
    made = make(tmp_path, suite)

    for bundle in (made.full["returned"], made.withheld["returned"], made.full["signer revoked since"]):
        report = made.judge(bundle)
        assert report.failed is None, report.failed
        signed = next(one for one in report.results if one.step is Step.DOCUMENTS)
        assert all(fact.en.endswith(f", {suite.name}") for fact in signed.facts)
