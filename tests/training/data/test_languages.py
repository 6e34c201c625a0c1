"""Languages of texts, without a network."""

from mixtune.training.data.languages import UNSURE, shares

GERMAN = "Wie lange dauert es, bis ein neuer Reisepass ausgestellt wird?"
ENGLISH = "How long does it take until a new passport is issued to me?"
CHINESE = "新护照需要多长时间才能签发?请告诉我需要哪些文件。"


def test_languages_are_told_apart_and_come_with_their_shares_largest_first() -> None:
    assert list(shares([ENGLISH, GERMAN, ENGLISH, CHINESE]).items()) == [("en", 0.5), ("de", 0.25), ("zh", 0.25)]


def test_a_text_without_words_has_no_language_that_is_believed() -> None:
    assert shares(["1 2 3", "x"]) == {UNSURE: 1.0}


def test_no_texts_have_no_languages() -> None:
    assert shares([]) == {}
