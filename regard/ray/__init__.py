"""Corpora on a cluster of Ray: actors that each hold an engine. Needs the extras 'ray' and 'serve'.

    dataset = ray.data.read_parquet("corpus/")
    translated = regard.ray.map_dataset(dataset, regard.ray.Translate, to="de", model="everyday", num_actors=8)
    translated.write_parquet("out/")

`Translate`, `Summarize` and `Caption` are classes for `Dataset.map_batches`; `regard bulk --ray ADDRESS` uses the same
engines, and goes on after its own end.
"""

from regard.ray.datasets import Caption, Summarize, Translate, map_dataset

__all__ = ["Caption", "Summarize", "Translate", "map_dataset"]
