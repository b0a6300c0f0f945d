"""What memberships refuse. A match that failed is no refusal: it is answered like one that waits for staff."""

from __future__ import annotations

from app.errors import Conflict, Invalid, TooMany


class AlreadyMember(Conflict):
    """She is bound to this house, and asks for nothing more than she has."""

    code = "already_member"
    zh = "您已绑定这套房屋。"
    en = "You are bound to this house already."


class TooManyRequests(Conflict):
    """More requests wait than a person has houses."""

    code = "too_many_requests"
    zh = "您已有多个申请在等待审核，请等社区处理后再申请。"
    en = "Several of your requests are waiting; apply again when they are decided."


class BindingLocked(TooMany):
    """Too many wrong tries of this resident."""

    code = "binding_locked"
    zh = "尝试次数过多，请 {minutes} 分钟后再试，或带证件到社区办理。"
    en = "Too many tries; wait {minutes} minutes, or come to the community desk with your papers."


class BadName(Invalid):
    """Not a name as papers write it."""

    code = "bad_name"
    zh = "请填写证件上的姓名。"
    en = "Give the name as your papers have it."


class LeaseOnlyForTenants(Invalid):
    """An end date for somebody who is no tenant, or in the past."""

    code = "bad_valid_to"
    zh = "只有租户可以填写到期日，且应在今天之后。"
    en = "Only a tenant's membership has an end, and it lies after today."


class IllegalStep(Conflict):
    """The membership isn't in a state for this."""

    code = "illegal_step"
    zh = "这条绑定目前的状态不能这样操作，请刷新后再看。"
    en = "Not possible in the membership's present state; refresh and look."


class EvidenceMissing(Invalid):
    """A vote needs papers that staff have seen, or WeChat's word for the owner's phone."""

    code = "evidence_missing"
    zh = "没有证明材料，不能给予投票资格。请先补充材料，或按普通成员通过。"
    en = "Without papers no vote can be given: ask for them, or approve at the weak level."


class OwnerNeeded(Invalid):
    """A vote counts for an owner of the registry; which one isn't clear."""

    code = "owner_needed"
    zh = "请选择对应的登记业主。"
    en = "Say which owner of the registry this is."


class OnlyOwnersVote(Invalid):
    """Family and tenants never get the strong level."""

    code = "only_owners_vote"
    zh = "家人和租户没有投票资格。"
    en = "Family and tenants have no vote."


class ReasonNeeded(Invalid):
    """A decision against somebody needs its reason."""

    code = "reason_needed"
    zh = "请填写原因。"
    en = "Give the reason."


class OwnerBound(Conflict):
    """Another membership counts for this owner already."""

    code = "owner_bound"
    zh = "这位业主已有人绑定，请先处理原有绑定。"
    en = "Somebody is bound as this owner already; settle that membership first."


class SignatureMissing(Invalid):
    """An entry at the door needs a photo of the owner's signature."""

    code = "signature_missing"
    zh = "请上传业主签名的照片。"
    en = "Upload a photo of the owner's signature."


class AlreadyObjected(Conflict):
    """She has objected to this membership before."""

    code = "already_objected"
    zh = "您已提出过异议。"
    en = "You have objected already."


class WeakIdentity(Conflict):
    """She may not act for the house: her membership gives no vote now."""

    code = "weak_identity"
    zh = "您的绑定还不能代表业主投票，请先完成核实。"
    en = "Your membership gives no vote at present."


class NotACoOwner(Invalid):
    """The one who is to vote isn't bound as an owner of this house with a vote."""

    code = "not_a_co_owner"
    zh = "只能推选已核实的共有人。"
    en = "Only a verified co-owner can be chosen."
