"""Networks that are trained with torch: pictures, boxes and labels go in, an ONNX file comes out.

Never: a collection, the choice of what is learned, or anything that predicting needs.
"""
