"""How much a source of labels may say before it is silenced: as a whole, and of fraud at one acceptor.

A source gone mad must not teach: a file sent ten times, a job that reports a whole shop as fraud. Allowances grow with
the payments decided, and with event time for an acceptor; a source's is never more than a burst and three days' share.
A source that has used its allowance up is silenced until it has said, within a day of event time, no more than it may.
What it says meanwhile is for people to look at.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

from models.daily import SECONDS_PER_DAY
from models.label import Label, LabelSource, LabelState
from models.label_trust import LabelTrust

FILE_DAYS = 3
LITTLE = 0.1  # of an allowance
FEW = 10  # labels in a day that a silenced source may say in any case

Offsets = Mapping[str, int]  # by a partition's name
Speaker = tuple[LabelSource, str | None]  # a source: of fraud at one acceptor, or of anything


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Labels that are not heard: of a speaker, from the offsets `since` to those of `until`, or still."""

    speaker: Speaker
    began: float  # event time, seconds: before it the speaker said little
    since: Offsets
    until: Offsets | None = None

    def covers(self, partition: str, offset: int) -> bool:
        """Whether a label of this speaker at this place is one of those."""
        ended = self.until is not None and offset >= self.until.get(partition, 0)
        return offset >= self.since.get(partition, 0) and not ended

    def ended_before(self, oldest: Offsets) -> bool:
        """Whether it covers nothing at these offsets or beyond."""
        return self.until is not None and all(end <= oldest.get(each, 0) for each, end in self.until.items())


class _Use(NamedTuple):
    labels: float  # of the allowance that were spent
    since: float  # when that was, by the clock of the allowance
    began: float  # day of event time on which little was spent, last


class _Watch(NamedTuple):
    """What a silenced speaker has said since a moment: days of event time, and payments decided until then."""

    labels: int
    day: float
    payments: int


@dataclass(slots=True)
class LabelLimits:
    """Allowances of all sources, and the silences that ended or still hold."""

    policy: LabelTrust
    silences: list[Silence] = field(default_factory=list)
    _uses: dict[Speaker, _Use] = field(default_factory=dict)
    _payments: int = 0
    _day: float = 0.0  # event time, since 1970
    _by_day: dict[int, int] = field(default_factory=dict)  # payments of the last days
    _watched: dict[Speaker, _Watch] = field(default_factory=dict)
    _fresh: list[Silence] = field(default_factory=list)

    @property
    def silenced(self) -> list[Silence]:
        """Those of whom the next label would not be heard."""
        return [each for each in self._holding() if not self._recovered(each.speaker)]

    def overrun(self) -> Silence | None:
        """A silence that began since the last call: of several the one that had been coming for longest."""
        fresh, self._fresh = self._fresh, []
        return min(fresh, key=lambda each: each.began, default=None)

    def decided(self, at: float) -> None:
        """A payment was decided; `at` is event time in seconds. Allowances grow."""
        self._payments += 1
        self._day = max(self._day, at / SECONDS_PER_DAY)
        today = int(self._day)
        self._by_day[today] = self._by_day.get(today, 0) + 1
        if len(self._by_day) > FILE_DAYS:
            self._by_day = {day: count for day, count in self._by_day.items() if day > today - FILE_DAYS}

    def hears(
        self, label: Label, acceptor: str | None, partition: str, offset: int, heads: Callable[[], Offsets]
    ) -> bool:
        """Whether a label that is read for the first time counts; `acceptor` is None if its payment is not known.

        `heads` gives the next offsets of all partitions of labels.
        """
        return all(self._spend(each, partition, offset, heads) for each in _speakers(label, acceptor))

    def heard(self, label: Label, acceptor: str | None, partition: str, offset: int) -> bool:
        """Whether it counted when it was read before."""
        speakers = set(_speakers(label, acceptor))
        return not any(each.speaker in speakers and each.covers(partition, offset) for each in self.silences)

    def forget(self, oldest: Offsets) -> None:
        """Drop what is of no use: silences that ended before these offsets, and allowances that are full again."""
        self.silences = [each for each in self.silences if not each.ended_before(oldest)]
        self._uses = {each: use for each, use in self._uses.items() if self._used(each)}
        self._watched = {each: self._watched[each] for each in (silence.speaker for silence in self._holding())}

    def to_plain(self) -> dict[str, Any]:
        """Builtins only, for the snapshot. Whoever used less than half of an acceptor's allowance begins anew."""
        return {
            "payments": self._payments,
            "day": self._day,
            "by_day": [[day, count] for day, count in self._by_day.items()],
            "uses": [
                [source.value, acceptor, *use]
                for (source, acceptor), use in self._uses.items()
                if acceptor is None or use.labels >= self._allowance((source, acceptor)) / 2
            ],
            "watched": [[*speaker, *watch] for speaker, watch in self._watched.items()],
            "silences": [
                [*each.speaker, each.began, dict(each.since), None if each.until is None else dict(each.until)]
                for each in self.silences
            ],
        }

    @classmethod
    def from_plain(cls, policy: LabelTrust, plain: Mapping[str, Any]) -> Self:
        """What `to_plain` wrote."""
        return cls(
            policy,
            [
                Silence(speaker=(LabelSource(source), acceptor), began=began, since=since, until=until)
                for source, acceptor, began, since, until in plain["silences"]
            ],
            {(LabelSource(source), acceptor): _Use(*use) for source, acceptor, *use in plain["uses"]},
            int(plain["payments"]),
            float(plain["day"]),
            {int(day): int(count) for day, count in plain["by_day"]},
            {(LabelSource(source), acceptor): _Watch(*watch) for source, acceptor, *watch in plain["watched"]},
        )

    def _spend(self, speaker: Speaker, partition: str, offset: int, heads: Callable[[], Offsets]) -> bool:
        """Whether there was allowance for one label more."""
        silence = next((each for each in self._holding() if each.speaker == speaker), None)
        if silence is not None:
            if not self._recovered(speaker):
                self._note(speaker)
                return False
            self.silences.remove(silence)
            self.silences.append(replace(silence, until={**heads(), partition: offset}))
            del self._watched[speaker]
            self._uses.pop(speaker, None)
        used, allowance = self._used(speaker) + 1, self._allowance(speaker)
        began = self._day if speaker not in self._uses or used < LITTLE * allowance else self._uses[speaker].began
        if used > allowance:
            since = {**heads(), partition: offset}
            self._fresh.append(Silence(speaker=speaker, began=began * SECONDS_PER_DAY, since=since))
            self.silences.append(self._fresh[-1])
            self._watched[speaker] = _Watch(1, self._day, self._payments)
            return False
        self._uses[speaker] = _Use(used, self._clock(speaker), began)
        return True

    def _holding(self) -> list[Silence]:
        return [each for each in self.silences if each.until is None]

    def _note(self, speaker: Speaker) -> None:
        """A silenced speaker has said something; whoever said too much in a day is watched for another one."""
        watch = self._watched[speaker]
        if self._day - watch.day >= 1.0:
            watch = _Watch(0, self._day, self._payments)
        self._watched[speaker] = watch._replace(labels=watch.labels + 1)

    def _recovered(self, speaker: Speaker) -> bool:
        """Whether a day of event time has passed in which a silenced speaker said no more than it may."""
        watch, (source, acceptor) = self._watched[speaker], speaker
        if acceptor is None:
            may_say = max(FEW, self.policy.share(source) * (self._payments - watch.payments))
        else:
            may_say = max(FEW, self.policy.most_frauds_per_acceptor)
        return self._day - watch.day >= 1.0 and watch.labels <= may_say

    def _used(self, speaker: Speaker) -> float:
        """Labels of the allowance that are spent and have not grown again."""
        use = self._uses.get(speaker)
        if use is None:
            return 0.0
        source, acceptor = speaker
        grows = self.policy.share(source) if acceptor is None else self._allowance(speaker)
        return max(use.labels - (self._clock(speaker) - use.since) * grows, 0.0)

    def _allowance(self, speaker: Speaker) -> float:
        source, acceptor = speaker
        if acceptor is not None:
            return float(self.policy.most_frauds_per_acceptor)
        recent = sum(count for day, count in self._by_day.items() if day > int(self._day) - FILE_DAYS)
        return self.policy.burst + self.policy.share(source) * recent

    def _clock(self, speaker: Speaker) -> float:
        return float(self._payments) if speaker[1] is None else self._day


def _speakers(label: Label, acceptor: str | None) -> Iterable[Speaker]:
    """The acceptor's first: what its limit refuses does not use up the source's allowance."""
    if acceptor is not None and label.state is LabelState.FRAUD:
        yield label.source, acceptor
    yield label.source, None
