"""What a worker would have decided by a score, hard rules apart: for histories that are lived through again. Pure."""

from math import isnan

import numpy as np

from models.daily import SECONDS_PER_DAY
from models.score import Certainty
from models.track_record import Certainties, TrackRecord
from models.warm_up import Scored
from rules.policy import CostPolicy, Judgement, judge


class Hindsight:
    """Judges payments in order of time, by the costs and by the track record as it was on the morning of their day."""

    def __init__(self, policy: CostPolicy, track_record: TrackRecord) -> None:
        self._policy = policy
        self._track_record = track_record
        self._day = float("-inf")
        self._certainties: Certainties

    def judge(self, scored: Scored) -> Judgement | None:
        """What would have become of a payment; None of one that was not scored."""
        if scored.fraud_probability is None:
            return None
        if (day := scored.payment.at // SECONDS_PER_DAY) > self._day:
            self._day, self._certainties = day, self._track_record.certainties()
        certainty = _certainty(self._certainties, scored.fraud_probability)
        return judge(scored.fraud_probability, scored.payment.amount_minor, self._policy, certainty)


def _certainty(certainties: Certainties, probability: float) -> Certainty | None:
    legitimate, fraud = certainties.p_values(np.array([probability]))[0].tolist()
    if isnan(legitimate):
        return None
    approve_below, block_from = certainties.bounds
    return Certainty(
        legitimate=legitimate,
        fraud=fraud,
        approvable=probability < approve_below,
        blockable=probability >= block_from,
    )
