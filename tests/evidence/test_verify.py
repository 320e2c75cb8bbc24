"""
A bundle holds for somebody who has the root and nothing else, whatever way its prescription went; and says no more.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from bundles import PHARMACIST, REASON, SECRETS, Bundles, make, relinked, resealed

from rx_flow.crypto.suites import DEFAULT, SUITES
from rx_flow.crypto.suites.suite import Suite
from rx_flow.evidence.faults import Fault
from rx_flow.evidence.verify import Outcome, Report, Step
from rx_flow.evidence.words import FAULTS, OUTCOMES, STEPS, reason

WAYS = (
    "dispensed", "returned", "revoked", "refused", "handed back", "reversed", "denied", "over a finding",
    "sent back", "expired", "signer revoked since",
)  # fmt: skip


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


@pytest.mark.parametrize("suite", [one for one in SUITES if one is not DEFAULT], ids=lambda suite: suite.name)
def test_every_suite_is_proven(suite: Suite, tmp_path: Path) -> None:
    made = make(tmp_path, suite)

    for bundle in (made.full["returned"], made.withheld["returned"], made.full["signer revoked since"]):
        report = made.judge(bundle)
        assert report.failed is None, report.failed
        signed = next(one for one in report.results if one.step is Step.DOCUMENTS)
        assert all(fact.en.endswith(f", {suite.name}") for fact in signed.facts)
