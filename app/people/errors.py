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
    """Too many wrong passwords or codes."""

    code = "locked_out"
    zh = "密码或动态码错误次数过多，账号已锁定，请 {minutes} 分钟后再试。"
    en = "Too many wrong passwords or codes; the account is locked for {minutes} minutes."


class TooManyFailures(TooMany):
    """Too many wrong passwords or codes from one address."""

    code = "too_many_failures"
    zh = "当前网络登录失败次数过多，请 {minutes} 分钟后再试。"
    en = "Too many failed logins from this network; please try again in {minutes} minutes."


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
    """Shorter than 12 characters, or easily guessed (OWASP ASVS 5.0, 6.2)."""

    code = "weak_password"
    zh = "密码至少 12 个字符，且不能是常见密码或账号名的组合。"
    en = "A password needs at least 12 characters and must not be made of common ones or the account name."


class AccountTaken(Conflict):
    """Another member of staff has this account name."""

    code = "account_taken"
    zh = "这个账号已被使用。"
    en = "This account name is taken."


class PasswordTooSimple(Invalid):
    """The installation asks for more kinds of characters (STAFF_PASSWORD_CLASSES)."""

    code = "password_too_simple"
    zh = "密码须包含大写字母、小写字母、数字、符号中的至少 {classes} 种。"
    en = "The password needs at least {classes} of: capital letters, small letters, digits, other signs."


class SamePassword(Invalid):
    """The new password is the old one."""

    code = "same_password"
    zh = "新密码不能与原密码相同。"
    en = "The new password is the old one."


class InitialPasswordExpired(Unauthorized):
    """A password that was given out and not used in time."""

    code = "initial_password_expired"
    zh = "初始密码已过期，请联系系统管理员重新发放。"
    en = "The initial password has expired; ask the system administrator for a new one."


class TotpRequired(Unauthorized):
    """The password is right; the second factor is missing."""

    code = "totp_required"
    zh = "请输入身份验证器上的 6 位动态码。"
    en = "Enter the six digits of your authenticator."


class TotpRefused(Unauthorized):
    """The code is wrong, too old, or was used before."""

    code = "totp_refused"
    zh = "动态码不正确或已用过，请等下一个码再试。"
    en = "The code is wrong or was used before; wait for the next one."


class NothingToConfirm(Conflict):
    """No authenticator is being set up."""

    code = "no_totp_pending"
    zh = "请先获取身份验证器的密钥。"
    en = "Ask for a secret first."


class SetUpFirst(Forbidden):
    """The login opens nothing before the password is changed or the authenticator set up; `needs` says which."""

    code = "set_up_first"
    zh = "请先修改密码或绑定身份验证器，再使用其他功能。"
    en = "Change the password or set up the authenticator first."


class CsrfRefused(Forbidden):
    """A write with the session cookie needs the token of this login in X-CSRF-Token."""

    code = "csrf_refused"
    zh = "页面已失效，请刷新后再试。"
    en = "This page is out of date; reload it and try again."


class OwnAccount(Forbidden):
    """Nobody administers herself."""

    code = "own_account"
    zh = "不能管理自己的账号和权限。"
    en = "You cannot administer your own account."


class AboveYou(Forbidden):
    """The account's roles or the reach asked for go beyond the administrator's own area."""

    code = "outside_your_area"
    zh = "超出了您的管理范围。"
    en = "This goes beyond your own area."


class RolesApart(Conflict):
    """三员分立: an account of an administrator or auditor holds that one role and no other."""

    code = "roles_apart"
    zh = "系统管理员、安全管理员、审计员须由不同账号担任，且不能兼任其他岗位。"
    en = "System administrator, security administrator and auditor are separate accounts without other roles."


class RoleHeld(Conflict):
    """The account has this role there in that time already."""

    code = "role_held"
    zh = "该账号在这段时间已有这个岗位。"
    en = "The account holds this role there already."


class BadReach(Invalid):
    """The role and what it is to reach over don't fit."""

    code = "bad_reach"
    zh = "岗位与范围不符，请重新选择。"
    en = "This role needs another kind of area."


class BadSpan(Invalid):
    """A role begins today at the earliest and ends after it began."""

    code = "bad_span"
    zh = "起止日期不正确：不能早于今天，结束须晚于开始。"
    en = "The dates are not right: not before today, and the end after the beginning."


class AccountDisabled(Conflict):
    """Nothing is given to an account that is switched off."""

    code = "account_disabled"
    zh = "该账号已停用。"
    en = "This account is disabled."
