"""One process of each kind, in this process: `holdfast worker`, `learner`, `reconciler`, `console` and the others."""

import asyncio
from importlib import import_module
from importlib.util import find_spec
from typing import Annotated

import typer

from streams.crash import EXIT_INDEFINITE
from streams.operating.context import settings_of
from streams.settings import Settings
from streams.turn import await_turn, is_spare

# At the first start of an app: half of what a spare takes from its turn to its start.
FAUST_IMPORTS_LATE = ("faust.assignor.partition_assignor", "faust.tables.sets", "faust.transport.drivers.aiokafka")


def worker(
    ctx: typer.Context,
    *,
    instance: Annotated[
        str,
        typer.Option(
            envvar="HOLDFAST_INSTANCE", help="Its name: keep it over restarts, and give it to no other worker."
        ),
    ] = "worker-1",
) -> None:
    """Decide transactions until SIGTERM.

    Logs go to standard error, one JSON object a line; the first names the port of /metrics. Exit code 70 means that
    it met something whose outcome nobody can know: start it again, it goes on from what is committed.
    """
    import mode.loop

    mode.loop.use("uvloop")  # before Faust is imported

    from streams.deciding.nursery import Nursery
    from streams.logs import configure_logs
    from streams.worker import build_app

    nursery = Nursery()
    if not is_spare():
        settings = _ready_cluster(ctx)
    else:
        nursery.open()
        for late in FAUST_IMPORTS_LATE:
            import_module(late)
        if not await_turn():
            raise typer.Exit
        settings = settings_of(ctx)
    configure_logs(instance)
    app = build_app(settings, instance, nursery)
    try:
        app.Worker(quiet=True, override_logging=False, loop=app.loop).execute_from_commandline()
    except SystemExit as end:
        raise typer.Exit(EXIT_INDEFINITE if end.code else 0) from end


def learner(ctx: typer.Context) -> None:
    """Learn from labels and publish models until SIGTERM.

    There is one learner: a second one fences the first. Logs go to standard error; exit code 70 means: start it again,
    it learns each label exactly once relative to its last snapshot.
    """
    from streams.priority import give_way

    give_way(5)  # what it loads and reads at its start is seconds of work, and payments are decided meanwhile
    settings = _ready_cluster(ctx)

    from streams.learning.process import run

    run(settings)


def reconciler(ctx: typer.Context) -> None:
    """Score again what was decided without the model, once it is back, until SIGTERM.

    What it would have decided goes to decisions.revised, once for each decision; the decisions stay as they are. There
    is one reconciler: a second one fences the first. Logs go to standard error; exit code 70 means: start it again.
    """
    settings = _ready_cluster(ctx)

    from streams.reconciling.process import run

    run(settings)


def console(ctx: typer.Context) -> None:
    """Keep a case of each decision that people are to look at, and publish what comes of it, until SIGTERM.

    Its pages are on http://127.0.0.1:8480; `holdfast users put` lets somebody in. What nobody decides in time goes by
    the default of its queue. There is one console: a second one fences the first. Logs go to standard error; exit code
    70 means: start it again.
    """
    if settings_of(ctx).oidc.issuer and find_spec("jwt") is None:
        raise typer.BadParameter("oidc.issuer needs what `pip install 'holdfast[oidc]'` brings")
    settings = _ready_cluster(ctx)

    from streams.reviewing.process import run

    run(settings)


def watcher(ctx: typer.Context) -> None:
    """Hear the heartbeats of all processes, and say on `alerts` who has gone silent, until SIGTERM.

    It is for the silence of others that it is a process of its own; run it elsewhere than they do. Logs go to standard
    error; exit code 70 means: start it again.
    """
    settings = _ready_cluster(ctx)

    from streams.watching.process import run

    run(settings)


def forward(ctx: typer.Context) -> None:
    """Send alerts and reviewers' questions on to Alertmanager and webhooks, until SIGTERM.

    At least once each, in order, tried again until it is taken. Logs go to standard error; exit code 70 means: start it
    again.
    """
    from streams.forwarding.process import places, run

    places(settings_of(ctx))  # what is not set is said before anything starts
    run(_ready_cluster(ctx))


def _ready_cluster(ctx: typer.Context) -> Settings:
    """The settings, once a Kafka answers and its topics are as they must be: wrong ones are reported, not used."""
    from streams.broker.topic_admin import require_topics

    settings = settings_of(ctx)
    asyncio.run(require_topics(settings))
    return settings
