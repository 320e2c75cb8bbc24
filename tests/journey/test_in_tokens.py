"""
A province whose institutions keep their keys in PKCS #11 tokens: a prescription goes its whole way, over HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import softhsm
from people import People, done
from province import CODES, HOSPITAL, PHARMACY, PLATFORM, Keys, Province, write_keys
from snapshot import Watch

from rx_flow.crypto.keyrings import rotation
from rx_flow.crypto.keyrings.files import KEYS_FILE

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(softhsm.module() is None, reason="SoftHSM 2 is not installed (apt-get install softhsm2)"),
]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    """Everybody's keys; those of institutions each in a token of their own."""
    from rx_flow.crypto.keyrings.hsm import InToken  # noqa: PLC0415  python-pkcs11 is an extra

    made = write_keys(tmp_path_factory.mktemp("keys"))
    for code in CODES:
        made.tokens[code] = softhsm.fresh()
        token = InToken.open(made.folder / code, made.secret(code), made.where(code))
        rotation.into_token(made.folder / code, made.passphrase, token)
        token.close()
    yield made
    for ring in made.rings.values():
        ring.close()


async def test_no_institution_has_its_keys_in_a_file(running: Province) -> None:
    assert not [code for code in CODES if (running.keys.folder / code / KEYS_FILE).exists()]
    for code in CODES:
        ring = running.site(code).keyring
        assert {type(key._private).__name__ for key in (ring.seal, ring.token, ring.opening)} == {"HeldPair"}
    logs = running.site(PLATFORM).keyring
    assert {type(logs.log_key(name)._private).__name__ for name in logs.log_names} == {"HeldLog"}


async def test_from_the_pen_to_the_hand_out_and_back(people: People, watch: Watch) -> None:
    done(await people.insure())
    paper = await people.reach("dispensed")
    returned = done(await people.take_back(paper))

    assert returned["state"] == "returned"
    sealed = watch.rows(PLATFORM, "SELECT count(*) FROM document WHERE rx = :rx", rx=paper.rx)
    assert sealed[0][0] >= 8
    at_home = watch.rows(HOSPITAL, "SELECT count(*) FROM document WHERE rx = :rx", rx=paper.rx)
    at_the_counter = watch.rows(PHARMACY, "SELECT count(*) FROM document WHERE rx = :rx", rx=paper.rx)
    assert (at_home[0][0], at_the_counter[0][0]) >= (3, 4)


async def test_a_prescription_in_a_token_is_taken_back_by_its_doctor(people: People) -> None:
    paper = await people.reach("available")

    assert done(await people.revoke(paper))["state"] == "revoked"
