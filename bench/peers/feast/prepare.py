"""Makes a Feast repo that serves the rows of the benchmark `feast-matrix`, and fills its online store.

    python prepare.py FOLDER --online sqlite | 127.0.0.1:6379 [--items 1000]

FOLDER is made: feature_store.yaml, the registry and, with sqlite, the online store. The layout is that of Feast's own
benchmark: 25 views of ten features under one int64 entity, and services of the first 5, 10, 15, 20 and 25 views. The features
are float32 here, and every value is a multiple of 1/256 below 256: exact in a float32 and in JSON, so that the benchmark can check
each of them without a tolerance. `bench/lib/matrix-data.mjs` has the same numbers.
"""

import argparse
import datetime
import pathlib

import numpy
import pandas
from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.types import Float32, Int64

VIEWS = 25
FEATURES_PER_VIEW = 10
VIEWS_PER_STEP = 5


def main():
    arguments = parse_arguments()
    folder = pathlib.Path(arguments.folder)
    folder.mkdir(parents=True)
    (folder / "feature_store.yaml").write_text(configuration(arguments.online))
    now = datetime.datetime.now(datetime.timezone.utc)
    items = numpy.arange(1, arguments.items + 1)
    source = folder / "rows.parquet"
    pandas.DataFrame({"item": items, "event_timestamp": now}).to_parquet(source)

    entity = Entity(name="item", join_keys=["item"], value_type=ValueType.INT64)
    views = [feature_view(index, entity, FileSource(path=str(source), timestamp_field="event_timestamp")) for index in range(VIEWS)]
    counts = range(VIEWS_PER_STEP, VIEWS + 1, VIEWS_PER_STEP)
    services = [
        FeatureService(name=f"matrix_{count * FEATURES_PER_VIEW}", features=views[:count]) for count in counts
    ]
    store = FeatureStore(repo_path=str(folder))
    store.apply([entity, *views, *services])
    for index, view in enumerate(views):
        columns = {f"feature_{feature}": values(items, feature) for feature in features_of(index)}
        store.write_to_online_store(
            view.name, pandas.DataFrame({"item": items, "event_timestamp": now, **columns})
        )
    print(f"{len(items)} items with {VIEWS * FEATURES_PER_VIEW} features each in {arguments.online}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--online", required=True, help="sqlite, or host:port of a Redis")
    parser.add_argument("--items", type=int, default=1000)
    return parser.parse_args()


def configuration(online):
    store = (
        "  type: sqlite\n  path: online.db"
        if online == "sqlite"
        else f"  type: redis\n  connection_string: {online}"
    )
    return f"""project: matrix
provider: local
registry:
  path: registry.db
  cache_ttl_seconds: 300
  cache_mode: thread
online_store:
{store}
offline_store:
  type: file
entity_key_serialization_version: 3
"""


def feature_view(index, entity, source):
    schema = [Field(name="item", dtype=Int64)]
    schema += [Field(name=f"feature_{feature}", dtype=Float32) for feature in features_of(index)]
    return FeatureView(name=f"view_{index}", entities=[entity], schema=schema, source=source, ttl=datetime.timedelta(days=1))


def features_of(view_index):
    return range(view_index * FEATURES_PER_VIEW, (view_index + 1) * FEATURES_PER_VIEW)


def values(items, feature):
    return ((items * 40503 + feature * 30011) % 65536 / 256).astype("float32")


if __name__ == "__main__":
    main()
