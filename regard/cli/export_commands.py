"""`regard export`, `verify` and `inspect`: pass their arguments to the export package, which need not be installed."""

import click

from regard.embedded.extras import load, requires_extra


def _delegate(name: str, target: str, purpose: str) -> click.Command:
    """A command that passes its arguments, --help included, to a command of `regard_export.cli.commands`."""

    @click.command(name, add_help_option=False, context_settings={"ignore_unknown_options": True})
    @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
    def command(arguments: tuple[str, ...]) -> None:
        real = load("regard_export.cli.commands", target, purpose, extra="export")
        with requires_extra(purpose, extra="export"):
            real.main(list(arguments), prog_name=f"regard {name}", standalone_mode=False)

    return command


export = _delegate("export", "export_command", "exporting a model")
verify = _delegate("verify", "verify_command", "verifying a bundle")
inspect = _delegate("inspect", "inspect_command", "inspecting a bundle")
