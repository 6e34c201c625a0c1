import pytest
from planted import planted_study
from searcher_contract import FoldSearcherContract, SearcherContract

from mixtune.errors import ConfigError
from mixtune.search import Search
from mixtune.searchers import SEARCHERS, InfDDS, Searcher, candidates, make, regression
from mixtune.searchers.baselines import Expert, Proportional, Temperature, Uniform
from mixtune.searchers.blackbox import Random
from mixtune.searchers.cmaes import CMAES
from mixtune.searchers.crisp import CRISP
from mixtune.searchers.neighbours import Neighbours
from mixtune.searchers.optuna import GP, TPE
from mixtune.searchers.qmc import QMC
from mixtune.searchers.regmix import RegMix
from mixtune.space import Space
from mixtune.study import Study


class TestUniform(SearcherContract):
    floored = False

    @pytest.fixture
    def searcher(self) -> Searcher:
        return Uniform()


class TestProportional(SearcherContract):
    floored = False

    @pytest.fixture
    def searcher(self) -> Searcher:
        return Proportional()


class TestTemperature(SearcherContract):
    floored = False

    @pytest.fixture
    def searcher(self) -> Searcher:
        return Temperature(alpha=0.3)


class TestExpert(SearcherContract):
    floored = False

    @pytest.fixture
    def searcher(self) -> Searcher:
        return Expert()


class TestRandom(SearcherContract):
    @pytest.fixture
    def searcher(self) -> Searcher:
        return Random()


class TestTPE(SearcherContract):
    @pytest.fixture
    def searcher(self) -> Searcher:
        return TPE(n_startup_trials=3)


class TestGP(SearcherContract):
    @pytest.fixture
    def searcher(self) -> Searcher:
        return GP(n_startup_trials=3)


class TestCMAES(SearcherContract):
    @pytest.fixture
    def searcher(self) -> Searcher:
        return CMAES(population=4)


class TestQMC(SearcherContract):
    @pytest.fixture
    def searcher(self) -> Searcher:
        return QMC()


class TestNeighbours(SearcherContract):
    @pytest.fixture
    def searcher(self) -> Searcher:
        return Neighbours()


class TestCRISP(SearcherContract):
    @pytest.fixture
    def searcher(self) -> Searcher:
        return CRISP()


class TestRegMix(SearcherContract):
    @pytest.fixture(autouse=True)
    def few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(candidates, "CANDIDATES", 1500)
        monkeypatch.setattr(regression, "FOLDS", 2)

    @pytest.fixture(params=[1, 2, 200])
    def study(self, request: pytest.FixtureRequest) -> Study:
        return planted_study(request.param, targets=min(2, request.param))

    @pytest.fixture
    def searcher(self) -> Searcher:
        return RegMix(n_fit=5, k=1)


class TestInfDDS(FoldSearcherContract):
    @pytest.fixture(params=["kl", "exponential", "reinforce_sum", "reinforce_expected"])
    def searcher(self, request: pytest.FixtureRequest) -> Searcher:
        return InfDDS(policy=request.param)


class TestInfDDSWithSoftmaxMerge(FoldSearcherContract):
    @pytest.fixture
    def searcher(self) -> Searcher:
        return InfDDS(prior="expert", reptile="softmax", probes=3, steps=0)


class TestInfDDSWithKeepLevels(FoldSearcherContract):
    @pytest.fixture(params=[1, 2, 25])
    def study(self, request: pytest.FixtureRequest) -> Study:
        space = Space(levels={"s0": (0.25, 0.5, 1.0)}, shared_levels=(0.5, 1.0))
        return planted_study(request.param, targets=min(2, request.param), space=space)

    @pytest.fixture
    def searcher(self) -> Searcher:
        return InfDDS()


def test_the_registry_is_sorted_and_named_after_its_classes() -> None:
    assert list(SEARCHERS) == sorted(SEARCHERS)
    assert all(searcher.name == name for name, searcher in SEARCHERS.items())


@pytest.mark.parametrize("name", SEARCHERS)
def test_every_searcher_is_made_from_its_name_alone(name: str) -> None:
    assert type(make(Search(name))) is SEARCHERS[name]


def test_settings_reach_the_searcher() -> None:
    settings = {"policy": "exponential", "gamma": 0.2, "probes": 4, "beta": 2}
    assert make(Search("infdds", settings)) == InfDDS(policy="exponential", gamma=0.2, probes=4, beta=2)


@pytest.mark.parametrize(
    ("search", "message"),
    [
        (Search("tpee"), "no search algorithm 'tpee': did you mean 'tpe'?"),
        (Search("infdds", {"polcy": "kl"}), "no setting 'polcy': did you mean 'policy'? Allowed are beta, epsilon"),
        (Search("infdds", {"policy": "best"}), "policy is 'best'. Input should be 'kl', 'exponential'"),
        (Search("infdds", {"beta": -1}), "beta is -1. Input should be greater than 0"),
        (Search("infdds", {"beta": float("inf")}), "beta is inf"),
        (Search("infdds", {"beta": float("nan")}), "beta is nan"),
        (Search("infdds", {"probes": 2.5}), "probes is 2.5. Input should be a valid integer"),
        (Search("infdds", {"probes": True}), "probes is True"),
        (Search("infdds", {"steps": "10"}), "steps is '10'"),
        (Search("temperature", {"alpha": 1.5}), "alpha is 1.5. Input should be less than or equal to 1"),
        (Search("tpe", {"n_startup_trials": 0}), "n_startup_trials is 0"),
        (Search("tpe", {"prior": "flat"}), "prior is 'flat'"),
        (Search("cmaes", {"population": 3}), "population is 3. Input should be greater than or equal to 4"),
        (Search("cmaes", {"spread": 0.0}), "spread is 0.0. Input should be greater than 0"),
        (Search("neighbours", {"nearest": 5}), "neighbours has no setting 'nearest': it takes none"),
        (Search("uniform", {"alpha": 1}), "uniform has no setting 'alpha': it takes none"),
    ],
)
def test_a_setting_that_is_wrong_is_named(search: Search, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        make(search)
    assert message in str(error.value)
