import json
import math
from pathlib import Path

import pytest
from judging import NDCG, RECALL
from lexical import scores

from mixtune.target import Target


def test_bm25_is_scored_by_rank_and_by_what_there_was_to_find(tmp_path: Path) -> None:
    write(tmp_path / "corpus.jsonl", {"d0": "red apple", "d1": "green stone", "d2": "green pear", "d3": "blue plum"})
    write(tmp_path / "queries.jsonl", {"q0": "green pear", "q1": "blue plum"})
    (tmp_path / "qrels").mkdir()
    for split in ("dev", "test"):
        (tmp_path / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\nq0\td1\t1\nq1\td3\t2\n")
    found = scores(Target("fruit", "beir", str(tmp_path)), tmp_path / "cache")
    assert found[NDCG] == pytest.approx([1 / math.log2(3), 1.0])  # second, behind the document with both words; first
    assert found[RECALL] == pytest.approx([1.0, 1.0])  # four documents are all within twenty


def write(path: Path, texts: dict[str, str]) -> None:
    path.write_text("\n".join(json.dumps({"_id": key, "text": text}) for key, text in texts.items()))
