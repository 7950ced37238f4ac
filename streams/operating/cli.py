"""The `holdfast` command. The module of a command is imported only when that command is called."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

CANNOT = 2  # the exit code where a setting or the cluster stands in the way, as for a wrong option

RUN, LOOK, OPERATE = "Run", "Look", "Operate"


@dataclass(frozen=True, slots=True, kw_only=True)
class LazyCommand:
    """Where a command is to be found, and what help says of it before it is imported; a test compares."""

    place: str  # module:attribute below streams.operating; a function or a Typer
    summary: str  # the first sentence of its own help
    example: str
    panel: str


COMMANDS = {
    "demo": LazyCommand(
        place="demo:demo",
        summary="Show on this machine, in a minute and a half, what happens when the model fails.",
        example="holdfast demo --rate 300",
        panel=RUN,
    ),
    "up": LazyCommand(
        place="up:up",
        summary="Run everything on this machine until Ctrl-C, and restart what dies.",
        example="holdfast up --workers 2 --simulate 200",
        panel=RUN,
    ),
    "worker": LazyCommand(
        place="processes:worker",
        summary="Decide transactions until SIGTERM.",
        example="holdfast worker --instance worker-2",
        panel=RUN,
    ),
    "learner": LazyCommand(
        place="processes:learner",
        summary="Learn from labels and publish models until SIGTERM.",
        example="HOLDFAST_LEARNER_MATURITY_DAYS=3 holdfast learner",
        panel=RUN,
    ),
    "reconciler": LazyCommand(
        place="processes:reconciler",
        summary="Score again what was decided without the model, once it is back, until SIGTERM.",
        example="holdfast reconciler",
        panel=RUN,
    ),
    "console": LazyCommand(
        place="processes:console",
        summary="Keep a case of each decision that people are to look at, and publish what comes of it, until SIGTERM.",
        example="HOLDFAST_CONSOLE_STORE_URL=postgresql://holdfast@db/reviews holdfast console",
        panel=RUN,
    ),
    "watcher": LazyCommand(
        place="processes:watcher",
        summary="Hear the heartbeats of all processes, and say on `alerts` who has gone silent, until SIGTERM.",
        example="holdfast watcher",
        panel=RUN,
    ),
    "forward": LazyCommand(
        place="processes:forward",
        summary="Send alerts and reviewers' questions on to Alertmanager and webhooks, until SIGTERM.",
        example="HOLDFAST_FORWARD_ALERTMANAGER_URL=http://127.0.0.1:9093 holdfast forward",
        panel=RUN,
    ),
    "kafka": LazyCommand(
        place="kafka_commands:app",
        summary="A real Apache Kafka on this machine.",
        example="holdfast kafka start --port 9092",
        panel=RUN,
    ),
    "watch": LazyCommand(
        place="watching:app",
        summary="Decisions, alerts and changes of mode as they come.",
        example="holdfast watch alerts",
        panel=LOOK,
    ),
    "audit": LazyCommand(
        place="audit_command:audit",
        summary="Check that every transaction ended exactly once: a decision, a dead letter or a recognised duplicate.",
        example="holdfast audit --last 1h",
        panel=LOOK,
    ),
    "revisions": LazyCommand(
        place="revisions_command:revisions",
        summary="Sum up what the model says of decisions made without it, by why that was, with their money.",
        example="holdfast revisions --last 1h",
        panel=LOOK,
    ),
    "complaints": LazyCommand(
        place="complaints_command:complaints",
        summary="Say how often people complained of payments that were stopped, how often they were right, and how long"
        " it took.",
        example="holdfast complaints --by model --last 7d",
        panel=LOOK,
    ),
    "drill": LazyCommand(
        place="drills.command:drill",
        summary="Bring failures about, and see that payments are decided, that people hear of it, and how it ends.",
        example="holdfast drill dead-model slow-model",
        panel=LOOK,
    ),
    "evaluate": LazyCommand(
        place="evaluating:evaluate",
        summary="Say how good scores and decisions were, week by week: on a labelled file, or on the topics of an"
        " installation.",
        example="holdfast evaluate handbook.parquet --test-day 129 --report .",
        panel=LOOK,
    ),
    "decide": LazyCommand(
        place="deciding_one:decide",
        summary="Send one transaction and wait for its decision; an id and the time are filled in where missing.",
        example="holdfast decide transaction.json",
        panel=LOOK,
    ),
    "mode": LazyCommand(
        place="mode_commands:app",
        summary="Whose answer is used: the model's, or rules', whatever the breaker says.",
        example='holdfast mode force rules --why "drift since noon"',
        panel=OPERATE,
    ),
    "model": LazyCommand(
        place="model_commands:app",
        summary="Models: which there are, what they weigh, and which is to decide.",
        example="holdfast model list",
        panel=OPERATE,
    ),
    "users": LazyCommand(
        place="users_commands:users",
        summary="Who may come into the console, and as what.",
        example="holdfast users put ann --role analyst",
        panel=OPERATE,
    ),
    "audit-log": LazyCommand(
        place="users_commands:audit_log",
        summary="What people did in the console.",
        example="holdfast audit-log verify",
        panel=OPERATE,
    ),
    "topics": LazyCommand(
        place="topics_commands:app",
        summary="The topics: create what is missing, check what is there.",
        example="holdfast topics create",
        panel=OPERATE,
    ),
    "rules": LazyCommand(
        place="rules_commands:app",
        summary="Rule sets: check a change, show what it says, put it into force.",
        example="holdfast rules check rules.toml",
        panel=OPERATE,
    ),
    "dlt": LazyCommand(
        place="dlt_commands:app",
        summary="Dead letters: look at them, send them again, delete them.",
        example="holdfast dlt list --last 1h",
        panel=OPERATE,
    ),
    "simulate": LazyCommand(
        place="simulate_command:simulate",
        summary="Send simulated transactions, and labels when their simulated time comes.",
        example="holdfast simulate --rate 200 --seconds 5m",
        panel=OPERATE,
    ),
    "replay": LazyCommand(
        place="replaying:replay",
        summary="Send a recorded history through Kafka, worker and learner, and measure the decisions that come back.",
        example="holdfast replay handbook.parquet --rate 2500",
        panel=OPERATE,
    ),
}

# What people can put right: said in a sentence. A class of a module that was never imported cannot have been raised.
_EXPECTED = (
    ("streams.settings", "SettingsError"),
    ("streams.broker.jars", "KafkaUnavailable"),
    ("streams.broker.topic_admin", "TopicsWrong"),
    ("streams.supervising.supervisor", "ChildNotReady"),
    ("streams.letters.replay", "ReplayTakenOver"),
    ("streams.forwarding.process", "NowhereToForward"),
    ("streams.operating.drills.live_stage", "NotNow"),
)


class LazyGroup(TyperGroup):
    """Lists commands by their table, and imports the one that is called."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, lazy in COMMANDS.items():
            self.add_command(TyperCommand(name, help=lazy.summary, rich_help_panel=lazy.panel))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print it."""
        _prepare_help()
        super().format_help(ctx, formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Put the real command in its place."""
        name, placeholder, rest = super().resolve_command(ctx, args)
        return name, load(name) if name in COMMANDS else placeholder, rest

    def invoke(self, ctx: Any) -> Any:
        """Run it; what people can put right is a sentence and exit code 2."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            sentence = None if ctx.params["debug"] else _sentence(error, ctx)
            if sentence is None:
                raise
            typer.secho("✗ ", err=True, fg="red", nl=False)
            typer.echo(sentence, err=True)
            raise typer.Exit(CANNOT) from error


def _prepare_help() -> None:
    """Import what prints help, without what prints nothing of it here, Markdown and tracebacks: a third of the time."""
    spared = {}
    for module, name in (("rich.markdown", "Markdown"), ("rich.traceback", "Traceback")):
        if module not in sys.modules:
            sys.modules[module] = spared[module] = ModuleType(module)
            setattr(spared[module], name, object)
    import_module("typer.rich_utils")
    for module in spared:
        del sys.modules[module]  # whoever asks for it gets the real one


def _say_version(wanted: bool) -> None:  # noqa: FBT001 - typer's signature of a callback
    if wanted:
        from importlib import metadata

        typer.echo(f"holdfast {metadata.version('holdfast')}")
        raise typer.Exit


main = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@main.callback()
def holdfast(
    ctx: typer.Context,
    *,
    settings: Annotated[
        Path | None,
        typer.Option(
            envvar="HOLDFAST_SETTINGS",
            dir_okay=False,
            help="A TOML file; HOLDFAST_<SECTION>_<KEY> overrides it. [default: holdfast.toml, if there is one]",
        ),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,  # noqa: ARG001
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Say which version this is.")
    ] = False,
) -> None:
    """Fraud decisions on a Kafka stream that hold when the model does not."""
    ctx.obj = settings


def load(name: str) -> Any:
    """The real command of this name, with an example as the last line of its help."""
    lazy = COMMANDS[name]
    module, attribute = lazy.place.split(":")
    found = getattr(import_module(f"streams.operating.{module}"), attribute)
    command = typer.main.get_group(found) if isinstance(found, typer.Typer) else _single(found)
    command.name = name
    if "Example: " not in (command.help or ""):
        command.epilog = f"Example: {lazy.example}"
    return command


def _single(function: Callable[..., None]) -> Any:
    app = typer.Typer(add_completion=False)
    app.command()(function)
    return typer.main.get_command(app)


def _sentence(error: Exception, ctx: typer.Context) -> str | None:
    """What to tell people of an error that they can put right; None for any other."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if any(isinstance(error, getattr(sys.modules[place], name)) for place, name in _EXPECTED if place in sys.modules):
        return str(error)
    aiokafka = sys.modules.get("aiokafka.errors")
    if aiokafka is not None and isinstance(error, aiokafka.KafkaConnectionError):
        from streams.operating.context import settings_of

        where = settings_of(ctx).broker.bootstrap_servers
        return f"No Kafka answers at {where}. Start one with `holdfast kafka start`, or name yours in HOLDFAST_BROKER."
    return None


if __name__ == "__main__":
    main()
