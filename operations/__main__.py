"""List the verbs: python -m operations."""

import ast
from pathlib import Path

FOLDER = Path(__file__).parent


def verbs() -> dict[str, str]:
    """Return each verb with its purpose, the first line of its command's docstring."""
    purposes = {}
    for path in sorted(FOLDER.glob("*/command.py")):
        docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
        purposes[path.parent.name] = docstring.partition("\n")[0]
    return purposes


if __name__ == "__main__":
    for verb, purpose in verbs().items():
        print(f"python -m operations.{verb:9} {purpose}")
