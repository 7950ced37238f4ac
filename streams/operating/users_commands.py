"""`holdfast users put|list|disable` and `holdfast audit-log verify`: who comes into the console, and what they did."""

import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from rules.access import Role
from streams.operating.context import settings_of

if TYPE_CHECKING:
    from streams.reviewing.accounts import Accounts
    from streams.reviewing.audit_log import AuditLog

users = typer.Typer(help="Who may come into the console, and as what.", no_args_is_help=True)
audit_log = typer.Typer(help="What people did in the console.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="As they log in; it stands on their verdicts.")]
NOT_AS_WRITTEN = 1


@users.command()
def put(
    ctx: typer.Context,
    name: Name,
    *,
    role: Annotated[Role, typer.Option(help="What they are there for.")] = Role.ANALYST,
    password: Annotated[
        str | None, typer.Option(envvar="HOLDFAST_NEW_PASSWORD", help="Asked for unless it is in the environment.")
    ] = None,
    no_password: Annotated[
        bool, typer.Option("--no-password", help="Only the identity provider of the settings lets them in.")
    ] = False,
) -> None:
    """Make a user, or give one another role and password; who is in with the old one is out."""
    from streams.reviewing.accounts import AccountRefused

    if no_password:
        password = None
    elif password is None:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    accounts, log = _kept(ctx)
    try:
        accounts.put(name, role, password)
    except AccountRefused as refused:
        raise typer.BadParameter(str(refused)) from refused
    _note(log, "user_put", user=name, role=role)
    typer.echo(f"{name} may come in as {role}.")


@users.command()
def disable(ctx: typer.Context, name: Name) -> None:
    """Keep somebody out, from now on."""
    from streams.reviewing.accounts import AccountRefused

    accounts, log = _kept(ctx)
    try:
        accounts.disable(name)
    except AccountRefused as refused:
        raise typer.BadParameter(str(refused)) from refused
    _note(log, "user_disabled", user=name)
    typer.echo(f"{name} cannot come in any more.")


@users.command("list")
def list_(ctx: typer.Context) -> None:
    """List all users."""
    accounts, _ = _kept(ctx)
    for user, active in accounts.all():
        typer.echo(f"{user.name}: {user.role}" + ("" if active else ", disabled"))


@audit_log.command()
def verify(
    ctx: typer.Context,
    *,
    head: Annotated[str, typer.Option(help="One noted earlier, NUMBER:DIGEST, that it must still hold.")] = "",
) -> None:
    """Check that no entry was changed, inserted, taken out or cut off; print the head, to be noted elsewhere."""
    from streams.reviewing.audit_log import Head, LogTampered

    _, log = _kept(ctx)
    try:
        found = log.verify()
    except LogTampered as tampered:
        typer.echo(f"Not as it was written: {tampered}.", err=True)
        raise typer.Exit(NOT_AS_WRITTEN) from tampered
    number, _, digest = head.partition(":")
    if head and not (number.isdigit() and log.holds(Head(number=int(number), digest=digest))):
        typer.echo(f"It does not hold {head}: it was made anew or cut off.", err=True)
        raise typer.Exit(NOT_AS_WRITTEN)
    typer.echo(f"{found.number}:{found.digest}")


def _kept(ctx: typer.Context) -> tuple["Accounts", "AuditLog"]:
    from streams.reviewing.accounts import Accounts
    from streams.reviewing.audit_log import AuditLog
    from streams.reviewing.database import connect

    engine = connect(settings_of(ctx).console.store_url)
    return Accounts(engine), AuditLog(engine)


def _note(log: "AuditLog", what: str, **details: str) -> None:
    log.add(f"{getpass.getuser()} (command)", what, details, datetime.now(UTC))
