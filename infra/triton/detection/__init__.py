"""The pure part of the detector: frame to network input, network output to people.

numpy and OpenCV alone, for numpy 1.26 (the model server) and 2 (the tests) alike. This folder is
copied beside `model.py` when a model repository is built, so it imports itself relatively and
nothing else of this project.
"""
