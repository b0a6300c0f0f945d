"""The one permission table: what each role may do. Where it may do it is its scope (`StaffRole`).

docs/permissions.md shows it, beside the endpoints (`python -m tools.permissions`).
"""

from __future__ import annotations

from enum import StrEnum

from app.people.models import Role


class Permission(StrEnum):
    """An action that an endpoint or a move asks for."""

    TICKET_VIEW = "ticket.view"
    TICKET_INTAKE = "ticket.intake"
    TICKET_ACCEPT = "ticket.accept"
    TICKET_REJECT = "ticket.reject"
    TICKET_CLASSIFY = "ticket.classify"
    TICKET_DISPATCH = "ticket.dispatch"
    TICKET_HANDLE = "ticket.handle"
    TICKET_ASSIGN = "ticket.assign"  # to a colleague
    TICKET_VERIFY = "ticket.verify"
    TICKET_CLOSE = "ticket.close"
    TICKET_REOPEN = "ticket.reopen"
    TICKET_COMMENT = "ticket.comment"
    TICKET_SUPERVISE = "ticket.supervise"
    TICKET_CALLBACK = "ticket.callback"
    TICKET_EXCLUDE = "ticket.exclude"  # from scores: unreasonable complaints, with a reason
    TICKET_MERGE = "ticket.merge"
    TICKET_REFER = "ticket.refer"
    TICKET_IDENTITY = "ticket.identity"  # who reported, also when she asked to stay anonymous to others
    TICKET_UNMASK = "ticket.unmask"  # the whole phone number, with a purpose, audited
    PHOTO_POSITION = "photo.position"
    PHOTO_REVIEW = "photo.review"
    CALENDAR_EDIT = "calendar.edit"
    FILE_UPLOAD = "file.upload"
    PLACE_VIEW = "place.view"
    CATEGORY_EDIT = "category.edit"
    PATROL_PLAN = "patrol.plan"
    PATROL_WALK = "patrol.walk"
    PATROL_REPORT = "patrol.report"  # what she sees where her company serves, and nothing else
    PATROL_VIEW = "patrol.view"
    PATROL_TRACK = "patrol.track"  # where a colleague walked; one's own way needs no permission
    PLACE_EDIT = "place.edit"  # the tree, buildings, grids, organisations and what they answer for
    REGION_EDIT = "region.edit"  # the tree above the communities, dated
    REGISTRY_VIEW = "registry.view"  # houses and owners, masked
    REGISTRY_EDIT = "registry.edit"
    REGISTRY_IMPORT = "registry.import"
    REGISTRY_UNMASK = "registry.unmask"  # an owner's name, phones and ID number, with a purpose, audited
    MEMBERSHIPS_READ = "membership.read"  # who is bound to which house, masked; how far the registration is
    MEMBERSHIPS_REVIEW = (
        "membership.review"  # read the papers and decide; enter owners at the door, remind them
    )
    FOCUS_READ = "focus.read"  # who is in a focus group, with a purpose, audited; never for property staff
    FOCUS_EDIT = "focus.edit"
    FOCUS_COUNT = "focus.count"  # how many there are, small numbers hidden
    FOCUS_GROUPS = "focus.groups"  # the list of groups
    DUTY_VIEW = "duty.view"
    DUTY_EDIT = "duty.edit"  # the rosters of a community; property staff those of their own company
    ROUTING_EDIT = "routing.edit"  # where tickets go by themselves
    API_KEY_EDIT = "api_key.edit"  # other systems that may hand reports in, and their secrets
    STATS_VIEW = "stats.view"  # figures of what she may see
    STATS_PUBLISH = "stats.publish"  # assessments
    SCREEN_EDIT = "screen.edit"  # screens on a wall that show figures without a login
    STAFF_VIEW = "staff.view"  # accounts and their roles
    STAFF_EDIT = "staff.edit"  # make, rename, disable accounts; a new password
    STAFF_SECURE = "staff.secure"  # end somebody's logins, take away a lost second factor
    ROLE_GRANT = "role.grant"  # give and end roles
    REVENUE_VIEW = "revenue.view"  # the books of an estate with drafts and vouchers
    REVENUE_EDIT = "revenue.edit"  # enter lines, contracts, categories; hand a period in
    REVENUE_REVIEW = "revenue.review"  # as the second person; answer objections
    REVENUE_PUBLISH = "revenue.publish"
    REVENUE_SETTINGS = "revenue.settings"  # the split to the fund, the rhythm, who keeps the money
    CAMPAIGN_VIEW = "campaign.view"  # text messages: templates, campaigns and how far they are, providers
    CAMPAIGN_EDIT = "campaign.edit"  # write, launch, pause and cancel campaigns; lists of numbers; opt-outs
    CAMPAIGN_APPROVE = "campaign.approve"  # as the second person
    SMS_TEMPLATE_EDIT = "sms_template.edit"  # write templates, and say what they are called at the vendors
    SMS_TEMPLATE_APPROVE = "sms_template.approve"  # as the second person
    SMS_PROVIDER_EDIT = "sms_provider.edit"  # weights, rates, prices and caps of the vendors
    QUEUE_VIEW = "queue.view"  # work behind the requests: what waits, what failed; nothing personal
    QUEUE_RETRY = "queue.retry"  # give failed work another try
    AUDIT_VIEW = "audit.view"  # who did what, who saw what
    NOTICE_VIEW = "notice.view"  # what residents of her places are told, and how many have read it
    NOTICE_EDIT = "notice.edit"  # write drafts
    NOTICE_PUBLISH = "notice.publish"  # publish, correct, withdraw
    NOTICE_READERS = (
        "notice.readers"  # which houses haven't read it, with their owners masked; who has studied
    )
    DECISION_VIEW = "decision.view"
    DECISION_DRAFT = "decision.draft"  # write a decision and hand it in for review
    DECISION_EDIT = "decision.edit"  # run it: announce, open, extend, close, file, cancel; candidates; visits
    DECISION_REVIEW = "decision.review"  # 选举审核, by who hasn't drafted it
    DECISION_MODE = "decision.mode"  # which legal effect an estate's votes may have; its rules of procedure
    DECISION_CERTIFY = "decision.certify"
    PAPER_ENTER = "paper.enter"  # sheets that were signed; never property staff
    PAPER_CONFIRM = "paper.confirm"  # as the second person
    PROXY_REVIEW = "proxy.review"
    ROLL_VIEW = "roll.view"  # heads by their rooms, which together with openings would say how a room voted
    BALLOT_AUDIT = "ballot.audit"  # the openings after the close, without names


_P = Permission
_EVERYONE = frozenset(
    {_P.TICKET_VIEW, _P.TICKET_HANDLE, _P.TICKET_COMMENT, _P.FILE_UPLOAD, _P.PLACE_VIEW}
) | {_P.PATROL_VIEW, _P.DUTY_VIEW, _P.STATS_VIEW}
_DESK = _EVERYONE | {
    _P.STATS_PUBLISH,
    _P.SCREEN_EDIT,
    _P.PATROL_PLAN,
    _P.PATROL_TRACK,
    _P.DUTY_EDIT,
    _P.ROUTING_EDIT,
    _P.TICKET_ASSIGN,
    _P.TICKET_INTAKE,
    _P.TICKET_ACCEPT,
    _P.TICKET_REJECT,
    _P.TICKET_CLASSIFY,
    _P.TICKET_DISPATCH,
    _P.TICKET_VERIFY,
    _P.TICKET_CLOSE,
    _P.TICKET_REOPEN,
    _P.TICKET_SUPERVISE,
    _P.TICKET_CALLBACK,
    _P.TICKET_EXCLUDE,
    _P.TICKET_MERGE,
    _P.TICKET_REFER,
    _P.TICKET_IDENTITY,
    _P.TICKET_UNMASK,
    _P.PHOTO_POSITION,
    _P.PHOTO_REVIEW,
    _P.PLACE_EDIT,
    _P.REGISTRY_VIEW,
    _P.REGISTRY_EDIT,
    _P.REGISTRY_IMPORT,
    _P.REGISTRY_UNMASK,
    _P.MEMBERSHIPS_READ,
    _P.MEMBERSHIPS_REVIEW,
    _P.REVENUE_VIEW,
    _P.REVENUE_REVIEW,
    _P.REVENUE_PUBLISH,
    _P.REVENUE_SETTINGS,
    _P.DECISION_VIEW,
    _P.ROLL_VIEW,
    _P.DECISION_DRAFT,
    _P.DECISION_EDIT,
    _P.DECISION_REVIEW,
    _P.DECISION_CERTIFY,
    _P.PAPER_ENTER,
    _P.PAPER_CONFIRM,
    _P.PROXY_REVIEW,
    _P.NOTICE_VIEW,
    _P.NOTICE_EDIT,
    _P.NOTICE_PUBLISH,
    _P.NOTICE_READERS,
    _P.CAMPAIGN_VIEW,
    _P.CAMPAIGN_EDIT,
    _P.CAMPAIGN_APPROVE,
}

GRANTS: dict[Role, frozenset[Permission]] = {
    # One calendar, one tree of classes, and one list of other systems, serves all communities of the street.
    Role.STREET: _DESK
    | {_P.CALENDAR_EDIT, _P.CATEGORY_EDIT, _P.API_KEY_EDIT, _P.REGION_EDIT, _P.DECISION_MODE}
    # Templates and vendors are the same for all communities.
    | {_P.SMS_TEMPLATE_EDIT, _P.SMS_TEMPLATE_APPROVE, _P.SMS_PROVIDER_EDIT}
    # The street sees how many, not who: it doesn't visit.
    | {_P.FOCUS_COUNT, _P.FOCUS_GROUPS},
    Role.COMMUNITY: _DESK | {_P.FOCUS_READ, _P.FOCUS_EDIT, _P.FOCUS_COUNT},
    # Grid workers check on the spot what others fixed, and know their residents by name.
    Role.GRID: _EVERYONE
    | {
        _P.PATROL_WALK,
        _P.TICKET_INTAKE,
        _P.TICKET_ASSIGN,
        _P.TICKET_VERIFY,
        _P.TICKET_IDENTITY,
        _P.TICKET_UNMASK,
    }
    # In her own grid: she visits them, and takes their signed sheets along.
    | {_P.FOCUS_READ, _P.DECISION_VIEW, _P.ROLL_VIEW, _P.PAPER_ENTER}
    # She writes for her grid, the community publishes; she knocks where nobody has read.
    | {_P.NOTICE_VIEW, _P.NOTICE_EDIT, _P.NOTICE_READERS},
    # Property staff handle what they are given; an anonymous reporter stays unknown to them.
    Role.PROPERTY: _EVERYONE
    | {_P.PATROL_WALK, _P.PATROL_REPORT, _P.TICKET_ASSIGN, _P.TICKET_UNMASK, _P.DUTY_EDIT, _P.REGISTRY_VIEW}
    # The company keeps the books of the estates it serves; others review and publish them.
    | {_P.REVENUE_VIEW, _P.REVENUE_EDIT}
    # It writes of its works; the community publishes.
    | {_P.NOTICE_VIEW, _P.NOTICE_EDIT},
    # Who repairs knocks at the door; whom to call, and how the company does, is the manager's and the duty room's.
    Role.PROPERTY_WORKER: (_EVERYONE - {_P.STATS_VIEW}) | {_P.PATROL_WALK, _P.PATROL_REPORT},
    Role.DUTY_ROOM: (_EVERYONE - {_P.PATROL_VIEW, _P.STATS_VIEW})
    | {_P.PATROL_REPORT, _P.TICKET_ASSIGN, _P.TICKET_UNMASK},
    # Elected neighbours: they draft what the owners decide, and never see what others report.
    Role.COMMITTEE: frozenset({_P.PLACE_VIEW, _P.DECISION_VIEW, _P.ROLL_VIEW, _P.DECISION_DRAFT}),
    # The owners' bookkeeper: keeps the books, or reviews what another entered; never both of the same period.
    Role.FINANCE: frozenset({_P.PLACE_VIEW, _P.FILE_UPLOAD})
    | {_P.REVENUE_VIEW, _P.REVENUE_EDIT, _P.REVENUE_REVIEW, _P.REVENUE_PUBLISH},
    # 三员: none of them has a permission that shows a resident.
    Role.SYSTEM_ADMIN: frozenset(
        {_P.PLACE_VIEW, _P.STAFF_VIEW, _P.STAFF_EDIT, _P.QUEUE_VIEW, _P.QUEUE_RETRY}
    ),
    Role.SECURITY_ADMIN: frozenset({_P.PLACE_VIEW, _P.STAFF_VIEW, _P.STAFF_SECURE, _P.ROLE_GRANT}),
    Role.AUDITOR: frozenset({_P.STAFF_VIEW, _P.AUDIT_VIEW, _P.DECISION_VIEW, _P.BALLOT_AUDIT}),
}

ROLE_NAMES: dict[Role, str] = {
    Role.STREET: "街道",
    Role.COMMUNITY: "社区",
    Role.GRID: "网格员",
    Role.PROPERTY: "物业经理（部门负责人）",
    Role.PROPERTY_WORKER: "物业人员",
    Role.DUTY_ROOM: "值班室",
    Role.COMMITTEE: "业委会成员",
    Role.FINANCE: "财务",
    Role.SYSTEM_ADMIN: "系统管理员",
    Role.SECURITY_ADMIN: "安全管理员",
    Role.AUDITOR: "审计员",
}

# What neither shows a person nor publishes anything; a role that may do more logs in with a second factor.
HARMLESS = frozenset({_P.PLACE_VIEW})
ADMINISTRATORS = frozenset({Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDITOR})


def needs_totp(role: Role) -> bool:
    """Does the role see personal data, publish, or administer? Then a password alone is not enough."""
    return not GRANTS[role] <= HARMLESS
