"""What is broken: a file a cause, each a pure function of the evidence. See ``scripts/causes/scene.py``."""
