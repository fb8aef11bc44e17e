#!/usr/bin/env python3
"""Write a model as ONNX files: scripts/export.py --exp-dir exp/x."""

import find_asrkit

if __name__ == "__main__":
    find_asrkit.run("export")
