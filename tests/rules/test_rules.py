import numpy as np
import pytest

from mixtune.errors import ConfigError
from mixtune.proposal import Rule
from mixtune.rules import RULES, make_rule, packed, state_of, stored, unpacked
from mixtune.rules.tdro import TDRO


def test_rules_stand_under_their_names_in_order() -> None:
    assert list(RULES) == ["doge", "doremi", "tdro"]
    assert all(RULES[name].name == name for name in RULES)


def test_a_rule_is_made_with_its_settings() -> None:
    assert make_rule(Rule("tdro", {"mode": "authors", "eta": 0.5, "micro_batch": 8})) == TDRO(
        mode="authors", eta=0.5, micro_batch=8
    )


@pytest.mark.parametrize(
    "rule, message",
    [
        (Rule("dro"), "no rule 'dro': allowed are doge, doremi, tdro"),
        (Rule("doge", {"mu": 1.0}), "rule doge has no setting 'mu': allowed are eta"),
        (Rule("tdro", {"eta": -1.0}), "rule tdro: setting eta is -1.0"),
        (Rule("tdro", {"mode": "ratios"}), "rule tdro: setting mode is 'ratios'"),
    ],
)
def test_a_rule_that_cannot_be_made_says_what_is_allowed(rule: Rule, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_rule(rule)


def test_a_state_of_another_rule_or_size_is_refused() -> None:
    held = stored(RULES["doge"]().start(np.full(3, 1 / 3)))
    with pytest.raises(ConfigError, match="no state of rule 'doremi'"):
        state_of(make_rule(Rule("doremi")), held)
    with pytest.raises(ConfigError, match="no state of rule 'doge'"):
        state_of(make_rule(Rule("doge")), {**held, "mean": held["mean"][:2]})
    with pytest.raises(ConfigError, match="no state of rule 'doge'"):
        state_of(make_rule(Rule("doge")), {})


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_packed_state_is_one_list_that_comes_back_bit_for_bit(name: str) -> None:
    rule = RULES[name]()
    state = rule.start(np.array([0.1, 0.2, 0.7]))
    numbers = packed(state)
    assert all(isinstance(number, float) for number in numbers)
    assert stored(unpacked(rule, numbers, 3)) == stored(state)
    with pytest.raises(ConfigError, match=f"{len(numbers)} numbers are no state of rule '{name}' for 4 sources"):
        unpacked(rule, numbers, 4)
