"""
`rx-flow keys`: every command that makes, changes or withdraws a key is named here.
"""

from __future__ import annotations

import typer

from rx_flow.cli.later import declare

app = typer.Typer(no_args_is_help=True)
declare(
    app,
    "init",
    "rx_flow.cli.keys.development:init",
    zh="建立开发用根证书，并为各机构、医师、药师签发证书和密钥；已有的保留。口令与 PIN 写在 keys/dev-*，仅供开发。\n\n"
    "例：rx-flow keys init --keys keys",
    en="Make a development root, and keys for every institution, doctor and pharmacist without any. Passwords and "
    "PINs stand in keys/dev-*: for development only.\n\nExample: rx-flow keys init --keys keys",
)
declare(
    app,
    "list",
    "rx_flow.cli.keys.development:list_",
    zh="列出参与机构与人员，以及各自的登录口令文件。\n\n例：rx-flow keys list --keys keys",
    en="List the institutions and people that take part.\n\nExample: rx-flow keys list --keys keys",
)
declare(
    app,
    "renew",
    "rx_flow.cli.keys.revocation:renew",
    zh="为人员或机构更换密钥和证书；旧证书保留，旧处方仍可验证。人员的 PIN 从标准输入读取，或在终端询问"
    "（由 init 生成的除外）。\n\n例：rx-flow keys renew D350100000001 --keys keys",
    en="Give somebody new keys and certificates; the earlier ones stay known, so that old prescriptions still "
    "verify. Asks for a person's PIN, or reads it as a line, unless init made it.\n\n"
    "Example: rx-flow keys renew D350100000001 --keys keys",
)
declare(
    app,
    "revoke",
    "rx_flow.cli.keys.revocation:revoke",
    zh="吊销证书，发布新的吊销列表，写入审计日志，并列出该密钥自某时起签署的文书；数据库打不开则什么都不做。\n\n"
    "例：rx-flow keys revoke D350100000001 --reason key_compromise --since 2026-11-20 --data data",
    en="Revoke certificates, publish new lists, record it, and list what was signed since then; nothing is done where "
    "the database cannot be opened.\n\n"
    "Example: rx-flow keys revoke D350100000001 --reason key_compromise --since 2026-11-20 --data data",
)
declare(
    app,
    "roll",
    "rx_flow.cli.keys.revocation:roll",
    zh="启用新的签发机构（同一根证书），此后的证书由它签发。\n\n例：rx-flow keys roll persons --keys keys",
    en="Let a new issuing authority under the same root issue from now on.\n\nExample: rx-flow keys roll persons",
)
declare(
    app,
    "status",
    "rx_flow.cli.keys.revocation:status",
    zh="吊销列表与每张证书的当前状态：有效、已吊销或无法确定。\n\n例：rx-flow keys status --keys keys",
    en="Lists, and what is known of every certificate: valid, revoked, or undeterminable.\n\n"
    "Example: rx-flow keys status --keys keys",
)
declare(
    app,
    "rotate",
    "rx_flow.cli.keys.keyrings:rotate",
    zh="更换机构的一把密钥；服务重启后使用。旧的解密密钥与存储密钥保留，仅供读取。\n\n"
    "例：rx-flow keys rotate H35010000001 --purpose at_rest",
    en="Put a new key in the place of one; used from the next start on. What was sealed or stored under the old one "
    "can still be read.\n\nExample: rx-flow keys rotate H35010000001 --purpose at_rest",
)
declare(
    app,
    "pin",
    "rx_flow.cli.keys.keyrings:pin",
    zh="更换人员的 PIN，或机构密钥文件的口令。旧、新两行从标准输入读取，或在终端询问。\n\n"
    "例：rx-flow keys pin D350100000001",
    en="Change a person's PIN, or the passphrase of an institution's keys. Asks for both, or reads two lines: the old "
    "one and the new one.\n\nExample: rx-flow keys pin D350100000001",
)
declare(
    app,
    "move",
    "rx_flow.cli.keys.keyrings:move",
    zh="把机构的私钥移入 PKCS#11 令牌并删除密钥文件；令牌 PIN 从标准输入读取，或在终端询问。\n\n"
    "例：rx-flow keys move H35010000001 'pkcs11:token=H35010000001?module-path=/usr/lib/softhsm/libsofthsm2.so'",
    en="Bring an institution's private keys into a PKCS #11 token and remove their file. Asks for the token's PIN, or "
    "reads it as a line.\n\n"
    "Example: rx-flow keys move H35010000001 'pkcs11:token=H35010000001?module-path=/usr/lib/softhsm/libsofthsm2.so'",
)
