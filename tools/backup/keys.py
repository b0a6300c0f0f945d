"""The keys of an installation, in a folder of their own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from app.settings import SettingsError, environment, secret_names
from tools.backup.manifest import BackupError, Manifest, key_words, new_folder, write_durably

FILE = "keys.env"
NONE = "none"  # KEYS=none: whoever runs this keeps them elsewhere, and sets them in the environment

# Not secret by themselves, and useless apart from the secrets they belong to.
_COMPANIONS = ("WECHAT_APPID", "WECHAT_TEMPLATES")


def names() -> list[str]:
    """The settings that are kept: every secret but the addresses of servers, which are another machine's elsewhere."""
    return [*(name for name in secret_names() if not name.endswith("_URL")), *_COMPANIONS]


def write(folder: Path, environment: Mapping[str, str]) -> None:
    """Write them, for our user alone. Raises BackupError."""
    new_folder(folder, "a copy of the keys")
    lines = [f"{name}={environment[name]}\n" for name in names() if environment.get(name)]
    write_durably(folder / FILE, "".join(lines).encode())


def read(folder: Path) -> dict[str, str]:
    """What `write` wrote. Raises BackupError."""
    try:
        lines = (folder / FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise BackupError(f"{folder} holds no keys: {FILE} is missing.") from None
    except (OSError, ValueError) as error:
        raise BackupError(f"{folder / FILE} can't be read ({type(error).__name__}).") from error
    found = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name: value for name, value in found.items() if name in names()}


def for_restore(folder: Path | None) -> dict[str, str]:
    """From their folder, else from the environment. Raises BackupError when they are in neither."""
    if folder is not None:
        return read(folder)
    try:
        given = environment()
    except SettingsError as error:
        raise BackupError(str(error)) from error
    found = {name: given[name] for name in names() if given.get(name)}
    if "DATA_KEYS" not in found or "HASH_KEY" not in found:
        raise BackupError(
            "The keys are missing: without them nothing sealed can be read. They were put apart when the backup was "
            "made; name their folder with KEYS=…, or set DATA_KEYS and HASH_KEY."
        )
    return found


def require_the_right_ones(held: Manifest, environment: Mapping[str, str]) -> None:
    """Return when these are the keys of that backup, maybe with newer ones. Raises BackupError."""
    given = key_words(environment)
    for name, word in held.keys.items():
        if given.get(name) != word:
            which = "HASH_KEY" if name == "hash" else f"version {name} of DATA_KEYS"
            raise BackupError(f"These aren't the keys of this backup: {which} is missing or another one.")
