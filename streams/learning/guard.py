"""Guards what decides: an exam before a model may, and a trial of those that do against one that was good."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import structlog

from models.exam import Exam, Verdict
from models.examples import Example, unpacked_rows
from models.linear import LinearScorer
from models.snapshot import Snapshot
from models.trial import Trial
from streams.metrics.learner import LearnerMetrics

log = structlog.get_logger()

FAILURES = 3


class Guard:
    """Knows the champion, the reference that it is tried against, and what became of the latest payments."""

    def __init__(self, champion: Snapshot | None, metrics: LearnerMetrics) -> None:
        self._metrics = metrics
        self._exam = Exam(time.thread_time)
        self._failures = 0  # exams in a row
        self._reference: Snapshot | None = None
        self._trial: Trial | None = None
        self._untried: list[tuple[bytes, bool]] = []  # outcomes since the champion was last looked at
        self._champion = champion
        self.verdict = Verdict(refusal=None)  # of the latest exam

    @property
    def champion(self) -> Snapshot | None:
        """What decides."""
        return self._champion

    def decided(self, example: Example) -> None:
        """A payment was decided."""
        self._exam.saw(example.packed)

    def learnt(self, example: Example, features: Sequence[float], *, is_fraud: bool, corrects: bool) -> None:
        """Its outcome came to be known, and was learnt by the model that will be the next candidate."""
        self._exam.add(features, is_fraud=is_fraud)
        if not corrects and self._reference is not None:
            self._untried.append((example.packed, is_fraud))

    def crown(self, champion: Snapshot) -> None:
        """Another decides."""
        self._try()
        self._champion = champion

    def against(self, reference: Snapshot | None) -> None:
        """Try champions against this model from now on."""
        self._reference = reference
        if reference is None:
            self._trial = None
        elif self._trial is None or self._trial.reference != reference.model_version:
            self._trial = Trial(reference=reference.model_version)

    def proven_worse(self) -> Snapshot | None:
        """The reference, if champions have been proven to be worse than it."""
        self._try()
        if self._trial is None or not self._trial.is_worse:
            return None
        log.error("champions_worse", champion=self._champion and self._champion.model_version, **asdict(self._trial))
        return self._reference

    def examine(self, candidate: Snapshot) -> bool:
        """Whether this model may decide instead of the champion."""
        self.verdict = verdict = self._exam.judge(candidate, self._champion)
        self._metrics.examined(verdict)
        if verdict.refusal is None:
            self._failures = 0
            return True
        self._failures += 1
        log.error("candidate_refused", model_version=candidate.model_version, why=verdict.refusal, **verdict.measured)
        return False

    def gave_up(self) -> bool:
        """Whether FAILURES candidates in a row were refused; then it begins to count anew."""
        if self._failures < FAILURES:
            return False
        self._failures = 0
        return True

    def begin_anew(self) -> None:
        """The learner went back to an earlier model: what was held against the one before is void."""
        self._failures = 0
        self.verdict = Verdict(refusal=None)
        self._untried.clear()
        self._trial = None
        self.against(self._reference)

    def state(self) -> dict[str, Any]:
        """What to take over, for a snapshot."""
        return {} if self._trial is None else {"trial": self._trial.to_plain()}

    def expect(self, state: Mapping[str, Any]) -> None:
        """Take over a trial, if its reference is still there."""
        try:
            trial = Trial.from_plain(state["trial"])
        except (KeyError, TypeError, ValueError):  # there was none, or of another release
            return
        if self._reference is not None and self._reference.model_version == trial.reference:
            self._trial = trial

    def _try(self) -> None:
        untried, self._untried = self._untried, []
        if not untried or self._trial is None or self._champion is None or self._reference is None:
            return
        rows = unpacked_rows([packed for packed, _ in untried])
        champion, reference = (
            LinearScorer(each).score(rows).probabilities for each in (self._champion, self._reference)
        )
        self._trial.take(champion, reference, [is_fraud for _, is_fraud in untried])
