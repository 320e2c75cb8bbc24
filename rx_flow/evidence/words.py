"""
What a report says in Chinese and English: the titles of the steps, and the reasons in words.
"""

from __future__ import annotations

from rx_flow.crypto.errors import Reason
from rx_flow.evidence.faults import Fault
from rx_flow.evidence.verify import Outcome, Step

STEPS: dict[Step, tuple[str, str]] = {
    Step.CONTAINER: ("证据包文件", "the file"),
    Step.SUMS: ("文件摘要", "digests of all files"),
    Step.CERTIFICATES: ("证书链", "certificate chains"),
    Step.REVOCATION: ("证书吊销", "revocation"),
    Step.MANIFEST: ("平台清单与签章", "the manifest and the platform's seal"),
    Step.ENTRIES: ("审计记录链", "the chain of audit entries"),
    Step.DOCUMENTS: ("文书签名与签名人", "signatures and signers of the documents"),
    Step.CHAIN: ("文书链", "the chain of documents"),
    Step.DISCLOSURES: ("披露项与承诺", "disclosures and commitments"),
    Step.LAW: ("流转规则", "the rules of the process"),
    Step.AGREEMENT: ("文书与审计记录相符", "entries and documents agree"),
    Step.PACKAGES: ("密封包", "sealed packages"),
    Step.LOG: ("可验证日志", "the verifiable log"),
}
OUTCOMES: dict[Outcome, tuple[str, str]] = {
    Outcome.PASSED: ("通过", "passed"),
    Outcome.FAILED: ("不成立", "failed"),
    Outcome.UNCHECKED: ("未核验", "not checked"),
    Outcome.UNREACHED: ("未执行", "not reached"),
}
FAULTS: dict[Fault, tuple[str, str]] = {
    Fault.NOT_A_BUNDLE: ("不是证据包，或文件不完整", "not a bundle, or one that ends too early"),
    Fault.BUNDLE_TOO_LARGE: ("证据包过大", "too large"),
    Fault.COMPRESSED_MEMBER: ("含压缩或加密的文件", "a compressed or encrypted file within"),
    Fault.BAD_NAME: ("文件名不合规", "a name that no file here may have"),
    Fault.NAME_TWICE: ("同名文件出现两次", "two files of one name"),
    Fault.NOT_AS_WRITTEN: ("文件外壳与内容重新打包的结果不一致", "packing these files again does not give this file"),
    Fault.MEMBER_MISSING: ("缺少文件", "a file is missing"),
    Fault.MEMBER_UNKNOWN: ("多出文件，或文件名与内容不符", "a file too many, or one not called as it should be"),
    Fault.SUMS_MALFORMED: ("摘要清单格式错误", "the list of digests is not as it must be"),
    Fault.SUM_MISMATCH: ("文件被改动", "a file was altered"),
    Fault.MANIFEST_MALFORMED: ("清单格式错误", "the manifest is not as it must be"),
    Fault.MANIFEST_NOT_BY_PLATFORM: ("清单不是平台签章", "not sealed by a platform"),
    Fault.MANIFEST_MISMATCH: ("清单与内容不符", "the manifest is about something else"),
    Fault.FROM_THE_FUTURE: ("时间在将来", "it is dated in the future"),
    Fault.CERTIFICATE_UNUSED: ("含与文书无关的证书", "a certificate that signed nothing here"),
    Fault.SIGNED_BY_ANOTHER_ROLE: ("签名人角色不符", "signed in another role than this kind of document needs"),
    Fault.NOT_DISCLOSED: ("自称完整却有遮蔽", "it says that it is complete, and withholds"),
    Fault.DISCLOSED: ("自称遮蔽却有披露", "it says that it withholds, and shows"),
    Fault.NOT_COMMITTED: ("签名内容中有患者信息明文", "a personal value stands in the signed bytes"),
    Fault.UNLAWFUL: ("步骤不符合流转规则", "a step that the rules do not allow"),
    Fault.WRONG_STATE: ("文书导向的状态与平台所述不符", "the documents lead elsewhere than the platform says"),
    Fault.ENTRY_MALFORMED: ("审计记录格式错误", "an entry is not as the log writes it"),
    Fault.ENTRY_OUT_OF_ORDER: ("审计记录缺失或顺序错误", "an entry is missing, or out of order"),
    Fault.ENTRY_CHAIN_BROKEN: ("审计记录链断开", "an entry does not follow the one before it"),
    Fault.ENTRY_OF_ANOTHER: ("混入别的处方或机构的记录", "an entry of another prescription or site"),
    Fault.ENTRY_MISMATCH: ("审计记录与文书不符", "an entry does not tell of its document"),
    Fault.UNRECORDED: ("文书没有审计记录", "a document of which no entry tells"),
    Fault.PACKAGE_MISMATCH: ("密封包不符", "a package is not the one that the manifest names"),
    Fault.LOG_MISMATCH: ("日志公钥不符", "another log than the one expected"),
}


def reason(code: str) -> tuple[str, str]:
    """
    Return a failed step's code in words; of what `crypto` or the log refused, the code itself says it best.
    """
    if code in set(Fault):
        return FAULTS[Fault(code)]
    if code == Reason.CERTIFICATE_REVOKED:
        return ("签名证书此前已吊销", "the signer's certificate had been revoked before")
    words = code.replace("_", " ")
    return (f"密码学核验不通过（{words}）", words)
