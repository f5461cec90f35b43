"""A real browser: Debian's chromium, driven over the WebDriver protocol.

Source: W3C, "WebDriver"; the paths below `goog/` are those of chromedriver.
"""

import asyncio
import base64
import json
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

DRIVER, PROGRAM = shutil.which("chromedriver"), shutil.which("chromium")
_ARGUMENTS = (
    *("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--force-device-scale-factor=1", "--hide-scrollbars", "--lang=en-GB"),
)
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    """One window of a browser.

    Args:
        url: the URL of its WebDriver session.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    async def call(self, method: str, path: str, **body: Any) -> Any:
        """Send a command, and return its result."""
        return await asyncio.to_thread(send, method, self._url + path, body)

    async def cdp(self, command: str, **params: Any) -> Any:
        """Send a command of the Chrome DevTools Protocol."""
        return await self.call("POST", "/goog/cdp/execute", cmd=command, params=params)

    async def open(self, url: str) -> None:
        """Open a page; its console is empty then."""
        await self.call("POST", "/url", url="about:blank")
        await self.console()
        await self.call("POST", "/url", url=url)

    async def run(self, script: str, *arguments: Any) -> Any:
        """Run the body of a function in the page, and return its result."""
        return await self.call("POST", "/execute/sync", script=script, args=arguments)

    async def until(self, expression: str, *arguments: Any, seconds: float = 15.0) -> float:
        """Wait until an expression is true; return the seconds that this took."""
        began = time.monotonic()
        while not await self.run(f"return Boolean({expression})", *arguments):
            if time.monotonic() > began + seconds:
                shown = await self.run("return document.body.innerText.slice(0, 2000)")
                raise AssertionError(f"not true in the page: {expression}\n{shown}")
            await asyncio.sleep(0.02)
        return time.monotonic() - began

    async def type(self, selector: str, keys: str) -> None:
        """Press keys in an element."""
        found = await self.call("POST", "/element", using="css selector", value=selector)
        await self.call("POST", f"/element/{found[_ELEMENT]}/value", text=keys)

    async def press(self, key: str) -> None:
        """Press one key where the focus is."""
        actions = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        await self.call(
            "POST", "/actions", actions=[{"type": "key", "id": "k", "actions": actions}]
        )

    async def click(self, selector: str) -> None:
        """Click an element."""
        found = await self.call("POST", "/element", using="css selector", value=selector)
        await self.call("POST", f"/element/{found[_ELEMENT]}/click")

    async def look(self, width: int = 1280, height: int = 800, **media: str) -> None:
        """Set the size of the window, and media features such as prefers_color_scheme="dark"."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.cdp("Emulation.setDeviceMetricsOverride", **metrics)
        features = [{"name": n.replace("_", "-"), "value": v} for n, v in media.items()]
        await self.cdp("Emulation.setEmulatedMedia", features=features)

    async def console(self) -> list[str]:
        """Return the errors and warnings in the console since the last call."""
        entries = await self.call("POST", "/se/log", type="browser")
        return [each["message"] for each in entries if each["level"] in ("WARNING", "SEVERE")]

    async def picture(self) -> bytes:
        """Return the window as PNG."""
        return base64.b64decode(await self.call("GET", "/screenshot"))


def send(method: str, url: str, body: dict[str, Any]) -> Any:
    """Send a command of WebDriver, and return its value."""
    data = json.dumps(body).encode() if method == "POST" else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        raise AssertionError(json.load(error)["value"]["message"]) from None


@contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser, and end it."""
    assert DRIVER
    driver = subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, text=True)  # noqa: S603
    try:
        assert driver.stdout is not None
        ports = (re.search(r"started successfully on port (\d+)", each) for each in driver.stdout)
        port = next(found[1] for found in ports if found)
        options = {"args": _ARGUMENTS, "binary": PROGRAM}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        url = f"http://127.0.0.1:{port}/session"
        session = send("POST", url, {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        yield Browser(f"{url}/{session}")
        send("DELETE", f"{url}/{session}", {})
    finally:
        driver.kill()
        driver.communicate()
