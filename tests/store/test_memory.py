import pytest
from store_contract import Silence, StoreContract

from mixtune.store.base import Store
from mixtune.store.memory import MemoryStore


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()

    @pytest.fixture
    def silence(self, store: MemoryStore) -> Silence:
        def silence(seconds: float) -> None:
            for holder in store._holders.values():
                holder.renewed -= seconds

        return silence
