"""
What somebody could hand to the platform who holds real keys and means no good: documents of any content, by any key.
"""

# ruff: noqa: ANN401  What is changed in a document can be anything.
from __future__ import annotations

from typing import Any

from people import Paper, People
from province import CHECKER, DOCTOR, HOSPITAL, INSURER, PHARMACY, PLATFORM, REVIEWER, Keys
from snapshot import Watch

from rx_flow.crypto import canonical, compact, pickup, suites
from rx_flow.crypto.documents import TYPE, Document, issue, rfc3339
from rx_flow.crypto.keyrings.keys import SigningKey
from rx_flow.crypto.packages import open_package, seal

Body = dict[str, Any]


class Forger:
    """
    Makes documents that stand next in a prescription's dossier, unless told otherwise.
    """

    def __init__(self, people: People, watch: Watch) -> None:
        self.people = people
        self.keys: Keys = people.province.keys
        self.watch = watch

    def place(self, rx: str) -> tuple[int, str]:
        """Where the dossier ends at the platform: number and digest of its last document."""
        query = "SELECT seq, head FROM prescription WHERE rx = :rx"
        ((seq, head),) = self.watch.rows(PLATFORM, query, rx=rx)
        return int(seq), str(head)

    def documents(self, rx: str) -> list[str]:
        """Every document of a prescription as the platform was given it."""
        query = "SELECT body FROM package WHERE rx = :rx ORDER BY first_seq"
        packages = [row[0] for row in self.watch.rows(PLATFORM, query, rx=rx)]
        opening = self.keys.ring(PLATFORM).opening
        return [raw for body in packages for raw in open_package(body, opening, rx=rx)]

    def next(self, paper: Paper, who: str | SigningKey, doc: str, body: Body, **other: Any) -> Document:
        """A truly signed document; `other` puts it elsewhere than next."""
        seq, head = (0, "") if "seq" in other and "prev" in other else self.place(paper.rx)
        key = self.keys.of(who) if isinstance(who, str) else who
        place: Body = {"rx": paper.rx, "seq": seq + 1, "prev": head, "at": self.people.province.now} | other
        return issue(key, doc=doc, body=body, **place)

    def opinion(
        self, paper: Paper, who: str | SigningKey = CHECKER, *, action: str = "accept", **other: Any
    ) -> Document:
        """The second opinion."""
        return self.next(paper, who, "opinion2", {"action": action, "findings": [], "reason": ""}, **other)

    def statement(self, paper: Paper, who: str = INSURER, **body: Any) -> Document:
        """A settlement as no insurer has reckoned it."""
        fen = {"total_fen": 49_700, "fund_fen": 0, "patient_fen": 49_700}
        line = {"n": 1, "drug": "XA02BCA084B001010100453", "quantity": 7}
        full = {"action": "settle", "reason": "", "bill": fen, "pharmacy": PHARMACY, "lines": [line], "steps": []}
        return self.next(paper, who, "statement", full | body)

    def story(self, paper: Paper, *, doctor: str = DOCTOR) -> list[str]:
        """What a hospital hands over: prescription, first opinion, release; the doctor's key is used whatever it is."""
        typed = self.people.written(paper)
        now = self.people.province.now
        body = {name: value for name, value in typed.items() if name != "pin"} | {
            "action": "submit",
            "area": HOSPITAL[1:7],
            "hospital": HOSPITAL,
            "prescriber": doctor,
            "issued_at": rfc3339(now),
            "long_term_reason": None,
        }
        first = self.raw(
            self.keys.of(doctor), {"doc": "prescription", "rx": paper.rx, "seq": 1, "prev": "", "body": body}
        )
        opinion = {"action": "approve", "findings": [], "reason": ""}
        place: Body = {"rx": paper.rx, "at": now}
        second = issue(
            self.keys.of(REVIEWER), doc="opinion1", seq=2, prev=canonical.digest(first), body=opinion, **place
        )
        sha = pickup.code_sha256(self.keys.ring(HOSPITAL).pickup_code(paper.rx))
        release = {"action": "release", "pickup_sha256": sha, "nominated": None}
        third = issue(self.keys.of(HOSPITAL), doc="release", seq=3, prev=second.digest, body=release, **place)
        return [first, second.raw, third.raw]

    def raw(self, key: SigningKey, members: Body, *, thumbprint: str = "") -> str:
        """A document signed with any private key there is, whatever its certificate says about that."""
        stated = rfc3339(self.people.province.now)
        header = {"alg": "ES256", "sigT": stated, "typ": TYPE, "x5t#S256": thumbprint or key.thumbprint}
        payload = {"at": stated, "by": key.id} | members
        signed = compact.join(canonical.dumps(header), canonical.dumps(payload))
        return (signed + b"." + compact.encode(suites.sign(key._private, signed))).decode()

    def package(self, rx: str, *documents: Document | str, to: str = PLATFORM) -> str:
        """Documents, sealed."""
        reader = self.keys.trust.reader(to, self.people.province.now)
        return seal([one if isinstance(one, str) else one.raw for one in documents], reader, rx=rx)


def altered(text: str, part: int) -> str:
    """A compact document with one character of one of its three parts changed, and nothing else."""
    parts = text.split(".")
    middle = len(parts[part]) // 2
    other = "A" if parts[part][middle] != "A" else "B"
    parts[part] = parts[part][:middle] + other + parts[part][middle + 1 :]
    return ".".join(parts)
