"""
What is said of each refusal: its stable code, and one Chinese and one English title for it. The only place for them.
"""

from __future__ import annotations

from rx_flow.crypto.errors import Reason, Untrusted
from rx_flow.law.refusals import Code, Refused

TITLES: dict[str, tuple[str, str]] = {
    Code.TOO_LARGE: ("请求内容过大", "The request is too large"),
    Code.MALFORMED: ("请求格式不正确", "The request is malformed"),
    Code.MALFORMED_CODE: ("取药码格式不正确", "The pick-up code is malformed"),
    Code.UNAUTHENTICATED: ("未通过身份认证", "Not authenticated"),
    Code.WRONG_PIN: ("签名口令错误", "Wrong PIN"),
    Code.PIN_LOCKED: ("签名口令已锁定", "The PIN is locked"),
    Code.TOO_MANY_ATTEMPTS: ("尝试次数过多，请稍后再试", "Too many attempts, try again later"),
    Code.REPLAYED_ASSERTION: ("身份断言已使用过", "The assertion was used before"),
    Code.WRONG_ROLE: ("该角色无权执行此操作", "Not for this role"),
    Code.NOT_FOR_US: ("文书不是发给本机构的", "Not addressed to this institution"),
    Code.BAD_DOCUMENT: ("文书内容无效", "The document is not valid"),
    Code.BAD_SIGNATURE: ("签名无效", "The signature is not valid"),
    Code.UNKNOWN_SIGNER: ("签名人不明", "The signer is not known"),
    Code.CERTIFICATE_EXPIRED: ("证书不在有效期内", "The certificate is not within its validity"),
    Code.CERTIFICATE_REVOKED: ("证书已吊销", "The certificate was revoked"),
    Code.SUITE_NOT_ACCEPTED: ("本平台不接受该密码算法套件", "This suite of algorithms is not accepted here"),
    Code.CERTIFICATE_STATUS_UNKNOWN: (
        "暂时无法确定证书是否已吊销，请稍后再试",
        "Whether the certificate was revoked cannot be told now, try again later",
    ),
    Code.NOT_CONSISTENT: ("与先前所见的日志不一致", "Not a continuation of the log that was seen before"),
    Code.WRONG_SIGNER: ("签名人与操作人不符", "Signed by somebody else"),
    Code.CLOCK_SKEW: ("签名时间与当前时间不符", "The time of signing is not plausible"),
    Code.NOT_FOUND: ("未找到", "Not found"),
    Code.NUMBER_USED: ("院内处方号已使用", "The prescription number is already used"),
    Code.DOCUMENT_REPLAYED: ("文书重复提交", "The document was presented before"),
    Code.DOCUMENT_OUT_OF_ORDER: ("文书顺序不正确", "The document is out of order"),
    Code.WRONG_STATE: ("当前处方状态不允许此操作", "Not possible in this state"),
    Code.REASON_REQUIRED: ("须说明理由", "A reason must be stated"),
    Code.ANOTHER_INSTITUTION: ("属于其他机构的处方", "It belongs to another institution"),
    Code.NOT_THE_PRESCRIBER: ("非本处方责任医师", "Not the prescriber"),
    Code.NOT_INDEPENDENT: ("双人审核须由不同人员和机构完成", "The reviews must be independent"),
    Code.NOT_THE_CLAIMANT: ("非承接本处方的药店", "Not the pharmacy that holds it"),
    Code.NOMINATED_ELSEWHERE: ("患者已指定其他药店", "The patient nominated another pharmacy"),
    Code.CODE_REQUIRED: ("须出示取药码", "The pick-up code must be shown"),
    Code.OUT_OF_DATE: ("处方已过有效期", "The prescription is out of date"),
    Code.STILL_VALID: ("处方仍在有效期内", "The prescription is still valid"),
    Code.SUPPLY_TOO_LONG: ("用药天数超过限制", "The supply is too long"),
    Code.FINDING_UNANSWERED: ("严重审查问题未说明理由", "A serious finding was left unanswered"),
    Code.PICKER_REQUIRED: ("配药与核对须为不同人员", "Picking and checking are two people's work"),
    Code.LOTS_INCOMPLETE: ("批号数量与处方不符", "The lots do not account for every unit"),
    Code.TRACE_CODE_USED: ("追溯码已使用", "A trace code was used before"),
    Code.NOT_INSURED: ("无有效参保信息", "Not insured"),
    Code.QUOTE_CHANGED: ("预结算结果已变化", "The quote has changed"),
    Code.NOT_SETTLED: ("尚未结算", "Not settled"),
    Code.ALREADY_DECIDED: ("已作出决定", "Already decided"),
    Code.UNRECONCILED: ("业务数据与日志不符", "Rows are not as the log tells"),
    Code.CONFLICT: ("与同时进行的操作冲突", "In conflict with what happened meanwhile"),
    Code.PEER_UNREACHABLE: ("对方机构暂时无法连接", "The other institution cannot be reached now"),
    Code.BUSY: ("系统繁忙，请稍后再试", "Busy, try again later"),
    # What the protocol itself says no to, where no action was ever reached.
    "method_not_allowed": ("不支持的请求方法", "The method is not allowed here"),
    "internal_error": ("系统内部错误", "An error inside the system"),
}

# What the client is told of a proof that does not hold; whatever is not named is a bad document.
_R = Reason
_UNTRUSTED: dict[Reason, Code] = {
    **dict.fromkeys((_R.TOO_LARGE, _R.HEADER_TOO_LARGE), Code.TOO_LARGE),
    _R.NOT_FOR_US: Code.NOT_FOR_US,
    **dict.fromkeys((_R.BAD_SIGNATURE, _R.SIGNATURE_RANGE, _R.SIGNATURE_MALLEABLE), Code.BAD_SIGNATURE),
    **dict.fromkeys((_R.CLASSICAL_MISSING, _R.QUANTUM_MISSING, _R.BAD_QUANTUM_SIGNATURE), Code.BAD_SIGNATURE),
    **dict.fromkeys((_R.UNKNOWN_SIGNER, _R.UNTRUSTED_CHAIN, _R.WRONG_USAGE, _R.BAD_CERTIFICATE), Code.UNKNOWN_SIGNER),
    **dict.fromkeys((_R.CERTIFICATE_EXPIRED, _R.CERTIFICATE_NOT_YET_VALID), Code.CERTIFICATE_EXPIRED),
    _R.CERTIFICATE_REVOKED: Code.CERTIFICATE_REVOKED,
    _R.SUITE_NOT_ACCEPTED: Code.SUITE_NOT_ACCEPTED,
    _R.STATUS_UNDETERMINABLE: Code.CERTIFICATE_STATUS_UNKNOWN,
    **dict.fromkeys((_R.SIGNED_AHEAD, _R.SIGNED_LONG_AGO), Code.CLOCK_SKEW),
    _R.SIGNER_MISMATCH: Code.WRONG_SIGNER,
    **dict.fromkeys((_R.FOREIGN_DOSSIER, _R.FOREIGN_DOCUMENT), Code.DOCUMENT_REPLAYED),
    **dict.fromkeys(
        (_R.DOCUMENT_MISSING, _R.DOCUMENT_TWICE, _R.OUT_OF_ORDER, _R.BROKEN_CHAIN, _R.CUT_SHORT),
        Code.DOCUMENT_OUT_OF_ORDER,
    ),
    **dict.fromkeys(
        (_R.TOKEN_EXPIRED, _R.TOKEN_NOT_YET_VALID, _R.TOKEN_TOO_LONG, _R.WRONG_AUDIENCE), Code.UNAUTHENTICATED
    ),
    _R.MALFORMED_CODE: Code.MALFORMED_CODE,
}


def code_of(refusal: Refused | Untrusted) -> Code:
    """
    Return the stable code for a refusal or for a proof that did not hold.
    """
    if isinstance(refusal, Refused):
        return refusal.code
    return _UNTRUSTED.get(refusal.reason, Code.BAD_DOCUMENT)
