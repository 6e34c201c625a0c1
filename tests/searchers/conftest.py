import pytest

pytest.register_assert_rewrite("searcher_contract")
