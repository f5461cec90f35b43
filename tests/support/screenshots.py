"""Take the pictures of the dashboard: `python -m tests.support.screenshots` writes them to docs.

They show the sandbox's generated people, who are the same every time, in a real browser.
"""

import asyncio

from aiopresence.sandbox import Sandbox
from tests.support.browser import Browser, browser
from tests.support.dashboards import served
from tests.support.pictures import PICTURES

SIZES = {"light": (1000, 560), "dark": (1000, 560), "phone": (390, 700)}
MESSAGES = ("Back at 3", "Working from home", "In a workshop until Friday")


def _prepare(sandbox: Sandbox) -> None:
    # The fonts of a server may lack emoji and some scripts.
    for number, id_ in enumerate(sandbox.user_ids):
        sandbox.set_presence(id_, message=MESSAGES[number % 3] if number % 7 == 0 else "")


async def _take(page: Browser) -> None:
    async with served(120, prepare=_prepare) as dashboard:
        for name, (width, height) in SIZES.items():
            scheme = "dark" if name == "dark" else "light"
            await page.look(width, height, prefers_color_scheme=scheme)
            await page.open(dashboard.url)
            await page.until("document.querySelector('#connection').textContent === 'Live'")
            for id_ in dashboard.sandbox.user_ids[:12:4]:
                dashboard.sandbox.ring(id_)
            await page.until("document.body.innerText.includes('since')")
            await page.run("document.getAnimations().forEach(each => each.finish())")
            (PICTURES / f"dashboard-{name}.png").write_bytes(await page.picture())
        await page.open("about:blank")


if __name__ == "__main__":
    with browser() as page:
        asyncio.run(_take(page))
