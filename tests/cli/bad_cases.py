"""What can be wrong with a study file, its data, its model or its database, as a table."""

import gzip
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mixtune.config import load
from mixtune.proposal import Proposal, Role
from mixtune.recipe import Mixture, Recipe
from mixtune.store.sql import open_store
from mixtune.trial import Trial

STUDY = """\
name: tiny
proxy: {steps: 10, batch_size: 4}
sources:
  wiki: {kind: beir, path: wiki}
  faq: {kind: jsonl, path: faq.jsonl}
targets:
  goal: {kind: beir, path: wiki, pool: 5}
search: {algorithm: random}
budget: {trials: 3}
final: {steps: 20, seeds: 1}
"""

Change = Callable[[Path], None]


@dataclass(frozen=True)
class Case:
    """change spoils the folder, command is what is typed there, says what the message must hold."""

    name: str
    change: Change
    says: tuple[str, ...]
    command: str = "check study.yaml"


def study(old: str, new: str) -> Change:
    """A study file with another text in place of one of its own."""

    def change(place: Path) -> None:
        assert old in STUDY
        (place / "study.yaml").write_text(STUDY.replace(old, new, 1))

    return change


def file(name: str, content: str | bytes) -> Change:
    """A file with other contents."""

    def change(place: Path) -> None:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content.encode() if isinstance(content, str) else content)

    return change


def lines(name: str, number: int, new: str | bytes) -> Change:
    """A file with another text in one of its lines, counted from 1."""

    def change(place: Path) -> None:
        found = (place / name).read_bytes().splitlines()
        found[number - 1] = new.encode() if isinstance(new, str) else new
        (place / name).write_bytes(b"\n".join(found) + b"\n")

    return change


def gone(name: str) -> Change:
    return lambda place: (place / name).unlink()


def both(*changes: Change) -> Change:
    def change(place: Path) -> None:
        for each in changes:
            each(place)

    return change


def nothing(place: Path) -> None:
    """Leave the folder as it is."""


def faq(kind: str, name: str, more: str = "") -> Change:
    """The source `faq` read from another file."""
    return study("{kind: jsonl, path: faq.jsonl}", f"{{kind: {kind}, path: {name}{more}}}")


def model(name: str) -> Change:
    return study("name: tiny\n", f"name: tiny\nmodel: {name}\n")


def model_folder(**files: str) -> Change:
    """A model folder that holds these files."""

    def change(place: Path) -> None:
        model("./model")(place)
        (place / "model").mkdir()
        for name, content in files.items():
            (place / "model" / name.replace("_", ".")).write_text(content)

    return change


def database(revision: str) -> Change:
    """A database of another version of mixtune."""

    def change(place: Path) -> None:
        with closing(open_store(f"sqlite:///{place / 'mixtune.db'}", create=True)):
            pass
        with closing(sqlite3.connect(place / "mixtune.db")) as db:
            db.execute("update mixtune_version set version_num = ?", (revision,))
            db.commit()

    return change


def stored(place: Path) -> None:
    """A study `tiny` that has had two trials, with another specification than the file's."""
    study("steps: 10", "steps: 11")(place)
    given = load(place / "study.yaml").study
    (place / "study.yaml").write_text(STUDY)
    with closing(open_store(f"sqlite:///{place / 'mixtune.db'}", create=True)) as store:
        store.create_study(given)
        lease = store.acquire("tiny", "host 1 2")
        for number in range(2):
            recipe = Recipe(Mixture({"wiki": 0.5, "faq": 0.5}))
            store.add_trial(lease, Trial(number, Proposal(recipe, 11, Role.SEARCH), 0))
        store.release(lease)


def torn(place: Path) -> None:
    """The file of source `faq`, compressed and cut short."""
    faq("jsonl", "faq.jsonl.gz")(place)
    whole = gzip.compress((place / "faq.jsonl").read_bytes())
    (place / "faq.jsonl.gz").write_bytes(whole[: len(whole) // 2])


def linked_to_nothing(place: Path) -> None:
    (place / "wiki" / "queries.jsonl").unlink()
    (place / "wiki" / "queries.jsonl").symlink_to(place / "nowhere")


FILE = [
    Case("a file that is not there", nothing, ("none.yaml: cannot be read", "give the path"), "check none.yaml"),
    Case("a folder instead of a file", nothing, ("wiki: cannot be read (Is a directory)",), "run wiki"),
    Case("no YAML", file("study.yaml", "name: [a\n"), ("study.yaml:2: not YAML",)),
    Case("no UTF-8", file("study.yaml", b"name: a\nseed: \xff\n"), ("study.yaml:2", "0xff", "save the file as UTF-8")),
    Case("an empty file", file("study.yaml", ""), ("lacks the key 'name'", "lacks the key 'sources'", "5 problems")),
    Case("a list", file("study.yaml", "- a\n"), ("a study file is a mapping of keys", "['a']")),
    Case("an unknown key", study("sources:", "sorces:"), (":3: unknown key 'sorces'; did you mean 'sources'?",)),
    Case("a key twice", study("final:", "budget: {runs: 1}\nfinal:"), ("budget is given twice", "first on line 9")),
    Case("a name that is none", study("tiny", '"a b"'), ("name is 'a b'; allowed: letters, digits",)),
    Case("a word for a number", study("steps: 10", "steps: ten"), ("proxy.steps is 'ten'; allowed: a whole number",)),
    Case(
        "no batch", study("batch_size: 4", "batch_size: 1"), ("proxy.batch_size is 1; allowed: a number of at least",)
    ),
    Case("an unknown proxy", study("steps: 10", "trainable: top"), ("is 'top'; allowed: `head`, `all`, or `last:N`",)),
    Case("an unknown metric", study("final:", "objective: {metric: f1}\nfinal:"), ("is 'f1'; allowed: ndcg@K",)),
    Case("no budget", study("{trials: 3}", "{workers: 2}"), ("budget lacks the keys 'runs'", "'seconds'; give one")),
    Case("no worker", study("trials: 3", "trials: 3, workers: 0"), ("budget.workers is 0; allowed: a number above 0",)),
    Case("an endless budget", study("trials: 3", "runs: .inf"), ("budget.runs is inf; allowed: a finite number",)),
    Case("an unknown algorithm", study("random", "randm"), ("unknown algorithm 'randm'; did you mean 'random'?",)),
    Case("an unknown setting", study("random", "tpe, startup: 3"), ("tpe has no setting 'startup'",)),
    Case("an expert without weights", study("random", "expert"), ("give at least one source a `weight`",)),
    Case("rungs after the end", study("final:", "stopping: {first: 50}\nfinal:"), ("stopping", "50", "10")),
]

WEIGHTS = [
    Case(
        "a negative weight",
        study("jsonl,", "jsonl, weight: -1,"),
        ("faq.weight is -1; allowed: a number of at least 0",),
    ),
    Case(
        "a weight that is no number", study("jsonl,", "jsonl, weight: .nan,"), ("faq.weight is nan; allowed: a finite",)
    ),
    Case(
        "weights of zero",
        study("path: wiki}", "path: wiki, weight: 0}\n  faq: {kind: jsonl, path: faq.jsonl, weight: 0}\n#"),
        ("every source has weight 0", "give one a positive weight"),
    ),
    Case(
        "a bound on an unknown source",
        study("final:", "space: {cap: {fak: 0.5}}\nfinal:"),
        ("unknown source 'fak' in space.cap; did you mean 'faq'?",),
    ),
    Case(
        "caps below 1",
        study("final:", "space: {cap: 0.4}\nfinal:"),
        ("space.cap sums to 0.8; weights must reach 1, so raise the caps",),
    ),
    Case(
        "floors above 1",
        study("final:", "space: {floor: 0.6}\nfinal:"),
        ("space.floor sums to 1.2 over 2 sources; at most 1",),
    ),
    Case("a target without weight", study("pool: 5", "weight: 0"), ("every target has weight 0", "positive weight")),
    Case(
        "a keep level of zero",
        study("final:", "space: {keep: [0, 1]}\nfinal:"),
        ("space.keep[0] is 0; allowed: a number above 0",),
    ),
    Case(
        "a keep level that empties a source",
        study("final:", "space: {keep: {faq: [0.05, 1]}}\nfinal:"),
        ("keep level 0.05", "leaves 1 of the 20 rows of 'faq'", "levels of at least 0.1"),
    ),
    Case(
        "passes that leave no mixture",
        study("final:", "space: {max_epochs: 1}\nfinal:"),
        ("no mixture fits", "raise space.max_epochs or space.cap, or lower final.steps"),
    ),
    Case(
        "a floor above what the rows allow",
        study("final:", "space: {max_epochs: 3, floor: {faq: 0.8}}\nfinal:"),
        ("space.floor of 'faq' is 0.8, but its 20 rows", "lower the floor"),
    ),
]

DATA = [
    Case(
        "a folder that is not there",
        study("path: wiki}", "path: wikki}"),
        ("sources.wiki.path is 'wikki'", "there is no folder"),
    ),
    Case("an unknown kind", study("kind: jsonl", "kind: xml"), ("faq.kind is 'xml'; allowed: 'beir', 'csv'",)),
    Case("a pattern that fits nothing", faq("jsonl", '"logs/*.jsonl"'), ("'logs/*.jsonl', but no file fits it",)),
    Case(
        "a package that is not installed",
        study("{kind: jsonl, path: faq.jsonl}", "{kind: docstrings, package: nunpy}"),
        ("source 'faq'", "'nunpy'", "install"),
    ),
    Case(
        "a stream without an end",
        study("kind: jsonl,", "kind: hub, streaming: true,"),
        ("is streamed and lacks a `limit`",),
    ),
    Case(
        "an empty source",
        file("faq.jsonl", ""),
        ("source 'faq'", "faq.jsonl is empty", '{"query": "...", "positive": "..."}'),
    ),
    Case(
        "a source of one pair",
        file("faq.jsonl", '{"query": "q", "positive": "p"}\n'),
        ("source 'faq'", "has 1 usable pairs, and training needs at least 2"),
    ),
    Case(
        "a source of empty texts",
        file("faq.jsonl", '{"query": "q", "positive": " "}\n' * 5),
        ("has 0 usable pairs", "5 pairs with an empty text were left out"),
    ),
    Case(
        "a broken JSON line",
        lines("faq.jsonl", 7, '{"query": "q"'),
        ("faq.jsonl, line 7: not JSON", "correct or remove the line"),
    ),
    Case("a JSON line that is no object", lines("faq.jsonl", 3, "[1, 2]"), ("faq.jsonl, line 3: expected an object",)),
    Case(
        "unreadable Unicode",
        lines("faq.jsonl", 5, b'{"query": "caf\xe9", "positive": "p"}'),
        ("faq.jsonl, line 5: not UTF-8", "convert the file"),
    ),
    Case(
        "a number for a text",
        lines("faq.jsonl", 4, '{"query": 4, "positive": "p"}'),
        ("faq.jsonl, line 4: column 'query' holds 4 (a number), where a text is expected",),
    ),
    Case(
        "unknown columns",
        file("faq.jsonl", '{"a": "q", "b": "p"}\n' * 5),
        ("has the columns a, b, and none that is known", "columns: {query: a, positive: b}"),
    ),
    Case(
        "a named column that is not there",
        faq("jsonl", "faq.jsonl", ", columns: {query: ask, positive: positive}"),
        ("has no column 'ask'", "it has query, positive"),
    ),
    Case(
        "a CSV line with a field too many",
        both(faq("csv", "faq.csv"), file("faq.csv", "query,positive\na,b\nc,d,e\n")),
        ("faq.csv, line 3: 3 fields, where the first line names 2 columns",),
    ),
    Case(
        "a CSV file of nothing but names",
        both(faq("csv", "faq.csv"), file("faq.csv", "query,positive\n")),
        ("faq.csv is empty",),
    ),
    Case(
        "a torn Parquet file",
        both(faq("parquet", "faq.parquet"), file("faq.parquet", b"PAR1 half")),
        ("faq.parquet", "write or copy it again"),
    ),
    Case("a torn gzip file", torn, ("faq.jsonl.gz is not a whole gzip file", "copy it again")),
    Case("a link to nothing", linked_to_nothing, ("source 'wiki'", "neither queries.jsonl nor queries.jsonl.gz")),
    Case(
        "a score that is none",
        both(faq("csv", "f.csv"), file("f.csv", "sentence1,sentence2,score\na,b,7\nc,d,1\n")),
        ("f.csv, line 2: score 7 is not between 0 and 1", "min_score: 3"),
    ),
    Case(
        "a negative row weight",
        file("faq.jsonl", '{"query": "q", "positive": "p", "weight": -2}\n' * 3),
        ("line 1: weight is -2", "at least 0"),
    ),
    Case("a broken line in a corpus", lines("wiki/corpus.jsonl", 2, "{"), ("corpus.jsonl, line 2: not JSON",)),
    Case(
        "a corpus line without text",
        lines("wiki/corpus.jsonl", 2, '{"_id": "x"}'),
        ("corpus.jsonl, line 2: expected an object like", '"text"'),
    ),
    Case(
        "two documents of one name",
        lines("wiki/corpus.jsonl", 2, '{"_id": "dtrain0", "text": "other"}'),
        ("'dtrain0' stands there twice with different texts",),
    ),
    Case(
        "judgements of unknown documents",
        lines("wiki/qrels/train.tsv", 2, "qtrain0\tnowhere\t1"),
        ("train.tsv points at 1 documents", "'nowhere'", "ids must match exactly"),
    ),
    Case(
        "judgements of unknown queries",
        lines("wiki/qrels/test.tsv", 2, "nobody\tdtest0\t1"),
        ("target 'goal'", "test.tsv points at 1 queries", "'nobody'"),
    ),
    Case(
        "a judgement without a score",
        lines("wiki/qrels/dev.tsv", 3, "qdev1\tddev1"),
        ("dev.tsv, line 3: expected query-id, corpus-id and score",),
    ),
    Case(
        "a judgement that is not a number",
        lines("wiki/qrels/dev.tsv", 3, "qdev1\tddev1\tnan"),
        ("dev.tsv, line 3: expected query-id",),
    ),
    Case(
        "a query judged twice",
        lines("wiki/qrels/dev.tsv", 3, "qdev0\tddev0\t0"),
        ("document 'ddev0' of query 'qdev0' is judged twice",),
    ),
    Case("no dev judgements", gone("wiki/qrels/dev.tsv"), ("target 'goal'", "dev.tsv does not exist", "test, train")),
    Case(
        "no relevant dev document",
        file("wiki/qrels/dev.tsv", "query-id\tcorpus-id\tscore\nqdev0\tddev0\t0\n"),
        ("dev.tsv judges no document of any query as relevant", "judged queries in both"),
    ),
    Case(
        "one dev query",
        file("wiki/qrels/dev.tsv", "query-id\tcorpus-id\tscore\nqdev0\tddev0\t1\n"),
        ("goal", "1", "dev quer"),
    ),
    Case(
        "a target of pairs",
        study("{kind: beir, path: wiki, pool: 5}", "{kind: jsonl, path: faq.jsonl}"),
        ("targets.goal.kind is 'jsonl'; allowed: 'beir'",),
    ),
    Case(
        "a loss without its data",
        study("steps: 10", "steps: 10, loss: margin-mse"),
        ("proxy.loss is 'margin-mse'", "no scored hard negatives: wiki", "mine: 5", "proxy.teacher"),
    ),
]

MODEL = [
    Case(
        "a model folder that is not there",
        model("./nowhere"),
        ("'./nowhere' does not exist", "offline:all-MiniLM-L6-v2"),
    ),
    Case(
        "a model folder without a model",
        model_folder(readme_md="hello"),
        ("holds neither modules.json nor config.json", "SentenceTransformer.save_pretrained"),
    ),
    Case(
        "a torn model", model_folder(config_json="{", modules_json="["), ("cannot be loaded by sentence-transformers",)
    ),
    Case("an unknown offline model", model("offline:big"), ("unknown offline model 'offline:big': the only one is",)),
    Case(
        "a model that cannot be had",
        model("nobody/nothing"),
        ("'nobody/nothing' is no local folder and could not be had", "check the name and the network"),
    ),
    Case("more layers than there are", study("steps: 10", "steps: 10, trainable: 'last:99'"), ("99", "6")),
]

STORE = [
    Case(
        "another kind of database",
        nothing,
        ("is a database of another kind", "sqlite:///PATH or postgresql://"),
        "run study.yaml --db mysql://h/x",
    ),
    Case("no URL", nothing, ("'here' is not the URL of a database",), "ls --db here"),
    Case("a database that is not there", nothing, ("there is no database", "`mixtune run FILE` makes it"), "ls"),
    Case(
        "a database in a folder that is not there",
        nothing,
        ("there is no folder", "make it first"),
        "run study.yaml --db sqlite:///no/x.db",
    ),
    Case(
        "a file that is no database",
        file("mixtune.db", "shopping list " * 100),
        ("file is not a database", "name another file"),
        "run study.yaml",
    ),
    Case(
        "a newer database",
        database("9999"),
        ("is of a newer mixtune (revision 9999", "upgrade mixtune"),
        "run study.yaml",
    ),
    Case(
        "an unreachable server",
        nothing,
        ("postgresql://me:***@127.0.0.1:1/x", "check that the server runs, and the host and the port"),
        "run study.yaml --db postgresql://me:secret@127.0.0.1:1/x",
    ),
    Case(
        "a study of that name",
        stored,
        ("study 'tiny' exists with another specification", "proxy.steps is 11, the file says 10", "mixtune rm tiny"),
        "run study.yaml",
    ),
    Case("an unknown study", stored, ("there is no study 'tinny'; the nearest name is 'tiny'",), "show tinny"),
    Case("no recipe yet", stored, ("has no", "`mixtune resume tiny`"), "best tiny"),
    Case(
        "an unknown format",
        stored,
        ("no export format 'mixtur'; did you mean 'mixture'?",),
        "export tiny --format mixtur --out x",
    ),
    Case(
        "a budget that is spent",
        stored,
        ("--trials 1: the search has 2 trials already", "give more"),
        "resume tiny --trials 1",
    ),
]

CASES = [*FILE, *WEIGHTS, *DATA, *MODEL, *STORE]
