"""The classifiers that the lab holds against the bagged MLP, behind one interface."""
