"""Hugging Face's inference API, for `huggingface_hub.InferenceClient(model=URL)` (https://huggingface.co/docs/inference).

The modules:

    door         the calls and the errors
    inputs       a request, whether JSON or the bytes of a picture
    generation   parameters of `generate`, as this API has them
    tasks        runs the model of the path, by its task
    described    the OpenAPI document
"""
