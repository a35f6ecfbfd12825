"""The frontend: ONNX files become graphs of model operators."""

from dfcompile.frontend.importer import ImportResult, import_model

__all__ = ["ImportResult", "import_model"]
