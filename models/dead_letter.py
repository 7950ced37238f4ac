"""The dead letter: why a record could not be decided."""

from enum import StrEnum


class DeadLetterReason(StrEnum):
    """Why a record went to the dead letters. A closed list: consumers may switch on it."""

    EMPTY_VALUE = "EMPTY_VALUE"
    TOO_LARGE = "TOO_LARGE"  # above 64 KiB
    NOT_UTF8 = "NOT_UTF8"
    NOT_JSON = "NOT_JSON"
    NOT_AN_OBJECT = "NOT_AN_OBJECT"
    MISSING_FIELD = "MISSING_FIELD"
    WRONG_TYPE = "WRONG_TYPE"
    INVALID_VALUE = "INVALID_VALUE"
    AMOUNT_OUT_OF_RANGE = "AMOUNT_OUT_OF_RANGE"
    EVENT_TIME_IN_FUTURE = "EVENT_TIME_IN_FUTURE"
    EVENT_TIME_INVALID = "EVENT_TIME_INVALID"
    UNKNOWN_SCHEMA_VERSION = "UNKNOWN_SCHEMA_VERSION"
    CARD_NUMBER_PRESENT = "CARD_NUMBER_PRESENT"
    KEY_MISMATCH = "KEY_MISMATCH"
    ID_REUSED = "ID_REUSED"  # the same transaction id with other content
    LABEL_SOURCE_SILENCED = "LABEL_SOURCE_SILENCED"  # its source said more than can be
    LABEL_CONTRADICTED = "LABEL_CONTRADICTED"  # by sources that are trusted as much
