import shutil
from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import (
    AutoModel,
    BertConfig,
    DistilBertConfig,
    GPT2Config,
    ModernBertConfig,
    MPNetConfig,
    PreTrainedConfig,
    RobertaConfig,
    XLMRobertaConfig,
)

from mixtune.errors import ModelError
from mixtune.study import OFFLINE_MODEL
from mixtune.training.encoding.encoder import model_inputs, tokenise
from mixtune.training.encoding.models import load, resolve
from mixtune.training.encoding.truncated import capture_entering, continue_from

SMALL = {
    "vocab_size": 30522,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 80,
}
ROBERTA = {**SMALL, "pad_token_id": 0, "bos_token_id": 101, "eos_token_id": 102}
CONFIGS: dict[str, PreTrainedConfig] = {
    "bert": BertConfig(**SMALL),
    "roberta": RobertaConfig(**ROBERTA),
    "xlm-roberta": XLMRobertaConfig(**ROBERTA),
    "mpnet": MPNetConfig(**ROBERTA),
    "distilbert": DistilBertConfig(
        vocab_size=30522, dim=32, n_layers=3, n_heads=2, hidden_dim=48, max_position_embeddings=80
    ),
    "modernbert": ModernBertConfig(
        **ROBERTA, cls_token_id=101, sep_token_id=102, global_attn_every_n_layers=2, local_attention=4
    ),
}
TEXTS = ["a short text", "and another one that is quite a bit longer than the first of them", "third"]


def tiny(config: PreTrainedConfig, folder: Path) -> SentenceTransformer:
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        shutil.copy(resolve(OFFLINE_MODEL).path / name, folder / name)
    transformer = Transformer(str(folder))
    model = SentenceTransformer(modules=[transformer, Pooling(32)], device="cpu")
    model.max_seq_length = 64
    return model.eval()


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("family", CONFIGS)
@pytest.mark.filterwarnings("ignore")
def test_going_on_from_the_states_gives_the_models_own_embeddings(family: str, layers: int, tmp_path: Path) -> None:
    model = tiny(CONFIGS[family], tmp_path)
    inputs = model_inputs(model, tokenise(model, TEXTS, 64))
    with torch.no_grad(), capture_entering(model, layers) as entering:
        own = model(dict(inputs))["sentence_embedding"]
    rest = continue_from(model, layers)
    torch.testing.assert_close(rest(entering.states, inputs["attention_mask"]), own, atol=1e-5, rtol=1e-4)


def test_a_continued_model_holds_its_layers_and_no_token_embeddings() -> None:
    model = load(resolve(OFFLINE_MODEL), 64)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    rest = continue_from(model, 2)
    names = [name for name, _ in rest.named_parameters()]
    assert not any("embeddings" in name for name in names)
    assert {name.split("layer.")[1][0] for name in names if "layer." in name} == {"0", "1"}
    torch.nn.init.zeros_(next(rest.parameters()))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_gradients_reach_every_continued_layer() -> None:
    rest = continue_from(load(resolve(OFFLINE_MODEL), 64), 2)
    rest(torch.randn(2, 5, 384), torch.ones(2, 5, dtype=torch.long))[:, 0].sum().backward()
    without = [name for name, value in rest.named_parameters() if value.grad is None]
    assert all("pooler" in name for name in without)


@pytest.mark.parametrize("layers", [0, 7])
def test_a_depth_that_the_model_does_not_have_names_its_own(layers: int) -> None:
    with pytest.raises(ModelError, match=f"last:{layers} is not possible: the model has 6 layers"):
        continue_from(load(resolve(OFFLINE_MODEL), 64), layers)


@pytest.mark.filterwarnings("ignore")
def test_an_architecture_that_cannot_be_split_is_refused(tmp_path: Path) -> None:
    config = GPT2Config(vocab_size=30522, n_embd=32, n_layer=2, n_head=2, n_positions=80)
    with pytest.raises(ModelError, match="last:n is not supported for this architecture"):
        continue_from(tiny(config, tmp_path), 1)
