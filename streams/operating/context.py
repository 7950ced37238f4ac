"""What every command gets from the top level: the settings."""

import os
from pathlib import Path

import typer

from streams.settings import Settings, load_settings


def settings_of(ctx: typer.Context) -> Settings:
    """The settings of this call: the file that `--settings` named, else as `load_settings` finds them.

    Raises SettingsError.
    """
    path = ctx.find_root().obj
    return load_settings(path if isinstance(path, Path) else None, os.environ)
