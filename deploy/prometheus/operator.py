"""`python -m deploy.prometheus.operator`: writes prometheus-rule.yaml, the rules in the operator's form."""

import argparse
import sys
from pathlib import Path
from textwrap import indent

FOLDER = Path(__file__).parent
RULES = FOLDER / "rules.yaml"
RESOURCE = FOLDER / "prometheus-rule.yaml"

HEAD = """\
# Made from rules.yaml by `make prometheus-rule`; not edited by hand.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: regard
spec:
"""


def resource(rules: str) -> str:
    """The resource whose `spec` is the content of a rules file; comments and line breaks stay as they are."""
    groups = rules[rules.index("groups:") :]
    return HEAD + indent(groups, "  ")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if the file is not up to date")
    wanted = resource(RULES.read_text(encoding="utf-8"))
    if parser.parse_args().check:
        if RESOURCE.read_text(encoding="utf-8") != wanted:
            print(f"{RESOURCE.name} is not what {RULES.name} says: run `make prometheus-rule`", file=sys.stderr)
            return 1
    else:
        RESOURCE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
