"""`python -m regard_export.cli`: the commands of the export without the rest of the command line."""

import click

from regard_export.cli.commands import export_command, inspect_command, verify_command

if __name__ == "__main__":
    click.Group(commands=[export_command, verify_command, inspect_command])()
