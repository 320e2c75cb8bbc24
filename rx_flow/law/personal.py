"""
Which values of a document are about the patient, or free words that may be: the only place that says so.

They stand in the signed bytes as salted commitments, so that whoever shows a document can leave them out.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_REASON = ("reason",)  # a person's own words about a case can name whom they are about
# Kind of document -> paths in its body: a member, or a member of an object.
PERSONAL: Mapping[str, tuple[tuple[str, ...], ...]] = MappingProxyType(
    {
        "prescription": (
            ("patient", "name"),
            ("patient", "id_type"),
            ("patient", "id_number"),
            ("patient", "sex"),
            ("patient", "birth"),
            ("diagnoses",),
            ("long_term_reason",),
        ),
        "opinion1": (("findings",), _REASON),  # a finding tells the sex or the diagnosis that it is about
        "claim": (_REASON,),
        "opinion2": (("findings",), _REASON),
        # How somebody is insured, and what they had used of the year before: `steps` says it in words.
        "statement": (("scheme",), ("category",), ("before",), ("steps",), _REASON),
        "dispense": (_REASON,),
        "revocation": (_REASON,),
        "decision": (_REASON,),
    }
)


def personal(doc: str) -> tuple[tuple[str, ...], ...]:
    """
    Return the paths of the personal values of a kind of document; a release and an expiry have none.
    """
    return PERSONAL.get(doc, ())
