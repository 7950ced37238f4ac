"""Doing a fault to an estate: by process id, and undone when its time is over."""

import asyncio
import signal
import time
from collections.abc import Mapping
from contextlib import suppress

import psutil
from chaos.estate import Estate, Part
from chaos.proxy import Bandwidth, BlackHole, Direction, Down, Latency, ResetPeer, Slicer
from chaos.proxy import Fault as LineFault
from chaos.schedule import CLOCK_STEPS, Fault, FaultKind

PRESENT_SECONDS = 30.0  # a victim that is just being restarted is waited for
STORM_SECONDS = 0.7

ON_THE_LINE: Mapping[FaultKind, tuple[LineFault, Direction]] = {
    FaultKind.NET_LATENCY: (Latency(ms=200, jitter_ms=50), Direction.BOTH),
    FaultKind.NET_BANDWIDTH: (Bandwidth(rate_kb=100), Direction.BOTH),
    FaultKind.NET_SLICES: (Slicer(average_size=64, size_variation=32, delay_us=100), Direction.BOTH),
    FaultKind.NET_BLACK_HOLE: (BlackHole(), Direction.BOTH),
    FaultKind.NET_ONE_WAY: (BlackHole(), Direction.DOWNSTREAM),
    FaultKind.NET_RESET: (ResetPeer(timeout_ms=50), Direction.DOWNSTREAM),
    FaultKind.NET_DOWN: (Down(), Direction.BOTH),
}


async def inject(estate: Estate, fault: Fault) -> float:
    """Do it, wait as long as it lasts and undo it; the moment from which recovery counts, seconds since 1970."""
    match fault.kind:
        case FaultKind.KILL_BROKER | FaultKind.BROKER_OUTAGE:
            return await _broker_away(estate, fault.seconds)
        case FaultKind.KILL_ONE_BROKER:
            return await _one_broker_away(estate, fault)
        case FaultKind.STOP_BROKER:
            return await _broker_stopped(estate, fault.seconds)
        case FaultKind.FULL_DISK:
            return await _disk_full(estate, fault.seconds)
        case FaultKind.REBALANCE_STORM:
            return await _storm(estate, fault.seconds)
        case kind if kind in ON_THE_LINE:
            return await _network(estate, fault)
        case _:
            return await _of_one(estate, fault)


async def _of_one(estate: Estate, fault: Fault) -> float:
    """The faults that one process suffers."""
    part = estate.parts["learner"] if fault.kind is FaultKind.KILL_LEARNER else estate.victim(fault.victim)
    match fault.kind:
        case FaultKind.TERMINATE_WORKER:
            return await _signal(part, signal.SIGTERM)
        case FaultKind.KILL_SCORER:
            return await _kill_scorer(estate, part)
        case FaultKind.ZOMBIE_WORKER:
            return await _zombie(part, fault.seconds)
        case FaultKind.LEAVE_WORKER:
            return await _leave(part, fault.seconds)
        case kind if kind in CLOCK_STEPS:
            return await _clocks_off(estate, part, CLOCK_STEPS[kind], fault.seconds)
        case _:
            return await _signal(part, signal.SIGKILL)


async def _process(part: Part) -> psutil.Process:
    give_up_at = time.monotonic() + PRESENT_SECONDS
    while (process := part.process()) is None:
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"{part.child.name} does not come back")
        await asyncio.sleep(0.02)
    return process


async def _signal(part: Part, number: signal.Signals) -> float:
    process = await _process(part)
    began = time.time()
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)
    return began


async def _kill_scorer(estate: Estate, part: Part) -> float:
    await _process(part)
    give_up_at = time.monotonic() + PRESENT_SECONDS
    while (scorer := estate.scorer_of(part)) is None:
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"{part.child.name} has no scorer")
        await asyncio.sleep(0.02)
    began = time.time()
    with suppress(psutil.NoSuchProcess):
        scorer.kill()
    return began


async def _zombie(part: Part, seconds: float) -> float:
    """Stopped for longer than its session: others take its partitions, then it goes on where it stood."""
    process = await _process(part)
    began = time.time()
    process.suspend()
    try:
        await asyncio.sleep(seconds)
    finally:
        with suppress(psutil.NoSuchProcess):
            process.resume()
    return began


async def _leave(part: Part, seconds: float) -> float:
    began = await _signal(part, signal.SIGKILL)
    await part.stop()
    await asyncio.sleep(seconds)
    await part.start()
    return began


async def _storm(estate: Estate, seconds: float) -> float:
    """Workers end and come back one after the other, faster than a rebalance settles."""
    give_up_at = time.monotonic() + seconds
    while time.monotonic() < give_up_at:
        for name in estate.names():
            process = estate.parts[name].process()
            if process is not None:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            await asyncio.sleep(STORM_SECONDS)
    return time.time()


async def _broker_away(estate: Estate, seconds: float) -> float:
    await estate.lone.kill()
    gone = time.time()
    await asyncio.sleep(seconds)
    back = time.time() if seconds else gone  # of an outage counts from the start of what comes back
    await estate.lone.start()
    return back


async def _one_broker_away(estate: Estate, fault: Fault) -> float:
    """The others go on without it; done once it has everything again, so that the next may die."""
    broker = estate.three.in_turn(fault.number)
    began = time.time()
    await asyncio.to_thread(broker.kill)
    await asyncio.sleep(began + fault.seconds - time.time())
    await asyncio.to_thread(broker.start)
    await estate.three.copied()
    return began


async def _disk_full(estate: Estate, seconds: float) -> float:
    """Kafka ends by itself once it cannot write; it is started again when there is room, as an operator would."""
    with estate.lone.disk.full():
        await asyncio.sleep(seconds)
        give_up_at = time.monotonic() + PRESENT_SECONDS
        while estate.lone.runs and time.monotonic() < give_up_at:
            await asyncio.sleep(0.05)
    room = time.time()
    if not estate.lone.runs:
        await estate.lone.start()
    return room


async def _clocks_off(estate: Estate, part: Part, step: int, seconds: float) -> float:
    """Those of a worker and of the learner, as if they ran on one machine."""
    began = time.time()
    with estate.clocks[part.child.name].off(step), estate.clocks["learner"].off(step):
        await asyncio.sleep(seconds)
    return began


async def _network(estate: Estate, fault: Fault) -> float:
    """Between all clients and the broker."""
    what, direction = ON_THE_LINE[fault.kind]
    async with estate.lone.proxy.fault(what, direction=direction):
        await asyncio.sleep(fault.seconds)
    return time.time()


async def _broker_stopped(estate: Estate, seconds: float) -> float:
    stopped = estate.lone.processes()
    for each in stopped:
        each.suspend()
    try:
        await asyncio.sleep(seconds)
    finally:
        for each in stopped:
            with suppress(psutil.NoSuchProcess):
                each.resume()
    return time.time()
