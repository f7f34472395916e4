"""The Open Inference Protocol over HTTP, for KServe's and Triton's clients. It calls the servicer of the gRPC form.

The modules:

    door       the calls, and the errors
    calls      what the calls do
    described  the OpenAPI document
"""
