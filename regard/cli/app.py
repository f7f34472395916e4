"""The group of commands; errors in one line; exit statuses.

Exit statuses: 0 success; 1 a call, an input or a file failed, and standard error says why; 2 wrong usage; 130
interrupted (Ctrl-C); 141 the reader of the output closed it.
"""

import importlib
import importlib.metadata
import io
import os
import sys
from typing import Any

import click

from regard.cli.vocabulary import as_flag
from regard.errors import CallError, RegardError
from regard.errors.connections import NO_SERVER
from regard.errors.names import closest

# Name -> where the command is, and its line of help, so that `regard --help` need not load it.
_COMMANDS = {
    "translate": ("regard.cli.tasks:translate", "Translate texts."),
    "summarize": ("regard.cli.tasks:summarize", "Summarize a text."),
    "caption": ("regard.cli.tasks:caption", "Describe pictures in words."),
    "bulk": ("regard.cli.cluster:bulk", "Run corpora on a cluster of Ray."),
    "align": ("regard.cli.align:align", "Align the words of a text and its translation."),
    "encode": ("regard.cli.one_step:encode", "Turn texts into vectors."),
    "classify": ("regard.cli.one_step:classify", "Label texts or pictures."),
    "fill-mask": ("regard.cli.one_step:fill_mask", "Fill the masks of texts."),
    "detect": ("regard.cli.detect:detect", "Find objects in pictures."),
    "answer": ("regard.cli.one_step:answer", "Answer questions about a picture."),
    "models": ("regard.cli.models:models", "List the models that a server has."),
    "glossaries": ("regard.cli.glossaries:glossaries", "List and change the glossaries that a server has."),
    "serve": ("regard.cli.serve:serve", "Serve models."),
    "token": ("regard.cli.token:token", "Make a token for a caller."),
    "export": ("regard.cli.export_commands:export", "Export a trained model as a bundle."),
    "verify": ("regard.cli.export_commands:verify", "Check a bundle against the model it was exported from."),
    "inspect": ("regard.cli.export_commands:inspect", "Show what is in a bundle."),
}

# By status: what the user can do.
_ADVICE_BY_CODE = {
    "UNAVAILABLE": "is a server running there? `regard serve` starts one, --server names another",
    "DEADLINE_EXCEEDED": "--timeout gives more time",
    "RESOURCE_EXHAUSTED": "try again later",
    "NOT_FOUND": "`regard models` lists what there is",
    "UNIMPLEMENTED": "this server does not offer that",
    "UNAUTHENTICATED": "REGARD_TOKEN holds the token that is sent",
}
_ADVICE_BY_REASON = {"GLOSSARY_NOT_FOUND": "`regard glossaries` lists what there is"}  # goes before


class Group(click.Group):
    """A group that loads a command when it is called, and turns its errors into messages and exit statuses."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)  # noqa: S101, this file's own table
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args[:1] == ["help"]:  # `regard help translate`
            args = [*args[1:2], "--help"]
        elif args == ["version"]:
            args = ["--version"]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in _COMMANDS:
            close = closest(args[0], _COMMANDS)
            meant = f"did you mean {close!r}?" if close else f"there are {', '.join(_COMMANDS)}"
            ctx.fail(f"there is no command {args[0]!r}; {meant}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            super().invoke(ctx)
            sys.stdout.flush()
        except RegardError as error:
            _print_error(describe(error))
            ctx.exit(1)
        except KeyboardInterrupt:
            ctx.exit(130)
        except BrokenPipeError:
            _discard_output()
            ctx.exit(141)
        except OSError as error:
            _print_error(describe(error))
            ctx.exit(1)


def describe(error: RegardError | OSError) -> str:
    """An error in one line: what is wrong, every violation, and what the user can do."""
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}" if error.filename else str(error)
    if not isinstance(error, CallError):
        return " ".join(str(error).split())
    violations = "; ".join(f"{as_flag(v.field)}: {v.description}" for v in error.violations)
    parts = [violations or error.message or error.code]
    if error.retry_after_s is not None:
        parts.append(f"try again in {error.retry_after_s:.1f} s")
    elif error.reason in _ADVICE_BY_REASON:
        parts.append(_ADVICE_BY_REASON[error.reason])
    elif error.code in _ADVICE_BY_CODE and (error.code != "UNAVAILABLE" or error.message.startswith(NO_SERVER)):
        parts.append(_ADVICE_BY_CODE[error.code])
    return " ".join(f"{error.code}: {'; '.join(parts)}".split())


def _print_error(message: str) -> None:
    click.echo(f"regard: {message}", err=True)


def _discard_output() -> None:
    """Redirects buffered output to nowhere: the interpreter would report at its end that it cannot write it."""
    if sys.__stdout__ is not None and sys.stdout is sys.__stdout__:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())


def _version() -> str:
    try:
        return importlib.metadata.version("regard")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def _print_version(ctx: click.Context, _: click.Parameter, is_given: bool) -> None:
    if is_given:
        click.echo(f"regard {_version()}")
        ctx.exit()


def _with_hyphens(name: str) -> str:
    """An option as this command line spells it, if it is spelled as in Python: --num_beams."""
    return name.replace("_", "-")


@click.group(
    cls=Group,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "token_normalize_func": _with_hyphens,
    },
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version."
)
def main() -> None:
    """Translate, summarize and caption with attention models, and see what they regard.

    Without --server (or REGARD_SERVER) a command calls the server on localhost:50051; if none is running, it starts one
    inside itself for the call.

    \b
    Exit status: 0 success; 1 something failed, and standard error says what;
    2 wrong usage; 130 interrupted; 141 the reader of the output closed it.
    """  # noqa: D301, click's mark for lines to keep
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A character that the terminal's encoding lacks is printed as its escape.
        sys.stdout.reconfigure(errors="backslashreplace")
