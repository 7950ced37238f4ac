"""Models: which there are, how good they were of late, the way back, and the promotion of a candidate."""

import uuid

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from rules.access import Right
from rules.appraisal import NothingToAppraise
from streams.broker.topics import Topic
from streams.overseeing.known_models import Known, last_order, models_of
from streams.overseeing.model_quality import DAYS, ModelQuality, measure
from streams.reviewing.accounts import User
from streams.reviewing.web.chart import HEIGHT, PLOT, WIDTH, calibration, over_time
from streams.reviewing.web.console import MOST_FORM_FIELDS, MOST_WHY, Console, FormMalformed, reason
from streams.wire.control import MODEL, ModelOrder, ModelVerb, write_model_order


async def model_page(console: Console, request: Request, user: User) -> Response:
    """Versions, what was measured last, and the last order."""
    async with console.cluster.reading() as consumer:
        known = await models_of(consumer, console.settings)
        order = await last_order(consumer, console.settings)
    measured: ModelQuality | None = request.app.state.measured
    champions = [each for role, each in known if role == "champion"]
    return console.show(
        "model.html",
        user=user,
        known=known,
        kept=_versions(known, "kept"),
        candidates=_versions(known, "candidate"),
        order=order,
        carried_out=order is not None and any(each.order == order.order_id for each in champions),
        may_change=user.may(Right.CHANGE_MODEL),
        measured=measured,
        why_not=request.app.state.why_not_measured,
        dots=calibration(measured.bins) if measured else [],
        lines={
            name: over_time([getattr(day, name) for day in measured.days])
            for name in ("average_precision", "recall", "block_precision")
        }
        if measured
        else {},
        days=DAYS,
        plot=PLOT,
        width=WIDTH,
        height=HEIGHT,
        most_why=MOST_WHY,
    )


async def measure_quality(console: Console, request: Request, user: User) -> Response:
    """Measure how good scores and decisions were of late."""
    await console.log(user.name, "measure_quality")
    state = request.app.state
    async with console.cluster.reading() as consumer:
        try:
            state.measured, state.why_not_measured = await measure(consumer, console.settings, console.clock()), ""
        except NothingToAppraise as nothing:
            state.measured, state.why_not_measured = None, str(nothing)
    return RedirectResponse("/model", 303)


async def roll_back(console: Console, request: Request, user: User) -> Response:
    """Have the learner go back to a model that it has kept."""
    return await _order(console, request, user, ModelVerb.ROLLBACK, among="kept")


async def promote(console: Console, request: Request, user: User) -> Response:
    """Have a candidate decide that failed its exam."""
    return await _order(console, request, user, ModelVerb.PROMOTE, among="candidate")


async def _order(console: Console, request: Request, user: User, verb: ModelVerb, *, among: str) -> Response:
    form = await request.form(max_fields=MOST_FORM_FIELDS)
    version, why = str(form.get("version", "")), reason(form)
    async with console.cluster.reading() as consumer:
        there = _versions(await models_of(consumer, console.settings), among)
    if version not in there or not why:
        raise FormMalformed
    await console.log(user.name, f"model_{verb}", model_version=version, why=why)
    order = ModelOrder(order_id=uuid.uuid4().hex, model_version=version, verb=verb, who=user.name, why=why)
    await console.cluster.send(Topic.CONTROL, [(MODEL, write_model_order(order))])
    return RedirectResponse("/model", 303)


def _versions(known: Known, role: str) -> list[str]:
    return [each.model_version for role_of, each in known if role_of == role]
