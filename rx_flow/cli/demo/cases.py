"""
What the demonstration plays, as data. Drugs and restrictions are real, hospitals, pharmacies and people are invented.

Patients' identity numbers begin with 990000, which no place in China has.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

OSIMERTINIB = "XL01EBA298A001010101359"
NILOTINIB = "XL01EAN092E001010178679"
ABIRATERONE = "XL02BBA292A001010178537"
OMEPRAZOLE_BICARBONATE = "XA02BCA348X006010104145"
IBRUTINIB = "XL01ELY299E001010182102"
REGORAFENIB = "XL01EXR081A001010100148"
PAZOPANIB = "XL01EXP125A001010178679"
VONOPRAZAN = "XA02BCF721A001010100239"
LIRAGLUTIDE = "XA10BJL326B002010278997"
CRIZOTINIB = "XL01EDK116E001010178718"
CERITINIB = "XL01EDS267E001010101425"
ANLOTINIB = "XL01EKA309E001010101523"
VEMURAFENIB = "XL01ECW108A001010181735"
CETUXIMAB = "XL01FEX020B002010178635"
SINTILIMAB = "XL01FFX242B002010181451"
IXAZOMIB = "XL01XGY306E001010179422"
OCTREOTIDE = "XH01CBA213B015010178679"
RANIBIZUMAB = "XS01LAL328B002010178679"

# The institutions of participants.toml.
FUZHOU, XIAMEN, QUANZHOU, LONGYAN = "H35010000001", "H35020000001", "H35050000001", "H35080000001"
PHARMACY_FUZHOU, PHARMACY_FUZHOU_2 = "P35010000001", "P35010000002"
PHARMACY_XIAMEN, PHARMACY_QUANZHOU, PHARMACY_LONGYAN = "P35020000001", "P35050000001", "P35080000001"

EMPLOYEE, RESIDENT = "310", "390"


@dataclass(frozen=True, slots=True)
class Insured:
    """
    An invented patient and how they are insured: scheme (险种) 310 or 390, and the group within it.
    """

    name: str
    serial: int  # tells people born on one day apart; odd for men, even for women, as on identity cards
    birth: date
    scheme: str
    group: str  # active, retired or resident

    @property
    def sex(self) -> str:
        """GB/T 2261.1: 1 male, 2 female."""
        return "1" if self.serial % 2 else "2"

    @property
    def id_number(self) -> str:
        """An 18-digit number that is right in every digit but for its impossible region."""
        digits = f"990000{self.birth:%Y%m%d}{self.serial:03d}"
        total = sum(int(digit) * (2 ** (17 - at) % 11) for at, digit in enumerate(digits))
        return digits + "10X98765432"[total % 11]


@dataclass(frozen=True, slots=True)
class Dose:
    """
    One line as a doctor thinks of it; name, form and quantity follow from the catalogue.

    `price_fen` is what the pharmacy asks for a unit, where that is not the published payment standard.
    """

    drug: str
    dose: str
    frequency: str
    days: int
    route: str = "口服"
    price_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """
    One thing that somebody does. `at` is a pharmacy other than the case's own; `refused` the code that must come back.
    """

    action: str
    reason: str = ""
    at: str = ""
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """
    One prescription: who writes it for whom, what happens, and how it must end.
    """

    zh: str
    en: str
    hospital: str
    pharmacy: str
    patient: Insured
    department: str
    diagnosis: tuple[str, str]
    lines: tuple[Dose, ...]
    steps: tuple[Step, ...]
    outcome: str
    long_term_reason: str | None = None
    valid_days: int = 1
    nominated: bool = False
    corrected: tuple[Dose, ...] = ()  # what a second submit says
    caught: bool = False  # ends where it is because an attack was noticed


S = Step
WRITE = (S("submit"), S("approve"), S("release"))
COUNTER = (S("claim"), S("accept"), S("quote"), S("settle"), S("dispense"))
STABLE = "病情稳定，长期维持治疗，复诊周期四周"

LIN = Insured("林一", 1, date(1961, 3, 14), EMPLOYEE, "retired")
CHEN = Insured("陈二", 2, date(1978, 7, 2), RESIDENT, "resident")
HUANG = Insured("黄三", 3, date(1955, 11, 30), EMPLOYEE, "retired")
ZHANG = Insured("张四", 4, date(1990, 1, 9), RESIDENT, "resident")
WU = Insured("吴五", 5, date(1968, 5, 21), EMPLOYEE, "active")
LI = Insured("李六", 6, date(1984, 9, 17), EMPLOYEE, "active")
WANG = Insured("王七", 7, date(1972, 2, 28), RESIDENT, "resident")
CAI = Insured("蔡八", 8, date(1980, 12, 5), EMPLOYEE, "active")
GUO = Insured("郭九", 9, date(1975, 4, 11), RESIDENT, "resident")
XU = Insured("许十", 10, date(1958, 8, 23), EMPLOYEE, "retired")
QIU = Insured("邱十一", 11, date(1966, 10, 8), EMPLOYEE, "active")
ZHENG = Insured("郑十二", 12, date(1970, 6, 15), EMPLOYEE, "active")
LIAO = Insured("廖十三", 13, date(1963, 1, 27), RESIDENT, "resident")

CASES: tuple[Case, ...] = (
    Case(
        "完整流程：职工退休，肺癌长期用药",
        "The whole way: a retired employee's lasting treatment",
        FUZHOU,
        PHARMACY_FUZHOU,
        LIN,
        "肿瘤内科",
        ("C34.1", "肺上叶恶性肿瘤"),
        (Dose(OSIMERTINIB, "80", "qd", 28),),
        WRITE + COUNTER,
        "dispensed",
        long_term_reason=STABLE,
    ),
    Case(
        "完整流程：居民，慢性粒细胞白血病",
        "The whole way: a resident with chronic leukaemia",
        XIAMEN,
        PHARMACY_XIAMEN,
        CHEN,
        "血液科",
        ("C92.1", "慢性髓系白血病"),
        (Dose(NILOTINIB, "400", "bid", 28),),
        WRITE + COUNTER,
        "dispensed",
        long_term_reason=STABLE,
    ),
    Case(
        "药店售价高于支付标准：超限价部分由患者承担",
        "The pharmacy asks more than the payment standard: the patient pays the excess",
        QUANZHOU,
        PHARMACY_QUANZHOU,
        HUANG,
        "泌尿外科",
        ("C61", "前列腺恶性肿瘤"),
        (Dose(ABIRATERONE, "1000", "qd", 28, price_fen=15200),),
        WRITE + COUNTER,
        "dispensed",
        long_term_reason=STABLE,
    ),
    Case(
        "七日内普通处方",
        "An ordinary prescription for seven days",
        FUZHOU,
        PHARMACY_FUZHOU_2,
        ZHANG,
        "消化内科",
        ("K21.0", "胃-食管反流病伴食管炎"),
        (Dose(OMEPRAZOLE_BICARBONATE, "20", "qd", 7),),
        WRITE + COUNTER,
        "dispensed",
    ),
    Case(
        "院内药师退回（剂量超限），医师改正后取药",
        "Sent back by the hospital pharmacist (dose too high), corrected and handed out",
        FUZHOU,
        PHARMACY_FUZHOU,
        WU,
        "血液科",
        ("C83.1", "套细胞淋巴瘤"),
        (Dose(IBRUTINIB, "1120", "qd", 7),),
        (
            S("submit"),
            S("approve", refused="finding_unanswered"),
            S("send_back", "日剂量超过说明书最大剂量，请核实"),
            S("submit"),
            S("approve"),
            S("release"),
            *COUNTER,
        ),
        "dispensed",
        corrected=(Dose(IBRUTINIB, "560", "qd", 7),),
    ),
    Case(
        "超出限定支付范围，两位药师均说明理由；全自费",
        "Outside the paid scope, both pharmacists say why; the patient pays all of it",
        XIAMEN,
        PHARMACY_XIAMEN,
        LI,
        "肿瘤内科",
        ("C25.0", "胰头恶性肿瘤"),
        (Dose(REGORAFENIB, "160", "qd", 7),),
        (
            S("submit"),
            S("approve", "多学科会诊意见支持，患者已签署自费知情同意书"),
            S("release"),
            S("claim"),
            S("accept", "已核对会诊意见与自费知情同意书"),
            S("quote"),
            S("settle"),
            S("dispense"),
        ),
        "dispensed",
    ),
    Case(
        "药店药师发现相互作用，拒绝调配",
        "Refused by the pharmacy's pharmacist: an interaction",
        QUANZHOU,
        PHARMACY_QUANZHOU,
        WANG,
        "泌尿外科",
        ("C64", "肾恶性肿瘤"),
        (Dose(PAZOPANIB, "800", "qd", 7), Dose(VONOPRAZAN, "20", "qd", 7)),
        (
            S("submit"),
            S("approve", "已告知患者间隔服用，门诊随访"),
            S("release"),
            S("claim"),
            S("refuse", "抑酸剂显著降低培唑帕尼吸收，请医师改用其他方案"),
        ),
        "refused",
    ),
    Case(
        "医师撤销：患者尚未取药",
        "Revoked by the doctor before it was taken up",
        FUZHOU,
        PHARMACY_FUZHOU,
        ZHENG,
        "肿瘤内科",
        ("C34.9", "支气管或肺恶性肿瘤"),
        (Dose(CERITINIB, "450", "qd", 7),),
        (*WRITE, S("revoke", "基因检测结果更新，改用其他药物"), S("claim", refused="wrong_state")),
        "revoked",
    ),
    Case(
        "退还后到另一家药店取药",
        "Handed back for want of stock, taken up by another pharmacy",
        FUZHOU,
        PHARMACY_FUZHOU_2,
        LIN,
        "消化内科",
        ("K21.0", "胃-食管反流病伴食管炎"),
        (Dose(OMEPRAZOLE_BICARBONATE, "20", "bid", 7),),
        (
            *WRITE,
            S("claim", at=PHARMACY_FUZHOU),
            S("hand_back", "缺货，患者同意到其他药店取药", at=PHARMACY_FUZHOU),
            *COUNTER,
        ),
        "dispensed",
    ),
    Case(
        "撤销结算后重新结算",
        "Settled by mistake, reversed as a mirror, settled anew",
        LONGYAN,
        PHARMACY_LONGYAN,
        QIU,
        "骨科",
        ("C49.2", "下肢结缔组织恶性肿瘤"),
        (Dose(ANLOTINIB, "12", "qd", 7),),
        (
            *WRITE,
            S("claim"),
            S("accept"),
            S("quote"),
            S("settle"),
            S("reverse", "收费员误操作，重新结算"),
            S("quote"),
            S("settle"),
            S("dispense"),
        ),
        "dispensed",
    ),
    Case(
        "撤销结算并退还处方，患者未取药",
        "Reversed and handed back: the patient left without the drugs",
        LONGYAN,
        PHARMACY_LONGYAN,
        LIAO,
        "皮肤科",
        ("C43.5", "躯干恶性黑色素瘤"),
        (Dose(VEMURAFENIB, "960", "bid", 7),),
        (
            *WRITE,
            S("claim"),
            S("accept"),
            S("quote"),
            S("settle"),
            S("reverse", "患者暂不取药"),
            S("hand_back", "患者改日到其他药店取药"),
        ),
        "available",
        valid_days=3,
    ),
    Case(
        "指定药店：另一家药店持码也不能取",
        "Nominated to one pharmacy: another one is refused, even with the code",
        FUZHOU,
        PHARMACY_FUZHOU_2,
        WU,
        "血液科",
        ("C90.0", "多发性骨髓瘤"),
        (Dose(IXAZOMIB, "4", "qw", 7),),
        (*WRITE, S("claim", at=PHARMACY_FUZHOU, refused="nominated_elsewhere"), *COUNTER),
        "dispensed",
        nominated=True,
    ),
    Case(
        "平台数据库中的处方包被篡改：打开时发现，不予调配",
        "The package was altered in the platform's database: caught when opened",
        QUANZHOU,
        PHARMACY_QUANZHOU,
        GUO,
        "肿瘤内科",
        ("C34.3", "肺下叶恶性肿瘤"),
        (Dose(CRIZOTINIB, "250", "bid", 7),),
        (*WRITE, S("tamper"), S("claim", refused="bad_document")),
        "available",
        valid_days=3,
        caught=True,
    ),
    Case(
        "发药后发现质量问题，退药并退款",
        "Taken back after it was handed out, the settlement reversed with it",
        LONGYAN,
        PHARMACY_LONGYAN,
        QIU,
        "内分泌科",
        ("E11.9", "2型糖尿病"),
        (Dose(LIRAGLUTIDE, "1.8", "qd", 10, "皮下注射"),),
        (*WRITE, *COUNTER, S("take_back", "冷链温度记录异常，召回该批次")),
        "returned",
        long_term_reason=STABLE,
    ),
    Case(
        "两种药品，其中一种支付标准保密",
        "Two drugs, one of them without a public payment standard",
        XIAMEN,
        PHARMACY_XIAMEN,
        CAI,
        "消化内科",
        ("K21.9", "胃-食管反流病"),
        (Dose(VONOPRAZAN, "20", "qd", 7, price_fen=898), Dose(OMEPRAZOLE_BICARBONATE, "20", "qn", 7)),
        (
            S("submit"),
            S("approve", "夜间酸突破，短期联合使用"),
            S("release"),
            S("claim"),
            S("accept", "已核对用药理由"),
            S("quote"),
            S("settle"),
            S("dispense"),
        ),
        "dispensed",
    ),
    Case(
        "注射剂，按体表面积给药；居民高额费用",
        "An infusion dosed by body surface; a resident's high bill",
        QUANZHOU,
        PHARMACY_QUANZHOU,
        WANG,
        "肿瘤内科",
        ("C20", "直肠恶性肿瘤"),
        (Dose(CETUXIMAB, "680", "once", 1, "静脉滴注"),),
        WRITE + COUNTER,
        "dispensed",
    ),
    Case(
        "当日有效，次日未取药：失效",
        "Valid for its day only and not taken up: expired",
        XIAMEN,
        PHARMACY_XIAMEN,
        XU,
        "眼科",
        ("H35.3", "黄斑变性"),
        (Dose(RANIBIZUMAB, "0.5", "once", 1, "玻璃体内注射"),),
        (*WRITE, S("next_day"), S("claim", refused="out_of_date"), S("expire")),
        "expired",
    ),
)
