"""
How often a password may be tried: five times at once, then with a wait that doubles, to a minute. In memory only.

A wait, and no lock: otherwise whoever knows a doctor's code could keep the doctor out. It is the same for codes that
nobody has, so that it does not tell who works here. Who has a session is not concerned.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from rx_flow.law.refusals import Code, Refused

FREE = 5
LONGEST = timedelta(seconds=60)
PEOPLE_MAX = 10_000  # about 2 MiB; to have somebody forgotten takes as many tries, each of which costs a hash


class Throttle:
    """
    The tries since the last right password, by person.
    """

    __slots__ = ("_tries",)

    def __init__(self) -> None:
        self._tries: dict[str, tuple[int, datetime]] = {}  # how many, and when the next one is admitted

    def admit(self, person: str, now: datetime) -> None:
        """
        Count a try before it is made, so that guesses abreast count too; `Refused(TOO_MANY_ATTEMPTS)` within a wait.

        What is refused here was not tried, is not counted and stands in no log.
        """
        tries, until = self._tries.pop(person, (0, now))
        if now < until:
            self._tries[person] = tries, until
            raise Refused(Code.TOO_MANY_ATTEMPTS, "wait before the next try")
        while len(self._tries) >= PEOPLE_MAX:
            del self._tries[next(iter(self._tries))]
        over = tries + 1 - FREE
        # Two to the sixth seconds is more than the longest wait already.
        wait = min(LONGEST, timedelta(seconds=2 ** min(over, 6))) if over >= 0 else timedelta()
        self._tries[person] = tries + 1, now + wait

    def forgive(self, person: str) -> None:
        """Forget the tries of a person who has just shown the right password."""
        self._tries.pop(person, None)
