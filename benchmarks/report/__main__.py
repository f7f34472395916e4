"""`python -m benchmarks.report`: writes the tables of documents from the result files."""

import click

from benchmarks.report.documents import DOCUMENTS, RESULTS, render


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; fail if a document is not what the results say.")
def main(check: bool) -> None:
    """Writes the tables of the documents from benchmarks/results."""
    for document in DOCUMENTS:
        before = document.read_text(encoding="utf-8")
        after = render(before, RESULTS)
        if check and after != before:
            raise click.ClickException(f"{document.name} differs from the results: run python -m benchmarks.report")
        if not check:
            document.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
