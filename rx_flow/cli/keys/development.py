"""
`rx-flow keys init | list`: a development authority, and keys, passwords and PINs for everybody who takes part.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from rx_flow.auth.passwords import enrol
from rx_flow.cli.language import tr
from rx_flow.cli.screen import screen
from rx_flow.cli.trouble import Trouble
from rx_flow.cli.words import word
from rx_flow.config import DIRECTORY, Directory, Institution, Kind, Person
from rx_flow.crypto.keyrings import locked
from rx_flow.crypto.pki import authority
from rx_flow.crypto.suites import DEFAULT, Name, Suite, named
from rx_flow.law.standing import Role

PASSWORDS_FILE = "dev-passwords.json"
PORT = 8000
_PEOPLE = (Role.PRESCRIBER, Role.HOSPITAL_PHARMACIST, Role.PHARMACIST, Role.INSURER)

Keys = Annotated[Path, typer.Option("--keys", help=tr("密钥目录", "the folder of keys"))]


def init(
    *,
    keys: Keys = Path("keys"),
    participants: Annotated[
        Path | None, typer.Option(help=tr("机构与人员名单（TOML）", "who takes part (TOML); invented ones if none"))
    ] = None,
    force: Annotated[bool, typer.Option("--force", help=tr("全部重新生成", "make everything anew"))] = False,
    suite: Annotated[
        Name,
        typer.Option(
            help=tr(
                "密码算法套件；sm 为国密，pq 抗量子（双重签名与混合密钥封装）",
                "the suite of algorithms; sm: SM2, SM3, SM4; pq: against quantum computers, everything done twice",
            )
        ),
    ] = Name.P256,
) -> None:
    """Make what is missing, and say where the secrets are."""
    everybody, now = read_participants(participants), datetime.now(UTC)
    try:
        made = make(keys, everybody, now=now, force=force, suite=named(suite))
    except authority.OtherSuite as other:
        raise Trouble(
            "unfit",
            tr("该目录的证书属于另一套算法", "the certificates here are of another suite"),
            tr(f"{other}：用 rx-flow keys roll 更换，或 --force", f"{other}: change over by `keys roll`, or --force"),
        ) from None
    passwords_in, pins_in = keys / PASSWORDS_FILE, keys / authority.PINS_FILE
    console = Console(soft_wrap=True, highlight=False)
    console.print(
        tr(
            f"已生成 {len(made.institutions)} 个机构、{len(made.people)} 名人员的密钥：{keys}",
            f"{len(made.institutions)} institutions and {len(made.people)} people got keys, in {keys}",
        )
    )
    console.print(
        tr(
            f"登录口令 {passwords_in}，签名 PIN {pins_in}；仅供开发，生产模式拒绝使用",
            f"passwords: {passwords_in}, PINs: {pins_in}; production mode refuses these keys",
        )
    )


def list_(
    *,
    keys: Keys = Path("keys"),
    as_json: Annotated[bool, typer.Option("--json", help=tr("输出 JSON", "as JSON"))] = False,
) -> None:
    """Print the public directory; never a secret."""
    known = Directory.load(keys)
    if as_json:
        typer.echo((keys / DIRECTORY).read_text("utf-8"), nl=False)
        return
    heads = tr("机构 名称 统筹区 人员 姓名 角色 地址", "institution name area person badge role address").split()
    shown = Table(*heads, header_style="bold")
    for one in (one for kind in Kind for one in known.of_kind(kind)):
        shown.add_row(one.code, tr(one.name, one.name_en), one.area, "", "", word("role", one.kind.role), one.url)
        for person in known.people(one.code):
            shown.add_row("", "", "", person.id, person.name, word("role", person.role), "")
    screen().print(shown)


def read_participants(path: Path | None = None) -> Directory:
    """Read a list of participants, ours where none is named; `Trouble` names what is wrong with it."""
    try:
        text = (resources.files("rx_flow.cli") / "participants.toml" if path is None else path).read_text("utf-8")
        listed = tomllib.loads(text)["institution"]
        institutions = [_institution(one) for one in listed]
        people = [
            Person(person["id"], role, one["code"], name=person["name"])
            for one in listed
            for role in _PEOPLE
            for person in one.get(role.value, ())
        ]
    except OSError:
        raise Trouble("not_found", tr("找不到名单文件", "no such list of participants"), str(path)) from None
    except (KeyError, TypeError, ValueError) as fault:
        raise Trouble("malformed", tr("名单文件格式不正确", "not a list of participants"), f"{path}: {fault}") from None
    return Directory(institutions, people)


def _institution(one: dict[str, Any]) -> Institution:
    kind = Kind(one["kind"])
    many = kind in {Kind.HOSPITAL, Kind.PHARMACY}
    url = one.get("url") or f"http://127.0.0.1:{PORT}/{kind}" + (f"/{one['code']}" if many else "")
    return Institution(one["code"], kind, one["name"], name_en=one["name_en"], area=one["area"], url=url)


def make(
    keys: Path, directory: Directory, *, now: datetime, force: bool = False, suite: Suite = DEFAULT
) -> authority.Made:
    """Make keys, certificates, PINs and passwords for everybody in the directory who has none, and write it down."""
    institutions = [one for kind in Kind for one in directory.of_kind(kind)]
    made = authority.init(
        keys,
        [authority.InstitutionSpec(one.code, one.kind.role, one.name, one.area) for one in institutions],
        [
            authority.PersonSpec(person.id, person.role, person.institution, person.name)
            for one in institutions
            for person in directory.people(one.code)
        ],
        now=now,
        force=force,
        suite=suite,
        address="".join(f"{one.url}/pki" for one in directory.of_kind(Kind.PLATFORM)[:1]),
    )
    _enrol(keys, directory, institutions, fresh=set(made.people))
    directory.save(keys)
    return made


def _enrol(keys: Path, directory: Directory, institutions: Iterable[Institution], *, fresh: set[str]) -> None:
    """Passwords are made for a whole house at once: where one person is new, everybody there gets a new one."""
    given = passwords(keys)
    for one in institutions:
        staff = [person.id for person in directory.people(one.code)]
        if fresh.intersection(staff):
            given |= enrol(keys / one.code, staff)
    locked.write(keys / PASSWORDS_FILE, json.dumps(given, indent=1, sort_keys=True).encode())


def passwords(keys: Path) -> dict[str, str]:
    """Return the passwords of development by person; none where none were made."""
    path = keys / PASSWORDS_FILE
    found: dict[str, str] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found
