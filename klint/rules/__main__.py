"""``python -m klint.rules``: write the pages of all rules; ``new CODE NAME`` starts a rule. For work on klint itself."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from klint.rules import RULES
from klint.rules.pages import files
from klint.rules.scaffold import new_rule

ROOT = Path(__file__).parents[2]


@click.group(invoke_without_command=True)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if a page is not up to date.")
@click.pass_context
def rules(context: click.Context, check: bool) -> None:
    """Write the pages of all rules, their index, and the README's table, from the rules themselves."""
    if context.invoked_subcommand is not None:
        return
    old = [(path, text) for path, text in files(RULES, ROOT) if not path.exists() or path.read_text("utf-8") != text]
    for path, text in old:
        click.echo(f"{'out of date' if check else 'written'}: {path.relative_to(ROOT)}")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if old and check:
        sys.exit(1)


@rules.command()
@click.argument("code")
@click.argument("name")
def new(code: str, name: str) -> None:
    """Start the rule CODE, called NAME: its file, its fixtures, its line in the changelog."""
    try:
        for path in new_rule(code, name, ROOT):
            click.echo(f"written: {path.relative_to(ROOT)}")
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    click.echo("now fill it in, add it to RULES in klint/rules/__init__.py, and run python -m klint.rules")


if __name__ == "__main__":
    rules(prog_name="python -m klint.rules")
