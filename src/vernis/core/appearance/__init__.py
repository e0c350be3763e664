"""How pictures look, measured once from their pixels: colours by name, and what type they are of.
Pixels in, a short vector out; then vectors in, names and probabilities out.
Never: what is shown (that is a network's), or whether a picture is any good (that is quality).
"""
