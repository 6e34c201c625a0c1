import pytest

from mixtune.proxy import Proxy


@pytest.mark.parametrize(("trainable", "rate"), [("head", 5e-4), ("all", 3e-5), ("last:2", 5e-5)])
def test_the_learning_rate_follows_what_is_trained(trainable: str, rate: float) -> None:
    assert Proxy(trainable=trainable).rate == rate
    assert Proxy(trainable=trainable, learning_rate=0.1).rate == 0.1
