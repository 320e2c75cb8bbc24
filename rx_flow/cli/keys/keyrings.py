"""
`rx-flow keys rotate | pin | move`: other keys, other PINs, and keys that go into a token.

Secrets are asked for, or read from standard input line by line; they are never arguments, which others can see.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from rx_flow.auth import locks
from rx_flow.cli import sites
from rx_flow.cli.asked import ask, unlocking
from rx_flow.cli.language import tr
from rx_flow.cli.trouble import Trouble, install
from rx_flow.config import PASSPHRASE_CHARACTERS_MIN, Directory, Institution, Person, read_keyring, read_passphrase
from rx_flow.crypto.keyrings import rotation
from rx_flow.crypto.keyrings.kept import open_kept
from rx_flow.crypto.keyrings.locked import write
from rx_flow.crypto.pki import register, renewal
from rx_flow.crypto.pki.authority import PASSPHRASE_FILE, PINS_FILE, development_passphrase, development_pins
from rx_flow.crypto.suites import PublicKey
from rx_flow.law.standing import Actor
from rx_flow.record import audit
from rx_flow.record.audit import Entry, Origin
from rx_flow.record.database import Database

PIN = re.compile(r"[0-9]{6,12}")
DIGITS_MIN = 3  # different ones in a PIN: 000000 and 121212 are among the first that anybody tries

Data = Annotated[
    Path, typer.Option("--data", help=tr("数据目录：写入该机构的审计日志", "the folder of databases: recorded there"))
]
Url = Annotated[str | None, typer.Option("--database-url", help="postgresql+psycopg://USER@HOST/NAME")]
Code = Annotated[str, typer.Argument(metavar="CODE", help=tr("机构代码", "the institution's code"))]


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where an institution's log is: in its database in the data folder, or at an address.
    """

    keys: Path
    data: Path
    url: str | None


class Rotated(StrEnum):
    """
    The keys of an institution that can be replaced one by one.
    """

    SEAL = "seal"
    OPEN = "open"
    TOKEN = "token"  # noqa: S105  a purpose, not a secret
    LOG = "log"
    ACCESS_TOKEN = "access_token"  # noqa: S105  as above
    AT_REST = "at_rest"


def rotate(
    code: Code,
    *,
    purpose: Annotated[Rotated, typer.Option(help=tr("哪一把", "which key"))],
    log: Annotated[str, typer.Option(help=tr("日志名；不写则为全部", "which log; all of them if none"))] = "",
    keys: sites.Keys = None,
    data: Data = Path("data"),
    database_url: Url = None,
) -> None:
    """Replace one key of an institution, in its file or its token."""
    folder = sites.keys_of(data, keys)
    me = sites.institution(Directory.load(folder), code)

    def certify(name: str, public: PublicKey) -> bytes:
        # The authority's key is touched only for those that need a certificate.
        certifier = renewal.certifier(folder, code, now=datetime.now(UTC), passphrase=_authority(folder))
        return certifier(name, public)

    actor, where = Actor(me.code, me.kind.role, me.code), Place(folder, data, database_url)
    with _counted(me, actor, where, "open_keys"), unlocking(code), register.held(folder):
        kept = open_kept(folder / code, read_passphrase(folder, "development"), read_keyring())
        try:
            rotation.rotate(kept, purpose.value, certify=certify, log=log)
        except KeyError:
            raise Trouble("not_found", tr("该机构没有这个日志", "the institution keeps no such log"), log) from None
        finally:
            kept.close()
    _record(me, actor, "rotate_key", f"{purpose} {log}".strip(), where)
    typer.echo(tr(f"{code} 的 {purpose} 密钥已更换，重启后使用", f"{code} has a new key to {purpose}: start it anew"))


def pin(
    who: Annotated[str, typer.Argument(metavar="WHO", help=tr("人员或机构代码", "a person's or institution's code"))],
    *,
    keys: sites.Keys = None,
    data: Data = Path("data"),
    database_url: Url = None,
) -> None:
    """Lock a key with another secret; a wrong one counts and is recorded as when signing."""
    folder = sites.keys_of(data, keys)
    known = Directory.load(folder)
    person = known.person(who)
    me = sites.institution(known, person.institution if person else who)
    if person is None and (folder / PASSPHRASE_FILE).exists():
        title = tr("开发密钥共用一个口令，不能单独更换", "keys for development have one passphrase for all")
        raise Trouble("unfit", title, str(folder / PASSPHRASE_FILE))
    old, new = ask(tr("旧口令", "old")), ask(tr("新口令", "new"))
    if sys.stdin.isatty() and ask(tr("再输一次", "new, once more")) != new:
        raise Trouble("malformed", tr("两次输入不一致", "they are not the same"))
    _fit(new, person)
    actor = Actor(person.id, person.role, person.institution) if person else Actor(me.code, me.kind.role, me.code)
    where = Place(folder, data, database_url)
    with _counted(me, actor, where, "change_pin"), unlocking(who):
        if person:
            rotation.change_pin(folder / me.code, person.id, old, new)
            if person.id in (pins := development_pins(folder)):
                write(folder / PINS_FILE, json.dumps({**pins, person.id: new}, indent=1, sort_keys=True).encode())
        else:
            rotation.change_passphrase(folder / me.code, old, new)
    _record(me, actor, "change_pin", "", where)
    typer.echo(tr(f"{who} 的口令已更换", f"{who} has another PIN or passphrase"))


def move(
    code: Code,
    to: Annotated[str, typer.Argument(metavar="TOKEN", help="pkcs11:token=LABEL?module-path=FILE")],
    *,
    keys: sites.Keys = None,
    data: Data = Path("data"),
    database_url: Url = None,
) -> None:
    """Bring keys into a token, from where they never come back."""
    folder = sites.keys_of(data, keys)
    me = sites.institution(Directory.load(folder), code)
    actor, where = Actor(me.code, me.kind.role, me.code), Place(folder, data, database_url)
    try:
        from rx_flow.crypto.keyrings.hsm import InToken  # noqa: PLC0415  python-pkcs11 is an extra

        with _counted(me, actor, where, "open_keys"), unlocking(code):
            token = InToken.open(folder / code, ask(tr("令牌 PIN", "PIN of the token")), to)
            try:
                rotation.into_token(folder / code, read_passphrase(folder, "development"), token)
            finally:
                token.close()
    except ImportError:
        raise Trouble("unfit", tr("需要 python-pkcs11", "this needs python-pkcs11"), install("hsm")) from None
    except ValueError as fault:
        raise Trouble("malformed", tr("令牌地址不正确", "not the address of a token"), str(fault)) from None
    except OSError as fault:
        raise Trouble(
            "not_found", tr("令牌或密钥文件不可用", "no such token, or no file of keys"), str(fault)
        ) from None
    _record(me, actor, "move_keys", "", where)
    typer.echo(tr(f"私钥已移入令牌。启动时设置 RX_FLOW_KEYRING='{to}'", f"Start it with RX_FLOW_KEYRING='{to}'"))


def _fit(new: str, person: Person | None) -> None:
    """Raise `Trouble` for a PIN or passphrase that must not be chosen."""
    if person is None:
        if len(new) < PASSPHRASE_CHARACTERS_MIN:
            few = f"{PASSPHRASE_CHARACTERS_MIN}"
            raise Trouble("malformed", tr(f"口令至少 {few} 个字符", f"a passphrase has at least {few} characters"))
    elif not PIN.fullmatch(new) or len(set(new)) < DIGITS_MIN:
        raise Trouble(
            "malformed", tr("PIN 为 6 至 12 位数字，且不能太简单", "a PIN has 6 to 12 digits, three different")
        )


def _authority(keys: Path) -> str:
    """The passphrase of the development authority, which is not that of an institution where that is in a token."""
    return development_passphrase(keys) if (keys / PASSPHRASE_FILE).exists() else read_passphrase(keys, "development")


@contextmanager
def _counted(me: Institution, actor: Actor, where: Place, action: str) -> Iterator[None]:
    """Count what is wrong among the wrong PINs of whom it opens, where there is a database to count in."""
    with _log(me, where) as db:
        failures = 0 if db is None else db.look(locks.failures, me.area, actor.id)
        if failures >= locks.FAILURES_MAX:
            raise Trouble(
                "pin_locked", tr("签名口令已锁定", "the PIN is locked"), f"rx-flow staff unlock {me.code} {actor.id}"
            )
        try:
            yield
        except Trouble as trouble:
            if db is not None and trouble.code == "wrong_pin":
                here, now = Origin(me.code, ""), datetime.now(UTC)
                db.run(locks.stumble, actor, me.area, origin=here, now=now, action=action)
            raise
        if failures and db is not None:
            db.run(locks.steady, actor, me.area)


def _record(me: Institution, actor: Actor, action: str, purpose: str, where: Place) -> None:
    with _log(me, where) as db:
        if db is None:
            typer.echo(tr("没有该机构的数据库，未写入审计日志", "no database of it here: this is in no log"), err=True)
            return
        db.run(audit.append, Entry(datetime.now(UTC), Origin(me.code, ""), actor, action, purpose=purpose))


@contextmanager
def _log(me: Institution, where: Place) -> Iterator[Database | None]:
    if where.url is None and not (where.data / f"{me.code}.db").is_file():
        yield None
        return
    with sites.opened(where.data, me.code, url=where.url, keys=where.keys) as db:
        yield db
