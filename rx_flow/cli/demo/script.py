"""
The words in which the demonstration is written: drugs, places, invented patients, doses, steps and cases.

Drugs and restrictions are real. Patients' identity numbers begin with 990000, which no place in China has.
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
