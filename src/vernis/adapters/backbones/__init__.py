"""Pretrained networks that turn a picture into vectors."""
