"""Label names and other words: spelling, merges, vocabularies, topics, TF-IDF, tables of labels.
Words and counts in, proposals out.
Never: pictures or their vectors, except as evidence that is handed in.
"""
