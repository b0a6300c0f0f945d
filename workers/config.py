"""The settings of this worker process."""

from __future__ import annotations

from app import boot as boot_app
from app.settings import Settings

_settings: Settings | None = None


def boot() -> Settings:
    """Make the process ready once; later calls find it so."""
    if _settings is None:
        use(Settings.from_env())
    return settings()


def use(chosen: Settings) -> None:
    """Make these the process's settings."""
    global _settings
    boot_app(chosen)
    _settings = chosen


def adopt(chosen: Settings) -> None:
    """These settings, for a process that has booted with them already."""
    global _settings
    _settings = chosen


def settings() -> Settings:
    """The settings; boots when nobody has yet (a job run by a foreign worker)."""
    return _settings if _settings is not None else boot()


def lease_s() -> int:
    """How long a leased row stays with its worker, in seconds."""
    return settings().lease_s
