"""The folders and figures of the studies of the lab.

A study's rows come ready. No model is trained or measured here.
"""
