"""Rules: the set in force and what it hits, a draft, what it would change, and its activation by two persons."""

import asyncio
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from rules.access import Right
from rules.back_test import Found
from rules.ruleset import Problem, RuleSet, RuleSetError, parse_ruleset
from streams.overseeing.back_testing import MOST_DECISIONS, Tested, back_test
from streams.overseeing.live import HIT_MINUTES
from streams.overseeing.rules_pushing import active_ruleset, push_ruleset
from streams.reviewing.accounts import User
from streams.reviewing.proposals import NoSuchProposal, Proposals, ProposalState
from streams.reviewing.web.console import MOST_FORM_FIELDS, MOST_WHY, Console, FormMalformed, reason


async def rules_page(console: Console, request: Request, user: User) -> Response:
    """The set in force, proposals, and the text of one of them or of the set to begin a draft with."""
    proposals = Proposals(console.store.engine)
    if (number := request.query_params.get("proposal")) is None:
        return await _show(console, user, draft=None)
    try:
        chosen = await run_in_threadpool(proposals.one, int(number))
    except (ValueError, NoSuchProposal):
        raise FormMalformed from None
    return await _show(console, user, draft=chosen.text)


async def check(console: Console, request: Request, user: User) -> Response:
    """What is wrong with a draft, by the checker of `holdfast rules check`."""
    text, _ = _draft(await request.form(max_fields=MOST_FORM_FIELDS))
    await console.log(user.name, "rules_check")
    ruleset, problems = await _parsed(text)
    return await _show(console, user, draft=text, checked=ruleset, problems=problems)


async def try_out(console: Console, request: Request, user: User) -> Response:
    """What a draft would have made of recent decisions."""
    text, _ = _draft(await request.form(max_fields=MOST_FORM_FIELDS))
    ruleset, problems = await _parsed(text)
    await console.log(user.name, "rules_back_test", ruleset_version=ruleset.ruleset_version if ruleset else "")
    tested: Tested | None = None
    if ruleset is not None:
        async with console.cluster.reading() as consumer:
            tested = await back_test(consumer, console.settings, ruleset, console.clock())
    return await _show(console, user, draft=text, checked=ruleset, problems=problems, tested=tested)


async def propose(console: Console, request: Request, user: User) -> Response:
    """Have a draft wait for somebody else's word."""
    text, why = _draft(await request.form(max_fields=MOST_FORM_FIELDS))
    ruleset, problems = await _parsed(text)
    if ruleset is None:
        return await _show(console, user, draft=text, problems=problems)
    if not why:
        raise FormMalformed
    version = ruleset.ruleset_version
    await console.log(user.name, "rules_proposal", ruleset_version=version, why=why)
    await run_in_threadpool(Proposals(console.store.engine).add, text, version, why, user.name, console.clock())
    return RedirectResponse("/rules", 303)


async def activate(console: Console, request: Request, user: User) -> Response:
    """Put what somebody else proposed into force."""
    proposals, number = Proposals(console.store.engine), int(request.path_params["number"])
    try:
        proposal = await run_in_threadpool(proposals.one, number)
        if proposal.proposed_by == user.name:
            return _refused(console, user, "You have proposed it; somebody else must activate it.")
        await console.log(user.name, "rules_activation", ruleset_version=proposal.ruleset_version, number=str(number))
        await push_ruleset(console.cluster, proposal.text, proposal.ruleset_version)  # again, it would change nothing
        await run_in_threadpool(proposals.close, number, ProposalState.ACTIVATED, user.name, console.clock())
    except NoSuchProposal:
        return _refused(console, user, "It waits no more.")
    return RedirectResponse("/rules", 303)


async def withdraw(console: Console, request: Request, user: User) -> Response:
    """Let a proposal go, one's own or another's."""
    number = int(request.path_params["number"])
    await console.log(user.name, "rules_withdrawal", number=str(number))
    try:
        closing = Proposals(console.store.engine).close
        await run_in_threadpool(closing, number, ProposalState.WITHDRAWN, user.name, console.clock())
    except NoSuchProposal:
        return _refused(console, user, "It waits no more.")
    return RedirectResponse("/rules", 303)


async def _show(console: Console, user: User, *, draft: str | None, **facts: Any) -> Response:
    async with console.cluster.reading() as consumer:
        active = await active_ruleset(consumer, console.settings)
    in_force, _ = await _parsed(active)
    waiting = await run_in_threadpool(Proposals(console.store.engine).waiting)
    return console.show(
        "rules.html",
        422 if facts.get("problems") else 200,
        user=user,
        in_force=in_force,
        hits=console.live.rule_hits(console.clock()),
        hit_minutes=HIT_MINUTES,
        waiting=waiting,
        may_change=user.may(Right.CHANGE_RULES),
        draft=active if draft is None else draft,
        found=list(Found),
        most_decisions=MOST_DECISIONS,
        most_why=MOST_WHY,
        **{"checked": None, "problems": (), "tested": None, **facts},
    )


def _refused(console: Console, user: User, why: str) -> Response:
    return console.show("refused.html", 409, user=user, why=why, back="/rules")


def _draft(form: FormData) -> tuple[str, str]:
    try:
        return str(form["text"]).replace("\r\n", "\n"), reason(form)
    except KeyError:
        raise FormMalformed from None


async def _parsed(text: str) -> tuple[RuleSet | None, tuple[Problem, ...]]:
    try:  # in a thread: a set of 900 rules takes seconds
        return await asyncio.to_thread(parse_ruleset, text), ()
    except RuleSetError as error:
        return None, error.problems
