"""What text messages and campaigns refuse, in words for the clerk who writes them."""

from __future__ import annotations

from app.errors import Conflict, Forbidden, Invalid


class AudienceNotOffered(Invalid):
    """No domain offers this kind of audience."""

    code = "audience_not_offered"
    zh = "没有这种收件范围。"
    en = "There is no such audience."


class NoAudience(Invalid):
    """Nobody is left to write to."""

    code = "no_audience"
    zh = "没有可以发送的收件人，请重新选择收件范围。"
    en = "There is nobody to send it to; choose another audience."


class ParameterMissing(Invalid):
    """A parameter of the template has no value."""

    code = "template_parameter_missing"
    zh = "模板的这个参数没有填写。"
    en = "This parameter of the template has no value."


class ParameterUnknown(Invalid):
    """The template doesn't have this parameter, or fills it for each recipient."""

    code = "template_parameter_unknown"
    zh = "模板没有这个参数，或由系统按收件人填写。"
    en = "The template has no such parameter, or fills it for each recipient."


class ParameterTooLong(Invalid):
    """A value is longer than the template allows."""

    code = "template_parameter_too_long"
    zh = "参数过长，请缩短。"
    en = "The value is longer than the template allows."


class UrlInParameter(Invalid):
    """Vendors refuse links in variables; a fixed link stands in the template itself."""

    code = "url_in_parameter"
    zh = "参数里不能有网址或链接。"
    en = "A parameter can't hold a link."


class BadTemplate(Invalid):
    """The text and its parameters don't fit together, or hold what vendors refuse."""

    code = "bad_template"
    zh = "模板内容有误：{zh_why}。"
    en = "The template can't be taken: {en_why}."


class TemplateNotApproved(Conflict):
    """Only what a second person approved, and is not retired, may be sent."""

    code = "template_not_approved"
    zh = "模板还没有通过审核，或已停用。"
    en = "The template isn't approved, or is retired."


class TemplateFixed(Conflict):
    """An approved template is never rewritten."""

    code = "template_fixed"
    zh = "模板已审核，不能修改，请新建模板。"
    en = "An approved template can't be changed; make a new one."


class SecondPersonNeeded(Forbidden):
    """Who wrote it can't approve it."""

    code = "second_person_needed"
    zh = "须由另一位工作人员审核。"
    en = "Another member of staff has to approve it."


class NoProvider(Conflict):
    """No enabled provider has this template approved with the same parameters."""

    code = "no_sms_provider"
    zh = "没有可用的短信服务商：模板还没有在服务商处通过审核，或参数不一致。"
    en = "No provider can send it: the template isn't approved there, or its parameters differ."


class IllegalCampaignMove(Conflict):
    """Not possible where the campaign stands."""

    code = "illegal_move"
    zh = "当前状态不能这样操作。"
    en = "Not possible in the campaign's present state."


class ApprovalNeeded(Conflict):
    """It is larger than what one person may send alone."""

    code = "approval_needed"
    zh = "收件人较多，须先提交并由另一位工作人员审核。"
    en = "It goes to so many people that a second person has to approve it first."


class AlreadyLaunched(Conflict):
    """A campaign is launched once."""

    code = "already_launched"
    zh = "已经启动，不能重复启动。"
    en = "It is launched already."


class NothingToRetry(Conflict):
    """No message failed in a way that another try could mend."""

    code = "nothing_to_retry"
    zh = "没有可以重新发送的短信。"
    en = "No message failed in a way that sending again could mend."


class NoCommunity(Invalid):
    """Somebody with several communities says which one the list is of."""

    code = "community_needed"
    zh = "请选择名单所属的社区。"
    en = "Say which community the list is of."


class ListNotReady(Conflict):
    """The list's file is still being read, or couldn't be."""

    code = "list_not_ready"
    zh = "名单尚未读完，或文件无法读取。"
    en = "The list's file is still being read, or couldn't be read."


class EmptyList(Invalid):
    """No row of the list holds a number that can be written to."""

    code = "no_valid_number"
    zh = "名单里没有有效的手机号。"
    en = "The list holds no valid mobile number."


class NotMobile(Invalid):
    """Not a mobile number of the mainland."""

    code = "not_a_mobile"
    zh = "不是有效的手机号。"
    en = "Not a mobile number of the mainland."


class BadWeights(Invalid):
    """Nobody would be left to send."""

    code = "last_provider"
    zh = "至少要保留一家可用的短信服务商。"
    en = "At least one provider has to stay enabled."
