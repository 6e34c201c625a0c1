"""The page as a browser sees it: every figure has data, nothing is loaded, and no text becomes markup."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from browser import DRAWN, Browser
from gallery import Gallery, gallery

from mixtune.report.figures import FIGURES
from mixtune.report.page.html import page, poster

EVIL = ("<script>document.title='owned'</script>", '"><img src=x onerror="document.title=1">', "</script><b>& $body")


@pytest.fixture(scope="module")
def full() -> Gallery:
    return gallery()


@pytest.mark.parametrize("width, dark", [(390, True), (1280, False)])
def test_every_figure_has_data_and_the_page_loads_nothing(
    browser: Browser, full: Gallery, tmp_path: Path, width: int, dark: bool
) -> None:
    file = tmp_path / "report.html"
    file.write_text(page([full.story, full.story]), encoding="utf-8")
    browser.open(file, width=width, dark=dark)
    drawn = browser.value(DRAWN)
    assert browser.complaints == []
    assert browser.requests == [file.as_uri()]
    assert set(drawn) == {*FIGURES, "answers"}
    assert [name for name, marks in drawn.items() if not marks] == []
    assert browser.value("document.documentElement.scrollWidth") <= width, "the page has to be scrolled sideways"
    ink = "getComputedStyle(document.querySelector('.plot text')).fill"
    assert (browser.value(ink) == "rgb(232, 236, 241)") is dark


def test_what_stands_between_backticks_is_code_and_nothing_else_of_a_text_is_markup() -> None:
    story = replace(gallery().story, answers=("Say `mixtune ls <b>` & go.",))
    assert "Say <code>mixtune ls &lt;b&gt;</code> &amp; go." in page([story])


def test_texts_of_users_stay_texts(browser: Browser, tmp_path: Path) -> None:
    evil = gallery(EVIL)
    file = tmp_path / "evil.html"
    file.write_text(page([evil.story]), encoding="utf-8")
    browser.open(file)
    assert browser.complaints == []
    assert browser.value("document.title") == "gallery"
    assert browser.value("document.querySelectorAll('img, b').length") == 0
    assert browser.value("document.body.innerText").count(EVIL[0]) > 0


def test_printing_is_in_light_colours_with_all_numbers_open(browser: Browser, full: Gallery, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text(page([full.story]), encoding="utf-8")
    browser.open(file, dark=True)
    closed = "document.querySelectorAll('[data-figure] details:not([open])').length"
    assert browser.value(closed) > 0
    browser.value("dispatchEvent(new Event('beforeprint'))")
    assert browser.value(closed) == 0
    assert browser.value("getComputedStyle(document.querySelector('.plot text')).fill") == "rgb(28, 36, 48)"
    widths = "[...document.querySelectorAll('.plot svg.main-svg')].map((svg) => svg.clientWidth)"
    assert max(browser.value(widths)) <= 680, "a page of paper is no wider"
    browser.value("dispatchEvent(new Event('afterprint'))")
    assert max(browser.value(widths)) > 680
    assert browser.value(closed) > 0


def test_legends_print_their_colours_and_wide_tables_say_that_they_scroll(full: Gallery) -> None:
    text = page([full.story])
    assert ".legend, .answer { -webkit-print-color-adjust: exact; print-color-adjust: exact; }" in text
    assert "background-attachment: local, scroll;" in text


def test_no_element_names_another_place(full: Gallery) -> None:
    text = page([full.story])
    body = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert re.findall(r"""(?:src|href|action|url\()\s*=?\s*["']?(?:https?:)?//""", body) == []
    assert "default-src 'none'" in body


def test_the_answer_comes_first_in_one_sentence_with_its_interval(full: Gallery) -> None:
    text = page([full.story])
    first = re.search(r'<p class="answer yes">(.*?)</p>', text)
    assert first is not None
    assert re.fullmatch(r"Yes, tuning beats proportional sampling: .* 95 % interval \[.*\] over .*\.", first[1])
    assert first.start() < text.index("data-figure")


def test_a_poster_holds_one_figure_and_fits_its_size(browser: Browser, full: Gallery, tmp_path: Path) -> None:
    found = poster(full.story, "weights")
    file = tmp_path / "poster.html"
    file.write_text(found.page, encoding="utf-8")
    browser.open(file, width=found.width, height=found.height)
    assert browser.value("document.querySelectorAll('[data-figure]').length") == 1
    assert browser.value("document.documentElement.scrollHeight") <= found.height


def test_an_unknown_figure_has_no_poster(full: Gallery) -> None:
    with pytest.raises(KeyError):
        poster(full.story, "nothing")
