"""Compiles parts of the hot path, where there is a compiler; without one a wheel does the same in Python."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MODULES = ("models._card", "models._texts", "streams.broker._layouts")
FLAGS = ["-O3", "-ffp-contract=off"]  # a fused multiplication rounds once where Python rounds twice


class CustomBuildHook(BuildHookInterface[Any]):
    """Called by hatchling before it builds a wheel, be it an editable one."""

    def initialize(self, _version: str, build_data: dict[str, Any]) -> None:
        """Compile in place, and have the wheel be one for this platform."""
        if self.target_name != "wheel":
            return
        try:
            compiled = _compile(Path(self.root))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a compiler lacks: it goes without
            self.app.display_warning(f"{', '.join(MODULES)}: not compiled, and done in Python: {error}")
            return
        build_data["artifacts"] += compiled
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def _compile(root: Path) -> list[str]:
    """The paths of the modules, from the root on."""
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    extensions = [
        Extension(name, [str(root / f"{name.replace('.', '/')}.pyx")], extra_compile_args=FLAGS) for name in MODULES
    ]
    made = cythonize(extensions, build_dir=str(root / "build"), quiet=True)
    command = build_ext(Distribution({"name": "holdfast", "ext_modules": made, "package_dir": {"": str(root)}}))
    command.inplace, command.build_temp = True, str(root / "build")
    command.ensure_finalized()
    command.run()
    return [
        f"/{name.rpartition('.')[0].replace('.', '/')}/{Path(command.get_ext_fullpath(name)).name}" for name in MODULES
    ]
