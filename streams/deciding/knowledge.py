"""What a worker knows beside the transactions: rules in force, merchants under attack, defrauded cards, orders."""

import asyncio
from collections.abc import Callable

import structlog

from models.merchant_history import MerchantHistory
from rules.ruleset import RuleSet, parse_ruleset
from rules.ruleset_reading import RuleSetError
from streams.wire.codec import MalformedRecord
from streams.wire.control import FAULT, MODE, ModeOrder, read_fault, read_order
from streams.wire.feedback import note_card_fraud, note_history
from streams.wire.review_price import REVIEW_PRICE, PriceOrder, read_price_order
from streams.wire.scorer_fault import ScorerFault
from streams.wire.snapshot_record import SnapshotRecord, champion_of

log = structlog.get_logger()

ACTIVE = b"active"


class Knowledge:
    """Filled by the broadcast topics, read by the decider. A record that cannot be read leaves what was known."""

    def __init__(
        self,
        ruleset: RuleSet,
        *,
        on_snapshot: Callable[[SnapshotRecord], None],
        on_fault: Callable[[ScorerFault], None],
        on_ruleset: Callable[[str | None], None],
        on_order: Callable[[ModeOrder], None],
    ) -> None:
        self.ruleset = ruleset
        self.merchants: dict[str, MerchantHistory] = {}
        self.card_frauds: dict[str, float] = {}  # time of a card's latest known fraud, seconds since 1970
        self.review_minor: int | None = None  # what a review is taken to cost; None: as settings say
        self._on_snapshot = on_snapshot
        self._on_fault = on_fault
        self._on_order = on_order
        self._on_ruleset = on_ruleset  # with what is wrong with a refused set, or None for one taken into force

    def take_model(self, key: bytes, value: bytes | None) -> None:
        """A snapshot; only the champion's matters here."""
        if (champion := champion_of(key, value)) is not None:
            self._on_snapshot(champion)

    def take_merchant(self, key: bytes, value: bytes | None) -> None:
        """Label history of an acceptor, or its end."""
        note_history(self.merchants, key, value)

    def take_card(self, key: bytes, value: bytes | None) -> None:
        """Known fraud of a card, or its end."""
        note_card_fraud(self.card_frauds, key, value)

    async def take_rules(self, key: bytes, value: bytes | None) -> None:
        """A rule set; the active one is compiled whole and swapped in, or refused whole."""
        if key != ACTIVE or value is None:
            return
        try:
            # In a thread: a set of 900 rules takes seconds to compile, and heartbeats share the loop.
            self.ruleset = await asyncio.to_thread(parse_ruleset, value.decode())
        except (RuleSetError, UnicodeDecodeError) as error:
            log.error("ruleset_refused", why=str(error), in_force=self.ruleset.ruleset_version)
            self._on_ruleset(str(error))
        else:
            log.info("ruleset_in_force", version=self.ruleset.ruleset_version)
            self._on_ruleset(None)

    def take_control(self, key: bytes, value: bytes | None) -> None:
        """The operator's word: `mode` says whose answer is used, `fault` makes a sandbox's model misbehave,
        `review_price` what a review is taken to cost."""
        try:
            if key == MODE:
                self._on_order(read_order(value))
            elif key == FAULT:
                self._on_fault(read_fault(value))
            elif key == REVIEW_PRICE:
                self._take_review_price(read_price_order(value))
        except MalformedRecord as error:
            log.error("control_unreadable", key=key.decode(errors="replace"), error=repr(error))

    def _take_review_price(self, order: PriceOrder | None) -> None:
        self.review_minor = None if order is None else order.review_minor
        log.info("review_price", minor=self.review_minor, why="" if order is None else order.why)
