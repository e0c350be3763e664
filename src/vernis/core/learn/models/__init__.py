"""The classifiers: the default head (kernel) and all that the lab holds against it.
Each fits, predicts probabilities, and becomes plain arrays and back.
Never: thresholds or evaluation, which are the same for all of them.
"""
