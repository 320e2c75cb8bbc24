"""
Keys for two institutions of each kind that matter here, made once.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from rx_flow.auth import passwords
from rx_flow.config import Directory, Institution, Kind, Person
from rx_flow.crypto.pki import authority
from rx_flow.law.standing import Role

SITES = (
    ("H35010000001", Kind.HOSPITAL),
    ("C35990000001", Kind.PLATFORM),
    ("P35010000001", Kind.PHARMACY),
    ("I35990000001", Kind.SETTLEMENT),
)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of development keys, valid from yesterday on."""
    folder = tmp_path_factory.mktemp("keys")
    person = Person("D350100000001", Role.PRESCRIBER, "H35010000001", "王医生")
    institutions = [
        Institution(code, kind, "名", name_en="name", area=code[1:7], url=f"http://{code}.test") for code, kind in SITES
    ]
    Directory(institutions, [person]).save(folder)
    authority.init(
        folder,
        [authority.InstitutionSpec(one.code, one.kind.role, one.name) for one in institutions],
        [authority.PersonSpec(person.id, person.role, person.institution, person.name)],
        now=datetime.now(UTC),
    )
    passwords.enrol(folder / "H35010000001", [person.id])
    return folder
