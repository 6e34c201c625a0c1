import pytest
from browser import Browser

from mixtune.errors import ExportError
from mixtune.report.page.picture import picture


def test_a_picture_has_the_size_that_was_asked_for(browser: Browser) -> None:
    png = picture("<body style='background: red'>", 600, 120, scale=1)
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")) == (600, 120)


def test_without_a_browser_the_next_step_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ExportError, match=r"looked for chromium.*apt-get install chromium.*--out report.html"):
        picture("<p>", 10, 10)
