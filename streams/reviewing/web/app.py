"""The application: which path leads to which page, and who may go there."""

from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from rules.access import Right
from streams.reviewing.web import (
    actions,
    answer_hook,
    complaint_pages,
    entry,
    live_pages,
    model_pages,
    pages,
    payment_pages,
    rule_pages,
    second_look_pages,
)
from streams.reviewing.web.console import Console, Page, for_whom_may
from streams.reviewing.web.guard import ANSWERS, Guard

STATIC = Path(__file__).parent / "static"


def build(console: Console) -> Starlette:
    """Make it."""

    def seen(path: str, page: Page) -> Route:
        return Route(path, for_whom_may(console, page, Right.LOOK), methods=["GET"])

    def done(path: str, page: Page, right: Right = Right.REVIEW) -> Route:
        return Route(path, for_whom_may(console, page, right), methods=["POST"])

    app = Starlette(
        routes=[
            Route("/login", partial(entry.login_page, console), methods=["GET"]),
            Route("/login", partial(entry.log_in, console), methods=["POST"]),
            Route("/logout", partial(entry.log_out, console), methods=["POST"]),
            *_by_provider(console),
            Route(ANSWERS, partial(answer_hook.take_answer, console), methods=["POST"]),
            seen("/", pages.queues_page),
            seen("/queues/{queue}", pages.queue_page),
            seen("/cases/{case_id}", pages.case_page),
            seen("/operations", live_pages.operations_page),
            seen("/operations/again", live_pages.operations_page),
            seen("/operations/events", live_pages.events),
            seen("/payments", payment_pages.payment_page),
            seen("/model", model_pages.model_page),
            done("/model/quality", model_pages.measure_quality, Right.LOOK),
            done("/model/rollback", model_pages.roll_back, Right.CHANGE_MODEL),
            done("/model/promotion", model_pages.promote, Right.CHANGE_MODEL),
            seen("/rules", rule_pages.rules_page),
            done("/rules/check", rule_pages.check, Right.CHANGE_RULES),
            done("/rules/back-test", rule_pages.try_out, Right.CHANGE_RULES),
            done("/rules/proposals", rule_pages.propose, Right.CHANGE_RULES),
            done("/rules/proposals/{number:int}/activation", rule_pages.activate, Right.CHANGE_RULES),
            done("/rules/proposals/{number:int}/withdrawal", rule_pages.withdraw, Right.CHANGE_RULES),
            done("/queues/{queue}/next", actions.take_next),
            done("/queues/{queue}/verdicts", actions.decide_many, Right.BULK),
            done("/cases/{case_id}/lease", actions.lease),
            done("/cases/{case_id}/verdict", actions.decide),
            done("/cases/{case_id}/release", actions.release),
            done("/cases/{case_id}/escalation", actions.escalate),
            done("/cases/{case_id}/question", actions.ask),
            seen("/complaints", complaint_pages.complaints_page),
            done("/complaints", complaint_pages.complain),
            done("/complaints/{complaint_id}/settlement", complaint_pages.settle),
            done("/second-looks/next", second_look_pages.take_next),
            done("/second-looks/{case_id}/verdict", second_look_pages.give),
            Route(
                "/second-looks", for_whom_may(console, second_look_pages.waiting_page, Right.REVIEW), methods=["GET"]
            ),
            Route(
                "/second-looks/{case_id}",
                for_whom_may(console, second_look_pages.second_look_page, Right.REVIEW),
                methods=["GET"],
            ),
            Route(
                "/reviewers", for_whom_may(console, second_look_pages.reviewers_page, Right.COMPARE), methods=["GET"]
            ),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Guard, accounts=console.accounts, clock=console.clock)],
    )
    app.state.watching = live_pages.Watching(console)
    app.state.measured, app.state.why_not_measured = None, ""
    return app


def _by_provider(console: Console) -> list[Route]:
    """The ways in by an identity provider, if one is set; what they need is an extra."""
    if not console.settings.oidc.issuer:
        return []
    from streams.reviewing.web.identity_provider import IdentityProvider
    from streams.reviewing.web.sign_on import SignOn

    sign_on = SignOn(console, IdentityProvider(console.settings.oidc))
    return [
        Route("/login/provider", sign_on.leave, methods=["GET"]),
        Route("/login/provider/back", sign_on.come_back, methods=["GET"]),
    ]
