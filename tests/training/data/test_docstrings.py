import importlib.metadata
import platform
import sys
from pathlib import Path

import pytest

from mixtune.errors import DataError
from mixtune.training.data import docstrings
from mixtune.training.data.docstrings import fingerprint, pairs, parse, task, version

BODY = "This body says at some length what it does, so that it is worth searching for"


def function(name: str, summary: str, body: str) -> str:
    return f'def {name}():\n    """{summary}\n\n    {body}\n    """\n\n\n'


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package whose import would fail, on sys.path, with 100 documented functions."""
    folder = tmp_path / "site" / "tinydocs"
    (folder / "inner" / "tests").mkdir(parents=True)
    (folder / "__init__.py").write_text('raise RuntimeError("imported")\n')
    for part in (0, 1):
        code = "".join(
            function(f"f{i}", f"Return the number {i} of things.", f"{BODY} {i}.") for i in range(part, 100, 2)
        )
        (folder / f"part{part}.py").write_text(code)
    (folder / "inner" / "deep.py").write_text(function("deep", "Something in deep places.", f"{BODY} down there."))
    (folder / "inner" / "tests" / "test_it.py").write_text(function("t", "Tested things are left out.", BODY))
    monkeypatch.syspath_prepend(tmp_path / "site")
    return folder


def summaries(location: str, cache: Path) -> dict[str, set[str]]:
    return {split: set(pairs(location, split, cache).queries) for split in docstrings.SPLITS}


def test_nothing_of_the_package_is_imported(package: Path, tmp_path: Path) -> None:
    pairs("tinydocs", "train", tmp_path)
    pairs("tinydocs.inner", "train", tmp_path)
    assert "tinydocs" not in sys.modules


def test_every_docstring_stands_in_exactly_one_split(package: Path, tmp_path: Path) -> None:
    found = summaries("tinydocs", tmp_path)
    assert sum(len(one) for one in found.values()) == len(set.union(*found.values())) == 101
    assert len(found["train"]) > len(found["dev"]) > 5 < len(found["test"])


def test_the_summary_is_the_query_and_the_rest_its_document() -> None:
    code = b'''def f():
    """Short words spread
    over two lines.

    The rest   of it, with
        indented lines that are long enough.
    """
'''
    assert list(parse(code)) == [
        ("Short words spread over two lines.", "The rest of it, with indented lines that are long enough.")
    ]


def test_without_a_blank_line_the_first_line_is_the_summary() -> None:
    code = b'"""The first line here.\nand a second line that is also a bit longer than the first.\n"""'
    assert list(parse(code)) == [
        ("The first line here.", "and a second line that is also a bit longer than the first.")
    ]


@pytest.mark.parametrize(
    "docstring", ["Two words.\n\n" + BODY, "Three whole words.\n\nToo short a body.", "One line only."]
)
def test_docstrings_that_are_too_short_are_left_out(docstring: str) -> None:
    assert list(parse(f'"""{docstring}"""'.encode())) == []


def test_modules_classes_methods_and_nested_definitions_are_read() -> None:
    code = f'''"""A module of things.

{BODY} 1.
"""
try:
    import x
except ImportError:
    async def fallback():
        """A function in a handler.

        {BODY} 2.
        """
if True:
    class C:
        """A class in a branch.

        {BODY} 3.
        """
        def _private(self):
            """A method of it.

            {BODY} 4.
            """
'''
    found = [summary for summary, _ in parse(code.encode())]
    assert found == ["A module of things.", "A function in a handler.", "A class in a branch.", "A method of it."]


def test_files_that_are_not_python_hold_no_docstrings() -> None:
    assert list(parse(b'print "python 2"\n"""A long enough summary.\n\n' + BODY.encode() + b'"""')) == []
    assert list(parse(b'"""null \x00 byte in it.\n\n' + BODY.encode() + b'"""')) == []


def test_invalid_escapes_do_not_warn() -> None:
    code = b'x = "\\d"\ndef f():\n    """A long enough summary.\n\n    ' + BODY.encode() + b'\n    """\n'
    assert len(list(parse(code))) == 1


def test_long_bodies_are_cut_between_words() -> None:
    ((_, body),) = parse(f'"""A long enough summary.\n\n{"word " * 400}"""'.encode())
    assert (len(body), body[-5:]) == (1199, " word")


def test_equal_summaries_and_equal_bodies_are_kept_once(package: Path, tmp_path: Path) -> None:
    (package / "zz.py").write_text(
        function("a", "RETURN the number 1 of things.", f"{BODY} but other.")
        + function("b", "A new summary with an old body.", f"{BODY} 1.")
        + function("c", "A new summary with a new body.", f"{BODY} all new.")
    )
    found = set.union(*summaries("tinydocs", tmp_path).values())
    assert len(found) == 102
    assert "A new summary with a new body." in found


def test_tests_of_the_package_are_left_out(package: Path, tmp_path: Path) -> None:
    assert "Tested things are left out." not in set.union(*summaries("tinydocs", tmp_path).values())


def test_a_dotted_name_reads_a_part_of_the_package(package: Path, tmp_path: Path) -> None:
    assert set.union(*summaries("tinydocs.inner", tmp_path).values()) == {"Something in deep places."}
    assert len(set.union(*summaries("tinydocs.part0", tmp_path).values())) == 50


def test_held_out_bodies_are_the_corpus_of_the_task(package: Path, tmp_path: Path) -> None:
    found = summaries("tinydocs", tmp_path)
    target = task("tinydocs", "dev", "test", tmp_path)
    assert set(target.dev.queries) == found["dev"]
    assert set(target.test.queries) == found["test"]
    assert len(target.corpus) == len(found["dev"]) + len(found["test"])
    assert not set(target.corpus) & set(pairs("tinydocs", "train", tmp_path).documents)
    for split in (target.dev, target.test):
        for query, judged in zip(split.queries, split.judgements, strict=True):
            ((position, grade),) = judged.items()
            number = query.split()[3] if "number" in query else "there"
            assert target.corpus[position].endswith(f" {number}.")
            assert grade == 1


def test_a_second_reading_parses_nothing(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = pairs("tinydocs", "train", tmp_path)
    monkeypatch.setattr(docstrings, "parse", None)
    assert pairs("tinydocs", "train", tmp_path) == first


def test_a_changed_file_is_read_again(package: Path, tmp_path: Path) -> None:
    before = fingerprint("tinydocs")
    assert fingerprint("tinydocs") == before
    (package / "part0.py").write_text(function("f", "Now something else entirely.", f"{BODY} else."))
    assert fingerprint("tinydocs") != before
    assert "Now something else entirely." in set.union(*summaries("tinydocs", tmp_path).values())


def test_distribution_and_import_names_mean_the_same() -> None:
    assert fingerprint("scikit-learn") == fingerprint("sklearn")


def test_the_standard_library_is_a_location(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lib" / "site-packages").mkdir(parents=True)
    (tmp_path / "lib" / "m.py").write_text(function("f", "Part of the library.", BODY))
    (tmp_path / "lib" / "site-packages" / "n.py").write_text(function("f", "Not part of the library.", BODY + "!"))
    monkeypatch.setattr(docstrings.sysconfig, "get_path", lambda name: str(tmp_path / "lib"))
    assert set.union(*summaries("stdlib", tmp_path).values()) == {"Part of the library."}


@pytest.mark.parametrize(
    "location, distribution",
    [
        ("sklearn", "scikit-learn"),
        ("sklearn.tree", "scikit-learn"),
        ("scikit-learn", "scikit-learn"),
        ("sqlalchemy", "SQLAlchemy"),
        ("scipy", "scipy"),
    ],
)
def test_the_version_is_that_of_the_distribution_that_holds_the_package(location: str, distribution: str) -> None:
    assert version(location) == importlib.metadata.version(distribution)


@pytest.mark.parametrize("location", ["stdlib", "json", "xml.dom"])
def test_the_version_of_the_standard_library_is_that_of_python(location: str) -> None:
    assert version(location) == platform.python_version()


def test_pairs_tell_the_version_that_they_were_read_from(package: Path, tmp_path: Path) -> None:
    assert pairs("tinydocs", "train", tmp_path).revision is None
    place = package.parent / "tiny_docs-3.1.dist-info"
    place.mkdir()
    (place / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-docs\nVersion: 3.1\n")
    (place / "top_level.txt").write_text("tinydocs\n")
    assert pairs("tinydocs", "train", tmp_path).revision == "3.1"


def test_a_missing_package_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'no-such-package' is not installed: pip install no-such-package"):
        pairs("no-such-package", "train", tmp_path)


def test_a_package_without_python_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="'_bisect' has no Python files"):
        pairs("_bisect", "train", tmp_path)


def test_an_unknown_split_names_those_there_are(package: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no split 'validation': use train, dev, test"):
        pairs("tinydocs", "validation", tmp_path)
