"""Corpora: files of many inputs, whose results go into a folder, and whose run survives the end of its process.

corpus      files of inputs, checked before anything runs: `lines`, `parquet` and `duplicates` read them
shards      the folder: a file of results for each range of rows, which appears when it is whole
manifest    what ran, so that only the same run goes on in a folder
running     reads rows, calls, writes shards; goes on where an earlier process ended
"""
