"""The calls: translate, summarize, caption, and their streams, score and align, independent of any transport.

The modules:

    data_plane    runs a call: plan, engine, results
    planner       chooses the model, resolves the options, reads the inputs: a call becomes a plan
    plan          the plan: what the engine has to run
    inputs        an input as the model reads it
    results       the engine's results become a call's results
    events        the engine's tokens become a stream's events
    pairs         scores and aligns given pairs
    documents     translates files, a window of their texts at a time
    thread_pool   threads for slow work, with a bound
"""
