"""A worker that serves an encoder on ONNX Runtime by LitServe."""

from benchmarks.peers.inside.litserve_server import serve

if __name__ == "__main__":
    serve("litserve_encoder_app", ("litserve", "onnxruntime", "uvicorn", "fastapi"))
