"""Which given labels are probably wrong, how surely, and how many there are.
Labels and vectors or probabilities in; scores, leave-out predictions, noise models, estimates out.
Never: the training of heads (learn) or the choice of labels for unlabelled images (fill).
"""
