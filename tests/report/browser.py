"""A headless Chromium, driven over a pipe by the DevTools protocol."""

import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


DRAWN = """Object.fromEntries([...document.querySelectorAll("[data-figure]")].map((figure) => [
    figure.dataset.figure,
    figure.querySelectorAll(".plot .point, .plot .js-line, .plot .hm image, .plot .scatterlayer path").length
]))"""
"""Marks that each figure of a page has drawn."""


def chromium() -> str | None:
    """The browser of this machine, None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One browser with one tab. `events` holds everything that the browser said by itself."""

    def __init__(self, program: str, profile: Path) -> None:
        to_browser, from_browser = os.pipe(), os.pipe()
        command = (
            f'exec "$0" --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run '
            f"--disable-background-networking --remote-debugging-pipe --user-data-dir='{profile}' about:blank "
            f"3<&{to_browser[0]} 4>&{from_browser[1]}"
        )
        self.process = subprocess.Popen(
            ["bash", "-c", command, program],
            pass_fds=(to_browser[0], from_browser[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser[0])
        os.close(from_browser[1])
        self.write, self.read = to_browser[1], from_browser[0]
        self.held, self.number, self.session = b"", 0, None
        self.events: list[dict[str, Any]] = []
        targets = self("Target.getTargets")["targetInfos"]
        page = next(each["targetId"] for each in targets if each["type"] == "page")
        self.session = self("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self(f"{domain}.enable")

    def __call__(self, method: str, **params: object) -> dict[str, Any]:
        self.number += 1
        sent = {"id": self.number, "method": method, "params": params}
        if self.session is not None:
            sent["sessionId"] = self.session
        os.write(self.write, json.dumps(sent).encode() + b"\0")
        while True:
            told = self.next()
            if told.get("id") == self.number:
                assert "error" not in told, told["error"]
                return dict(told["result"])
            self.events.append(told)

    def next(self, patience: float = 60.0) -> dict[str, Any]:
        end = time.monotonic() + patience
        while b"\0" not in self.held:
            ready, _, _ = select.select([self.read], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"the browser has said nothing for {patience:.0f} s"
            said = os.read(self.read, 1 << 20)
            assert said, "the browser has gone"
            self.held += said
        message, self.held = self.held.split(b"\0", 1)
        return dict(json.loads(message))

    def open(self, path: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        self.events.clear()
        self("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self("Emulation.setEmulatedMedia", features=[scheme])
        self("Page.navigate", url=path.as_uri())
        while not any(told.get("method") == "Page.loadEventFired" for told in self.events):
            self.events.append(self.next())

    def value(self, expression: str) -> Any:  # noqa: ANN401 - whatever the page holds
        found = self("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    @property
    def complaints(self) -> list[dict[str, Any]]:
        """Errors of scripts, on the console, and of the page's policy."""
        return [
            told
            for told in self.events
            if told.get("method") == "Runtime.exceptionThrown"
            or (told.get("method") == "Runtime.consoleAPICalled" and told["params"]["type"] in ("error", "warning"))
            or (told.get("method") == "Log.entryAdded" and told["params"]["entry"]["level"] == "error")
        ]

    @property
    def requests(self) -> list[str]:
        """Addresses that were asked for, the page's own among them."""
        return [
            told["params"]["request"]["url"]
            for told in self.events
            if told.get("method") == "Network.requestWillBeSent"
            and not told["params"]["request"]["url"].startswith("data:")
        ]

    def close(self) -> None:
        self.session = None
        self("Browser.close")
        self.process.wait(timeout=20)
        os.close(self.write)
        os.close(self.read)
