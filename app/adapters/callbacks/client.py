"""The real way out: one POST over http or https, with time-outs, without following redirects."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

from app import addresses
from app.adapters import observed
from app.adapters.callbacks import Reply
from app.adapters.outcome import Outcome

TIMEOUT_S = (3.0, 8.0)  # to connect, to answer
# The message itself is wrong. Whatever else they answer (keys or clocks that disagree, an address that moved, too
# many, trouble of theirs) is put right by a person or by time, and the message stays good.
_WRONG = frozenset({400, 409, 413, 415, 422})


class HttpCallbacks:
    """Made once per process; safe to share between threads."""

    def __init__(self) -> None:
        self._http = requests.Session()
        pool = HTTPAdapter(pool_maxsize=16, max_retries=0)
        self._http.mount("http://", pool)
        self._http.mount("https://", pool)
        # Whom we tell is the administrator's choice, not that of a proxy variable or a .netrc on the machine.
        self._http.trust_env = False

    def post(self, url: str, *, body: bytes, headers: dict[str, str]) -> Reply:
        """Send once. 2xx is accepted; 400, 409, 413, 415, 422 are refused; others are throttled, none is unknown."""
        if not addresses.may_be_called(url):
            return Reply(Outcome.REFUSED, "bad address")
        with observed.call("source", "status") as made:
            reply = self._post(url, body, headers)
            if reply.outcome is not Outcome.UNKNOWN and reply.word != "connect timeout":
                made.outcome = observed.OK if reply.outcome is Outcome.ACCEPTED else observed.REFUSED
        return reply

    def _post(self, url: str, body: bytes, headers: dict[str, str]) -> Reply:
        try:
            if _leads_astray(urlsplit(url).hostname or ""):
                return Reply(Outcome.REFUSED, "bad address")
            with self._http.post(
                url,
                data=body,
                headers=headers,
                timeout=TIMEOUT_S,
                allow_redirects=False,
                stream=True,  # the answer's body is of no interest and of any size
            ) as answer:
                status = answer.status_code
        except requests.ConnectTimeout:
            return Reply(Outcome.THROTTLED, "connect timeout")
        except requests.Timeout:
            return Reply(Outcome.UNKNOWN, "timeout")
        except (OSError, UnicodeError) as e:  # as all errors of requests; and no such name, or none at all
            return Reply(Outcome.UNKNOWN, type(e).__name__)
        if 200 <= status < 300:
            return Reply(Outcome.ACCEPTED, str(status))
        return Reply(Outcome.REFUSED if status in _WRONG else Outcome.THROTTLED, f"http {status}")


def _leads_astray(host: str) -> bool:
    # A name may stand for an address that nobody may enter. Raises OSError where there is no such name,
    # and UnicodeError for what can be none.
    found = {str(where[0]) for *_, where in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    return not all(addresses.may_be_met(one.partition("%")[0]) for one in found)
