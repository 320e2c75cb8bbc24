"""
What the auditors' commands call things, Chinese and English: checks, reasons, faults. The only place with these words.
"""

from __future__ import annotations

from rx_flow.cli.language import LANGUAGE
from rx_flow.record.log.chains import Break
from rx_flow.record.log.comparing import Amiss
from rx_flow.tlog.faults import Fault
from rx_flow.tlog.report import Check, Why

CHAINS, ROWS = "chains", "rows"
OTHERS, OTHER_LOG = "saved_of_others", "other_log"
UNPROVEN, NO_PROOF = "saved_without_proof", "no_proof"
UNSIGNED, NEVER_WITNESSED, LOG_GONE = "not_signed_yet", "never_witnessed", "log_gone"

_WORDS: dict[str, tuple[str, str]] = {
    Check.LOG_SIGNATURE: ("日志签名", "the log's signature"),
    Check.QUORUM: ("见证人联署", "witnesses' cosignatures"),
    Check.COSIGNATURE_TIMES: ("联署时间", "times of the cosignatures"),
    Check.FRESHNESS: ("联署新鲜度", "freshness"),
    Check.ENTRIES: ("每条记录的叶哈希", "each entry hashes to its leaf"),
    Check.HASH_TILES: ("哈希瓦片", "hash tiles"),
    Check.ROOT: ("根哈希", "root"),
    Check.SAVED_CHECKPOINTS: ("与已保存检查点一致", "consistent with saved checkpoints"),
    "checkpoint": ("检查点签名", "the checkpoint's signature"),
    "consistency": ("与收件人的检查点一致", "consistent with the receiver's checkpoints"),
    "disclosures": ("披露的值与承诺相符", "disclosed values match their commitments"),
    CHAINS: ("每张处方的链", "each prescription's chain"),
    ROWS: ("业务数据与日志一致", "business rows agree with the log"),
    OTHERS: ("其他日志的检查点", "saved checkpoints of other logs"),
    OTHER_LOG: ("不属于这个日志", "they are not of this log"),
    UNPROVEN: ("证据包未涉及的已保存检查点", "saved checkpoints of other sizes"),
    NO_PROOF: (
        "证据包不含其一致性证明（出具时用 --have）",
        "no proof in the bundle: it is made with --have",
    ),
    UNSIGNED: ("尚未签署过检查点", "no checkpoint has been signed yet"),
    NEVER_WITNESSED: ("没有检查点达到见证法定数", "no checkpoint was cosigned by a quorum"),
    LOG_GONE: ("手中有其检查点的日志不在此处", "a log of which a checkpoint was kept is not here"),
    Fault.QUORUM_NOT_MET: ("联署不足法定数", "fewer than a quorum have cosigned"),
    Why.NOT_ASKED: ("未要求", "not asked for"),
    Why.NONE_SAVED: ("没有保存过的检查点，无法发现历史被改写", "none saved: a rewritten history would not be seen"),
    Why.NO_QUORUM: ("未配置见证策略", "no policy of witnesses given"),
    Why.NOT_REACHED: ("之前的检查未通过", "something before it failed"),
    Break.UNREADABLE: ("记录无法解析", "the entry cannot be read"),
    Break.WRONG_AREA: ("记录属于其他统筹区", "the entry is of another area"),
    Break.REPEATED: ("记录重复", "the entry repeats a number of its chain"),
    Break.GAP: ("链中缺少记录", "an entry of the chain is missing before it"),
    Break.WRONG_PREV: ("前条摘要不符", "it names another predecessor"),
    Amiss.ENTRY_ALTERED: ("记录字节被改", "the entry's bytes were altered"),
    Amiss.ENTRY_COLUMN: ("索引列与记录不符", "a column says other than the entry"),
    Amiss.STATE_UNLOGGED: ("状态未经日志", "the row is not where the log's steps lead"),
    Amiss.ROW_DELETED: ("处方行被删除", "the prescription's row was deleted"),
    Amiss.ROW_INSERTED: ("处方行未经日志插入", "the prescription's row was inserted"),
    Amiss.DOCUMENT_DELETED: ("文书被删除", "a document was deleted"),
    Amiss.DOCUMENT_INSERTED: ("文书未经日志插入", "a document was inserted"),
    Amiss.DOCUMENT_ALTERED: ("文书登记项被改", "a document's row was altered"),
    Amiss.ENTRY_UNREADABLE: ("记录无法解析", "the entry cannot be read"),
    Amiss.CHAIN_GAP: ("链中缺少记录", "an entry of the chain is missing, or names another predecessor"),
    Amiss.ROW_ILLEGIBLE: ("行内容不合其列", "a row holds what its columns cannot"),
    Amiss.SECRET_ALTERED: ("承诺的开启值被改", "what opens a commitment was altered"),
    Amiss.MESSAGE_DELETED: ("待发消息被删除", "a message to another site was deleted"),
    Amiss.ROUTING_ALTERED: ("流转索引与处方不符", "what leads to a prescription was altered"),
    Amiss.PACKAGE_ALTERED: ("加密包缺失或多出", "sealed packages are missing, too many or elsewhere"),
    Amiss.BILL_ALTERED: ("结算金额被改", "totals of a statement were altered"),
    Amiss.UNITS_ALTERED: ("追溯码与发药记录不符", "trace codes are not those handed out"),
    Amiss.HOLDING_ALTERED: ("药店承接登记被改", "what a pharmacy holds was altered"),
    Amiss.REVOCATION_ALTERED: ("待确认的撤销被改", "a revocation that waits was altered"),
    Amiss.BOOKING_DELETED: ("记账被删除", "a booking was deleted"),
    Amiss.BOOKING_INSERTED: ("记账未经日志插入", "a booking was inserted"),
    Amiss.BOOKING_ALTERED: ("记账内容被改", "a booking was altered"),
    Amiss.OUTCOME_UNLOGGED: ("记账结果未经日志", "what became of a booking is not what the log tells"),
    Amiss.LEDGER_ALTERED: ("总账分录与记账不符", "postings are not those of the bookings"),
    Amiss.INSURED_UNLOGGED: ("参保人未经日志登记", "an insured person whom nobody entered"),
    Amiss.QUOTE_ALTERED: ("预结算记录被改", "a quote was altered"),
    Amiss.SEAL_BROKEN: ("密封内容打不开或不是原件", "sealed bytes do not open, or are not the document of the log"),
}


def say(word: str) -> str:
    """
    Return a word in the language of the command; a fault without words of its own as its code.
    """
    pair = _WORDS.get(word)
    return word if pair is None else pair[0 if LANGUAGE == "zh" else 1]
