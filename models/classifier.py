"""Models that learn online, of whatever family, behind one protocol."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from models.boosted import BoostedModel, Prior
from models.family import Family
from models.online import OnlineModel
from models.snapshot import Snapshot
from models.track_record import TrackRecord


class Classifier(Protocol):
    """Tells the probability of fraud, and learns label by label.

    Scoring learns nothing; what is finite has a finite score, whatever was learnt; what is not finite is refused and
    teaches nothing; a snapshot restores the model bit by bit; the order of features is of no account.
    `tests/unit/test_classifier.py` holds every family to it.
    """

    @property
    def labels(self) -> int:
        """Learnt so far."""
        ...

    @property
    def frauds(self) -> int:
        """Among them."""
        ...

    @property
    def track_record(self) -> TrackRecord:
        """What scores came to, as told by whoever knows."""
        ...

    def score(self, features: Sequence[float]) -> float:
        """Probability of fraud, in [0, 1]. Raises FeaturesInvalid."""
        ...

    def learn(self, features: Sequence[float], *, is_fraud: bool) -> None:
        """Learn one label. Raises FeaturesInvalid and then has learnt nothing."""
        ...

    def snapshot(self, *, label_offsets: Mapping[str, Any] | None = None) -> Snapshot:
        """The whole state as data."""
        ...


def untaught(family: Family) -> Classifier:
    """A new one."""
    if family is Family.LOGISTIC:
        return OnlineModel()
    return BoostedModel(Prior() if family is Family.FOREST else OnlineModel())


def family_of(snapshot: Snapshot) -> Family:
    """What it is a snapshot of."""
    if snapshot.trees is None:
        return Family.LOGISTIC
    return Family.BLEND if snapshot.iterations else Family.FOREST


def goes_on(snapshot: Snapshot, family: Family) -> bool:
    """Whether a model of this family can go on from what the snapshot knows.

    A blend grows its trees on a logistic regression, and without them is one. A forest alone has no weights.
    """
    return not snapshot.labels or (family_of(snapshot) is Family.FOREST) is (family is Family.FOREST)


def restored(snapshot: Snapshot, family: Family) -> Classifier:
    """The model as it was: learning goes on bit by bit the same. The snapshot must have been verified.

    Where this family cannot go on from it, it remains what it is.
    """
    family = family if goes_on(snapshot, family) else family_of(snapshot)
    if family is Family.LOGISTIC:
        return OnlineModel.from_snapshot(snapshot)
    return BoostedModel.from_snapshot(snapshot, Prior if family is Family.FOREST else OnlineModel)
