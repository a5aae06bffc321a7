"""List the verbs: python -m operations."""

import ast
from pathlib import Path

ROOM = Path(__file__).parent


def verbs() -> dict[str, str]:
    """Return what each verb is for: the first line of every package of this folder that runs."""
    scripts = {path.parent.name: path.read_text() for path in sorted(ROOM.glob("*/__main__.py"))}
    return {
        name: (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
        for name, source in scripts.items()
    }


if __name__ == "__main__":
    for name, purpose in verbs().items():
        print(f"python -m operations.{name:9} {purpose}")
