"""
What forgers do to a bundle: somebody without a key, who can alter files and digests; the platform itself with its seal.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from bundles import PHARMACIST, REVIEWER, Bundles, Members, relinked, resealed, resummed, signed_part

from rx_flow.crypto import canonical
from rx_flow.crypto.documents import sign_document, take_apart
from rx_flow.crypto.ed25519 import Seed
from rx_flow.evidence import container
from rx_flow.evidence.manifest import GUIDE, MANIFEST, SUMS, Stated
from rx_flow.law.standing import State
from rx_flow.tlog.note import Key, Kind

PRESCRIPTION, STATEMENT, DISPENSE = (
    "documents/0001-prescription.jws", "documents/0006-statement.jws", "documents/0007-dispense.jws",
)  # fmt: skip


def without(members: Members, name: str) -> Members:
    return {each: body for each, body in members.items() if each != name}


def test_what_is_packed_again_as_it_was_still_holds(bundles: Bundles) -> None:
    assert bundles.reason(container.pack(bundles.members())) == ""
    assert bundles.reason(resealed(bundles.members(), bundles.seal)) == ""
    assert bundles.reason(resealed(bundles.members(withheld=True), bundles.seal)) == ""


# --- Without a key ---------------------------------------------------------------------------------------------------

Change = Callable[[Bundles, Members], Members]
KEYLESS: dict[str, tuple[Change, str]] = {
    "a file altered": (lambda _, m: {**m, "entries/0003.json": b"{}"}, "sums: sum_mismatch"),
    "a file removed": (lambda _, m: without(m, "entries/0003.json"), "sums: member_missing"),
    "a file added": (lambda _, m: {**m, "entries/0099.json": b"{}"}, "sums: member_unknown"),
    "the sums removed": (lambda _, m: without(m, SUMS), "sums: member_missing"),
    "the manifest removed": (lambda _, m: without(m, MANIFEST), "sums: member_missing"),
    "sums that are none": (lambda _, m: {**m, SUMS: b"nothing\n"}, "sums: sums_malformed"),
    "sums in another order": (
        lambda _, m: {**m, SUMS: b"".join(reversed(m[SUMS].splitlines(keepends=True)))},
        "sums: sums_malformed",
    ),
    "a file altered with its digest": (
        lambda _, m: resummed({**m, "entries/0003.json": b"{}"}),
        "manifest: manifest_mismatch",
    ),
    "the guide altered with its digest": (
        lambda _, m: resummed({**m, GUIDE: b"all is well"}),
        "manifest: manifest_mismatch",
    ),
    "a file of no kind": (lambda _, m: resummed({**m, "other/a": b""}), "sums: member_unknown"),
    "the manifest of another prescription": (
        lambda b, m: {**m, MANIFEST: b.members("other")[MANIFEST]},
        "manifest: manifest_mismatch",
    ),
    "a document of another prescription": (
        lambda b, m: resummed({**m, PRESCRIPTION: b.members("other")[PRESCRIPTION]}),
        "manifest: manifest_mismatch",
    ),
    "everything but the manifest of another": (
        lambda b, m: {**b.members("other"), MANIFEST: m[MANIFEST]},
        "manifest: manifest_mismatch",
    ),
}


@pytest.mark.parametrize(("change", "expected"), KEYLESS.values(), ids=KEYLESS.keys())
def test_without_a_key_nothing_can_be_altered(bundles: Bundles, change: Change, expected: str) -> None:
    assert bundles.reason(container.pack(change(bundles, bundles.members()))) == expected


# --- With the platform's seal ----------------------------------------------------------------------------------------


def renamed(members: Members, names: dict[str, str]) -> Members:
    return {names.get(name, name): body for name, body in members.items()}


def entry(members: Members, number: int, **change: object) -> Members:
    name = f"entries/{number:04}.json"
    return {**members, name: canonical.dumps({**json.loads(members[name]), **change})}


def denied(members: Members) -> int:
    """The number of the entry that tells of a refusal."""
    return next(int(n[8:12]) for n, body in members.items() if n.startswith("entries/") and b'"denied"' in body)


def unsalted(members: Members, name: str) -> Members:
    return {**members, name: signed_part(members[name].decode()).encode()}


def cut(members: Members) -> Members:
    """The dossier without its last document, and the log without the entry of it."""
    made = without(without(members, DISPENSE), "packages/0007.jwe")
    told = [json.loads(body) for name, body in sorted(made.items()) if name.startswith("entries/")]
    kept = [one for one in told if one["action"] != "dispense"]
    made = {name: body for name, body in made.items() if not name.startswith("entries/")}
    made |= {f"entries/{seq:04}.json": canonical.dumps({**one, "seq": seq}) for seq, one in enumerate(kept, 1)}
    return relinked(made)


def signed_by(bundles: Bundles, members: Members, name: str, who: str, **change: object) -> Members:
    """A document of the same place by somebody else, or with another body; truly signed."""
    found = take_apart(members[name].decode(), withheld=True)
    given = {key: value for key, value in found.members.items() if key not in {"by", "at"}}
    raw = sign_document(bundles.keys.of(who), at=found.at, **{**given, **change})  # type: ignore[arg-type]  # as read
    signer = bundles.keys.trust.certificates[bundles.keys.of(who).thumbprint]
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415  The forger's own certificate.

    pem = signer.public_bytes(Encoding.PEM)
    return {**members, name: raw.encode(), f"certificates/{bundles.keys.of(who).thumbprint}.pem": pem}


def body_of(members: Members, name: str) -> dict[str, object]:
    found: dict[str, object] = take_apart(members[name].decode(), withheld=True).members["body"]
    return found


def first(members: Members, folder: str) -> str:
    return min(name for name in members if name.startswith(f"{folder}/"))


SEALED: dict[str, tuple[Change, str]] = {
    "a document removed": (lambda _, m: without(m, "documents/0005-opinion2.jws"), "chain: document_missing"),
    "the last document removed": (lambda _, m: without(m, DISPENSE), "law: wrong_state"),
    "two documents exchanged": (
        lambda _, m: {**m, STATEMENT: m[DISPENSE], DISPENSE: m[STATEMENT]},
        "documents: member_unknown",
    ),
    "a document of another prescription": (
        lambda b, m: {**m, STATEMENT: b.members("other")[STATEMENT]},
        "chain: foreign_document",
    ),
    "a document called otherwise": (
        lambda _, m: renamed(m, {STATEMENT: "documents/0006-decision.jws"}),
        "documents: member_unknown",
    ),
    "a document that is no text": (lambda _, m: {**m, STATEMENT: b"\xff"}, "certificates: bad_encoding"),
    "a document with its signature altered": (
        lambda _, m: {**m, PRESCRIPTION: signed_part(m[PRESCRIPTION].decode())[:-5].encode() + b"AAAAA"},
        "documents: bad_signature",
    ),
    "the patient withheld in a bundle that says it is complete": (
        lambda _, m: unsalted(m, PRESCRIPTION),
        "disclosures: not_disclosed",
    ),
    "a document by somebody else in the same role": (
        lambda b, m: signed_by(b, m, "documents/0005-opinion2.jws", "HY350100000021"),
        "chain: broken_chain",
    ),
    "a last document in another role": (
        lambda b, m: signed_by(b, m, DISPENSE, REVIEWER),
        "documents: signed_by_another_role",
    ),
    "a last document of another pharmacy": (
        lambda b, m: signed_by(b, m, DISPENSE, "HY350100000021"),
        "law: unlawful",
    ),
    "lots that do not account for what was prescribed": (
        lambda b, m: signed_by(
            b,
            m,
            DISPENSE,
            PHARMACIST,
            body={**body_of(m, DISPENSE), "lots": [{**body_of(m, DISPENSE)["lots"][0], "n": 2}]},  # type: ignore[index]  # as read
        ),
        "law: unlawful",
    ),
    "a picker who also checks": (
        lambda b, m: signed_by(b, m, DISPENSE, PHARMACIST, body={**body_of(m, DISPENSE), "picker": PHARMACIST}),
        "law: unlawful",
    ),
    "a body without what the law asks for": (
        lambda b, m: signed_by(b, m, DISPENSE, PHARMACIST, body={"action": "dispense"}),
        "law: unlawful",
    ),
    "a document of no kind": (
        lambda b, m: signed_by(b, m, DISPENSE, PHARMACIST, doc="dispense", body={"action": "claim"}),
        "law: unlawful",
    ),
    "a certificate removed": (lambda _, m: without(m, first(m, "certificates")), "certificates: member_missing"),
    "a certificate replaced by another": (
        lambda _, m: {**m, first(m, "certificates"): m[max(n for n in m if n.startswith("certificates/"))]},
        "certificates: bad_certificate",
    ),
    "a certificate that signed nothing": (
        lambda b, m: (
            signed_by(b, m, DISPENSE, REVIEWER)
            | {DISPENSE: m[DISPENSE]}
            | {
                f"certificates/{b.keys.of('D350100000002').thumbprint}.pem": signed_by(b, m, DISPENSE, "D350100000002")[
                    f"certificates/{b.keys.of('D350100000002').thumbprint}.pem"
                ]
            }
        ),
        "certificates: certificate_unused",
    ),
    "a certificate with something after it": (
        lambda _, m: {**m, first(m, "certificates"): m[first(m, "certificates")] + b"\n"},
        "certificates: bad_certificate",
    ),
    "a certificate called otherwise": (
        lambda _, m: renamed(m, {first(m, "certificates"): "certificates/other.pem"}),
        "certificates: bad_certificate",
    ),
    "a certificate that is no PEM file": (
        lambda _, m: renamed(m, {first(m, "certificates"): "certificates/other.der"}),
        "certificates: member_unknown",
    ),
    "an authority removed": (lambda _, m: without(m, first(m, "authorities")), "certificates: untrusted_chain"),
    "the root enclosed": (
        lambda b, m: {**m, f"authorities/{next(iter(set(b.keys.trust.lists) - {n[12:-4] for n in m}))}.pem": b.root},
        "certificates: untrusted_chain",
    ),
    "a revocation list removed": (lambda _, m: without(m, first(m, "lists")), "certificates: status_undeterminable"),
    "a revocation list replaced by another": (
        lambda _, m: {**m, first(m, "lists"): m[max(n for n in m if n.startswith("lists/"))]},
        "certificates: bad_list",
    ),
    "an entry removed": (lambda _, m: without(m, "entries/0004.json"), "entries: entry_out_of_order"),
    "the first entry removed and the others renumbered": (
        lambda _, m: {
            **{n: b for n, b in m.items() if not n.startswith("entries/")},
            **{
                f"entries/{int(n[8:12]) - 1:04}.json": b
                for n, b in m.items()
                if "entries/0001" < n < "entries/~" and n != "entries/0001.json"
            },
        },
        "entries: entry_out_of_order",
    ),
    "the last entry removed": (
        lambda _, m: without(m, max(n for n in m if n.startswith("entries/"))),
        "entries: entry_mismatch",
    ),
    "an entry altered": (lambda _, m: entry(m, 2, purpose="nothing"), "entries: entry_chain_broken"),
    "an entry of another prescription": (
        lambda b, m: {**m, "entries/0002.json": b.members("other")["entries/0002.json"]},
        "entries: entry_of_another",
    ),
    "an entry that is none": (lambda _, m: {**m, "entries/0002.json": b"[]"}, "entries: entry_malformed"),
    "an entry without a member": (
        lambda _, m: {**m, "entries/0002.json": canonical.dumps({"at": json.loads(m["entries/0002.json"])["at"]})},
        "entries: entry_malformed",
    ),
    "an entry of another version": (lambda _, m: entry(m, 2, v=3), "entries: entry_malformed"),
    "an entry whose number is text": (lambda _, m: entry(m, 2, seq="2"), "entries: entry_malformed"),
    "an entry whose actor is text": (lambda _, m: entry(m, 2, actor="x"), "entries: entry_malformed"),
    "an entry spelled otherwise": (
        lambda _, m: {**m, "entries/0002.json": m["entries/0002.json"] + b" "},
        "entries: entry_malformed",
    ),
    "an entry of another site, linked again": (
        lambda _, m: relinked(entry(m, 1, site="C35990000009")),
        "entries: entry_of_another",
    ),
    "an entry that names another actor, linked again": (
        lambda _, m: relinked(entry(m, 1, actor={"id": "D1", "role": "prescriber", "institution": "H1"})),
        "agreement: entry_mismatch",
    ),
    "an entry that tells of another state, linked again": (
        lambda _, m: relinked(entry(m, 1, to="approved")),
        "agreement: entry_mismatch",
    ),
    "a step made a refusal, linked again": (
        lambda _, m: relinked(entry(m, 1, outcome="denied")),
        "agreement: entry_mismatch",
    ),
    "a refusal made a step, linked again": (
        lambda _, m: relinked(entry(m, denied(m), outcome="ok", document="0" * 64)),
        "agreement: entry_mismatch",
    ),
    "an entry with another time, linked again": (
        lambda _, m: relinked(entry(m, 1, at="2026-01-01T00:00:00.000000Z")),
        "documents: signed_ahead",
    ),
    "the end of the story cut off": (lambda _, m: cut(m), "law: wrong_state"),
    "a proof of another entry": (
        lambda _, m: {**m, "log/0002.tlog-proof": m["log/0001.tlog-proof"]},
        "log: bad_log",
    ),
    "a proof of no entry": (lambda _, m: {**m, "log/0099.tlog-proof": m["log/0001.tlog-proof"]}, "log: member_unknown"),
    "a proof that is none": (lambda _, m: {**m, "log/0001.tlog-proof": b"none"}, "log: bad_log"),
    "an entry that no other names, in a log": (
        lambda _, m: relinked(entry(m, 1, trace="x")),
        "log: bad_log",
    ),
    "a package removed": (lambda _, m: without(m, "packages/0004.jwe"), ""),
    "a package of another prescription": (
        lambda b, m: {**m, "packages/0004.jwe": b.members("other")["packages/0004.jwe"]},
        "packages: package_mismatch",
    ),
    "a package that is none": (lambda _, m: {**m, "packages/0004.jwe": b"{}"}, "packages: package_mismatch"),
    "a package whose header is none": (
        lambda _, m: {**m, "packages/0004.jwe": b'{"protected":"W10"}'},
        "packages: package_mismatch",
    ),
}


@pytest.mark.parametrize(("change", "expected"), SEALED.values(), ids=SEALED.keys())
def test_what_even_the_platform_cannot_alter(bundles: Bundles, change: Change, expected: str) -> None:
    assert bundles.reason(resealed(change(bundles, bundles.members()), bundles.seal)) == expected


def test_a_package_that_the_manifest_names_is_missed(bundles: Bundles) -> None:
    members = bundles.members()
    listed: list[Stated] = []
    resealed(members, bundles.seal, lambda stated: listed.append(stated) or stated)  # type: ignore[func-returns-value]  # to keep it

    made = resealed(
        without(members, "packages/0004.jwe"),
        bundles.seal,
        lambda stated: replace(stated, packages=listed[0].packages),
    )

    assert bundles.reason(made) == "packages: package_mismatch"


OTHER_LOG = str(Key("log.example/350100", Kind.LOG, Seed(bytes(32)).public))
STATED: dict[str, tuple[Callable[[Stated], Stated], str]] = {
    "another end": (lambda s: replace(s, state=State.RETURNED), "law: wrong_state"),
    "complete, as if it withheld": (lambda s: replace(s, withheld=True), "disclosures: disclosed"),
    "other sums": (lambda s: replace(s, sums="0" * 64), "manifest: manifest_mismatch"),
    "fewer entries": (lambda s: replace(s, entries=s.entries - 1), "entries: entry_out_of_order"),
    "no entries": (lambda s: replace(s, entries=0), "entries: entry_out_of_order"),
    "no log": (lambda s: replace(s, logs=()), "log: log_mismatch"),
    "a log that is none": (lambda s: replace(s, logs=("x",)), "log: bad_log"),
    "another log": (lambda s: replace(s, logs=(OTHER_LOG,)), "log: bad_log"),
}


@pytest.mark.parametrize(("change", "expected"), STATED.values(), ids=STATED.keys())
def test_a_manifest_that_states_otherwise(bundles: Bundles, change: Callable[[Stated], Stated], expected: str) -> None:
    assert bundles.reason(resealed(bundles.members(), bundles.seal, change)) == expected


def test_a_manifest_that_names_another_last_document(bundles: Bundles) -> None:
    other = resealed(bundles.members(), bundles.seal, head="0" * 64)

    assert bundles.reason(other) == "chain: cut_short"


def test_a_withheld_bundle_cannot_slip_a_disclosure_in(bundles: Bundles) -> None:
    members = {**bundles.members(withheld=True), PRESCRIPTION: bundles.members()[PRESCRIPTION]}

    assert bundles.reason(resealed(members, bundles.seal)) == "disclosures: disclosed"


def test_a_withheld_bundle_cannot_slip_a_package_in(bundles: Bundles) -> None:
    members = {**bundles.members(withheld=True), "packages/0004.jwe": bundles.members()["packages/0004.jwe"]}

    assert bundles.reason(resealed(members, bundles.seal)) == "packages: package_mismatch"


def test_nobody_but_a_platform_seals_a_bundle(bundles: Bundles) -> None:
    insurer, hospital = bundles.keys.ring("I35990000001").seal, bundles.keys.ring("H35010000001").seal

    for seal in (insurer, hospital, bundles.keys.of(PHARMACIST)):
        assert bundles.reason(resealed(bundles.members(), seal)) == "certificates: certificate_unused"


def test_a_bundle_sealed_by_the_insurer_alone_is_not_the_platforms(bundles: Bundles) -> None:
    members = bundles.members()
    platform = f"certificates/{bundles.seal.thumbprint}.pem"

    made = resealed(without(members, platform), bundles.keys.ring("I35990000001").seal)

    assert bundles.reason(made) == "manifest: manifest_not_by_platform"


def test_a_document_as_a_manifest_is_refused(bundles: Bundles) -> None:
    members = bundles.members()
    platform = f"certificates/{bundles.seal.thumbprint}.pem"
    made = container.pack(without({**members, MANIFEST: members[DISPENSE]}, platform))

    assert bundles.reason(made) == "sums: member_missing"
    assert bundles.reason(container.pack(resummed(without({**members, MANIFEST: members[DISPENSE]}, platform)))) == (
        "manifest: manifest_malformed"
    )
