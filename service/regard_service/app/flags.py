"""The flags of `regard serve`, and errors that name the flag that was meant."""

import argparse
from pathlib import Path
from typing import Any, NoReturn, get_args

from regard_service.app.setting_sources import flag
from regard_service.app.settings import Settings
from regard_service.validation.suggestions import closest

# What other servers call these flags.
_SYNONYMS = {
    "--address": ("--host",),
    "--bind": ("--host",),
    "--device": ("--provider",),
    "--model": ("--models", "--model-directories"),
    "--model-dir": ("--model-directories",),
    "--model-directory": ("--model-directories",),
    "--model-path": ("--model-directories",),
    "--model-repository": ("--model-directories",),
    "--model-store": ("--model-directories",),
    "--port": ("--grpc-port", "--http-port"),
    "--num-threads": ("--num-workers",),
    "--rest-port": ("--http-port",),
    "--threads": ("--num-workers",),
    "--workers": ("--num-workers",),
}


class FlagParser(argparse.ArgumentParser):
    """Parses the flags. An unknown one is an error of two lines, without the hundred lines of usage."""

    def __init__(self) -> None:
        super().__init__(
            prog="regard serve",
            description="Serves attention models over gRPC, with metrics and health over HTTP.",
            allow_abbrev=False,
        )
        self.add_argument("--config", type=Path, metavar="FILE", help="TOML file with settings")
        add_flags(self)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parses all arguments; ends the process with status 2 for those that are no flags."""
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.error("; ".join(map(self._describe, _without_values(unknown))))
        return parsed

    def error(self, message: str) -> NoReturn:
        """Ends the process with status 2."""
        self.exit(2, f"{self.prog}: {message}\n`regard serve --help` lists the flags.\n")

    def _describe(self, argument: str) -> str:
        if not argument.startswith("-"):
            folders = f"; for a folder of bundles: --model-directories {argument}" if Path(argument).is_dir() else ""
            return f"there is no argument {argument!r}{folders}"
        name = argument.partition("=")[0].replace("_", "-")
        known = [option for action in self._actions for option in action.option_strings]
        close = closest(name, known)
        meant = _SYNONYMS.get(name) or ((name,) if name in known else (close,) if close else ())
        return f"there is no flag {argument!r}" + (f"; did you mean {' or '.join(meant)}?" if meant else "")


def _without_values(arguments: list[str]) -> list[str]:
    """Leaves out what follows an unknown flag: its value."""
    return [
        each
        for position, each in enumerate(arguments)
        if each.startswith("-") or not position or not arguments[position - 1].startswith("-")
    ]


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds a flag for every setting; `Settings.load(flags=vars(...))` takes the parsed flags.

    argparse checks no values: `Settings.load` does, and lists all problems at once.
    """
    group = parser.add_argument_group("settings", "each can stand in the file and in the environment too")
    for key, spec in Settings.model_fields.items():
        help_text = (spec.description or "").replace("%", "%%") + _default_text(spec.default)
        if spec.annotation is bool:
            group.add_argument(flag(key), action=argparse.BooleanOptionalAction, default=None, help=help_text)
        else:
            choices = get_args(spec.annotation) if isinstance(spec.default, str) else ()
            metavar = "|".join(choices) or key.split("_")[-1].upper()
            group.add_argument(flag(key), metavar=metavar, default=None, help=help_text)


def _default_text(default: Any) -> str:
    if isinstance(default, tuple):
        default = ",".join(map(str, default))
    return f" (default: {default})" if isinstance(default, int | float | str) else ""
