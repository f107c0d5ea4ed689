"""LSTM and GRU encoder-decoders with Keras: from pairs of sentences to one file that translates.

    model = keras_s2s.load("runs/mine")
    model.translate(["How are you?"])
"""

from __future__ import annotations

from keras_s2s.run import load

__version__ = "0.1.0"
__all__ = ["load"]
