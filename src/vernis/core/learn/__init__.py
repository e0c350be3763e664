"""Heads: models, thresholds, evaluation, noise that is planted to test them, judged samples.
Vectors and labels in, probabilities and measures out.
Never: the judgement of given labels (labels) or promises about unlabelled images (fill).
"""
