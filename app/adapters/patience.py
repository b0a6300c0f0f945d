"""Connections whose whole answer has to come in time, not only each of its parts."""

from __future__ import annotations

import time
from collections.abc import Mapping

import requests
from requests.adapters import HTTPAdapter
from urllib3 import exceptions as urllib3_errors

_AT_ONCE = 64 * 1024


class PatientAdapter(HTTPAdapter):
    """A pool for `requests` that gives up an answer whose body isn't there within the connect and the read time-out
    together, counted from the call. The library's own read time-out begins anew with every byte: a server that sends
    one every few seconds would hold a worker, and what it has leased, for hours. Raises ReadTimeout.
    """

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """The answer, read whole unless the caller wants to read it."""
        began = time.monotonic()
        response = super().send(request, True, timeout, verify, cert, proxies)
        if stream or timeout is None:
            return response
        parts = timeout if isinstance(timeout, tuple) else (timeout, 0.0)
        ends = began + sum(part or 0.0 for part in parts)
        try:
            response._content = _whole(request, response, ends)
        except BaseException:
            response.raw.close()
            raise
        response._content_consumed = True  # type: ignore[attr-defined]
        response.raw.release_conn()
        return response


def _whole(request: requests.PreparedRequest, response: requests.Response, ends: float) -> bytes:
    body = bytearray()
    try:
        while part := response.raw.read1(_AT_ONCE, decode_content=True):
            body += part
            if time.monotonic() > ends:
                break
        else:
            return bytes(body)
    except urllib3_errors.ReadTimeoutError as e:
        raise requests.ReadTimeout(e, request=request) from e
    except (urllib3_errors.HTTPError, OSError) as e:
        raise requests.exceptions.ChunkedEncodingError(e, request=request) from e
    raise requests.ReadTimeout("the answer drips", request=request)
