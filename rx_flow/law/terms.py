"""
The Chinese terms of the law's code words: pages, tables and README's glossary all read them here.
"""

from __future__ import annotations

from types import MappingProxyType

ACTION_TERMS = {
    "submit": "提交处方",
    "approve": "医院药师审核通过",
    "send_back": "医院药师退回修改",
    "release": "处方外流",
    "claim": "药店承接",
    "hand_back": "药店退回流转",
    "accept": "药店药师审核通过",
    "refuse": "药店药师拒绝调配",
    "settle": "医保结算",
    "reverse": "结算冲正",
    "dispense": "核对发药",
    "take_back": "退药",
    "revoke": "医师撤销",
    "expire": "过期失效",
    "deny": "医保拒付",
    "recover": "医保追回",
}
STATE_TERMS = {
    "draft": "草稿",
    "signed": "已签名",
    "approved": "院内审核通过",
    "available": "可流转",
    "claimed": "已承接",
    "accepted": "药店审核通过",
    "settled": "已结算",
    "dispensed": "已发药",
    "refused": "已拒绝调配",
    "revoked": "已撤销",
    "expired": "已过期",
    "returned": "已退药",
}
ROLE_TERMS = {
    "prescriber": "责任医师",
    "hospital_pharmacist": "医院药师",
    "hospital": "医院电子签章",
    "platform": "处方流转平台签章",
    "pharmacy": "定点药店签章",
    "pharmacist": "驻店执业药师",
    "insurer": "医保经办机构签章",
}
DOCUMENT_TERMS = {
    "prescription": "处方",
    "opinion1": "医院审方意见",
    "release": "外流单",
    "claim": "承接单",
    "opinion2": "药店审方意见",
    "statement": "结算单",
    "dispense": "发药记录",
    "revocation": "撤销单",
    "expiry": "失效单",
    "decision": "稽核决定",
}
GUARD_TERMS = {
    "author": "仅限开方医师本人",
    "not_the_author": "审核人不得为开方医师",
    "own_hospital": "仅限开方医院",
    "independent": "与医院审核人、开方医师不同人且不同机构",
    "claimant": "仅限承接药店",
    "nominated_or_code": "患者指定药店，或出示取药码",
    "in_date": "在有效期内",
    "out_of_date": "有效期已过",
    "supply_within_limit": "用量在限量内",
    "findings_answered": "严重问题须说明理由",
    "picked_by_another": "配药与核对不得为同一人",
    "all_lots": "批号与追溯码齐全",
}

# Kind of word -> code word -> term. An action and its document may share a word (release), hence the kinds.
TERMS = MappingProxyType(
    {
        "action": ACTION_TERMS,
        "state": STATE_TERMS,
        "role": ROLE_TERMS,
        "document": DOCUMENT_TERMS,
        "guard": GUARD_TERMS,
    }
)
