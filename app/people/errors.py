"""What people's services refuse."""

from __future__ import annotations

from app.errors import Conflict, Forbidden, Invalid, TooMany, Unauthorized


class BadToken(Unauthorized):
    """The access token is missing, expired or not ours."""

    code = "bad_token"
    zh = "登录已过期，请重新进入小程序。"
    en = "Your login has expired; please log in again."


class RefreshRefused(Unauthorized):
    """The refresh token is unknown, expired or ended."""

    code = "refresh_refused"
    zh = "登录已失效，请重新进入小程序。"
    en = "This login has ended; please log in again."


class RefreshReused(Unauthorized):
    """An old refresh token came back: somebody copied it. The whole family has been ended (RFC 9700 §4.14.2)."""

    code = "refresh_reused"
    zh = "为了您的账号安全，本次登录已退出，请重新进入小程序。"
    en = "For your safety this login has been ended; please log in again."


class LoginRefused(Unauthorized):
    """Wrong account or password; the same answer whichever it was."""

    code = "login_refused"
    zh = "账号或密码不正确。"
    en = "Account or password is wrong."


class LockedOut(TooMany):
    """Too many wrong passwords."""

    code = "locked_out"
    zh = "密码错误次数过多，账号已锁定，请 {minutes} 分钟后再试。"
    en = "Too many wrong passwords; the account is locked for {minutes} minutes."


class StaffTokenRefused(Unauthorized):
    """The staff session is missing, expired or ended."""

    code = "bad_token"
    zh = "登录已过期，请重新登录。"
    en = "Your login has expired; please log in again."


class PermissionMissing(Forbidden):
    """The role has no such permission at all."""

    code = "permission_missing"
    zh = "您的岗位没有这项权限。"
    en = "Your role does not include this permission."


class UnknownConsent(Invalid):
    """There is no such consent, or this is not its present version."""

    code = "unknown_consent"
    zh = "授权项目不存在或版本已更新，请刷新后再试。"
    en = "Unknown consent, or an outdated version of it."


class WeakPassword(Invalid):
    """Shorter than 12 characters or on the list of common ones (OWASP ASVS 5.0, 6.2)."""

    code = "weak_password"
    zh = "密码至少 12 个字符，且不能是常见密码。"
    en = "A password needs at least 12 characters and must not be a common one."


class AccountTaken(Conflict):
    """Another member of staff has this account name."""

    code = "account_taken"
    zh = "这个账号已被使用。"
    en = "This account name is taken."
