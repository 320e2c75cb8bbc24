"""
The words that people read for the code words of the law and the log: Chinese terms, or the code word spelled out.
"""

from __future__ import annotations

from typing import Literal

from rx_flow.cli.language import LANGUAGE, Language
from rx_flow.law.terms import TERMS

Kind = Literal["action", "state", "role", "document", "outcome"]

# What stands in the log beside the actions of the law.
LOG_TERMS = {
    "open": "查阅处方内容",
    "view": "患者查询",
    "nominate": "患者指定药店",
    "lookup": "凭取药码查询",
    "receive": "平台接收",
    "quote": "预结算",
    "sign": "输入签名口令",
    "sign_in": "登录",
    "export": "出具证据",
    "renew_key": "更换密钥",
    "revoke_key": "吊销证书",
    "rotate_key": "更换单项密钥",
    "move_keys": "私钥移入令牌",
    "open_keys": "打开机构密钥",
    "change_pin": "更换口令",
    "unlock": "解除签名锁定",
    "log_start": "日志开始编号",
    "log_stop": "日志停止编号",
    "log_alarm": "日志告警",
    "log_new_origin": "启用新的日志来源名",
    "adopt": "启用名录、规则或政策",
    "reconcile": "核对业务数据与日志",
    "grant_reader": "授权审计读取",
    "read_log": "读取审计日志",
    "witness_new_log": "首次见证的日志",
    "cosign": "联署检查点",
    "ok": "成功",
    "denied": "被拒绝",
}


def word(kind: Kind, code: str, language: Language = LANGUAGE) -> str:
    """Return what people call `code`; a word that this version does not know stays as it is."""
    if language == "zh":
        return TERMS.get(kind, {}).get(code) or LOG_TERMS.get(code, code)
    return code.replace("_", " ")
