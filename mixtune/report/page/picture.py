"""A page as a picture, drawn by a headless Chromium."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from mixtune.errors import ExportError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""Programs that can draw a page, by the names under which they are installed."""

PATIENCE = 120
"""Seconds that a browser may take."""


def browser() -> str:
    """The program that draws pages.

    Raises:
        ExportError: none is installed.
    """
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise ExportError(
            f"no browser to draw a picture with (looked for {', '.join(BROWSERS)}): install one, on Debian with "
            f"`apt-get install chromium`, or write a page with --out report.html"
        )
    return found


def picture(page: str, width: int, height: int, scale: int = 2) -> bytes:
    """The top left width x height pixels of a page as a PNG, with `scale` dots to each.

    Raises:
        ExportError: there is no browser, or it drew nothing.
    """
    program = browser()
    with tempfile.TemporaryDirectory(prefix="mixtune-", ignore_cleanup_errors=True) as folder:
        html, png = Path(folder, "page.html"), Path(folder, "page.png")
        html.write_text(page, encoding="utf-8")
        command = [
            program,
            "--headless=new",
            "--no-sandbox",  # it draws one file of ours, which may load nothing
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--no-first-run",
            "--blink-settings=preferredColorScheme=1",
            f"--user-data-dir={folder}/profile",
            f"--force-device-scale-factor={scale}",
            f"--window-size={width},{height}",
            "--virtual-time-budget=5000",
            f"--screenshot={png}",
            html.as_uri(),
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        except subprocess.TimeoutExpired as error:
            raise ExportError(
                f"{program} drew nothing within {PATIENCE} s: try again on a machine less busy"
            ) from error
        if not png.exists():
            said = done.stderr.strip().splitlines()[-1:] or [f"status {done.returncode}"]
            raise ExportError(f"{program} drew nothing ({said[0]}): write a page with --out report.html instead")
        return png.read_bytes()
