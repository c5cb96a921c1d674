"""Why something is done that has to be accounted for: codes, for the audit trail holds no free text."""

from enum import StrEnum


class ExportReason(StrEnum):
    """Why a patient's record leaves the unit in readable form."""

    PATIENT_ASKED = "patient-asked"
    GUARDIAN_ASKED = "guardian-asked"
    CARE_ELSEWHERE = "care-elsewhere"
    LEGAL_ORDER = "legal-order"
