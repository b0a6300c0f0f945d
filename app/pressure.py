"""How long the request of this thread has waited for a thread. The web server says it, faces read it."""

from __future__ import annotations

import threading

_of_thread = threading.local()


def note_wait(seconds: float) -> None:
    """The request that this thread takes up now has waited so long."""
    _of_thread.waited = seconds


def waited() -> float:
    """Seconds that the request of this thread has waited; 0.0 under a server that doesn't say."""
    return float(getattr(_of_thread, "waited", 0.0))
