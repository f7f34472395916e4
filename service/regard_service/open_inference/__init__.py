"""The stubs of the Open Inference Protocol, made by `make proto`; no process can load Triton's client as well."""
