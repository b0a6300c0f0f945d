"""201 says where the new thing is (the contract's rule on answers; RFC 9110 §15.3.2)."""

from __future__ import annotations

from collections.abc import Callable

from tests.conftest import PASSWORD, Caller, Person, Town, next_code


def test_a_login_names_where_to_see_who_is_logged_in(
    resident: Callable[..., Person], town: Town, visitor: Caller
) -> None:
    wang, desk = resident("wang"), town.staff("community")
    account = desk.get("/me").json["account"]
    asked = {"account": account, "password": PASSWORD, "totp": next_code(account)}
    for path, body, token in (
        ("/bff/v1/session", {"code": f"demo-{wang.name}"}, "access_token"),
        ("/admin/api/v1/session", asked, "token"),
    ):
        answer = visitor.post(path, body)
        assert answer.status_code == 201, answer.text
        bearer = {"Authorization": f"Bearer {answer.json[token]}"}
        assert visitor.get(answer.headers["Location"], headers=bearer).status_code == 200
