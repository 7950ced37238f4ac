"""Creating topics, and telling what is wrong with those that exist."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.broker.clients import admin, reader
from streams.broker.reading import partitions_of
from streams.broker.topics import CATALOGUE, Topic, TopicSpec, name_of
from streams.settings import Settings

LEADERS_SECONDS = 30.0


class TopicsWrong(Exception):
    """Topics are missing or not as they must be; the message has a line for each finding."""

    @property
    def sentence(self) -> str:
        """The same in one line, and what to do."""
        return f"Topics are not as they must be: {'; '.join(str(self).splitlines())}. See `holdfast topics check`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong with one topic."""

    topic: str
    problem: str
    missing: bool = False


async def create_topics(settings: Settings) -> list[str]:
    """Create what is missing and return its names. Raises TopicsWrong where an existing topic is not as it must be."""
    client = admin(settings.broker)
    await client.start()
    try:
        findings = await _check(client, settings)
        absent = {finding.topic for finding in findings if finding.missing}
        if wrong := [finding for finding in findings if not finding.missing]:
            raise TopicsWrong(_lines(wrong))
        specs = [spec for spec in CATALOGUE if name_of(spec.topic, settings.topics) in absent]
        if specs:
            answer = await client.create_topics([_new(spec, settings) for spec in specs], timeout_ms=30_000)
            if refused := [Finding(topic=name, problem=why or f"error {code}") for name, code, why in _refused(answer)]:
                raise TopicsWrong(_lines(refused))
            await _until_led(settings, [spec.topic for spec in specs])
        return sorted(absent)
    finally:
        await client.close()


async def check_topics(settings: Settings) -> list[Finding]:
    """What is wrong with the topics; nothing where all is well."""
    client = admin(settings.broker)
    await client.start()
    try:
        return await _check(client, settings)
    finally:
        await client.close()


async def require_topics(settings: Settings) -> None:
    """Raise TopicsWrong unless every topic is there and as it must be."""
    if findings := await check_topics(settings):
        raise TopicsWrong(_lines(findings))


def _refused(answer: Any) -> list[tuple[str, int, str | None]]:
    """Topics that were not created, with Kafka's error code and message; 36 is: somebody else just did."""
    return [(name, code, why) for name, code, why, *_ in answer.topic_errors if code not in (0, 36)]


async def _until_led(settings: Settings, topics: list[Topic]) -> None:
    """Wait until the leader of each partition says that it is: what is sent before is refused, with a warning each."""
    async with reader(settings.broker) as consumer, asyncio.timeout(LEADERS_SECONDS):
        await consumer.end_offsets(partitions_of(settings, topics))


def _lines(findings: list[Finding]) -> str:
    return "\n".join(f"{finding.topic}: {finding.problem}" for finding in findings)


def _new(spec: TopicSpec, settings: Settings) -> NewTopic:
    return NewTopic(
        name=name_of(spec.topic, settings.topics),
        num_partitions=spec.partitions(settings.topics),
        replication_factor=settings.topics.replication_factor,
        topic_configs=spec.configuration(settings.topics),
    )


async def _check(client: AIOKafkaAdminClient, settings: Settings) -> list[Finding]:
    names = [name_of(spec.topic, settings.topics) for spec in CATALOGUE]
    there = set(await client.list_topics())
    described = {
        each["topic"]: each for each in await client.describe_topics([name for name in names if name in there])
    }
    configured = await _configurations(client, sorted(described))
    findings = []
    for spec, name in zip(CATALOGUE, names, strict=True):
        if name not in described:
            findings.append(Finding(topic=name, problem="is missing", missing=True))
            continue
        findings += [
            Finding(topic=name, problem=problem)
            for problem in _problems(spec, settings, described[name]["partitions"], configured.get(name, {}))
        ]
    return findings


def _problems(
    spec: TopicSpec, settings: Settings, partitions: Sequence[Mapping[str, Any]], configured: dict[str, str]
) -> list[str]:
    problems = []
    if len(partitions) != spec.partitions(settings.topics):
        problems.append(f"has {len(partitions)} partitions, not {spec.partitions(settings.topics)}")
    copies = min(len(each["replicas"]) for each in partitions)
    if copies < settings.topics.replication_factor:  # more is well, and what a reassignment makes for a while
        problems.append(f"has {copies} {'copy' if copies == 1 else 'copies'}, not {settings.topics.replication_factor}")
    problems += [
        f"{key} is {configured.get(key)!r}, not {wanted!r}"
        for key, wanted in spec.configuration(settings.topics).items()
        if configured.get(key) != wanted
    ]
    return problems


async def _configurations(client: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, dict[str, str]] = {}
    for response in await client.describe_configs(resources) if resources else []:
        for _, _, _, name, entries in response.resources:
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found
