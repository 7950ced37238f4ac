"""What the hot path relies on within Faust and aiokafka, beyond what they promise: a new version must be read again.

Each function is named with the reason why it matters and the fingerprint of its source. One that changed fails here:
read what is new, run `make chaos`, and put the new fingerprint in.
"""

import inspect
import textwrap
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer.fetcher import Fetcher, FetchResult
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.producer.producer import AIOKafkaProducer
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.protocol.api import Request
from faust.agents.agent import Agent
from faust.app.base import App, BootStrategy
from faust.channels import Channel
from faust.streams import Stream
from mode.worker import Worker

from streams.broker import connections, layouts

RELIED_ON: list[tuple[Callable[..., Any], str, str]] = [
    (Fetcher._get_actions_per_node, "the intake: no fetch while a partition of the last answer waits", "b5dfda0c46e2"),
    (
        Fetcher.fetched_records,
        "the intake: what is fetched is given out in order",
        "682c38545099",
    ),
    (FetchResult.getall, "seeking: what was fetched for another position is dropped", "775b7b9ceb3a"),
    (connections._send, "what is mended: uvloop's error for a write to a broken connection", "151cd624ea62"),
    (AIOKafkaConnection.connect, "connections: what reads is made once, before anything is sent", "6f2f1e648da8"),
    (AIOKafkaConnection._read, "connections: an answer is handed over whole, and nothing else is done", "33cc8a7c405e"),
    (AIOKafkaConnection._on_read_task_error, "connections: an answer that makes no sense closes them", "a0b64d0a4001"),
    (AIOKafkaConnection.close, "connections: what reads is asked whether it is done, and cancelled", "adb0305bd979"),
    (layouts._plain_encode, "messages: all that is encoded are the values of their layout", "8d3e9b1fd26c"),
    (layouts._plain_decode, "messages: what is decoded is all that they are made of", "603eba5525f5"),
    (RangePartitionAssignor.assign, "the same partition numbers of several topics stay together", "8a855d2a56c4"),
    (GroupCoordinator._on_join_prepare, "lanes close before a rebalance goes on", "429d63ed61a4"),
    (GroupCoordinator.check_errors, "a membership that is over is told", "27b94275e712"),
    (AIOKafkaProducer.start, "starting a producer fences its predecessor before it returns", "92373cc3ad22"),
    (AIOKafkaProducer.stop, "a producer that has sent nothing itself ends no transaction", "eb5141d46d7e"),
    (TransactionManager.set_pid_and_epoch, "transactions: what the coordinator has given", "bccb60e05b8f"),
    (AIOKafkaClient.send, "transactions: an answer, or an error that says whether to try again", "d015164b5981"),
    (AIOKafkaClient.coordinator_lookup, "transactions: the coordinator as it is now", "4335c62e172e"),
    (Request.prepare, "transactions: a request may be sent again", "01c4db40c230"),
    (Agent._execute_actor, "the deciding agent's stream is one", "f2a8407b38b0"),
    (Channel.put, "an item put is an item in the channel", "f5c9a9b7e4f8"),
    (BootStrategy.server, "without Kafka agents are started all the same", "fa4cbdc8048a"),
    (App.on_started, "the worker starts when its agent runs", "832e3317d071"),
    (Stream._c_aiter, "an item that is no event is handed on as it is", "7df637a52306"),
    (App.on_stop, "nothing is stopped before it", "4726290bdec7"),
    (Worker._shutdown_loop, "nothing but waiting is left out of the end of a process", "27e943ca1700"),
]


def fingerprint(function: Callable[..., Any]) -> str:
    """Of its source, whatever its indentation."""
    return blake2b(textwrap.dedent(inspect.getsource(function)).encode(), digest_size=6).hexdigest()


@pytest.mark.parametrize(("function", "why", "known"), RELIED_ON, ids=lambda each: getattr(each, "__qualname__", ""))
def test_what_the_hot_path_relies_on_is_as_it_was_read(function: Callable[..., Any], why: str, known: str) -> None:
    assert fingerprint(function) == known, f"{function.__qualname__} changed; it matters because: {why}"
