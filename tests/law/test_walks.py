"""
Thousands of walks through the law, steered by its table and judged by an auditor with rules of his own.

Most steps follow a row that should be permitted, so that deep states are reached; others ask for something arbitrary.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from rx_flow.law.refusals import Code, Refused
from rx_flow.law.standing import SEALS, SHANGHAI, Actor, Area, Ask, Facts, Role, RxId, Standing, State
from rx_flow.law.transitions import ACTIONS, TRANSITIONS, Transition, after, decide

HOSPITAL, SHOPS, DOCTOR = "H1", ("P1", "P2"), "D1"
PEOPLE = (DOCTOR, "D2", "HY1", "HY2", "HY3", *SHOPS, HOSPITAL, "H2", "C1", "I1")
PLACES_OF = {
    Role.PRESCRIBER: (HOSPITAL, "H2"),
    Role.HOSPITAL_PHARMACIST: (HOSPITAL, "H2"),
    Role.HOSPITAL: (HOSPITAL, "H2"),
    Role.PLATFORM: ("C1",),
    Role.PHARMACY: SHOPS,
    Role.PHARMACIST: SHOPS,
    Role.INSURER: ("I1",),
}
ISSUED = datetime(2026, 3, 2, 10, 0, tzinfo=SHANGHAI)
UNTIL = datetime(2026, 3, 5, 0, 0, tzinfo=SHANGHAI)
TICK = timedelta(microseconds=1)
ENDS = {State.REFUSED, State.REVOKED, State.EXPIRED, State.RETURNED}
HELD = {State.CLAIMED, State.ACCEPTED, State.SETTLED, State.DISPENSED, State.REFUSED, State.RETURNED}
FREE = {State.DRAFT, State.SIGNED, State.APPROVED, State.AVAILABLE}
REVIEWED_ONCE = {State.APPROVED, State.AVAILABLE} | HELD
REVIEWED_TWICE = {State.ACCEPTED, State.SETTLED, State.DISPENSED, State.RETURNED}
ONWARD = {"submit", "approve", "release", "claim", "accept", "settle", "dispense"}
OWES_REASON = {"send_back", "hand_back", "refuse", "reverse", "take_back", "revoke", "deny", "recover"}
FLAWS: tuple[dict[str, Any], ...] = (
    {"lots_complete": False},
    {"picker": None},
    {"unanswered": 1},
    {"supply_ok": False},
    {"code_shown": False},
)
_CODES = list(Code)
GUARDS_SAY = set(_CODES[_CODES.index(Code.ANOTHER_INSTITUTION) : _CODES.index(Code.TRACE_CODE_USED)])

instants = st.sampled_from([ISSUED - TICK, ISSUED, ISSUED + timedelta(hours=1), UNTIL - TICK, UNTIL, UNTIL + TICK])
some_facts = st.builds(
    Facts,
    code_shown=st.booleans(),
    unanswered=st.integers(0, 2),
    supply_ok=st.booleans(),
    picker=st.none() | st.sampled_from(PEOPLE),
    lots_complete=st.booleans(),
)
# A certificate says the role and the institution together: no hospital holds one of a pharmacy.
actions = st.sampled_from([*ACTIONS, "unheard"])
people = st.sampled_from(PEOPLE)
certified = st.sampled_from(Role).flatmap(
    lambda role: st.builds(Actor, id=people, role=st.just(role), institution=st.sampled_from(PLACES_OF[role]))
)
any_ask = st.builds(
    Ask,
    action=actions,
    actor=certified,
    now=instants,
    reason=st.sampled_from(["", "  ", "why"]),
    facts=some_facts,
)
any_standing = st.builds(
    Standing,
    rx=st.just(RxId("350100-X")),
    area=st.just(Area("350100")),
    state=st.sampled_from(State),
    hospital=st.just(HOSPITAL),
    prescriber=st.just(DOCTOR),
    issued_at=st.just(ISSUED),
    valid_until=st.just(UNTIL),
    first_reviewer=st.none() | st.sampled_from(PEOPLE),
    nominated=st.none() | st.sampled_from(SHOPS),
    claimant=st.none() | st.sampled_from(SHOPS),
    second_reviewer=st.none() | st.sampled_from(PEOPLE),
)
kinds = st.sampled_from(["follow"] * 6 + ["nearly"] * 4 + ["anything", "time"])
picks = st.integers(0, 59)
shops = st.sampled_from(SHOPS)
hours = st.sampled_from([1, 5, 13])
particulars = st.sampled_from(
    ["facts"] * 4 + ["id", "id", "institution", "institution", "now", "reason", "action", "actor"]
)
flaws = st.sampled_from(FLAWS)
visited: Counter[State] = Counter()
steps: Counter[str] = Counter()
refusals: Counter[Code] = Counter()
walks: list[int] = []


def willing(rx: Standing, row: Transition, *, shop: str, now: datetime) -> Ask:
    """The ask that should be granted along `row`: the right person, in time, with everything in order."""
    place = {
        Role.PRESCRIBER: rx.hospital,
        Role.HOSPITAL_PHARMACIST: rx.hospital,
        Role.HOSPITAL: rx.hospital,
        Role.PLATFORM: "C1",
        Role.PHARMACY: rx.claimant or rx.nominated or shop,
        Role.PHARMACIST: rx.claimant or shop,
        Role.INSURER: "I1",
    }[row.role]
    second, third = [one for one in ("HY1", "HY2", "HY3") if one != rx.first_reviewer][:2]
    person = {Role.PRESCRIBER: DOCTOR, Role.HOSPITAL_PHARMACIST: "HY1", Role.PHARMACIST: second}.get(row.role, place)
    facts = Facts(code_shown=True, picker=third, lots_complete=True)
    return Ask(row.action, Actor(person, row.role, place), now, reason="why", facts=facts)


def answer(rx: Standing, ask: Ask) -> Transition | Code:
    """What the law says: a row or the reason for a no. Anything else that it raises fails the test."""
    try:
        return decide(rx, ask)
    except Refused as refused:
        return refused.code


class Walk(RuleBasedStateMachine):
    """
    One prescription's life. `paid` and `reviews` are the auditor's own books, kept apart from the law's.
    """

    @initialize(nominated=st.none() | shops)
    def start(self, nominated: str | None) -> None:
        self.rx = Standing(
            RxId("350100-X"), Area("350100"), State.DRAFT, HOSPITAL, DOCTOR, ISSUED, UNTIL, nominated=nominated
        )
        self.first = self.rx
        self.now = ISSUED
        self.paid = 0
        self.over = False
        self.holder = ""
        walks.append(len(walks))

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        """One rule and not four: Hypothesis switches rules off for whole walks, and these would then get nowhere."""
        match data.draw(kinds):
            case "follow":
                self.follow(data.draw(picks), data.draw(shops))
            case "nearly":
                self.ask_nearly(data)
            case "anything":
                self.ask(data.draw(any_ask))
            case "time":
                self.time_passes(data.draw(hours), late=data.draw(picks) == 0)

    def rows_from_here(self) -> list[Transition]:
        """The rows that lead on, those onward first and weighing most: the ways out are half of all rows."""
        rows = [row for row in TRANSITIONS if row.source is self.rx.state]
        rows.sort(key=lambda row: row.action not in ONWARD)
        return [row for row in rows for _ in range(5 if row.action in ONWARD else 1)]

    def follow(self, pick: int, shop: str) -> None:
        """Take one of the rows that lead on from here, asked rightly: it must be granted."""
        rows = [row for row in self.rows_from_here() if row.action not in ONWARD or self.now < UNTIL]
        if not rows:
            return
        row = rows[pick % len(rows)]
        if row.action == "expire":
            self.now = max(self.now, UNTIL)
        ask = willing(self.rx, row, shop=shop, now=self.now)
        assert decide(self.rx, ask) is row
        self.take(ask, row)

    def ask_nearly(self, data: st.DataObject) -> None:
        """Ask rightly in everything but one particular, which may be wrong."""
        rows = self.rows_from_here() or list(TRANSITIONS)
        right = willing(self.rx, rows[data.draw(picks) % len(rows)], shop=SHOPS[0], now=self.now)
        actor = right.actor
        match data.draw(particulars):
            case "action":
                self.ask(replace(right, action=data.draw(actions)))
            case "actor":
                self.ask(replace(right, actor=data.draw(certified)))
            case "id":
                self.ask(replace(right, actor=replace(actor, id=data.draw(people))))
            case "institution":
                other = PLACES_OF[actor.role][-1]
                who = other if actor.role in SEALS else actor.id
                self.ask(replace(right, actor=replace(actor, id=who, institution=other)))
            case "now":
                self.ask(replace(right, now=data.draw(instants)))
            case "reason":
                self.ask(replace(right, reason=" "))
            case "facts":
                self.ask(replace(right, facts=replace(right.facts, **data.draw(flaws))))

    def ask(self, ask: Ask) -> None:
        """Whatever is asked, the answer is a row of the table or a refusal, and the same one again."""
        ask = replace(ask, now=max(ask.now, self.now))
        row = answer(self.rx, ask)
        assert answer(self.rx, ask) == row
        if isinstance(row, Code):
            refusals[row] += 1
        else:
            self.now = ask.now
            self.take(ask, row)

    def time_passes(self, hours: int, *, late: bool) -> None:
        """Mostly within the validity; sometimes past its end, once the walk has got somewhere."""
        later = self.now + timedelta(hours=hours)
        if late and self.rx.state not in {State.DRAFT, State.SIGNED, State.APPROVED}:
            self.now = max(later, UNTIL)
        else:
            self.now = max(self.now, min(later, UNTIL - TICK))

    def take(self, ask: Ask, row: Transition) -> None:
        """The auditor looks at a step before it is taken, and keeps his books."""
        before, self.rx = self.rx, after(self.rx, ask, row)
        assert not self.over, "nothing leaves an end"
        assert (before.state, self.rx.state) == (row.source, row.target)
        if row.action in ONWARD:
            assert ISSUED <= ask.now < UNTIL
        if row.action in OWES_REASON:
            assert ask.reason.strip()
        if row.action in {"approve", "accept"}:
            assert ask.facts.unanswered == 0
        if row.action == "dispense":
            assert ask.facts.picker not in {None, ask.actor.id}
            assert ask.facts.lots_complete
        if row.action == "claim":
            assert before.nominated in {None, ask.actor.institution}
            self.holder = ask.actor.institution
        self.paid += {"settle": 1, "reverse": -1, "take_back": -1}.get(row.action, 0)
        self.over = self.rx.state in ENDS
        visited[self.rx.state] += 1
        steps[row.action] += 1
        event(f"reached {self.rx.state}")

    @invariant()
    def claimant_is_known_exactly_while_somebody_holds_it(self) -> None:
        if self.rx.state in HELD:
            assert self.rx.claimant == self.holder
        if self.rx.state in FREE:
            assert self.rx.claimant is None

    @invariant()
    def reviewers_are_three_people_of_two_institutions(self) -> None:
        rx = self.rx
        if rx.state in REVIEWED_ONCE:
            assert rx.first_reviewer is not None
        if rx.state in REVIEWED_TWICE:
            assert rx.second_reviewer is not None
            assert rx.claimant != rx.hospital
        people = [one for one in (rx.prescriber, rx.first_reviewer, rx.second_reviewer) if one is not None]
        assert len(set(people)) == len(people)

    @invariant()
    def money_is_out_exactly_while_settled_or_dispensed(self) -> None:
        assert self.paid == (self.rx.state in {State.SETTLED, State.DISPENSED})

    @invariant()
    def what_it_is_never_changes(self) -> None:
        rx, first = self.rx, self.first
        moved = replace(
            first,
            state=rx.state,
            first_reviewer=rx.first_reviewer,
            nominated=rx.nominated,
            claimant=rx.claimant,
            second_reviewer=rx.second_reviewer,
        )
        assert rx == moved
        assert rx.nominated in {first.nominated, None}


def test_two_thousand_walks_keep_every_invariant_and_visit_every_state() -> None:
    for seen in (visited, steps, refusals, walks):
        seen.clear()
    run_state_machine_as_test(
        Walk,
        settings=settings(
            max_examples=2000,
            stateful_step_count=20,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

    assert len(walks) >= 2000
    assert set(visited) == set(State)
    assert set(steps) == set(ACTIONS)
    assert min(visited.values()) >= 20
    assert set(refusals) >= GUARDS_SAY


@given(any_standing, any_ask)
@settings(max_examples=500, deadline=None)
def test_decide_answers_with_a_row_of_the_table_or_a_refusal(rx: Standing, ask: Ask) -> None:
    row = answer(rx, ask)

    if isinstance(row, Code):
        assert row in Code
    else:
        assert row in TRANSITIONS
        assert (row.action, row.source, row.role) == (ask.action, rx.state, ask.actor.role)


@given(any_standing, any_ask)
@settings(max_examples=500, deadline=None)
def test_the_reason_given_is_the_first_by_the_order_of_codes(rx: Standing, ask: Ask) -> None:
    """Where several guards of a row object, the code declared first is the one that is said."""
    rows = [row for row in TRANSITIONS if (row.action, row.source) == (ask.action, rx.state)]
    ask = replace(ask, reason="why")
    for row in rows:
        who = ask.actor.institution if row.role in SEALS else ask.actor.id
        fitting = replace(ask, actor=replace(ask.actor, id=who, role=row.role))
        objections = {code for guard in row.guards if (code := guard(rx, fitting))}
        assert answer(rx, fitting) == (min(objections, key=list(Code).index) if objections else row)
