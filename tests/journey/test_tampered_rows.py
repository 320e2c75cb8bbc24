"""
What is changed by SQL in any table of any site that carries a state, money or a document is found, and the row named.

Every change is made in a transaction of its own, compared within it, and undone: the province runs on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import pytest_asyncio
from people import Paper, People, done
from province import HOSPITAL, INSURER, OTHER_PHARMACY, PHARMACY, PLATFORM, Province
from sql_houses import HOUSE_ROWS
from sql_money import MONEY, STRAY
from sql_platform import PLATFORM_ROWS
from sqlalchemy import Connection, create_engine, text

from rx_flow.opening import comparison
from rx_flow.record.log.comparing import Amiss, nobody

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Papers:
    """
    Prescriptions on their way: `done` is handed out, `back` is taken back, `given_back` was claimed and let go.
    """

    people: People
    open: Paper
    nominated: Paper
    held: Paper
    settled: Paper
    done: Paper
    back: Paper
    given_back: Paper


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def papers(people: People) -> AsyncIterator[Papers]:
    done(await people.insure())
    made = Papers(
        people,
        await people.reach("available"),
        await people.reach("available", nominated=PHARMACY),
        await people.reach("claimed"),
        await people.reach("settled"),
        await people.reach("dispensed"),
        await people.reach("dispensed"),
        await people.reach("claimed"),
    )
    done(await people.take_back(made.back))
    done(await people.hand_back(made.given_back))
    yield made


@contextmanager
def by_sql(province: Province, code: str) -> Iterator[Connection]:
    """A transaction of somebody with the database and a shell, without the triggers; undone in the end."""
    url = province.databases[code]
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as tx:
        # As a writer from the start: what begins by reading could not write once a service has, on SQLite.
        tx.execute(text("BEGIN IMMEDIATE" if url.startswith("sqlite") else "BEGIN"))
        if url.startswith("sqlite"):
            triggers = tx.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all()
            for name in triggers:
                tx.execute(text(f"DROP TRIGGER {name}"))
        else:
            tx.execute(text("SET LOCAL session_replication_role = replica"))
        yield tx
        tx.execute(text("ROLLBACK"))
    engine.dispose()


def found(province: Province, code: str, tx: Connection) -> set[tuple[Amiss, str, str]]:
    site = province.site(code)
    return {(one.amiss, one.chain, one.where) for one in comparison(site.kind)(tx, site.keyring, nobody)}


@pytest.mark.parametrize("code", [PLATFORM, INSURER, HOSPITAL, PHARMACY, OTHER_PHARMACY])
async def test_what_the_services_wrote_is_in_order(running: Province, papers: Papers, code: str) -> None:
    assert papers.open.rx
    with by_sql(running, code) as tx:
        assert found(running, code, tx) == set()


CASES = (*MONEY, *PLATFORM_ROWS, *HOUSE_ROWS)


@pytest.mark.parametrize(("code", "which", "sql", "due"), CASES, ids=[f"{one[0][0]}-{one[2][:60]}" for one in CASES])
async def test_what_was_changed_by_sql_is_named(
    running: Province, papers: Papers, code: str, which: str, *, sql: str, due: tuple[tuple[Amiss, str], ...]
) -> None:
    paper = getattr(papers, which) if which else papers.open
    with by_sql(running, code) as tx:
        given = {"rx": paper.rx, "stray": STRAY, "other": b"\x01altered"}
        assert tx.execute(text(sql), {name: value for name, value in given.items() if f":{name}" in sql}).rowcount
        seen = found(running, code, tx)
    for amiss, where in due:
        assert any(one[0] is amiss and where in {"*", one[2]} for one in seen), seen
    assert {one[1] for one in seen} <= {paper.rx, STRAY, "settlement_insured"}
