"""What the headings of the report mean, for a reader who knows pictures and no statistics."""

from __future__ import annotations

from collections.abc import Mapping

GLOSSARY: Mapping[str, str] = {
    "A person": "Labels that a person gave or agreed with.",
    "A service": "Labels that another program gave over the network.",
    "Accuracy": "The share of the images whose most probable class is the labelled one.",
    "Added": "Labels that were put beside or instead of an imported one: corrections.",
    "Against chance": (
        "How many times as many images carry both classes as if the two had nothing to "
        "do with each other; 1 × is chance."
    ),
    "Average precision": (
        "How well a ranking of all images by a class has its images at the top: 1 is perfect."
    ),
    "Broken files": "Files that are named like pictures and cannot be read as pictures.",
    "Class": "One value of a taxonomy, such as one brand.",
    "Classes": "How many classes a taxonomy has.",
    "Classes that occur together": (
        "Of the images of one class (row), the share that carries another class (column) too."
    ),
    "Classes without an image": "Classes that no image carries.",
    "Closed": (
        "In a closed taxonomy an image with a label has none of the other classes; in "
        "an open one nobody knows of the others."
    ),
    "Confirmed by a person": (
        "Images with a label that a person gave or agreed with; such labels are not judged."
    ),
    "Description": "What the taxonomy is about, in the owner's words.",
    "Duplicate groups": "Sets of pictures that show the same thing.",
    "Duplicates": (
        "Pictures that are the same file, the same picture in another file, or a "
        "scaled, cropped, turned or otherwise changed copy. One of each group is to be "
        "kept."
    ),
    "Estimators": "The networks of a model, each trained on a part of the images.",
    "Evenness of the classes": (
        "1 where all classes have equally many images, near 0 where one has nearly all "
        "(normalized entropy)."
    ),
    "F1": "Precision and recall in one number, both alike: high only where both are.",
    "F2": "The same, with recall weighing more.",
    "File": "The path below the folder of images.",
    "Fill suggestions": "Labels that the pictures suggest for images without one.",
    "Filled in": "Labels that images got that came without one.",
    "Filling rate": "The share of the images that carry a label of the taxonomy.",
    "Folder": "The folder of images that was indexed.",
    "Formats": "How many images there are of each file format.",
    "From import to now": "What came in, what was changed since, and what holds today.",
    "How far to read": (
        "How many wrong labels one is expected to meet by reading the list from its "
        "top; where the line flattens, reading on hardly pays."
    ),
    "Images": "Pictures that can be read and are not in the trash.",
    "Images corrected": "Images that came with a label and have others now.",
    "Images of each class": (
        "How many images carry each class, and how many more would with the fill suggestions."
    ),
    "Images with both": "Images that carry the two classes together.",
    "Imbalance": "How many images the most frequent class has for one of the rarest class.",
    "Imbalance of the classes": (
        "The number of images of each class, from the most frequent to the rarest."
    ),
    "Keywords on less than 0.1% of the images": "The share of the keywords that are so rare.",
    "Keywords on one image alone": "Keywords that a single image carries.",
    "Kind": (
        "Of a taxonomy: whether an image has one label or several. Of quality: what is wrong."
    ),
    "Label file, folders or image files": "Labels that came with the import and hold.",
    "Label issues": "Labels that the pictures contradict. Nothing is changed until you agree.",
    "Labelled images": "Images that carry a label of the taxonomy.",
    "Labelled now": "Images that carry the class today.",
    "Labels an image": "How many labels an image carries, on average or as a count of images.",
    "Labels at import": "Labels that class folders or a label file brought.",
    "Labels equal to all others in the folder": (
        "The share of the labelled images whose labels are those of every other image in their "
        "folder: such labels were given by folder, not by picture."
    ),
    "Labels now": "Labels that hold today: at import − taken away + added + filled in.",
    "Labels now, by who says so": (
        "How many of the labels that hold came with the import, were said by a person, "
        "or were filled in."
    ),
    "Labels that repeat the file name": (
        "The share of the labels whose word stands in the name of the file."
    ),
    "Labels that repeat the title": "The share of the labels whose word stands in the title.",
    "Labels to fill in": "Fill suggestions of all taxonomies.",
    "Left out": (
        "Files in the folder that are no pictures: videos, slide decks, documents. They"
        " are counted and not read."
    ),
    "Left unknown": "Images without a label for which none can be promised.",
    "Lower bound of the class": (
        "At least this share of the suggestions of the class is right, with 95% confidence."
    ),
    "Macro F1": ("The mean of F1 over the classes: a rare class counts as much as a frequent one."),
    "Macro precision": "The mean of the precision over the classes.",
    "Macro recall": "The mean of the recall over the classes.",
    "Mean average precision": "The mean of the average precision over the classes.",
    "Meaning": "What a kind of quality issue is about.",
    "Micro F1": "F1 over all labels together: a frequent class counts more.",
    "Micro precision": "The precision of all labels together.",
    "Micro recall": "The recall of all labels together.",
    "Model": (
        "What learned the taxonomy from the labelled images; it suggests labels and can"
        " label new pictures."
    ),
    "Models": (
        "What was learned from the labels, and how well it does on images whose own "
        "label it did not see (out of bag)."
    ),
    "Of all": "The share of all images.",
    "Of all images": "The share of all images.",
    "Origin": "Where the labels came from.",
    "Pictures": "How many pictures are concerned.",
    "Pictures compared by": (
        "The network that turns each picture into numbers (a vector, or embedding), so "
        "that pictures that look alike have numbers that are alike."
    ),
    "Precision": "Of the labels that are given, the share that is right.",
    "Precision and recall of the classes": (
        "One dot a class: the further to the top right, the better it is recognised."
    ),
    "Precision promised": (
        "At least this share of the suggestions is right; measured on labelled images "
        "that were held out (put aside for it)."
    ),
    "Principal components": "To how many numbers the vectors were shortened for learning.",
    "Proposed groups": "Labels from clusters or topics that were accepted as a taxonomy.",
    "Quality": "Pictures that are hard to use: blurry, dark, without detail…",
    "Quality issues": "Findings of that kind; a picture may have several.",
    "Rarest class": "The class of the fewest images.",
    "Read in pictures": "Labels from words that were read in the pictures.",
    "Reason": "Why a file cannot be read.",
    "Recall": "Of the labels that should be given, the share that is.",
    "Size": "Of the file.",
    "Size of the images": "Of all files of images together.",
    "Suggested": "How many images would get the class.",
    "Suggested labels": "Labels that are proposed and not yet applied.",
    "Summary": "What was found, and what to do about it first.",
    "Taken away": "Imported labels that do not hold any more.",
    "Taxonomies": "Named sets of classes, such as brand: how full and how even they are.",
    "Taxonomy": "A named set of classes, such as brand.",
    "Threshold": "From this probability on a label is given.",
    "Threshold curve": (
        "What precision, recall and F1 would be if labels were given from another probability on."
    ),
    "Thresholds tuned for": "The measure that the thresholds make as high as possible.",
    "Told by the pictures": (
        "Whether the pictures tell the classes apart, and how often an image with a class is told "
        "from one without it: 0.5 is chance, 1 is always. In brackets its 95 % interval."
    ),
    "Trained": "When the model was made.",
    "What to do first": "The next steps, the safest and most useful first, with the command.",
    "Where labels are": "Heat maps of labels over their pictures, learned from the labels alone.",
    "With": "The other class of the pair.",
    "Words": "What the headings of this page mean.",
}
"""Heading → one or two sentences, in the order of the alphabet."""

SCORERS: Mapping[str, str] = {
    "self_confidence": "how improbable the given label is",
    "posterior": "how probable it is that a label is wrong",
    "normalized_margin": "how far another class is ahead of the given one",
    "mse": "how far labels and probabilities lie apart",
    "weighted_entropy": "how undecided the picture is about its label",
    "balanced": "the most doubtful label, rare classes weighing as much as frequent ones",
    "softmin": "the most doubtful labels",
    "ema": "the most doubtful labels",
    "mean": "how doubtful the labels are on average",
}
"""By what label issues are ranked, in a reader's words."""
