"""Who decides next: the candidate, if it passes its exam, or a model that was kept, if there is a reason to go back."""

from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import structlog

from models.snapshot import Snapshot, SnapshotInvalid
from models.verifying import verify
from streams.learning.good_models import GoodModels
from streams.learning.study import Study
from streams.wire.control import ModelOrder, ModelVerb
from streams.wire.snapshot_record import SnapshotRecord

log = structlog.get_logger()

REFUSED = 3  # candidates that an operator can still promote
LEAST_LEFT = 0.5  # of what was learnt: a model that knows less is not gone back to without an operator


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is to be published: a snapshot, fit to decide or not, and a champion that is kept, with its key."""

    snapshot: Snapshot
    fit: bool
    good: tuple[bytes, SnapshotRecord] | None = None
    goes_back: bool = False


class Succession:
    """Of champions. `champion` is the record of the one that decides, None before the first.

    `refused` are candidates that an earlier learner found unfit.
    """

    def __init__(
        self, study: Study, good: GoodModels, champion: SnapshotRecord | None, *, refused: Iterable[Snapshot] = ()
    ) -> None:
        self._study = study
        self._good = good
        self._champion = champion
        self._refused = deque(refused, maxlen=REFUSED)
        self.went_back: dict[str, str] = {}  # of its own accord: from, to and why; until a model passes its exam
        study.guard.against(good.oldest())

    def next(self) -> Step:
        """The next step, once it is due."""
        if (reference := self._study.guard.proven_worse()) is not None:
            return self._back_by_itself(reference, "what decided was proven worse")
        silence = self._study.labels.overrun()
        if silence is not None and (kept := self._before(silence.began)) is not None:
            return self._back_by_itself(kept, f"source {silence.speaker[0]} sent so many labels that it is silenced")
        snapshot = self._study.snapshot()
        if not self._study.examine(snapshot):
            self._refused.append(snapshot)
            return Step(snapshot=snapshot, fit=False)
        return self._crowned(snapshot)

    def _crowned(self, snapshot: Snapshot) -> Step:
        """It is to decide; whether the champion before it is kept."""
        outgoing = self._champion
        key = None if outgoing is None or self._study.drift.signs else self._good.keep(outgoing)
        if key is None or outgoing is None:
            return Step(snapshot=snapshot, fit=True)
        self._study.guard.against(self._good.oldest())
        return Step(snapshot=snapshot, fit=True, good=(key, outgoing))

    def obey(self, order: ModelOrder) -> Step | None:
        """What an operator's word comes to; None if it cannot be done. Each order is obeyed once."""
        self._study.order = order.order_id
        promotes = order.verb is ModelVerb.PROMOTE
        model = self._find_refused(order.model_version) if promotes else self._good.find(order.model_version)
        if model is None:
            log.error("order_impossible", **asdict(order))
            return None
        log.warning("promoted" if promotes else "rolled_back", **asdict(order))
        if not promotes:
            return self._back(model)
        self._study.go_back(model)
        return self._crowned(self._study.snapshot())

    def published(self, step: Step, champion: SnapshotRecord | None) -> None:
        """A step is on the topics; the record of the new champion, if it made one."""
        if champion is None:
            return
        self._champion = champion
        self._study.guard.crown(step.snapshot)
        if not step.goes_back:
            self.went_back = {}

    def _find_refused(self, version: str) -> Snapshot | None:
        """The candidate of this version, if it is sound and has been taught enough."""
        model = next((each for each in self._refused if each.model_version == version), None)
        try:
            if model is not None:
                verify(model)
        except SnapshotInvalid:
            return None
        return model if model is not None and self._study.is_taught_enough(model) else None

    def _before(self, moment: float) -> Snapshot | None:
        """The newest model that was taught before a moment of event time, or the oldest, if it knows enough."""
        kept = self._good.taught_before(moment) or self._good.oldest()
        return kept if kept is not None and kept.labels >= LEAST_LEFT * self._study.learner.model.labels else None

    def _back_by_itself(self, model: Snapshot, why: str) -> Step:
        champion = self._study.guard.champion
        self.went_back = {"to": model.model_version, "why": why}
        if champion is not None:
            self.went_back["from"] = champion.model_version
        log.warning("rolled_back", model_version=model.model_version, who="learner", why=why)
        return self._back(model)

    def _back(self, model: Snapshot) -> Step:
        self._study.go_back(model)
        return Step(snapshot=self._study.snapshot(), fit=True, goes_back=True)
