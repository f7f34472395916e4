"""`python -m deploy.prometheus.operator`: writes prometheus-rule.yaml, the rules as a resource of the operator."""

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
    """The resource whose `spec` is the content of a rules file, with its comments and line breaks."""
    groups = rules[rules.index("groups:") :]
    return HEAD + indent(groups, "  ")


def main() -> int:
    """Writes the resource, or checks it; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if the file is not up to date")
    content = resource(RULES.read_text(encoding="utf-8"))
    if parser.parse_args().check:
        if RESOURCE.read_text(encoding="utf-8") != content:
            print(f"{RESOURCE.name} differs from {RULES.name}: run `make prometheus-rule`", file=sys.stderr)
            return 1
    else:
        RESOURCE.write_text(content, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
