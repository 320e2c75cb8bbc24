"""
What a site does so that its certificates and revocation lists are never old: it looks into its folder, and asks.

The last that was good is remembered, also over a restart, in the institution's own folder (`<code>/known/`). Where
nothing newer can be had it counts until it ends; from then on nobody can say, and that blocks.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

from rx_flow.auth.site import Site
from rx_flow.config import Kind, Settings, Unfit, read_file_passphrase
from rx_flow.crypto.errors import Untrusted, WrongPin
from rx_flow.crypto.pki import published, responders
from rx_flow.crypto.pki.authority import freshen
from rx_flow.crypto.pki.ocsp import Responder
from rx_flow.crypto.pki.path import AUTHORITIES, LISTS, PUBLIC, Trust
from rx_flow.crypto.pki.profile import certificates
from rx_flow.crypto.pki.register import OCSP_FILE
from rx_flow.record.outbox import Unreachable

EVERY_SECONDS = 20.0
KNOWN = "known"
OK = 200
log = logging.getLogger(__name__)


def prepare(settings: Settings, now: datetime) -> None:
    """
    Give a development folder new lists where they are old, before anything is read; `Unfit` where that cannot be.
    """
    if settings.mode == "production":
        return
    try:
        freshen(settings.keys, now)
    except (OSError, ValueError, Untrusted, WrongPin):
        raise Unfit(f"the authority in {settings.keys} cannot renew its lists: see keys/README.md") from None


def begin(settings: Settings, trust: Trust) -> Responder | None:
    """
    Take up what was remembered, and return who answers at this site for the authorities: None where nobody can.

    `Unfit` where the responder's keys are there, and locked with another passphrase than the institution's.
    """
    trust.refresh(settings.keys / settings.code / KNOWN)
    folder = settings.keys / settings.code
    if not (folder / OCSP_FILE).exists():
        return None
    passphrase = read_file_passphrase(settings)
    try:
        return Responder(trust, responders.load(folder, passphrase).values())
    except WrongPin:
        raise Unfit(f"{folder / OCSP_FILE} is not locked with the passphrase of {settings.code}") from None


async def keep_fresh(site: Site) -> None:
    """
    Look once for what is new, and rest. To be called again and again.
    """
    await asyncio.to_thread(look, site)
    if site.kind is not Kind.PLATFORM:
        try:
            await fetch(site)
        except Unreachable as unreachable:
            log.info("revocation lists are not renewed: %s", unreachable)
        except Untrusted as untrusted:
            log.warning("what the platform publishes is not believed: %s", untrusted.reason)
    await asyncio.sleep(EVERY_SECONDS)


def look(site: Site) -> None:
    """
    Take up what has come into the folder of keys; a development folder is given new lists first where they are old.
    """
    keys = site.settings.keys
    renewed = site.settings.mode == "development" and freshen(keys, site.clock())
    site.trust.refresh(keys)
    if renewed and site.responder is not None:
        site.responder = begin(site.settings, site.trust)


async def fetch(site: Site) -> None:
    """
    Ask the platform for newer lists, for authorities and for certificates that are not known here; keep what is good.

    `Unreachable` where it does not answer; `Untrusted` for what is not what it should be. Who shares a process with the
    platform shares its folder, and asks nobody.
    """
    platform = next((one.code for one in site.directory.of_kind(Kind.PLATFORM)), "")
    if site.peers.beside(platform):
        return
    index = published.read(await _get(site, platform, "/pki/"))
    keep, trust = site.settings.keys / site.code / KNOWN, site.trust
    for one in index.authorities:
        if one.thumbprint not in trust.authorities:
            found = certificates(await _get(site, platform, f"/pki/authorities/{one.name}.cer"))
            trust.learn(found)
            published.keep(keep / AUTHORITIES / f"{one.name}.pem", found[0])
    for one in index.authorities:
        known = trust.lists.get(one.thumbprint)
        if one.number is not None and (known is None or known.number < one.number):
            taken = trust.take(await _get(site, platform, f"/pki/lists/{one.name}.crl"))
            published.keep_list(keep / LISTS / f"{one.name}.crl", taken.raw)
    if index.certificates != published.digest(trust):
        reply = await site.peers.get(platform, "/pki/certificates")
        new = published.missing(trust, certificates(reply.body))
        trust.learn(new)
        for certificate in new:
            published.keep(keep / PUBLIC / f"{certificate.serial_number:x}.pem", certificate)


async def _get(site: Site, platform: str, path: str) -> bytes:
    reply = await site.peers.public(platform, path)
    if reply.status != OK:
        raise Unreachable(f"{platform} answered {reply.status}")
    return reply.body
