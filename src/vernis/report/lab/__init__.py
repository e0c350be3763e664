"""The folders and figures of the studies of the lab.

A study's rows come ready.
Never: the training or the measuring of a model.
"""
