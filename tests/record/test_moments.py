"""
Times come back as the moments they were, in UTC; a time without a zone is never guessed.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import sqlite

from rx_flow.law.standing import SHANGHAI
from rx_flow.record.database import Database
from rx_flow.record.statements import Prepared, insert_into
from rx_flow.record.tables import Moment, outbox

_PUT = Prepared(insert_into(outbox))
_GET = Prepared(select(outbox.c.created_at, outbox.c.answered_at).where(outbox.c.key == bindparam("key")))


def put_and_get(tx: Connection, created: datetime, answered: datetime | None) -> tuple[object, ...] | None:
    rx = "350100-0000000000000001"
    row = {"area": "350100", "rx": rx, "receiver": "I", "n": 1, "key": "k", "path": "/", "body": None}
    tx.execute(outbox.delete())
    _PUT.run(tx, {**row, "created_at": created, "answered_at": answered, "status": None, "reply": None})
    found = _GET.first(tx, {"key": "k"})
    plain = tx.execute(select(outbox.c.created_at, outbox.c.answered_at)).one()
    assert found == tuple(plain)
    return found


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moment=st.datetimes(min_value=datetime(1900, 1, 2), max_value=datetime(9998, 1, 1)))  # noqa: DTZ001  Zoned below.
def test_a_moment_comes_back(db: Database, moment: datetime) -> None:
    in_shanghai = moment.replace(tzinfo=SHANGHAI)
    assert db.run(put_and_get, in_shanghai, None) == (in_shanghai, None)
    found = db.run(put_and_get, in_shanghai, in_shanghai)
    assert found is not None
    assert [one.tzinfo for one in found if isinstance(one, datetime)] == [UTC, UTC]


def test_a_time_without_a_zone_is_refused(db: Database) -> None:
    naive = datetime(2026, 11, 23)  # noqa: DTZ001  This is what is refused.
    with pytest.raises(ValueError, match="time zone"):
        db.run(put_and_get, naive, None)


def test_as_text_moments_sort_as_they_follow_each_other() -> None:
    bind = Moment().bind_processor(sqlite.dialect())
    assert bind is not None
    moments = [datetime(2026, 1, 1, 0, 0, 0, n, tzinfo=UTC) for n in (0, 1, 10, 999_999)]
    texts = [bind(moment) for moment in moments]
    assert texts == sorted(texts)
    assert bind(None) is None
