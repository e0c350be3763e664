"""Which missing labels can be filled at a promised precision.
Probabilities of held-out and of unlabelled images in, a plan with its bound out.
Never: the writing of labels.
"""
