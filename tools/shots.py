"""`make shots`: a picture of every page of the console, for a person to look at, against a running `make run`.

Writes docs/shots/<page>-<size>.png for a desk (1440) and a phone (375), with the demo data, as the role that uses the
page most. Exit code 1 when a page fails, scrolls sideways or its scripts go wrong.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tools import browser
from tools.demo import cast
from tools.smoke_staff import STEP_S, code_at

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "shots"
SIZES = {"desk": browser.DESKTOP, "phone": browser.PHONE}
# What hangs on a wall is looked at in these sizes as well.
SCREENS = {"screen": browser.SCREEN, "screen4k": browser.LARGE_SCREEN}


class Shot(NamedTuple):
    """A page: who looks at it, where, and what is done before the picture is taken."""

    name: str
    account: str
    address: str
    before: Callable[[Any], None] | None = None
    on_a_wall: bool = False


def _first_ticket(page: Any) -> None:
    page.locator("[data-rows] a[data-drawer]").first.click()
    page.locator("#drawer .ticket").wait_for()


def _first_move(page: Any) -> None:
    _first_ticket(page)
    page.locator("#drawer .move-buttons button[hx-get]").first.click()
    page.locator(".move-form").wait_for()


def _typed(page: Any) -> None:
    page.get_by_label("问题经过").fill("3 栋 1 单元楼道灯不亮三天了，老人晚上下楼看不见。")
    page.get_by_role("button", name="登记", exact=True).click()
    page.locator("[data-alert]:visible").wait_for()


def _dark(page: Any) -> None:
    page.locator("[data-theme-switch]").click()


def _dark_ticket(page: Any) -> None:
    _dark(page)
    _first_ticket(page)


def _english(page: Any) -> None:
    with page.expect_navigation():
        page.locator("[data-language]").click()


def _own_page(page: Any) -> None:
    address = page.locator("[data-rows] a[data-drawer]").first.get_attribute("href")
    page.goto(address)


def _chosen(page: Any) -> None:
    for place in range(3):
        page.locator("[data-pick-one]").nth(place).check()


def _keys(page: Any) -> None:
    page.locator("main").press("?")


def _estate(page: Any) -> None:
    page.goto(page.locator(".drill a").first.get_attribute("href"))


def _first_house(page: Any) -> None:
    _estate(page)
    page.locator("[data-rows] a[data-drawer]").first.click()
    page.locator("#drawer article").wait_for()


def _transfer(page: Any) -> None:
    _first_house(page)
    page.locator("#drawer [data-opens^=house-transfer]").click()


def _unmask(page: Any) -> None:
    _first_house(page)
    page.locator("#drawer .unmask summary").first.click()


def _first_link(page: Any) -> None:
    page.goto(page.locator("main table a").first.get_attribute("href"))


def _written(page: Any) -> None:
    page.get_by_label("标题").fill("明天上午停水检修")
    page.get_by_label("正文").fill("# 停水时间\n**11月24日 8:00–12:00**\n请提前储水。\n- 1栋\n- 2栋")
    page.locator("[name=area_ids]").first.check()
    page.locator("[data-seen] li").first.wait_for()


def _to_publish(page: Any) -> None:
    _written(page)
    page.get_by_role("button", name="保存草稿，去核对").click()
    page.locator("[data-opens=publish]").click()


def _counted(page: Any) -> None:
    """The draft to a building, once its people and cost are counted."""
    page.get_by_role("link", name="1栋清洗水箱停水").first.click()
    page.locator("[data-recipients]").wait_for()


def _to_send(page: Any) -> None:
    _counted(page)
    page.get_by_role("button", name="发送", exact=True).click()


def _text_written(page: Any) -> None:
    page.locator('[name="audience.ids"]').first.check()
    page.get_by_label("短信模板").select_option(label="停水停电通知（通知）")
    for blank, words in (("哪里", "1栋"), ("什么时候", "周四9:00至12:00"), ("停水还是停电", "停水")):
        page.locator("[data-params]").get_by_label(blank).fill(words)


def _text_refused(page: Any) -> None:
    _text_written(page)
    page.get_by_label("停水还是停电").fill("见 www.a.cn")
    page.get_by_role("button", name="保存，去核对人数和费用").click()
    page.locator("[data-params] .field-error").wait_for()


def _to_approve(page: Any) -> None:
    page.get_by_role("link", name="本月志愿巡逻排班").first.click()
    page.get_by_role("button", name="审批", exact=True).click()


def _texted(page: Any) -> None:
    """A reminder that was let go; where there is none yet it is written, counted and sent."""
    done = page.get_by_role("link", name="提醒还没投票的业主")
    if done.count():
        done.first.click()
    else:
        page.goto("/admin/campaigns/new?type=decision_not_voted")
        page.locator('[name="audience.ids"]').first.check()
        page.get_by_label("短信模板").select_option(label="请参加业主表决（提醒）")
        page.get_by_label("表决的名称").fill("1栋电梯更新改造")
        page.get_by_label("这次通知叫什么").fill("提醒还没投票的业主")
        page.get_by_role("button", name="保存，去核对人数和费用").click()
        page.locator("[data-recipients]").wait_for()
        page.get_by_role("button", name="发送", exact=True).click()
        page.get_by_role("button", name="确认发送").click()
    page.locator("#progress").wait_for()
    page.wait_for_timeout(4000)  # the gateways answer meanwhile


def _cancelling(page: Any) -> None:
    _counted(page)
    page.get_by_role("button", name="不发了").click()
    page.locator("#cancel form").wait_for()


def _opted(page: Any) -> None:
    page.get_by_label("手机号").fill("19900010001")
    page.get_by_role("button", name="查询").click()
    page.locator("#opted:not([hidden])").wait_for()


def _template_named(page: Any) -> None:
    page.get_by_role("link", name="停水停电通知").click()
    page.locator("#template").wait_for()


def _template_written(page: Any) -> None:
    page.get_by_label("名称").fill("停气通知")
    page.get_by_label("签名").fill("寸滩街道")
    page.locator("#t-text").fill("您好，停气检修时间：")
    page.get_by_role("button", name="插入一处空白").click()


def _first_decision(page: Any) -> None:
    page.locator(".decision-card h2 a").first.click()
    page.locator(".tabs").wait_for()


def _decision_tab(name: str) -> Callable[[Any], None]:
    def go(page: Any) -> None:
        _first_decision(page)
        page.locator(".tabs").get_by_role("link", name=name).click()
        page.locator(f".tabs a[aria-current]:has-text('{name}')").wait_for()

    return go


def _reminding(page: Any) -> None:
    _first_decision(page)
    page.get_by_role("button", name="提醒未投票业主").click()
    page.locator("#remind dl").wait_for()


def _matter_chosen(page: Any) -> None:
    page.get_by_label("哪个小区").select_option(index=1)
    page.get_by_label("使用建筑物及其附属设施的维修资金").check()
    page.get_by_role("button", name="下一步：写内容").click()
    page.get_by_label("表决名称").wait_for()


def _drafted(page: Any) -> None:
    _matter_chosen(page)
    page.get_by_label("表决名称").fill("2栋楼顶防水维修")
    page.get_by_label("议题名称").first.fill("使用维修资金修楼顶防水")
    page.get_by_role("button", name="保存草稿").click()
    page.locator("#checks").wait_for()


def _first_books(page: Any) -> None:
    page.locator("tbody th a").first.click()
    page.locator(".now").wait_for()


def _books_tab(tab: str) -> Callable[[Any], None]:
    def open_it(page: Any) -> None:
        page.goto(page.locator("tbody th a").first.get_attribute("href") + "/" + tab)

    return open_it


def _ledger(page: Any) -> None:
    _first_books(page)
    begin = page.get_by_role("button", name="开始下一期")
    if begin.count():
        begin.click()
        page.locator("#period").wait_for()
    page.get_by_role("link", name="记账", exact=True).first.click()
    page.locator("[data-grid]").wait_for()


def _ledger_refused(page: Any) -> None:
    _ledger(page)
    page.locator("[data-new] [name=day]").fill("2020-01-05")
    page.locator("[data-new] [name=category_id]").select_option(index=1)
    page.locator("[data-new] [name=amount_fen]").fill("1,200.00")
    page.locator("[data-new] [name=note]").fill("一月停车费")
    page.locator("[data-new] [name=note]").press("Enter")
    page.locator("[data-new] .field-error").first.wait_for()


def _published_period(page: Any) -> None:
    _first_books(page)
    page.locator(
        "tbody tr", has=page.locator(".status-posted, .status-published, .status-closed")
    ).first.locator("a").click()
    page.locator("#period").wait_for()


def _as_owners_see(page: Any) -> None:
    _published_period(page)
    page.get_by_role("link", name="看看业主看到的样子").click()
    page.locator(".phone-view").wait_for()


def _published_line(page: Any) -> None:
    _books_tab("lines?account=cost")(page)
    page.locator("[data-rows] a[data-drawer]").first.click()
    page.locator("#drawer article").wait_for()


def _voucher(page: Any) -> None:
    _published_line(page)
    page.locator("#drawer").get_by_role("link", name="查看与遮盖").first.click()
    page.locator("canvas[data-ready]").wait_for()


def _hung(page: Any) -> None:
    """A display is made; its address is shown."""
    page.get_by_role("button", name="新建大屏").click()
    page.get_by_label("挂在哪里").fill("街道指挥中心大厅")
    page.get_by_label("显示哪个范围").select_option(index=1)
    page.get_by_role("button", name="建好并显示网址").click()
    page.locator("#made:visible").wait_for()


def _refused_drop(page: Any) -> None:
    page.locator('[data-column="received"] [data-move-card]').first.click()
    page.locator('#move-to [data-move-to="closed"]').click()
    page.locator("[data-board-said]:visible").wait_for()


def _into_estate(page: Any) -> None:
    page.goto(page.locator(".map-estate a").first.get_attribute("href"))


def _compared(page: Any) -> None:
    for place in range(8):
        page.goto(page.locator("[data-rows] a[data-drawer]").nth(place).get_attribute("href"))
        if page.locator("[data-compare]").count():
            page.locator("[data-compare]").click()
            return
        page.goto("/admin/tickets?status=closed")


def _turn(page: Any) -> None:
    page.locator("[data-turn]").first.click()


def _tried(page: Any) -> None:
    page.locator("#t-estate").select_option(index=1)
    page.locator("#t-class").select_option("water")
    page.get_by_role("button", name="试一试").click()
    page.locator("[data-tried]:visible").wait_for()


def _new_rule(page: Any) -> None:
    page.get_by_role("button", name="新增规则").click()


def _first_sheet(page: Any) -> None:
    page.locator("[data-rows] a[data-drawer]").first.click()
    page.locator("#drawer .sheet").wait_for()


def _second_sheet(page: Any) -> None:
    page.locator("[data-rows] a[data-drawer]").nth(1).click()
    page.locator("#drawer .sheet").wait_for()


def _new_account(page: Any) -> None:
    page.locator("[data-opens=new-account]").click()
    page.get_by_role("button", name="建立账号").click()
    page.locator("#new-account .field-error").first.wait_for()


SHOTS: Sequence[Shot] = (
    Shot("login", "", "/admin/login"),
    Shot("workbench-community", "community1", "/admin/"),
    Shot("workbench-property", "property1", "/admin/"),
    Shot("workbench-grid", "grid1", "/admin/"),
    Shot("workbench-street", "street", "/admin/"),
    Shot("workbench-dark", "community1", "/admin/", _dark),
    Shot("tickets", "community1", "/admin/tickets"),
    Shot("tickets-chosen", "community1", "/admin/tickets?status=received", _chosen),
    Shot("tickets-empty", "community1", "/admin/tickets?q=没有这样的工单"),
    Shot("tickets-english", "street", "/admin/tickets", _english),
    Shot("ticket-drawer", "community1", "/admin/tickets?status=closed", _first_ticket),
    Shot("ticket-page", "community1", "/admin/tickets?status=resolved", _own_page),
    Shot("ticket-dispatch", "community1", "/admin/tickets?status=accepted", _first_move),
    Shot("ticket-resolve", "property1", "/admin/tickets?status=in_progress", _first_move),
    Shot("ticket-dark", "community1", "/admin/tickets?status=in_progress", _dark_ticket),
    Shot("intake", "community1", "/admin/tickets/new"),
    Shot("intake-refused", "community1", "/admin/tickets/new", _typed),
    Shot("inbox", "property1", "/admin/inbox"),
    Shot("reports", "grid1", "/admin/reports"),
    Shot("photo-review", "community1", "/admin/photos"),
    Shot("search", "community1", "/admin/search?q=灯"),
    Shot("search-empty", "community1", "/admin/search?q=没有这样的词"),
    Shot("me", "community1", "/admin/me"),
    Shot("keys", "community1", "/admin/", _keys),
    Shot("registry", "community1", "/admin/registry", _estate),
    Shot("registry-street", "street", "/admin/registry"),
    Shot("registry-house", "community1", "/admin/registry", _first_house),
    Shot("registry-unmask", "community1", "/admin/registry", _unmask),
    Shot("registry-transfer", "community1", "/admin/registry", _transfer),
    Shot("registry-same", "community1", "/admin/registry/same"),
    Shot("registry-imports", "community1", "/admin/registry/imports"),
    Shot("registry-import-new", "community1", "/admin/registry/imports/new"),
    Shot("registry-queue", "community1", "/admin/memberships"),
    Shot("registry-request", "community1", "/admin/memberships", _first_link),
    Shot("registry-drive", "community1", "/admin/registration"),
    Shot("registry-english", "community1", "/admin/registry", _english),
    Shot("registry-dark", "community1", "/admin/registration", _dark),
    Shot("notices", "community1", "/admin/notices"),
    Shot("notices-write", "community1", "/admin/notices/new", _written),
    Shot("notices-publish", "community1", "/admin/notices/new", _to_publish),
    Shot("notices-one", "community1", "/admin/notices?status=published", _first_link),
    Shot("sms-campaigns", "community1", "/admin/campaigns"),
    Shot("sms-campaigns-empty", "community3", "/admin/campaigns"),
    Shot("sms-new", "community1", "/admin/campaigns/new"),
    Shot("sms-write", "community1", "/admin/campaigns/new?type=estates", _text_written),
    Shot("sms-write-refused", "community1", "/admin/campaigns/new?type=estates", _text_refused),
    Shot("sms-write-decision", "community1", "/admin/campaigns/new?type=decision_not_voted"),
    Shot("sms-write-list", "community1", "/admin/campaigns/new?type=list"),
    Shot("sms-counted", "community1", "/admin/campaigns?state=draft", _counted),
    Shot("sms-send", "community1", "/admin/campaigns?state=draft", _to_send),
    Shot("sms-cancel", "community1", "/admin/campaigns?state=draft", _cancelling),
    Shot("sms-approve", "street", "/admin/campaigns?state=awaiting_approval", _to_approve),
    Shot("sms-running", "community1", "/admin/campaigns", _texted),
    Shot("sms-lists", "community1", "/admin/recipient-lists"),
    Shot("sms-list", "community1", "/admin/recipient-lists", _first_link),
    Shot("sms-opt-outs", "community1", "/admin/opt-outs", _opted),
    Shot("sms-templates", "street", "/admin/sms-templates"),
    Shot("sms-template", "street", "/admin/sms-templates", _template_named),
    Shot("sms-template-new", "street", "/admin/sms-templates/new", _template_written),
    Shot("sms-english", "community1", "/admin/campaigns/new", _english),
    Shot("sms-dark", "community1", "/admin/campaigns?state=draft", _dark),
    Shot("decision-list", "community1", "/admin/decisions"),
    Shot("decision-one", "community1", "/admin/decisions?status=open", _first_decision),
    Shot("decision-turnout", "community1", "/admin/decisions?status=open", _decision_tab("投票进度")),
    Shot("decision-roll", "community1", "/admin/decisions?status=open", _decision_tab("名册")),
    Shot("decision-paper", "community1", "/admin/decisions?status=open", _decision_tab("纸质票")),
    Shot("decision-visits", "community1", "/admin/decisions?status=open", _decision_tab("上门与送达")),
    Shot("decision-proxies", "community1", "/admin/decisions?status=open", _decision_tab("委托")),
    Shot("decision-disputes", "community1", "/admin/decisions?status=open", _decision_tab("异议与争议")),
    Shot("decision-reminder", "community1", "/admin/decisions?status=open", _reminding),
    Shot("decision-new", "community1", "/admin/decisions/new"),
    Shot("decision-new-form", "community1", "/admin/decisions/new", _matter_chosen),
    Shot("decision-new-checks", "community1", "/admin/decisions/new", _drafted),
    Shot("revenue-overview", "street", "/admin/revenue"),
    Shot("revenue-periods", "property1", "/admin/revenue", _first_books),
    Shot("revenue-ledger", "property1", "/admin/revenue", _ledger),
    Shot("revenue-ledger-refused", "property1", "/admin/revenue", _ledger_refused),
    Shot("revenue-period", "community1", "/admin/revenue", _published_period),
    Shot("revenue-preview", "community1", "/admin/revenue", _as_owners_see),
    Shot("revenue-lines", "community1", "/admin/revenue", _books_tab("lines")),
    Shot("revenue-line", "community1", "/admin/revenue", _published_line),
    Shot("revenue-contracts", "community1", "/admin/revenue", _books_tab("contracts")),
    Shot("revenue-charts", "community1", "/admin/revenue", _books_tab("charts?by=quarter")),
    Shot("revenue-rules", "property1", "/admin/revenue", _books_tab("rules")),
    Shot("revenue-budgets", "property1", "/admin/revenue", _books_tab("budgets")),
    Shot("revenue-objections", "community1", "/admin/revenue", _books_tab("objections")),
    Shot("revenue-imports", "property1", "/admin/revenue", _books_tab("imports")),
    Shot("revenue-voucher", "community1", "/admin/revenue", _voucher),
    Shot("wall-dashboard", "street", "/admin/dashboard"),
    Shot("wall-dashboard-dark", "street", "/admin/dashboard", _dark),
    Shot("wall-dashboard-property", "property1", "/admin/dashboard"),
    Shot("wall-dashboard-grid", "grid1", "/admin/dashboard"),
    Shot("wall-dashboard-english", "street", "/admin/dashboard", _english),
    Shot("wall-screen", "street", "/admin/screens/preview", on_a_wall=True),
    Shot("wall-pairing", "", "/admin/screen", on_a_wall=True),
    Shot("wall-screens", "street", "/admin/screens"),
    Shot("wall-screens-made", "street", "/admin/screens", _hung),
    Shot("wall-assessment", "street", "/admin/assessment"),
    Shot("wall-assessment-person", "community1", "/admin/assessment?of=person&metric=satisfied&all=true"),
    Shot(
        "wall-assessment-items", "street", "/admin/assessment/items?metric=closed_on_time&share=denominator"
    ),
    Shot(
        "wall-assessment-left-out", "street", "/admin/assessment/items?metric=accept_on_time&share=left_out"
    ),
    Shot("wall-assessment-published", "street", "/admin/assessment/published"),
    Shot("board", "community1", "/admin/tickets/board"),
    Shot("board-refused", "community1", "/admin/tickets/board", _refused_drop),
    Shot("board-dark", "community1", "/admin/tickets/board", _dark),
    Shot("map", "street", "/admin/tickets/map"),
    Shot("map-estate", "community1", "/admin/tickets/map", _into_estate),
    Shot("ticket-compare", "community1", "/admin/tickets?status=closed", _compared),
    Shot("duty", "community1", "/admin/duty"),
    Shot("duty-turn", "community1", "/admin/duty", _turn),
    Shot("duty-new", "community1", "/admin/duty/new"),
    Shot("routing", "community1", "/admin/routing", _tried),
    Shot("routing-new", "community1", "/admin/routing", _new_rule),
    Shot("search-room", "community1", "/admin/search?q=1-101"),
    Shot("system-areas", "community1", "/admin/areas"),
    Shot("system-area", "community1", "/admin/areas", _first_sheet),
    Shot("system-grids", "community1", "/admin/grids"),
    Shot("system-grid", "community1", "/admin/grids", _first_sheet),
    Shot("system-regions", "street", "/admin/regions"),
    Shot("system-orgs", "community1", "/admin/orgs"),
    Shot("system-org", "community1", "/admin/orgs", _first_sheet),
    Shot("system-categories", "street", "/admin/categories"),
    Shot("system-category", "street", "/admin/categories", _second_sheet),
    Shot("system-calendar", "street", "/admin/calendar"),
    Shot("system-settings", "street", "/admin/settings"),
    Shot("system-estate-settings", "street", "/admin/settings", _first_sheet),
    Shot("system-environment", "system", "/admin/settings"),
    Shot("system-staff", "system", "/admin/staff"),
    Shot("system-staff-new", "system", "/admin/staff", _new_account),
    Shot("system-staff-role", "security", "/admin/staff", _second_sheet),
    Shot("system-roles", "auditor", "/admin/roles"),
    Shot("system-providers", "street", "/admin/providers"),
    Shot("system-api-keys", "street", "/admin/api-keys"),
    Shot("system-queues", "system", "/admin/queues"),
    Shot("system-audit", "auditor", "/admin/audit"),
    Shot("system-audit-english", "auditor", "/admin/audit", _english),
    Shot("not-found", "community1", "/admin/nothing"),
    Shot("forbidden", "property1", "/admin/tickets/new"),
)


class _Logins:
    """One login of each account, taken along from picture to picture: a code of an authenticator works once."""

    def __init__(self) -> None:
        self._staff = {str(who["account"]): who for who in cast.accounts() if who.get("account")}
        self._cookies: dict[str, list[Any]] = {}

    def enter(self, context: Any, account: str) -> None:
        """Log this account in within the context."""
        if account not in self._cookies:
            self._cookies[account] = self._log_in(context, account)
        context.add_cookies(self._cookies[account])

    def _log_in(self, context: Any, account: str) -> list[Any]:
        who = self._staff[account]
        body = {"account": account, "password": who["password"], "mode": "cookie"}
        step = 0
        for _ in range(4):
            if who.get("totp"):
                step = max(int(time.time()) // STEP_S, step + 1)
                while step > int(time.time()) // STEP_S + 1:  # at most one step ahead is taken
                    time.sleep(1)
                body["totp"] = code_at(str(who["totp"]), step)
            answer = context.request.post("/admin/api/v1/session", data=body)
            if answer.ok:
                found: list[Any] = context.cookies()
                return found
            if not who.get("totp"):
                break
        raise SystemExit(f"{account} could not log in: {answer.status} {answer.text()}")


def main() -> int:
    """0 when every page could be shown well."""
    reader = argparse.ArgumentParser(prog="make shots", description=__doc__)
    reader.add_argument("--port", default="8000")
    reader.add_argument("--only", default="", help="names that begin with this")
    asked = reader.parse_args()
    path = browser.installed()
    if path is None:
        print(
            "shots: no Chromium on this machine (Debian: apt install chromium fonts-noto-cjk)",
            file=sys.stderr,
        )
        return 1
    FOLDER.mkdir(parents=True, exist_ok=True)
    logins = _Logins()
    complaints: list[str] = []
    with browser.launched(path) as driven:
        for size_name, size in (SIZES | SCREENS).items():
            for shot in SHOTS:
                if shot.name.startswith(asked.only) and (size_name in SIZES or shot.on_a_wall):
                    context, wrong = browser.fresh(driven, size, base=f"http://127.0.0.1:{asked.port}")
                    wrong += _take(context, shot, size_name, logins)
                    complaints += [f"{shot.name} {size_name}: {one}" for one in wrong]
                    context.close()
    for one in complaints:
        print(one, file=sys.stderr)
    total = sum(file.stat().st_size for file in FOLDER.glob("*.png"))
    print(f"shots: {len(list(FOLDER.glob('*.png')))} pictures, {total / 1e6:.1f} MB in docs/shots")
    return 1 if complaints else 0


def _take(context: Any, shot: Shot, size_name: str, logins: _Logins) -> list[str]:
    if shot.account:
        logins.enter(context, shot.account)
    page = context.new_page()
    page.goto(shot.address)
    try:
        if shot.before is not None:
            shot.before(page)
        page.wait_for_timeout(300)  # what is asked for after loading is there
    except Exception as error:  # noqa: BLE001  what Playwright raises; the picture is taken all the same
        failed = [str(error).splitlines()[0]]
    else:
        failed = []
    page.screenshot(
        path=FOLDER / f"{shot.name}-{size_name}.png", full_page=page.locator("dialog[open]").count() == 0
    )
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        failed.append("scrolls sideways")
    return failed


if __name__ == "__main__":
    sys.exit(main())
