import numpy as np
import pytest

from mixtune.training.preparing.heldout import jaccard, matches, near_duplicates, normalised, shingles

TWENTY = (
    "the quick brown fox jumps over some lazy dogs while seven small birds watch from their nests near our garden wall"
)


def quiet(done: int, total: int) -> None:
    pass


def test_case_punctuation_and_white_space_make_no_difference() -> None:
    assert normalised("  How do I\tRESET\n my password?! ") == "how do i reset my password"
    assert normalised("\ufb01ve \uff2eets") == "five nets"  # NFKC: a ligature and a full-width letter
    assert normalised("?!…") == ""


def test_marks_of_letters_stay() -> None:
    assert normalised("हिन्दी।") == "हिन्दी"


def test_shingles_are_the_distinct_runs_of_five_characters() -> None:
    assert len(shingles("abcdefg")) == 3
    assert len(shingles("aaaaaaaaa")) == 1
    assert len(shingles("abcd")) == 0
    assert set(shingles("xabcdey")) > set(shingles("abcde"))


def test_jaccard_is_shared_over_all() -> None:
    # abcdef has abcde, bcdef; bcdefg has bcdef, cdefg: one of three.
    assert jaccard(shingles("abcdef"), shingles("bcdefg")) == pytest.approx(1 / 3)
    assert jaccard(shingles("abc"), shingles("abc")) == 0


def test_one_word_in_twenty_changed_is_a_near_duplicate() -> None:
    changed = TWENTY.replace("watch", "gazed")
    count = len(TWENTY) - 4
    # The five letters and the four before them start nine shingles that the other text lacks.
    assert jaccard(shingles(TWENTY), shingles(changed)) == pytest.approx((count - 9) / (count + 9))
    assert list(near_duplicates([changed], [TWENTY], quiet)) == [(0, 0)]


def test_four_words_in_twenty_changed_is_none() -> None:
    changed = TWENTY
    for one, other in (("quick", "speed"), ("lazy", "idle"), ("watch", "gazed"), ("garden", "summer")):
        changed = changed.replace(one, other)
    assert jaccard(shingles(TWENTY), shingles(changed)) < 0.8
    assert list(near_duplicates([changed], [TWENTY], quiet)) == []


def test_every_pair_that_counting_finds_is_found_and_no_other() -> None:
    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghij klmnop"))

    def line() -> str:
        return "".join(rng.choice(letters, size=120)).strip()

    def typed_again(text: str, slips: int) -> str:
        typed = list(text)
        for place in rng.choice(len(text), slips, replace=False):
            typed[place] = "z"
        return "".join(typed)

    held = [line() for _ in range(60)]
    texts = [typed_again(each, slips) for each in held for slips in (1, 2, 3, 5, 8)]
    texts += [line() for _ in range(40)]
    expected = {
        (i, j)
        for i, one in enumerate(texts)
        for j, other in enumerate(held)
        if jaccard(shingles(one), shingles(other)) >= 0.8
    }
    assert 100 < len(expected) < 260  # some of the slips make a near-duplicate, some do not
    assert set(near_duplicates(texts, held, quiet)) == expected


def test_equal_texts_are_exact_and_not_near() -> None:
    other = TWENTY.replace("watch", "gazed")
    found = matches([TWENTY, "short", "nothing like it"], {TWENTY: 1, other: 2, "short": 4}, quiet)
    assert found == {TWENTY: (1, 2), "short": (4, 0)}


def test_marks_of_an_equal_text_are_not_counted_again_for_a_near_one() -> None:
    other = TWENTY.replace("watch", "gazed")
    assert matches([TWENTY], {TWENTY: 1, other: 3}, quiet) == {TWENTY: (1, 2)}
