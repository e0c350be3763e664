"""Text in pictures: where lines lie, what a recognizer's numbers spell, which brands are meant.
Probability maps, coordinates and readings in; lines, strings and matches out.
Never: pictures, files or networks.
"""
