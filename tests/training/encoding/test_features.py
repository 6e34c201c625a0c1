import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer

from mixtune.errors import DataError, ModelError
from mixtune.study import OFFLINE_MODEL
from mixtune.training.encoding.encoder import encode_all, length_batches
from mixtune.training.encoding.features import FeatureTable
from mixtune.training.encoding.models import load, resolve

TEXTS = [f"text number {i} " + "says a little more " * (i % 7) for i in range(24)]


def silent(what: str, done: int, total: int) -> None:
    pass


def open_table(
    root: Path, *, max_length: int = 32, precision: str = "fp32", model: str = OFFLINE_MODEL
) -> FeatureTable:
    return FeatureTable(root, resolve(model), max_length=max_length, precision=precision)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> FeatureTable:
    table = open_table(tmp_path_factory.mktemp("cache"))
    rows, _ = table.add(TEXTS, silent)
    table.embed(rows, silent)
    table.freeze(2, rows, silent)
    return table


@pytest.fixture(scope="module")
def model() -> SentenceTransformer:
    return load(resolve(OFFLINE_MODEL), 32)


def test_known_texts_keep_their_row_and_are_not_tokenised_again(tmp_path: Path) -> None:
    first, new = open_table(tmp_path).add(["one", "two", "one"], silent)
    again, newer = open_table(tmp_path).add(["three", "two", "one"], silent)
    assert (first.tolist(), new) == ([0, 1, 0], 2)
    assert (again.tolist(), newer) == ([2, 1, 0], 1)


def test_tokens_are_those_of_the_model(table: FeatureTable, model: SentenceTransformer) -> None:
    rows, _ = table.add(TEXTS, silent)
    for row, text in zip(rows, TEXTS, strict=True):
        expected = model.preprocess([text])["input_ids"][0].tolist()
        assert table.tokens(np.array([row]))[0].tolist() == expected
        assert table.lengths[row] == len(expected) <= 32


def test_embeddings_are_those_of_sentence_transformers(table: FeatureTable, model: SentenceTransformer) -> None:
    rows, _ = table.add(TEXTS, silent)
    expected = model.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False)
    np.testing.assert_allclose(table.embeddings[rows], expected, atol=1e-5)


def test_nothing_is_encoded_twice(table: FeatureTable) -> None:
    rows, new = table.add(TEXTS, silent)
    assert (new, table.embed(rows, silent), table.freeze(2, rows, silent)) == (0, 0, 0)


def test_states_are_those_that_enter_the_last_layers(table: FeatureTable, model: SentenceTransformer) -> None:
    rows, _ = table.add(TEXTS, silent)
    states = table.states(2, rows)
    assert [len(one) for one in states] == table.lengths[rows].tolist()
    with torch.no_grad():
        inputs = model.preprocess([TEXTS[5]])
        expected = (
            model[0]
            .model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], output_hidden_states=True)
            .hidden_states[-3]
        )
    found = torch.from_numpy(np.array(states[5]).view(np.int16)).view(torch.bfloat16).float()
    torch.testing.assert_close(found, expected[0], atol=1e-2, rtol=1e-2)


def test_freezing_makes_embeddings_too(tmp_path: Path) -> None:
    table = open_table(tmp_path)
    rows, _ = table.add(TEXTS[:3], silent)
    assert table.freeze(1, rows, silent) == 3
    assert table.embed(rows, silent) == 0
    np.testing.assert_allclose(np.linalg.norm(table.embeddings[rows], axis=1), 1, atol=1e-5)


def test_precision_and_length_are_tables_of_their_own(tmp_path: Path) -> None:
    keys = {
        open_table(tmp_path, max_length=length, precision=precision).key
        for length in (32, 64)
        for precision in ("fp32", "bf16")
    }
    assert len(keys) == 4


def test_bfloat16_changes_embeddings_only_slightly(tmp_path: Path, table: FeatureTable) -> None:
    halved = open_table(tmp_path, precision="bf16")
    rows, _ = halved.add(TEXTS[:4], silent)
    halved.embed(rows, silent)
    full, _ = table.add(TEXTS[:4], silent)
    cosine = (halved.embeddings[rows] * table.embeddings[full]).sum(axis=1)
    assert 0.999 < cosine.min() < 1 - 1e-9


def test_what_a_killed_writer_left_half_written_is_cut_off(tmp_path: Path) -> None:
    table = open_table(tmp_path)
    table.add(["one", "two"], silent)
    whole = (table.folder / "tokens.i32").stat().st_size
    with (table.folder / "tokens.i32").open("ab") as tokens, (table.folder / "texts.log").open("ab") as texts:
        tokens.write(b"\1\2\3\4\5\6")
        texts.write(b"half a record")
    torn = open_table(tmp_path)
    assert len(torn) == 2
    rows, new = torn.add(["three", "one"], silent)
    assert (rows.tolist(), new) == ([2, 0], 1)
    assert (torn.folder / "tokens.i32").stat().st_size == whole + 4 * int(torn.lengths[2])
    assert torn.tokens(rows)[0].tolist()[0] == 101


def test_a_record_whose_tokens_never_reached_the_disk_is_not_seen(tmp_path: Path) -> None:
    table = open_table(tmp_path)
    table.add(["one", "two two two"], silent)
    os.truncate(table.folder / "tokens.i32", 4 * int(table.lengths[0]) + 4)
    torn = open_table(tmp_path)
    assert len(torn) == 1
    rows, new = torn.add(["two two two"], silent)
    assert (rows.tolist(), new, len(torn.tokens(rows)[0])) == ([1], 1, int(table.lengths[1]))


def test_readers_see_what_another_process_added(tmp_path: Path) -> None:
    reader, writer = open_table(tmp_path), open_table(tmp_path)
    rows, _ = writer.add(["one", "two"], silent)
    writer.embed(rows, silent)
    again, new = reader.add(["two"], silent)
    assert (again.tolist(), new) == ([1], 0)
    np.testing.assert_array_equal(reader.embeddings[again], writer.embeddings[again])


def _add_and_embed(root: Path, texts: list[str], gate: "multiprocessing.synchronize.Barrier", counts: object) -> None:
    torch.set_num_threads(1)
    table = open_table(root)
    gate.wait()
    rows, new = table.add(texts, silent)
    counts.put((new, table.embed(rows, silent)))  # type: ignore[attr-defined]


@pytest.mark.slow
def test_two_processes_share_the_work_without_doing_it_twice(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    gate, counts = context.Barrier(2), context.Queue()
    workers = [context.Process(target=_add_and_embed, args=(tmp_path, TEXTS, gate, counts)) for _ in range(2)]
    for worker in workers:
        worker.start()
    done = [counts.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join()
    assert [sum(column) for column in zip(*done, strict=True)] == [len(TEXTS), len(TEXTS)]


def test_asking_for_what_was_never_computed_says_so(tmp_path: Path) -> None:
    table = open_table(tmp_path)
    rows, _ = table.add(["one"], silent)
    with pytest.raises(DataError, match="no embeddings"):
        _ = table.embeddings
    with pytest.raises(DataError, match="no states for last:1"):
        table.states(1, rows)


def test_empty_texts_and_control_characters_have_rows_too(tmp_path: Path) -> None:
    table = open_table(tmp_path)
    rows, new = table.add(["", "\x00 control", "emoji \U0001f600"], silent)
    assert (new, table.embed(rows, silent)) == (3, 3)
    assert np.isfinite(table.embeddings[rows]).all()


def test_static_embedding_models_have_tokens_and_embeddings(tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_file(str(resolve(OFFLINE_MODEL).path / "tokenizer.json"))
    static = SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_dim=16)], device="cpu")
    static.save_pretrained(str(tmp_path / "static"), create_model_card=False)
    table = open_table(tmp_path / "cache", model=str(tmp_path / "static"))
    rows, _ = table.add(TEXTS, silent)
    table.embed(rows, silent)
    expected = static.encode(TEXTS, normalize_embeddings=True, show_progress_bar=False)
    np.testing.assert_allclose(table.embeddings[rows], expected, atol=1e-5)
    with pytest.raises(ModelError, match="last:n is not supported for this architecture"):
        table.freeze(1, rows, silent)


def test_encoding_does_not_depend_on_the_number_of_threads(table: FeatureTable, model: SentenceTransformer) -> None:
    tokens = table.tokens(np.arange(len(table))) * 6
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        batches = list(encode_all(model, tokens, None))
        assert torch.get_num_threads() == threads
        found.append(np.concatenate([one.embeddings[np.argsort(one.positions)] for one in batches]))
    torch.set_num_threads(1)
    np.testing.assert_array_equal(found[0], found[1])


def test_batches_hold_similar_lengths_and_respect_the_token_budget() -> None:
    lengths = np.array([3, 90, 10, 50, 49, 200], dtype=np.int32)
    batches = [batch.tolist() for batch in length_batches(lengths, 100)]
    assert batches == [[5], [1], [3, 4], [2, 0]]
