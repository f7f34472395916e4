"""The server of Regard: attention models over gRPC and HTTP. Each room imports only from the rooms below it.

The rooms:

    app              the server as a whole: settings, wiring, start, drain
    http             the HTTP port: metrics, health, JSON API, playground
    rpc              the API's methods and the layers around them
    calls            the data plane: translate, summarize, caption, and their streams
    observability    logs, metrics, traces, watchdog
    repository       the models: found, loaded, administered
    convert          between protobuf and the domain
    maps             attention maps
    engine           batches, search, and the runners of ONNX Runtime
    text, pictures   inputs to tensors, tokens to text
    validation       the checks of what callers send
    auth             tokens, scopes, quotas
    domain           calls, results and models
    bundle           exported models on disk
    errors           the errors of calls
    generation       the settings of a decoding
    open_inference   generated stubs
"""
