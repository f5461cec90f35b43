"""The dashboard in a real browser. Time is real, so tests wait for conditions of the page."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import pytest

from aiopresence.sandbox import Answer, Sandbox
from tests.support.browser import DRIVER, PROGRAM, Browser, browser
from tests.support.dashboards import Served, served
from tests.support.redis_proxy import Proxy

pytestmark = pytest.mark.skipif(
    not (DRIVER and PROGRAM), reason="needs a browser: apt-get install chromium chromium-driver"
)

LIVE = "document.querySelector('#connection').textContent === 'Live'"
SHOWN = "[...document.querySelectorAll('li')].filter(e => !e.hidden)"
# The row of an extension by its number.
ROW = "[...document.querySelectorAll('li')].find(e => e.textContent.includes(arguments[0]))"


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as window:
        yield window


@pytest.fixture
async def page(window: Browser) -> Browser:
    """A window of the usual size."""
    await window.look(1280, 800)
    return window


@pytest.fixture
async def dashboard(page: Browser) -> AsyncIterator[Served]:
    """A dashboard; the test fails if the browser's console has errors at the end."""
    async with served(200, prepare=_write_messages) as dashboard:
        yield dashboard
        assert await page.console() == []
        await page.open("about:blank")


MARKUP = "<script>window.stolen=1</script><img src=x onerror=window.stolen=2>"


def _write_messages(sandbox: Sandbox) -> None:
    sandbox.set_extension(sandbox.user_ids[9], name="Łucja Ørsted-Ångström")
    sandbox.set_extension(sandbox.user_ids[10], name="Zoë O'Brien", number="4711")
    sandbox.set_presence(sandbox.user_ids[7], user_status="Busy", message=MARKUP)
    sandbox.set_presence(sandbox.user_ids[8], user_status="Busy", message="x" * 75)


async def opened(page: Browser, url: str) -> None:
    await page.open(url)
    await page.until(LIVE)


def number(sandbox: Sandbox, id_: str) -> str:
    return str(sandbox.presence(id_)["extension"]["extensionNumber"])


def go_offline(sandbox: Sandbox, id_: str) -> None:
    sandbox.set_presence(
        id_,
        user_status="Offline",
        telephony_status="NoCall",
        meeting_status="Disconnected",
        dnd_status="TakeAllCalls",
    )


async def test_all_people_are_listed_with_counts(page: Browser, dashboard: Served) -> None:
    await opened(page, dashboard.url)
    assert await page.run(f"return {SHOWN}.length") == 200
    found = "return Object.fromEntries([...document.querySelectorAll('fieldset label')].map("
    found += "e => [e.dataset.state, Number(e.querySelector('output').value)]))"
    counts = {str(each): n for each, n in dashboard.board.count().items()}
    assert await page.run(found) == {"all": 200, **counts}
    available = counts["available"]
    assert await page.run("return document.title") == f"{available} of 200 available - Presence"


async def test_a_change_is_shown_within_a_second(page: Browser, dashboard: Served) -> None:
    await opened(page, dashboard.url)
    sandbox, who = dashboard.sandbox, dashboard.sandbox.user_ids[5]
    took = []
    for status in ("Ringing", "CallConnected", "Ringing", "CallConnected"):
        go_offline(sandbox, who)
        await page.until(f"{ROW}.textContent.includes('offline')", number(sandbox, who))
        sandbox.set_presence(who, user_status="Available", telephony_status=status)
        took.append(
            await page.until(f"!{ROW}.textContent.includes('offline')", number(sandbox, who))
        )
    # The fastest one, because other programs may hold up this machine.
    assert min(took) < 1.0
    shown = await page.run(f"return {ROW}.textContent", number(sandbox, who))
    assert "on call since" in shown


async def test_text_of_others_is_shown_as_text(page: Browser, dashboard: Served) -> None:
    await opened(page, dashboard.url)
    shown = f"return {ROW}.querySelector('.message').textContent"
    where = number(dashboard.sandbox, dashboard.sandbox.user_ids[7])
    assert await page.run(shown, where) == MARKUP
    assert await page.run("return [window.stolen, document.images.length]") == [None, 0]


async def test_the_filter_shows_one_availability(page: Browser, dashboard: Served) -> None:
    await opened(page, dashboard.url)
    await page.click("label[data-state=offline]")
    counts = {str(each): n for each, n in dashboard.board.count().items()}
    assert await page.run(f"return {SHOWN}.length") == counts["offline"]
    assert await page.run(f"return {SHOWN}.every(e => e.dataset.state === 'offline')")
    # Somebody who goes offline appears.
    who = next(
        i for i in dashboard.sandbox.user_ids if dashboard.board[i].availability != "offline"
    )
    go_offline(dashboard.sandbox, who)
    await page.until(f"{SHOWN}.length === arguments[0]", counts["offline"] + 1)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("lucja orsted", ["Łucja Ørsted-Ångström"]),
        ("ANGSTROM", ["Łucja Ørsted-Ångström"]),
        ("Ångström łucja", ["Łucja Ørsted-Ångström"]),
        ("o'brien zoe", ["Zoë O'Brien"]),
        ("4711", ["Zoë O'Brien"]),
        ("nobody at all", []),
    ],
)
async def test_the_search_ignores_accents_case_and_order(
    page: Browser, dashboard: Served, query: str, found: list[str]
) -> None:
    await opened(page, dashboard.url)
    await page.type("#query", query)
    names = f"return {SHOWN}.map(e => e.querySelector('.name').textContent)"
    assert {*found} <= {*await page.run(names)}
    assert len(await page.run(names)) <= len(found) + 2  # other people may have that name, too
    said = await page.run("return document.querySelector('#found').textContent")
    assert said == f"{len(await page.run(names))} of 200 people shown"


async def test_people_are_in_the_order_of_their_names(page: Browser, dashboard: Served) -> None:
    await opened(page, dashboard.url)
    names = "return [...document.querySelectorAll('li .name')].map(e => e.textContent)"
    shown = await page.run(names)
    assert [each.partition(" ")[0] for each in shown[:3]] == ["Ada", "Ada", "Ada"]
    assert shown[-1].startswith("Zo")
    assert shown.index("Łucja Ørsted-Ångström") < shown.index("Zoë O'Brien")
    # Somebody with another name moves.
    await page.run(
        "change(arguments[0], {...people.get(arguments[0]).row, name: 'Aaron'}); draw()",
        dashboard.sandbox.user_ids[10],
    )
    assert (await page.run(names))[0] == "Aaron"
    # Somebody who is gone leaves the list and the counts.
    await page.run("change(arguments[0], null); draw()", dashboard.sandbox.user_ids[10])
    assert "Aaron" not in await page.run(names)
    assert "of 199 available" in await page.run("return document.title")


async def test_a_screen_on_the_wall_is_larger(page: Browser, dashboard: Served) -> None:
    await opened(page, dashboard.url)
    size = "return parseFloat(getComputedStyle(document.querySelector('.name')).fontSize)"
    usual = await page.run(size)
    await page.look(3840, 2160)
    assert await page.run(size) > 1.5 * usual


async def test_reduced_motion_is_respected(page: Browser, dashboard: Served) -> None:
    sandbox, (who, other, *_) = dashboard.sandbox, dashboard.sandbox.user_ids
    moving = "return document.getAnimations().length"
    await page.look(prefers_reduced_motion="reduce")
    await opened(page, dashboard.url)
    go_offline(sandbox, who)
    await page.until(f"{ROW}.textContent.includes('offline')", number(sandbox, who))
    assert await page.run(moving) == 0
    await page.look(prefers_reduced_motion="no-preference")
    go_offline(sandbox, other)
    await page.until(f"{ROW}.textContent.includes('offline')", number(sandbox, other))
    assert await page.run(moving) > 0


async def test_a_row_that_is_stale_says_so(page: Browser, dashboard: Served) -> None:
    await opened(page, dashboard.url)
    down = dashboard.sandbox.faults.add(Answer(503), path="ws", times=None)
    dashboard.sandbox.gateway.cut()
    await page.until("document.querySelectorAll('li.stale').length === 200")
    text = await page.run("return document.querySelector('li').innerText")
    assert "may be out of date" in text
    assert "Waiting for RingCentral" in await page.run("return document.body.innerText")
    while not down.fired:
        await asyncio.sleep(0.01)


async def test_the_token_in_the_url_is_needed_once(page: Browser) -> None:
    token = "a-token-of-this-test"
    async with served(20, token=token) as dashboard:
        await page.open(dashboard.url)
        assert "the token is missing" in await page.run("return document.body.innerText")
        await opened(page, f"{dashboard.url}?token={token}")
        assert await page.run("return location.href") == dashboard.url
        assert await page.run("return document.cookie") == ""  # scripts do not see it
        await opened(page, dashboard.url)
        await page.open("about:blank")
        await page.console()


async def test_a_page_whose_token_is_no_longer_valid_says_so(page: Browser) -> None:
    async with served(20, token="the-token-of-yesterday") as dashboard:
        await opened(page, f"{dashboard.url}?token=the-token-of-yesterday")
    async with served(20, port=dashboard.port, token="the-token-of-today"):
        await page.until("document.body.innerText.includes('open this page again with its token')")
        assert (await page.run("return document.title")).startswith("Not current: ")
        await page.open("about:blank")
        await page.console()


async def test_the_keyboard_reaches_search_and_filter(page: Browser, dashboard: Served) -> None:
    await opened(page, dashboard.url)
    tab, right = "\ue004", "\ue014"
    await page.press(tab)
    assert await page.run("return document.activeElement.id") == "query"
    await page.press(tab)
    assert await page.run("return document.activeElement.value") == "all"
    outline = "return getComputedStyle(document.activeElement.parentElement).outlineStyle"
    assert await page.run(outline) == "solid"
    await page.press(right)
    assert await page.run("return document.activeElement.value") == "available"
    assert await page.run(f"return {SHOWN}.every(e => e.dataset.state === 'available')")
    assert "people shown" in await page.run("return document.querySelector('#found').textContent")


async def test_a_lost_connection_is_shown_until_all_is_current(
    page: Browser, dashboard: Served
) -> None:
    proxy = Proxy(dashboard.port)
    try:
        await opened(page, f"http://127.0.0.1:{proxy.port}/")
        note = "getComputedStyle(document.querySelector('li .note')).display"
        assert await page.run(f"return {note}") == "none"
        proxy.target = 1  # where nothing listens
        proxy.reset()
        await page.until(f"{note} === 'inline'")
        assert "Connection lost" in await page.run("return document.body.innerText")
        assert (await page.run("return document.title")).startswith("Not current: ")
        who = dashboard.sandbox.user_ids[3]
        go_offline(dashboard.sandbox, who)
        proxy.target = dashboard.port
        await page.until(LIVE, seconds=30)
        assert await page.run(f"return {note}") == "none"
        where = number(dashboard.sandbox, who)
        assert await page.run(f"return {ROW}.textContent.includes('offline')", where)
        errors = await page.console()  # Browsers log failed requests themselves.
        assert errors
        assert all("net::ERR_" in each for each in errors)
        await page.open("about:blank")
    finally:
        proxy.close()


async def test_the_page_says_why_the_board_ended_and_returns_with_it(page: Browser) -> None:
    async with served(20) as dashboard:
        await opened(page, dashboard.url)
        await dashboard.board.close()
        await page.until("document.body.innerText.includes('Stopped: the board was closed')")
    async with served(20, port=dashboard.port):
        await page.until(LIVE, seconds=40)
        await page.open("about:blank")
        await page.console()


@pytest.mark.parametrize("width", [320, 390])
async def test_a_phone_has_no_horizontal_scroll(
    page: Browser, dashboard: Served, width: int
) -> None:
    await page.look(width, 844)
    await opened(page, dashboard.url)
    assert await page.run("return document.documentElement.scrollWidth") <= width
    wide = f"return {SHOWN}.filter(e => e.getBoundingClientRect().right > innerWidth).length"
    assert await page.run(wide) == 0


@pytest.mark.parametrize("stale", [False, True])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_contrast_is_sufficient(
    page: Browser, dashboard: Served, scheme: str, stale: bool
) -> None:
    await page.look(prefers_color_scheme=scheme)
    await opened(page, dashboard.url)
    if stale:
        await page.run("document.body.className = 'not-current'; list.className = 'stale'")
    # Foreground and background of each text, and of each shape: WCAG 2, level AA.
    texts = await page.run(
        """
        const over = e => {
          for (; e; e = e.parentElement) {
            const color = getComputedStyle(e).backgroundColor;
            if (color !== 'rgba(0, 0, 0, 0)') return color;
          }
        };
        const rgb = color => color.match(/[\\d.]+/g).map(Number).slice(0, 3);
        return [...document.querySelectorAll('h1, p, label, bdi, li span, output')]
          .filter(e => !e.closest('[hidden]') && (e.textContent || e.className === 'shape'))
          .map(e => [e.className === 'shape' ? 3 : 4.5, rgb(getComputedStyle(e).color),
                     rgb(over(e.className === 'shape' ? e.parentElement : e)), e.outerHTML]);
        """
    )
    assert len(texts) > 800
    assert [each for each in texts if contrast(each[1], each[2]) < each[0]] == []
    background = await page.run("return getComputedStyle(document.body).backgroundColor")
    assert (luminance(json.loads(background.replace("rgb(", "[").replace(")", "]"))) < 0.5) == (
        scheme == "dark"
    )


def contrast(one: list[int], other: list[int]) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(rgb: list[int]) -> float:
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb)
    ]
    return float(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
