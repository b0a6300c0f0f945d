"""A member of staff at a browser, as the test client plays it."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient

from app.people.models import SessionMode
from tests.conftest import PASSWORD, next_code


class Clerk:
    """A browser of a member of staff: cookies, and pages instead of JSON."""

    def __init__(self, client: FlaskClient, account: str) -> None:
        self.client, self.account = client, account

    def get(self, path: str, *, part: bool = False, **headers: str) -> Any:
        more = {"HX-Request": "true"} if part else {}
        return self.client.get(path, headers={"Accept": "text/html", **more, **headers})

    def log_in(self) -> Any:
        body = {
            "account": self.account,
            "password": PASSWORD,
            "totp": next_code(self.account),
            "mode": SessionMode.COOKIE,
        }
        return self.client.post("/admin/api/v1/session", json=body)
