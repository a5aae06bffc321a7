"""Monkeypatches of moto: applied by the first cloud, undone with the last."""

from contextlib import closing

from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.kinesis.models import Record, Shard

from local.core.patches import Patches
from local.core.server import Cloud
from local.services.dynamodb import DynamoDb
from local.services.kinesis.service import Kinesis


class Base:
    inherited = "from the base"


class Derived(Base):
    own = "from the class"


def test_last_undo_restores_the_originals() -> None:
    patches = Patches((Derived, "own", "patched"), (Derived, "inherited", "patched"))
    patches.apply()
    patches.apply()
    patches.undo()
    assert (Derived.own, Derived.inherited) == ("patched", "patched")
    patches.undo()
    assert Derived.own == "from the class"
    assert "inherited" not in vars(Derived)


def test_closing_the_last_cloud_restores_moto() -> None:
    classes = (DynamoType, Item, LimitedSizeDict, Record, Shard)
    originals = [dict(vars(patched_class)) for patched_class in classes]
    with closing(Cloud((DynamoDb, Kinesis))):
        with closing(Cloud((DynamoDb, Kinesis))):
            pass
        assert [dict(vars(patched_class)) for patched_class in classes] != originals
    assert [dict(vars(patched_class)) for patched_class in classes] == originals
    assert isinstance(Record("key", "data", 1, ""), Record)
