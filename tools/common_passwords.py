"""Writes app/people/data/common_passwords.txt anew: the commonest passwords of known breaches.

    python -m pip download --no-deps --no-binary :all: zxcvbn==4.5.0
    python -m tools.common_passwords zxcvbn-4.5.0.tar.gz

The source is the frequency list of zxcvbn (MIT licence, Daniel Wolf; the list is Mark Burnett's), taken out of the
archive as text, without running anything of it. The archive's digest is checked, so the same file comes out
everywhere: source and licence, an empty line, then the passwords in lower case, the commonest first, with a space
between two (none holds one).
"""

from __future__ import annotations

import ast
import hashlib
import sys
import tarfile
import textwrap
from pathlib import Path

ARCHIVE = "70392c0fff39459d7f55d0211151401e79e76fcc6e2c22b61add62900359c7c1"  # SHA-256
MEMBER = "zxcvbn-4.5.0/zxcvbn/frequency_lists.py"
TARGET = Path(__file__).resolve().parent.parent / "app" / "people" / "data" / "common_passwords.txt"
HEAD = """\
Commonest passwords of known breaches, made by tools/common_passwords.py from the frequency list of zxcvbn 4.5.0.
MIT licence, Copyright (c) 2016 Daniel Wolf; the text of the licence stands beside this file.
"""


def passwords_in(archive: Path) -> list[str]:
    """The list, the commonest first. Raises SystemExit for another archive than the one named here."""
    if hashlib.sha256(archive.read_bytes()).hexdigest() != ARCHIVE:
        raise SystemExit(f"{archive.name} is not the archive that the list was made from")
    with tarfile.open(archive) as opened:
        member = opened.extractfile(MEMBER)
        if member is None:
            raise SystemExit(f"{archive.name} holds no {MEMBER}")
        source = ast.parse(member.read().decode("utf-8"))
    for node in ast.walk(source):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                # There it reads "passwords": "123456,password,…".split(",")
                words = getattr(getattr(value, "func", None), "value", None)
                if isinstance(key, ast.Constant) and key.value == "passwords" and words is not None:
                    return str(ast.literal_eval(words)).split(",")
    raise SystemExit(f"{MEMBER} holds no list of passwords")


def main() -> int:
    """0 when the file is written."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    found = list(dict.fromkeys(word.lower() for word in passwords_in(Path(sys.argv[1]))))
    lines = textwrap.wrap(" ".join(found), 110, break_long_words=False, break_on_hyphens=False)
    TARGET.write_text(HEAD + "\n" + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(found)} passwords")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
